"""Which safetensors files are accepted: those that the safetensors package reads, but for what REFUSED
lists."""

import json
import math
import struct
from collections import Counter

import pytest
import safetensors
from hypothesis import HealthCheck, given, settings

import finedelta
from header_drafts import BITS, LARGEST, changed_files, sound_drafts

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
