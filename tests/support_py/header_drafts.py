"""Files of safetensors to judge: a sound one, of which up to three things are changed. The header is put together
from its parts, so that it can say what no dictionary holds."""

import json
import math
import random
import struct
from dataclasses import dataclass, field

from hypothesis import strategies as st

from finedelta.frameworks import ITEM_BYTES

BITS = {**{name: 8 * size for name, size in ITEM_BYTES.items()}, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
LARGEST = 2**63 - 1


@dataclass
class Draft:
    """A file. Names are JSON text, values too or the fields of a tensor."""

    members: list = field(default_factory=list)
    data: bytes = b""
    before: bytes = b""
    after: bytes = b""
    space: str = ""
    edit: tuple[int, int, bytes] = (0, 0, b"")  # where in the header, bytes to remove, bytes to insert
    length: int | None = None

    def tensors(self):
        return [member for member in self.members if isinstance(member[1], list)]

    def header(self):
        gap = self.space
        members = [f"{name}{gap}:{gap}{value if isinstance(value, str) else self._object(value)}"
                   for name, value in self.members]
        text = f"{{{gap}{f',{gap}'.join(members)}{gap}}}".encode(errors="surrogatepass")
        header = self.before + text + self.after
        place, removed, inserted = self.edit
        return header[:place] + inserted + header[place + removed :]

    def _object(self, fields):
        gap = self.space
        return f"{{{f',{gap}'.join(f'{key}:{gap}{value}' for key, value in fields)}}}"

    def content(self):
        header = self.header()
        length = len(header) if self.length is None else self.length
        return struct.pack("<Q", length) + header + self.data


NAMES = st.text(st.characters(codec="utf-8"), max_size=6).filter(lambda name: name != "__metadata__")
SHAPES = st.lists(st.integers(0, 4) | st.just(8), max_size=4)


@st.composite
def sound_drafts(draw):
    tensors, offset = [], 0
    for name in draw(st.lists(NAMES, unique=True, min_size=draw(st.integers(0, 2)), max_size=4)):
        dtype = draw(st.sampled_from(sorted(BITS)))
        shape = draw(SHAPES)
        if BITS[dtype] * math.prod(shape) % 8:
            shape.append(4)  # four items are whole bytes in every type
        end = offset + BITS[dtype] * math.prod(shape) // 8
        fields = [['"dtype"', json.dumps(dtype)], ['"shape"', json.dumps(shape)],
                  ['"data_offsets"', json.dumps([offset, end])]]
        tensors.append([json.dumps(name, ensure_ascii=draw(st.booleans())), draw(st.permutations(fields))])
        offset = end
    members = draw(st.permutations(tensors))
    if draw(st.booleans()):
        metadata = draw(st.dictionaries(NAMES, NAMES, max_size=2))
        members.insert(draw(st.integers(0, len(members))), ['"__metadata__"', json.dumps(metadata)])
    draft = Draft(members, random.Random(draw(st.integers(0, 99))).randbytes(offset))
    draft.space = draw(st.sampled_from(["", "", " ", "\n", "\t\r\n "]))
    if draw(st.booleans()):
        draft.after = b" " * (-len(draft.header()) % 8)
    return draft


WHITE = st.text(" \t\n\r", min_size=1, max_size=3).map(str.encode)
JSON = st.recursive(
    st.sampled_from(["null", "true", "0", "-1", "1.5", "1e400", '""', '"U8"', '"\\ud800"', "NaN", "{}", "[]"]),
    lambda inner: (st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
                   | inner.map(lambda item: f'{{"a":{item}}}')), max_leaves=4)
DEEP = st.tuples(st.sampled_from([("[", "]"), ('{"a":', "}")]),
                 st.sampled_from([100, 126, 127, 128, 129, 5000])).map(
    lambda case: f"{case[0][0] * case[1]}1{case[0][1] * case[1]}")
NUMBERS = st.integers(0, 9).map(str) | st.sampled_from(
    ["-0", "-1", "0.0", "1.0", "1e0", "1E+2", "00", "01", "+1", '"1"', "null", "true", "[1]", "", "0x1", "1_0",
     str(LARGEST), str(LARGEST + 1), str(2**64 - 1), str(2**64), str(2**64 + 1), "9" * 5000])
SIZES = st.sampled_from([1, 3, 2**31, 2**32, 2**60, LARGEST, LARGEST + 1, 2**64 - 1])
LENGTHS = st.sampled_from([0, 10**8, 10**8 + 1, LARGEST, 2**64 - 8, 2**64 - 1])
DTYPES = st.sampled_from(
    ['"u8"', '"U4"', '"F128"', '""', '" U8"', '"U\\u0038"', "8", "null", '["U8"]', "U8", '"F16"', '"BF16"', '"F4"',
     '"F6_E2M3"', '"F8_E8M0"', '"F8_E4M3B11"', '"C128"'])
METADATA = st.sampled_from(
    ["null", "{}", '{"a":"b"}', '{"a":null}', '{"a":1}', '{"a":{}}', '{"a":["b"]}', '"a"', "[]", '[["a","b"]]',
     '{"a":"","a":""}', '{"a":"","\\u0061":"x"}', '{"a":"b",}', "0"])
ODD_NAMES = st.sampled_from(
    ['""', '"\\u0000"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"', '"\x7f"', '"\x00"', '"\n"',
     '"\\x41"', '"\\/"', '"\ud800"', "a", "'a'", "1", "null", '"\u2028"', '"__metadata__"', '"__METADATA__"',
     '"\ufeff"'])
PADDING = st.sampled_from([b"\0", b" \0", b"\v", b"\f", b"\xc2\xa0", b"{}", b",", b"}", b"]", b"x", b"\xff",
                           b"\n\n\0", b" //", b'""'])


def chosen(draw, items):
    return items[draw(st.integers(0, len(items) - 1))]


def field_of(draw, draft, name):
    """[key, value] of a tensor's field, or None where there is no tensor left with it."""
    found = [entry for _, fields in draft.tensors() for entry in fields if entry[0] == f'"{name}"']
    return chosen(draw, found) if found else None


def numbers_in(text):
    """The items of a list that is no longer sound, perhaps."""
    return text.strip("[]").replace(" ", "").split(",") if text.strip("[]") else []


def change_list(draw, entry):
    """Changes one number of a shape or of data_offsets, or how many there are."""
    items = numbers_in(entry[1])
    place = draw(st.integers(0, len(items)))
    kind = draw(st.sampled_from(["insert", "remove", "near", "other", "swap"]))
    if kind == "insert" or place == len(items):
        items.insert(place, draw(NUMBERS))
    elif kind == "remove":
        del items[place]
    elif kind == "near" and items[place].isdigit() and len(items[place]) < 20:
        items[place] = str(int(items[place]) + draw(st.sampled_from([-1, 1, 2, 8])))
    elif kind == "swap":
        items.reverse()
    else:
        items[place] = draw(NUMBERS)
    entry[1] = f"[{','.join(items)}]"


def wrong_shape(draw, draft):
    if entry := field_of(draw, draft, "shape"):
        change_list(draw, entry)


def wrong_offsets(draw, draft):
    if entry := field_of(draw, draft, "data_offsets"):
        change_list(draw, entry)


def moved_tensors(draw, draft):
    """All tensors from one on begin later or earlier: a gap or an overlap, which the data may follow."""
    entries = [entry for _, fields in draft.tensors() for entry in fields if entry[0] == '"data_offsets"']
    by = draw(st.sampled_from([-1, 1, 8]))
    first = draw(st.integers(0, len(draft.data)))
    for entry in entries:
        items = numbers_in(entry[1])
        if all(item.isdigit() and len(item) < 20 for item in items) and items and int(items[0]) >= first:
            entry[1] = json.dumps([int(item) + by for item in items])
    if draw(st.booleans()):
        draft.data = draft.data[:by] if by < 0 else draft.data + bytes(by)


def far_empty_tensor(draw, draft):
    """An empty tensor of any place and shape."""
    place = draw(st.integers(0, len(draft.data) + 1))
    shape = draw(st.lists(SIZES, max_size=3))
    shape.insert(draw(st.integers(0, len(shape))), 0)
    dtype = draw(st.sampled_from(sorted(BITS)))
    fields = [['"dtype"', json.dumps(dtype)], ['"shape"', json.dumps(shape)],
              ['"data_offsets"', json.dumps([place, place])]]
    draft.members.insert(draw(st.integers(0, len(draft.members))), [json.dumps(draw(NAMES)), fields])


def many_dimensions(draw, draft):
    if entry := field_of(draw, draft, "shape"):
        count = draw(st.sampled_from([60, 64, 65, 200])) - len(numbers_in(entry[1]))
        entry[1] = f"[{','.join(numbers_in(entry[1]) + ['1'] * count)}]"


def other_size_of_data(draw, draft):
    size = draw(st.integers(-9, 9))
    draft.data = draft.data[:size] if size < 0 else draft.data + bytes(size)


def other_length(draw, draft):
    right = len(draft.header())
    near = st.integers(-9, 9).map(lambda by: right + by)
    draft.length = max(0, draw(near | LENGTHS))


def other_dtype(draw, draft):
    if entry := field_of(draw, draft, "dtype"):
        inner = st.sampled_from(["null", "{}", "[]", '""', "1"])
        entry[1] = draw(DTYPES | inner.map(lambda value: f"{{{entry[1]}:{value}}}"))


def member_twice(draw, draft):
    """A member occurs again, anywhere; perhaps the name alone, with another's value."""
    if draft.members:
        name, value = chosen(draw, draft.members)
        if draw(st.booleans()):
            value = chosen(draw, draft.members)[1]
        again = [name, [list(entry) for entry in value] if isinstance(value, list) else value]
        draft.members.insert(draw(st.integers(0, len(draft.members))), again)


def fields_changed(draw, draft):
    """A field is missing, occurs twice or has another name, or there is one more."""
    if not draft.tensors():
        return
    fields = chosen(draw, draft.tensors())[1]
    kind = draw(st.sampled_from(["remove", "twice", "rename", "add", "add"]))
    if kind == "add" or not fields:
        key = draw(st.sampled_from(['"x"', '""', '"Dtype"', '"0"', '"__metadata__"', "0"]))
        fields.insert(draw(st.integers(0, len(fields))), [key, draw(JSON | DEEP)])
    elif kind == "remove":
        fields.remove(chosen(draw, fields))
    elif kind == "twice":
        fields.insert(draw(st.integers(0, len(fields))), list(chosen(draw, fields)))
    else:
        entry = chosen(draw, fields)
        name = entry[0]
        entry[0] = draw(st.sampled_from([name.replace("a", "\\u0061"), name.upper(), name[:-2] + '"']))


def other_value(draw, draft):
    """A tensor is anything else; its values without their names, for one."""
    if draft.tensors():
        member = chosen(draw, draft.tensors())
        values = {key: text for key, text in member[1]}
        in_order = [values.get(f'"{key}"', "0") for key in ("dtype", "shape", "data_offsets")]
        member[1] = draw(st.just(f"[{','.join(in_order)}]") | JSON | DEEP)


def other_metadata(draw, draft):
    draft.members = [member for member in draft.members if member[0] != '"__metadata__"']
    name = draw(st.sampled_from(['"__metadata__"', '"__met\\u0061data__"']))
    draft.members.insert(draw(st.integers(0, len(draft.members))), [name, draw(METADATA | JSON | DEEP)])


def other_name(draw, draft):
    if draft.members:
        chosen(draw, draft.members)[0] = draw(ODD_NAMES)


def white_space_before(draw, draft):
    draft.before = draw(WHITE | st.sampled_from([b"\xef\xbb\xbf", b"\0", b"\v", b"\xc2\xa0", b"//\n"]))


def other_padding(draw, draft):
    draft.after = draw(WHITE | PADDING) + draft.after


def bytes_changed(draw, draft):
    """One byte of the header is another, missing, or one too many."""
    byte = draw(st.sampled_from(b'"{}[]:,\\ 0a\n\0\x80\xff') | st.integers(0, 255))
    place = draw(st.integers(0, len(draft.header()) - 1))
    draft.edit = (place, draw(st.integers(0, 1)), bytes([byte] * draw(st.integers(0, 1))))


CHANGES = (wrong_shape, wrong_offsets, moved_tensors, far_empty_tensor, many_dimensions, other_size_of_data,
           other_length, other_dtype, member_twice, fields_changed, other_value, other_metadata, other_name,
           white_space_before, other_padding, bytes_changed)


@st.composite
def changed_files(draw):
    draft = draw(sound_drafts())
    count = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=count, max_size=count)):
        change(draw, draft)
    return draft.content()
