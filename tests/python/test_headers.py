"""Which safetensors files are accepted: those that the safetensors package reads, but for what REFUSED
lists."""

import json
import math
import random
import struct
from collections import Counter
from dataclasses import dataclass, field

import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import finedelta
from finedelta.frameworks import ITEM_BYTES

BITS = {**{name: 8 * size for name, size in ITEM_BYTES.items()}, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
LARGEST = 2**63 - 1


# The two verdicts.


def package_reads(path, content):
    """The tensors by name, or None where the package refuses the file. It has two ways to read one."""
    try:
        with safetensors.safe_open(path, "np") as opened:
            names = opened.keys()
    except safetensors.SafetensorError:
        names = None
    try:
        tensors = dict(safetensors.deserialize(content))
    except safetensors.SafetensorError:
        tensors = None
    assert sorted(names or ()) == sorted(tensors or ()) and (names is None) == (tensors is None)
    return tensors


def finedelta_packs(path, archive):
    """Whether the file is packed; a file that is named by itself is not kept as an ordinary one."""
    try:
        finedelta.pack(None, path, archive, force=True, threads=1)
    except finedelta.CorruptError:
        return False
    return True


# What is refused though the package reads it, and why. README.md, "Safety and limits", says the same.


class Members(list):
    """The members of a JSON object as (name, value), in order, with all that share a name."""


def parsed(header):
    return json.loads(header, object_pairs_hook=Members)


def tensors_of(header):
    """(name, value) of each tensor."""
    return [(name, value) for name, value in parsed(header) if name != "__metadata__"]


def metadata_of(header):
    return [value for name, value in parsed(header) if name == "__metadata__"]


def fields_of(header):
    """The fields of each tensor that has them."""
    return [dict(value) for _, value in tensors_of(header) if isinstance(value, Members)]


def begins_with_white_space(header):
    """The format's description: it must begin with '{'."""
    return not header.startswith(b"{")


def is_padded_with_other_than_spaces(header):
    """The format's description: padding is 0x20. Tabs and line ends are what the package lets pass."""
    return not header.rstrip(b" ").endswith(b"}")


def has_a_name_twice(header):
    """The format's description: no duplicate keys. The package takes the last of them."""
    return any(len(dict(members)) < len(members)
               for members in (parsed(header), *metadata_of(header)) if members is not None)


def has_null_as_metadata(header):
    """The format's description: __metadata__ is a map of strings. It is left out where there is none."""
    return None in metadata_of(header)


def has_an_unknown_field(header):
    """What it means for the tensor is unknown, so the tensor is."""
    return any(fields.keys() - {"dtype", "shape", "data_offsets"} for fields in fields_of(header))


def has_a_tensor_without_field_names(header):
    """The format's description: a tensor is an object. The package takes its values in a list too."""
    return any(not isinstance(value, Members) for _, value in tensors_of(header))


def has_an_object_as_dtype(header):
    """The format's description: a dtype is a string. The package takes {"U8": null} for "U8"."""
    return any(isinstance(fields["dtype"], Members) for fields in fields_of(header))


def has_more_than_64_dimensions(header):
    """No framework has such tensors, and archives have room for 64."""
    return any(len(fields["shape"]) > 64 for fields in fields_of(header))


def is_empty_but_too_large(header):
    """A dimension, or the bytes without the dimensions of 0, are over 2^63 - 1: what multiplies them in another
    order overflows, as the package does where the 0 comes last."""
    return any(max((bytes_without_zeros(fields), *fields["shape"])) > LARGEST
               for fields in fields_of(header))


def bytes_without_zeros(fields):
    dtype = fields["dtype"] if isinstance(fields["dtype"], str) else fields["dtype"][0][0]
    return BITS[dtype] * math.prod(size for size in fields["shape"] if size) // 8


REFUSED = (begins_with_white_space, is_padded_with_other_than_spaces, has_a_name_twice,
           has_null_as_metadata, has_an_unknown_field, has_a_tensor_without_field_names,
           has_an_object_as_dtype, has_more_than_64_dimensions, is_empty_but_too_large)


def reasons_to_refuse(content):
    """Of a file that the package reads."""
    (length,) = struct.unpack("<Q", content[:8])
    header = content[8 : 8 + length]
    return [predicate.__name__ for predicate in REFUSED if predicate(header)]


# Files to judge: a sound one, of which up to three things are changed. The header is put together from its
# parts, so that it can say what no dictionary holds.


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


class Judge:
    """Compares verdicts, and what was read of the files that both accept."""

    def __init__(self, folder):
        self._file = folder / "m.safetensors"
        self._archive = folder / "m.fd"
        self._output = folder / "out.safetensors"

    def __call__(self, content):
        """Whether the file is accepted, and if only the package does, why."""
        self._file.write_bytes(content)
        tensors = package_reads(self._file, content)
        packed = finedelta_packs(self._file, self._archive)
        reasons = [] if tensors is None else reasons_to_refuse(content)
        assert packed == (tensors is not None and not reasons), (packed, reasons)
        if packed:
            self._assert_same(tensors, content)
        return packed, reasons

    def _assert_same(self, tensors, content):
        finedelta.unpack(self._archive, self._output, force=True, threads=1)
        assert self._output.read_bytes() == content
        with (finedelta.open(self._archive, framework="np") as ours,
              safetensors.safe_open(self._file, "np") as theirs):
            assert ours.metadata() == theirs.metadata()
            assert sorted(ours.keys()) == sorted(tensors)
            for name, tensor in tensors.items():
                assert ours.get_slice(name).get_shape() == tensor["shape"]
                assert ours.get_slice(name).get_dtype() == tensor["dtype"]
                if is_for_numpy(tensor):
                    assert ours.get_tensor(name).tobytes() == tensor["data"]
        others = {name: tensor for name, tensor in tensors.items() if not is_for_numpy(tensor)}
        if others:
            finedelta.extract(self._archive, others, self._output, force=True, threads=1)
            assert dict(safetensors.deserialize(self._output.read_bytes())) == others


def is_for_numpy(tensor):
    """It has no types of less than a byte, and the reader takes one of its 64 dimensions for bytes."""
    return BITS[tensor["dtype"]] >= 8 and len(tensor["shape"]) < 64


@settings(max_examples=100, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draft=sound_drafts())
def test_sound_files_are_accepted(tmp_path, draft):
    assert Judge(tmp_path)(draft.content()) == (True, [])


def test_verdicts_on_changed_files(tmp_path):
    judge = Judge(tmp_path)
    seen = Counter()

    @settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(changed_files())
    def compare(content):
        accepted, reasons = judge(content)
        seen.update(reasons or ["accepted" if accepted else "refused by both"])

    compare()
    # Else there is little to compare.
    assert seen["accepted"] >= 40 and seen["refused by both"] >= 150 and len(seen) >= 5, seen


ONE = '"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'


def with_header(text, data=b""):
    header = text.encode()
    return struct.pack("<Q", len(header)) + header + data


def one_tensor(dtype="U8", shape="[2]", more="", data=b"ab"):
    if dtype[0] != "{":
        dtype = f'"{dtype}"'
    return with_header(
        f'{{"a":{{"dtype":{dtype},"shape":{shape},"data_offsets":[0,{len(data)}]{more}}}}}', data)


EXAMPLES = [
    (begins_with_white_space, with_header(f" {{{ONE}}}", b"ab")),
    (begins_with_white_space, with_header(f"\n{{{ONE}}}", b"ab")),
    (is_padded_with_other_than_spaces, with_header(f"{{{ONE}}}\n", b"ab")),
    (is_padded_with_other_than_spaces, with_header(f"{{{ONE}}} \t ", b"ab")),
    (has_a_name_twice, with_header(f"{{{ONE},{ONE}}}", b"ab")),
    (has_a_name_twice, with_header(f"{{{ONE.replace('2', '3')},{ONE}}}", b"ab")),
    (has_a_name_twice, with_header(f"{{{ONE},{ONE.replace('a', chr(92) + 'u0061', 1)}}}", b"ab")),
    (has_a_name_twice, with_header('{"__metadata__":{"a":"b","a":"c"}}')),
    (has_null_as_metadata, with_header('{"__metadata__":null}')),
    (has_an_unknown_field, one_tensor(more=',"x":null')),
    (has_an_unknown_field, one_tensor(more=',"x":[{"y":1.5}]')),
    (has_a_tensor_without_field_names, with_header('{"a":["U8",[2],[0,2]]}', b"ab")),
    (has_an_object_as_dtype, one_tensor('{"U8":null}')),
    (has_more_than_64_dimensions, one_tensor(shape=f"[{'1,' * 64}2]")),
    (is_empty_but_too_large, one_tensor(shape=f"[0,{LARGEST + 1}]", data=b"")),
    (is_empty_but_too_large, one_tensor("U16", f"[0,{LARGEST}]", data=b"")),
    (is_empty_but_too_large, one_tensor("U8", f"[0,{2**32},{2**31}]", data=b"")),
]


@pytest.mark.parametrize("reason, content", EXAMPLES)
def test_what_is_refused_though_the_package_reads_it(tmp_path, reason, content):
    assert Judge(tmp_path)(content) == (False, [reason.__name__])


def test_every_refusal_has_an_example():
    assert list(dict.fromkeys(reason for reason, _ in EXAMPLES)) == list(REFUSED)


@pytest.mark.parametrize("content", [
    with_header("{}"),
    with_header('{"__metadata__":{}}'),
    with_header(f"{{ \t\r\n{ONE}\n}}    ", b"ab"),
    with_header('{"__met\\u0061data__":{"":""},"":{"data_offsets":[0,0],"sh\\u0061pe":[0],"dtype":"U8"}}'),
    one_tensor("F4", "[3,0]", data=b""),
    one_tensor("F6_E2M3", "[2,2]", data=b"abc"),
    one_tensor(shape=f"[{'1,' * 63}2]"),
    one_tensor(shape=f"[0,{LARGEST}]", data=b""),
    one_tensor("F4", f"[{2**32},0,{2**31 - 1}]", data=b""),
])
def test_what_is_just_accepted(tmp_path, content):
    assert Judge(tmp_path)(content) == (True, [])


@pytest.mark.parametrize("content", [
    b"",
    b"\2\0\0\0\0\0\0",
    with_header(""),
    with_header("[]"),
    with_header("{}", b"a"),
    with_header("{}\0"),
    one_tensor("F4", "[3]", data=b"ab"),
    one_tensor("F6_E3M2", "[]", data=b"a"),
    one_tensor(shape=f"[{2**32},{2**32},0]", data=b""),
    one_tensor(more=f',"x":{"[" * 5000}{"]" * 5000}'),
])
def test_what_both_refuse(tmp_path, content):
    assert Judge(tmp_path)(content) == (False, [])


@pytest.mark.parametrize("reason, content", EXAMPLES)
def test_in_a_directory_it_is_kept_as_it_is(tmp_path, reason, content):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "m.safetensors").write_bytes(content)
    report = finedelta.pack(None, tmp_path / "model", tmp_path / "m.fd", threads=1)
    assert report.tensors == 0 and len(report.notes) == 1 and "m.safetensors" in report.notes[0]
    finedelta.unpack(tmp_path / "m.fd", tmp_path / "out", threads=1)
    assert (tmp_path / "out" / "m.safetensors").read_bytes() == content
