"""The Python reader against the Python writer: round trips, damage, lies and wrong bases."""

import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import checkpoints
import numpy as np
import pytest
import zstandard
from archive import HEADER_SIZE, Header, open_archive
from checkpoints import Pair, generate, noise, shard, write_tree
from finedelta_reader import check, unpack
from floats import convert
from frames import decompress
from primitives import (
    Cursor,
    DamagedError,
    UnsupportedVersionError,
    WrongBaseError,
    hash64,
    hash128,
    u64,
    varint,
)
from records import Coder, Index, Kind, Tensor, encode_body
from writer import Options, Writer, always, compress, encode_planes, seal, seal_body

Tree = dict[str, tuple[bytes | None, bool]]


def tree(root: Path) -> Tree:
    """Every file below `root` with its executable bit, and every empty directory."""
    if root.is_file():
        return {"": (root.read_bytes(), bool(root.stat().st_mode & stat.S_IXUSR))}
    found: Tree = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
        elif not any(path.iterdir()):
            found[name] = (None, False)
    return found


@pytest.fixture(scope="session", params=checkpoints.MAKERS, ids=lambda make: make.__name__)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return generate(request.param, tmp_path_factory.mktemp(request.param.__name__))


OPTIONS = {
    "smallest": Options(),
    "raw": Options(tensor_coder=always(Coder.RAW)),
    "identical": Options(tensor_coder=always(Coder.IDENTICAL)),
    "planes": Options(tensor_coder=always(Coder.PLANES)),
    "small chunks": Options(chunk_log2=12),
    "large chunks": Options(chunk_log2=20),
    "stored headers": Options(canonical=False),
    "named": Options(name=b"org/name", revision=b"0123456789abcdef"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_round_trip(pair: Pair, options: Options, tmp_path: Path) -> None:
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    unpack(list(reversed(pair.bases)), archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)
    opened = check(archive)
    assert encode_body(opened.index) == opened.body


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair whose archive is small and has all kinds of files and all coders."""
    root = tmp_path_factory.mktemp("small")
    base = {"a": ("F32", (8,), noise(32, 1)), "b": ("BF16", (16,), noise(32, 2))}
    fine = base | {"a": ("F32", (9,), noise(3, 3) + noise(32, 1)[3:] + bytes(4))}
    fine["c"] = ("F16", (16,), noise(32, 4))
    fine["d"] = ("I64", (40,), bytes(160) + bytes(range(160)))
    words = b"".join(b"%d, " % (number * number) for number in range(1000))
    base_files = {"model.safetensors": shard(base), "same.txt": words, "merges.txt": words}
    files = {"model.safetensors": shard(fine), "same.txt": words, "merges.txt": b"1" + words}
    files |= {"config.json*": b"{}", "zeros.bin": bytes(5000), "empty/": b""}
    write_tree(root / "base", base_files)
    write_tree(root / "fine", files)
    return Pair("small", [root / "base"], root / "fine")


@pytest.fixture(scope="session")
def archive(small: Pair) -> bytes:
    return Writer(small.bases, small.fine_tune, Options()).archive()


def test_small_archive_has_every_kind_and_coder(archive: bytes) -> None:
    index = open_archive(archive).index
    assert {file.kind for file in index.files} == set(Kind)
    assert {chunk.coder for chunk in index.chunks if chunk.of_tensor} == {0, 1, 2}
    assert {chunk.coder for chunk in index.chunks if not chunk.of_tensor} == {0, 1, 2}


def test_every_flipped_bit_is_rejected(archive: bytes) -> None:
    for bit in range(len(archive) * 8):
        damaged = bytearray(archive)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DamagedError, UnsupportedVersionError)):
            check(bytes(damaged))


def test_every_truncation_is_rejected(archive: bytes) -> None:
    for length in range(len(archive)):
        with pytest.raises(DamagedError):
            check(archive[:length])


def test_bytes_behind_the_archive_are_rejected(archive: bytes) -> None:
    with pytest.raises(DamagedError, match="the file has"):
        check(archive + b"\0")


def resealed(archive: bytes, change: Callable[[Index], None]) -> bytes:
    """The archive with a changed index and hashes that fit it."""
    opened = open_archive(archive)
    change(opened.index)
    side = HEADER_SIZE + opened.header.payload
    return seal(opened.index, archive[HEADER_SIZE:side], archive[side : side + opened.header.side])


def test_changed_bodies_raise_nothing_else(archive: bytes, small: Pair, tmp_path: Path) -> None:
    """A liar's archive, every hash of the index in order, is read or rejected."""
    opened = open_archive(archive)
    side = HEADER_SIZE + opened.header.payload
    regions = archive[HEADER_SIZE:side], archive[side : side + opened.header.side]
    for bit in range(len(opened.body) * 8):
        body = bytearray(opened.body)
        body[bit // 8] ^= 1 << bit % 8
        try:
            check(seal_body(bytes(body), *regions))
        except DamagedError:
            continue


def set_header(archive: bytes, **changes: int) -> bytes:
    header = open_archive(archive).header._replace(**changes)
    return header.encode() + archive[HEADER_SIZE:]


def test_newer_version(archive: bytes) -> None:
    with pytest.raises(UnsupportedVersionError, match="a reader of version 7"):
        check(set_header(archive, version=9, oldest_reader=7))


def test_newer_version_that_this_reader_still_reads(archive: bytes) -> None:
    assert check(set_header(archive, version=3)).header.version == 3


def test_other_spelling_of_the_header(archive: bytes) -> None:
    spaced = archive[:8] + archive[8:HEADER_SIZE].replace(b'},"finedelta.side', b'} ,"finedelta.side')
    with pytest.raises(DamagedError, match="only spelling"):
        check(spaced[:HEADER_SIZE] + archive[HEADER_SIZE:])


def shard_of(index: Index):
    return next(file for file in index.files if file.kind == Kind.SHARD)


def side_file(index: Index, kind: Kind):
    return next(file for file in index.files if file.kind == kind)


def first_chunk(index: Index, of_tensor: bool, coder: int):
    chunks = (c for c in index.chunks if c.of_tensor == of_tensor and c.coder == coder)
    return next(chunks)


def set_(target: Callable[[Index], object], **values: object) -> Callable[[Index], None]:
    def change(index: Index) -> None:
        for name, value in values.items():
            setattr(target(index), name, value)

    return change


def first_tensor(index: Index) -> Tensor:
    return shard_of(index).tensors[0]


def rename_to_same(index: Index) -> None:
    shard_of(index).tensors[1].name = shard_of(index).tensors[0].name


def add_unused_tensor(index: Index) -> None:
    index.base_tensors.append(replace(index.base_tensors[0], base=0))
    fix_identity(index)


def fix_identity(index: Index) -> None:
    from records import base_identity

    for number, base in enumerate(index.bases):
        base.identity = base_identity(t for t in index.base_tensors if t.base == number)


def other_base_shape(index: Index) -> None:
    index.base_tensors[0].shape = (4, 2)


def other_base_dtype(index: Index) -> None:
    index.base_tensors[0].dtype = checkpoints.DTYPE_BY_NAME["I32"]


def swap_paths(index: Index) -> None:
    index.files[0], index.files[1] = index.files[1], index.files[0]


def path(number: int, value: bytes) -> Callable[[Index], None]:
    return set_(lambda index: index.files[number], path=value)


CHUNK_PATCH = dict(of_tensor=False, coder=Coder.PATCH)
LIES = {
    "flags": (set_(lambda i: i, single_file=2), "unknown flags 2"),
    "chunk size below": (set_(lambda i: i, chunk_log2=11), r"chunks of 2\^11 units"),
    "chunk size above": (set_(lambda i: i, chunk_log2=21), r"chunks of 2\^21 units"),
    "long name": (set_(lambda i: i.bases[0], name=b"n" * 513), "a string of 513 bytes"),
    "identity": (set_(lambda i: i.bases[0], identity=bytes(16)), "the identity of base 0"),
    "fingerprint": (set_(lambda i: i.base_tensors[0], fingerprint=bytes(16)), "the identity of"),
    "unknown base": (set_(lambda i: i.base_tensors[0], base=1), "names base 1 of 1"),
    "unused base tensor": (add_unused_tensor, "nothing uses base tensor 'a'"),
    "unused base file": (
        lambda i: i.base_files.append(i.base_files[0]),
        "nothing uses base file 'merges.txt'",
    ),
    "single file with more": (set_(lambda i: i, single_file=True), "a single file is not one"),
    "path up": (path(0, b"../config.json"), "'../config.json' is not relative and clean"),
    "path with dot": (path(0, b"a/./b"), "is not relative and clean"),
    "absolute path": (path(0, b"/etc/x"), "is not relative and clean"),
    "path with slash behind": (path(0, b"a/"), "is not relative and clean"),
    "path with two slashes": (path(0, b"a//b"), "is not relative and clean"),
    "empty path": (path(0, b""), "is not relative and clean"),
    "path with NUL": (path(0, b"a\0b"), "is not relative and clean"),
    "part too long": (path(0, b"a" * 256), "is not relative and clean"),
    "path too long": (path(0, b"a/" * 2048 + b"a"), "a string of 4097 bytes"),
    "paths not in order": (swap_paths, "is not in order"),
    "path twice": (path(0, b"empty"), "is not in order"),
    "path below a file": (path(2, b"empty/x"), "'empty/x' lies below a file"),
    "base file path": (set_(lambda i: i.base_files[0], path=b"../x"), "not relative and clean"),
    "executable directory": (
        set_(lambda i: side_file(i, Kind.EMPTY_DIRECTORY), executable=True),
        "of unknown kind 21",
    ),
    "unknown kind": (set_(lambda i: i.files[0], kind=6), "of unknown kind 22"),
    "unknown base file": (
        set_(lambda i: side_file(i, Kind.PATCH), base_file=2),
        "names base file 2 of 2",
    ),
    "tensor twice": (rename_to_same, "two tensors of one name"),
    "rank": (set_(first_tensor, shape=(1,) * 65), "a tensor of rank 65"),
    "broken bytes": (
        set_(first_tensor, dtype=checkpoints.DTYPE_BY_NAME["F4"], shape=(3,)),
        "is not whole bytes",
    ),
    "overflow": (set_(first_tensor, shape=(2**63, 2**63)), "is too large"),
    "size of 2^63": (set_(first_tensor, shape=(2**61,)), "is too large"),
    "more chunks than bytes": (set_(first_tensor, shape=(2**60,)), "can't describe"),
    "large stored file": (set_(lambda i: side_file(i, Kind.STORED), size=2**62), "can't describe"),
    "unknown base tensor": (set_(first_tensor, base_tensor=2), "names base tensor 2 of 2"),
    "other shape of base": (other_base_shape, "a base tensor of another shape"),
    "other dtype of base": (other_base_dtype, "a base tensor of another dtype"),
    "unknown tensor coder": (set_(lambda i: first_chunk(i, True, 2), coder=3), "unknown coder 3"),
    "unknown side coder": (set_(lambda i: first_chunk(i, False, 2), coder=3), "unknown coder 3"),
    "patch elsewhere": (
        set_(lambda i: first_chunk(i, False, 1), coder=2),
        "coder patch outside of patch files",
    ),
    "raw of other size": (set_(lambda i: first_chunk(i, True, 0), size=5), "can't store a chunk in 5"),
    "identical with bytes": (set_(lambda i: first_chunk(i, True, 1), size=5), "in 5 bytes"),
    "planes without bytes": (set_(lambda i: first_chunk(i, True, 2), size=0), "in 0 bytes"),
    "zstd without bytes": (set_(lambda i: first_chunk(i, False, 1), size=0), "in 0 bytes"),
    "sizes do not add up": (set_(lambda i: first_chunk(i, True, 2), size=9), "do not add up"),
    "prefix outside": (
        set_(lambda i: first_chunk(i, **CHUNK_PATCH), prefix=(1, 4 << 20)),
        "a prefix of",
    ),
    "stored hash": (set_(lambda i: first_chunk(i, True, 2), stored_hash=1), "stored hash"),
    "result hash": (set_(lambda i: first_chunk(i, True, 0), result_hash=bytes(16)), "result hash"),
    "sha256": (set_(lambda i: i.files[0], sha256=bytes(32)), "'config.json' does not match its SHA"),
    "bytes behind": (set_(lambda i: i.files[-1], sha256=bytes(33)), "leaves 1 bytes behind"),
    "end missing": (set_(lambda i: i.files[-1], sha256=b""), "ends early"),
}


@pytest.mark.parametrize(("change", "message"), LIES.values(), ids=LIES.keys())
def test_lies_are_rejected(
    archive: bytes, change: Callable[[Index], None], message: str
) -> None:
    with pytest.raises(DamagedError, match=message):
        check(resealed(archive, change))


def test_tables_are_rejected() -> None:
    empty = encode_body(Index())
    assert empty == bytes([0, 18, 0, 0, 0, 0, 0])
    with pytest.raises(DamagedError, match="has tables"):
        check(seal_body(bytes([0, 18, 0, 0, 0, 1, 0]), b"", b""))


FRAME = compress(b"word " * 100)
WIDE = zstandard.ZstdCompressor(
    compression_params=zstandard.ZstdCompressionParameters(window_log=24, write_content_size=0)
).compressobj()
WIDE_FRAME = WIDE.compress(b"word " * 100) + WIDE.flush()
FRAMES = {
    "good": (FRAME, 500, None),
    "shorter": (FRAME, 499, "a zstd frame"),
    "longer": (FRAME, 501, "a zstd frame"),
    "behind": (FRAME + b"\0", 500, "lies in"),
    "two frames": (FRAME + FRAME, 1000, "lies in"),
    "skippable": (b"\x50\x2a\x4d\x18\0\0\0\0" + FRAME, 500, "no magic number"),
    "window": (WIDE_FRAME, 500, "a window of 16777216 bytes"),
    "dictionary id": (FRAME[:4] + bytes([FRAME[4] | 1]) + FRAME[5:6] + b"\1" + FRAME[6:], 500, "id"),
    "cut": (FRAME[:-1], 500, "a zstd frame of"),
    "empty": (b"", 500, "no magic number"),
    "huge": (FRAME, 2**62, "can't stand for"),
}


@pytest.mark.parametrize(("frame", "length", "message"), FRAMES.values(), ids=FRAMES.keys())
def test_frames(frame: bytes, length: int, message: str | None) -> None:
    if message is None:
        assert decompress(frame, length) == b"word " * 100
        return
    with pytest.raises(DamagedError, match=message):
        decompress(frame, length)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_varint(value: int) -> None:
    cursor = Cursor(varint(value), "it")
    assert cursor.varint() == value
    cursor.end()


@pytest.mark.parametrize("spelling", [b"\x80\x00", b"\xff\x80\x00", b"\xff" * 9 + b"\x02"])
def test_bad_varint(spelling: bytes) -> None:
    with pytest.raises(DamagedError, match="bad varint"):
        Cursor(spelling, "it").varint()


CASTS = [
    ("F32", "BF16", 0x7F800001, 0x7FC0),
    ("F32", "BF16", 0xFFA10000, 0xFFE1),
    ("F32", "BF16", 0x3F808000, 0x3F80),
    ("F32", "BF16", 0x3F818000, 0x3F82),
    ("F32", "BF16", 0x3F808001, 0x3F81),
    ("F32", "BF16", 0x7F7F8000, 0x7F80),
    ("F32", "BF16", 0x00008001, 0x0001),
    ("F32", "F16", 0x7F802000, 0x7E01),
    ("F32", "F16", 0xFF800001, 0xFE00),
    ("F32", "F16", 0x477FEFFF, 0x7BFF),
    ("F32", "F16", 0x477FF000, 0x7C00),
    ("F32", "F16", 0x33000000, 0x0000),
    ("F32", "F16", 0x33000001, 0x0001),
    ("F32", "F16", 0x387FE000, 0x0400),
    ("F16", "F32", 0x7C01, 0x7FC02000),
    ("F16", "F32", 0x8001, 0xB3800000),
    ("F16", "BF16", 0xFC01, 0xFFC0),
    ("F16", "BF16", 0x3C04, 0x3F80),
    ("BF16", "F16", 0x7F81, 0x7E08),
    ("BF16", "F16", 0x4780, 0x7C00),
    ("BF16", "F32", 0x7F81, 0x7FC10000),
]


@pytest.mark.parametrize(("source", "target", "bits", "expected"), CASTS)
def test_casts(source: str, target: str, bits: int, expected: int) -> None:
    widths = {"F32": "<I", "F16": "<H", "BF16": "<H"}
    data = convert(struct.pack(widths[source], bits), source, target)
    assert hex(struct.unpack(widths[target], data)[0]) == hex(expected)


def test_wrong_base_is_found_by_its_sample(small: Pair, archive: bytes, tmp_path: Path) -> None:
    wrong = {"a": ("F32", (8,), bytes(32)), "b": ("BF16", (16,), noise(32, 2))}
    write_tree(tmp_path / "base", {"model.safetensors": shard(wrong)})
    with pytest.raises(WrongBaseError, match="the base tensor 'a' differs"):
        unpack([tmp_path / "base"], archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_base_outside_the_sample(tmp_path: Path) -> None:
    data = noise(100_000, 1)
    for name, content in {"base": data, "wrong": b"x" + data[1:], "fine": data[::-1]}.items():
        write_tree(tmp_path / name, {"m.safetensors": shard({"w": ("U8", (100_000,), content)})})
    options = Options(tensor_coder=always(Coder.PLANES))
    archive = Writer([tmp_path / "base"], tmp_path / "fine", options).archive()
    with pytest.raises(WrongBaseError, match="the base tensor 'w' differs: tensor 'w' does not"):
        unpack([tmp_path / "wrong"], archive, tmp_path / "out")


def test_missing_bases(small: Pair, archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(WrongBaseError, match="no base has the tensor 'a'"):
        unpack([], archive, tmp_path / "out")
    (tmp_path / "base").mkdir()
    model = (small.bases[0] / "model.safetensors").read_bytes()
    (tmp_path / "base" / "model.safetensors").write_bytes(model)
    with pytest.raises(WrongBaseError, match="the base file 'merges.txt' is missing"):
        unpack([tmp_path / "base"], archive, tmp_path / "out")
    (tmp_path / "base" / "merges.txt").write_bytes(b"other")
    with pytest.raises(WrongBaseError, match="the base file 'merges.txt' differs"):
        unpack([tmp_path / "base"], archive, tmp_path / "out")


def test_result_hash_of_a_right_base_is_damage(
    small: Pair, archive: bytes, tmp_path: Path
) -> None:
    lie = set_(lambda index: first_chunk(index, True, Coder.IDENTICAL), result_hash=bytes(16))
    with pytest.raises(DamagedError, match="tensor 'b' does not match its result hash"):
        unpack(small.bases, resealed(archive, lie), tmp_path / "out")
