"""The Python reader against the Python writer: round trips, damage, lies and wrong bases."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import finedelta_reader
from archive import HEADER_SIZE, open_archive
from checkpoints import (
    Pair,
    changed,
    every_dtype,
    generate,
    lookalikes,
    noise,
    shard,
    tree,
    write_tree,
)
from finedelta_reader import check, unpack
from lies import (
    FACTOR_LIES,
    LIES,
    STORED_LIES,
    Change,
    Lie,
    combined,
    first_chunk,
    matrix,
    other_factors,
    resealed,
    scaled,
    set_,
    with_factors,
    with_stored,
)
from losses import compare
from lossy_lies import ADAPTIVE_LIES, LOSSY_LIES, with_body
from primitives import DamagedError, UnsupportedVersionError, WrongBaseError
from progressive_lies import PROGRESSIVE_LIES, REBUILT_LIES, with_second_layer
from records import Coder, Index, Kind, Predictor, encode_body
from writer import Options, Writer, always, seal_body

OPTIONS = {
    "smallest": Options(),
    "raw": Options(tensor_coder=always(Coder.RAW)),
    "identical": Options(tensor_coder=always(Coder.IDENTICAL)),
    "planes": Options(tensor_coder=always(Coder.PLANES)),
    "sparse": Options(tensor_coder=always(Coder.SPARSE)),
    "small chunks": Options(chunk_log2=12),
    "large chunks": Options(chunk_log2=20),
    "stored headers": Options(canonical=False),
    "sized frames": Options(sized_frames=True),
    "scaled": Options(factors=(0.7,)),
    "combination": Options(factors=(0.3, -0.7)),
    "low rank": Options(low_rank=(3, 2.0**-10)),
    "low rank in small chunks": Options(chunk_log2=12, low_rank=(9, 2.0**-20)),
    "named": Options(name=b"org/name", revision=b"0123456789abcdef"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_round_trip(pair: Pair, options: Options, tmp_path: Path) -> None:
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    unpack(list(reversed(pair.bases)), archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)
    opened = check(archive)
    assert encode_body(opened.index) == opened.body


def test_small_archive_has_every_kind_and_coder(archive: bytes) -> None:
    index = open_archive(archive).index
    assert matrix(index).predictor == Predictor.LOW_RANK
    assert next(c.coder for c in index.chunks if c.owner is matrix(index)) == Coder.PLANES
    assert {file.kind for file in index.files} == set(Kind)
    assert {chunk.coder for chunk in index.chunks if chunk.of_tensor} == {0, 1, 2}
    assert {chunk.coder for chunk in index.chunks if not chunk.of_tensor} == {0, 1, 2}


def test_every_flipped_bit_is_rejected(archive: bytes) -> None:
    for bit in range(len(archive) * 8):
        damaged = bytearray(archive)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            check(bytes(damaged))


def test_every_truncation_is_rejected(archive: bytes) -> None:
    for length in range(len(archive)):
        with pytest.raises(DamagedError):
            check(archive[:length])


def test_bytes_behind_the_archive_are_rejected(archive: bytes) -> None:
    with pytest.raises(DamagedError, match="the file has"):
        check(archive + b"\0")


def test_changed_bodies_raise_nothing_else(archive: bytes) -> None:
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


def test_adaptive_round_trip(tuned: Pair, tmp_path: Path) -> None:
    options = Options(low_rank=(5, 2.0**-20), adaptive=True)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)
    assert {record[:1] for record in open_archive(archive).factors.values()} == {b"\0"}


LOSSY_OPTIONS = {
    "adaptive": Options(low_rank=(3, 2.0**-14), adaptive=True, lossy=True),
    "Rice": Options(low_rank=(9, 2.0**-20), lossy=True, chunk_log2=12),
    "stored headers": Options(low_rank=(1, 2.0**-20), lossy=True, canonical=False),
    "steps": Options(lossy=True, step=2.0**-7),
    "steps from factors": Options(low_rank=(3, 2.0**-20), lossy=True, step=0.02, chunk_log2=12),
}


@pytest.mark.parametrize("options", LOSSY_OPTIONS.values(), ids=LOSSY_OPTIONS.keys())
def test_lossy_round_trip(tuned: Pair, options: Options, tmp_path: Path) -> None:
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "out")
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    assert (opened.header.oldest_reader, opened.index.lossy) == (2, True)
    found = compare(tuned, opened, tmp_path / "out")
    assert {name for name, loss in found.items() if loss is None} >= {b"vector", b"new"}
    assert sum(loss is not None for loss in found.values()) >= 12
    assert found == {tensor.name: tensor.loss for tensor in opened.index.tensors()}


@pytest.mark.parametrize("options", LOSSY_OPTIONS.values(), ids=LOSSY_OPTIONS.keys())
def test_progressive_round_trip(tuned: Pair, options: Options, tmp_path: Path) -> None:
    archive = Writer(tuned.bases, tuned.fine_tune, replace(options, progressive=True)).archive()
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    assert (opened.header.oldest_reader, opened.index.progressive) == (2, True)
    unpack(tuned.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)
    unpack(tuned.bases, archive, tmp_path / "first", layers=1)
    lossy = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, lossy, tmp_path / "lossy")
    assert tree(tmp_path / "first") == tree(tmp_path / "lossy")
    found = compare(tuned, opened, tmp_path / "first")
    assert found == {tensor.name: tensor.loss for tensor in opened.index.tensors()}


@pytest.mark.parametrize("coder", [Coder.RAW, Coder.IDENTICAL, Coder.PLANES, Coder.SPARSE])
def test_second_layers_of_every_coder(tuned: Pair, coder: int, tmp_path: Path) -> None:
    options = replace(LOSSY_OPTIONS["Rice"], progressive=True, tensor_coder=always(coder))
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)


def test_first_layer_needs_no_stored_bytes_of_the_second(
    small: Pair, progressive_archive: bytes, tmp_path: Path
) -> None:
    lie = with_second_layer(lambda _: b"\1\1\1\1")(progressive_archive)
    unpack(small.bases, progressive_archive, tmp_path / "out", layers=1)
    unpack(small.bases, lie, tmp_path / "other", layers=1)
    assert tree(tmp_path / "out") == tree(tmp_path / "other")


def test_every_flipped_byte_of_a_progressive_archive_is_rejected(
    progressive_archive: bytes,
) -> None:
    for at, byte in enumerate(progressive_archive):
        flipped = bytes([byte ^ 0xFF])
        with pytest.raises(DamagedError):
            check(progressive_archive[:at] + flipped + progressive_archive[at + 1 :])


def test_archives_ask_for_the_oldest_reader_that_is_enough(small: Pair) -> None:
    def oldest(options: Options) -> int:
        written = Writer(small.bases, small.fine_tune, options).archive()
        return open_archive(written).header.oldest_reader

    assert oldest(Options(adaptive=True, lossy=True)) == 1
    assert oldest(Options(low_rank=(2, 1.0), adaptive=True)) == 2
    assert oldest(Options(low_rank=(2, 2.0**-20), lossy=True)) == 2


def set_header(archive: bytes, **changes: int) -> bytes:
    header = replace(open_archive(archive).header, **changes)
    return header.encode() + archive[HEADER_SIZE:]


def test_newer_version(archive: bytes) -> None:
    with pytest.raises(UnsupportedVersionError, match="a reader of version 7"):
        check(set_header(archive, version=9, oldest_reader=7))


def test_version_0(archive: bytes) -> None:
    with pytest.raises(UnsupportedVersionError, match="of version 0"):
        check(set_header(archive, version=0, oldest_reader=0))


@pytest.mark.parametrize("oldest_reader", [0, 2])
def test_reader_that_the_version_can_not_ask_for(archive: bytes, oldest_reader: int) -> None:
    with pytest.raises(DamagedError, match=f"asks for a reader of version {oldest_reader}"):
        check(set_header(archive, oldest_reader=oldest_reader))


def test_newer_version_that_this_reader_still_reads(archive: bytes) -> None:
    assert check(set_header(archive, version=3)).header.version == 3


def test_other_spelling_of_the_header(archive: bytes) -> None:
    spaced = archive[:HEADER_SIZE].replace(b'},"finedelta.side', b'} ,"finedelta.side')
    with pytest.raises(DamagedError, match="only spelling"):
        check(spaced[:HEADER_SIZE] + archive[HEADER_SIZE:])


@pytest.mark.parametrize(("change", "message"), LIES.values(), ids=LIES.keys())
def test_lies_are_rejected(archive: bytes, change: Change, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        check(resealed(archive, change))


@pytest.mark.parametrize("lie", STORED_LIES.values(), ids=STORED_LIES.keys())
def test_lies_in_stored_bytes_are_rejected(
    small: Pair, archive: bytes, lie: Lie, tmp_path: Path
) -> None:
    with pytest.raises(DamagedError, match=lie.message):
        unpack(small.bases, with_stored(archive, lie), tmp_path / "out")
    if lie.seen_without_base:
        with pytest.raises(DamagedError, match=lie.message):
            check(with_stored(archive, lie))


@pytest.mark.parametrize(("lie", "message"), FACTOR_LIES.values(), ids=FACTOR_LIES.keys())
def test_lies_in_factors_are_rejected(
    archive: bytes, lie: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(DamagedError, match=f"the factors of 'e': .*{message}"):
        check(with_factors(archive, lie))


@pytest.mark.parametrize(("lie", "message"), LOSSY_LIES.values(), ids=LOSSY_LIES.keys())
def test_lies_in_lossy_archives_are_rejected(
    lossy_archive: bytes, lie: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(DamagedError, match=message):
        check(lie(lossy_archive))


@pytest.mark.parametrize(
    ("lie", "message"), PROGRESSIVE_LIES.values(), ids=PROGRESSIVE_LIES.keys()
)
def test_lies_in_progressive_archives_are_rejected(
    progressive_archive: bytes, lie: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(DamagedError, match=message):
        check(lie(progressive_archive))


@pytest.mark.parametrize(("lie", "message"), REBUILT_LIES.values(), ids=REBUILT_LIES.keys())
def test_lies_in_second_layers_are_seen_when_unpacked(
    small: Pair,
    progressive_archive: bytes,
    lie: Callable[[bytes], bytes],
    message: str,
    tmp_path: Path,
) -> None:
    check(lie(progressive_archive))
    with pytest.raises(DamagedError, match=message):
        unpack(small.bases, lie(progressive_archive), tmp_path / "out")
    unpack(small.bases, lie(progressive_archive), tmp_path / "out", layers=1)


@pytest.mark.parametrize(("lie", "message"), ADAPTIVE_LIES.values(), ids=ADAPTIVE_LIES.keys())
def test_lies_in_adaptive_factors_are_rejected(
    lossy_archive: bytes, lie: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(DamagedError, match=f"the factors of 'e': .*{message}"):
        check(with_factors(lossy_archive, lie))


def test_adaptive_factors_in_version_1_are_rejected(small: Pair) -> None:
    options = Options(low_rank=(2, 1.0), adaptive=True)
    written = Writer(small.bases, small.fine_tune, options).archive()
    check(written)
    with pytest.raises(DamagedError, match="the factors of 'e': 0 rows and 15 columns"):
        check(with_body(written, open_archive(written).body, 1))


def test_steps_in_version_1_are_rejected(tuned: Pair) -> None:
    options = Options(lossy=True, step=2.0**-7)
    written = Writer(tuned.bases, tuned.fine_tune, options).archive()
    opened = open_archive(written)
    assert Coder.STEPS in {chunk.coder for chunk in opened.index.chunks if chunk.of_tensor}
    opened.index.lossy = False
    with pytest.raises(DamagedError, match="unknown coder 4"):
        check(with_body(written, encode_body(opened.index), 1))


def test_sparse_in_version_1_is_rejected(tmp_path: Path) -> None:
    pair = generate(every_dtype, tmp_path)
    options = Options(tensor_coder=always(Coder.SPARSE))
    written = Writer(pair.bases, pair.fine_tune, options).archive()
    opened = open_archive(written)
    assert Coder.SPARSE in {chunk.coder for chunk in opened.index.chunks if chunk.of_tensor}
    with pytest.raises(DamagedError, match="unknown coder 5"):
        check(with_body(written, opened.body, 1))


@pytest.mark.parametrize("bit", range(8))
def test_flipped_bits_of_adaptive_factors_raise_nothing_else(
    lossy_archive: bytes, bit: int
) -> None:
    opened = open_archive(lossy_archive)
    for at in range(len(opened.factors[id(matrix(opened.index))])):

        def flipped(record: bytes, at: int = at) -> bytes:
            return record[:at] + bytes([record[at] ^ 1 << bit]) + record[at + 1 :]

        with contextlib.suppress(DamagedError):
            check(with_factors(lossy_archive, flipped))


def test_other_factors_are_damage(small: Pair, archive: bytes, tmp_path: Path) -> None:
    lie = other_factors(lambda factors: replace(factors, scale=2 * factors.scale))
    check(with_factors(archive, lie))
    with pytest.raises(DamagedError, match="tensor 'e' does not match its result hash"):
        unpack(small.bases, with_factors(archive, lie), tmp_path / "out")


def test_tables_are_rejected() -> None:
    empty = encode_body(Index())
    assert empty == bytes([0, 18, 0, 0, 0, 0, 0])
    with pytest.raises(DamagedError, match="has tables"):
        check(seal_body(bytes([0, 18, 0, 0, 0, 1, 0]), b"", b""))


def test_wrong_base_is_found_by_its_sample(small: Pair, archive: bytes, tmp_path: Path) -> None:
    wrong = {"a": ("F32", (8,), bytes(32)), "b": ("BF16", (16,), noise(32, 2))}
    write_tree(tmp_path / "base", {"model.safetensors": shard(wrong)})
    with pytest.raises(WrongBaseError, match="the base tensor 'a' differs"):
        unpack([tmp_path / "base"], archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_base_outside_the_sample(tmp_path: Path) -> None:
    data = noise(100_000, 1)
    for name, content in {"base": data, "wrong": b"x" + data[1:], "fine": changed(data, 2)}.items():
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


def test_result_hash_of_a_right_base_is_damage(small: Pair, archive: bytes, tmp_path: Path) -> None:
    lie = set_(lambda index: first_chunk(index, True, Coder.IDENTICAL), result_hash=bytes(16))
    with pytest.raises(DamagedError, match="tensor 'b' does not match its result hash"):
        unpack(small.bases, resealed(archive, lie), tmp_path / "out")


@pytest.mark.parametrize("lie", [scaled(0.75, "b"), combined(0.5, -0.25)])
def test_other_factors_of_a_right_base_are_damage(
    small: Pair, archive: bytes, lie: Change, tmp_path: Path
) -> None:
    with pytest.raises(DamagedError, match="tensor 'b' does not match its result hash"):
        unpack(small.bases, resealed(archive, lie), tmp_path / "out")


@pytest.mark.parametrize("wrong", [0, 1])
def test_each_parent_of_a_combination_is_named(wrong: int, tmp_path: Path) -> None:
    one, two, mean = b"\x80\x3f", b"\x00\x40", b"\xc0\x3f"
    for name, value in (("0", one), ("1", two), ("fine", mean)):
        tensor = {"w": ("BF16", (50_000,), value * 50_000)}
        write_tree(tmp_path / name, {"m.safetensors": shard(tensor)})
    parents = [tmp_path / "0", tmp_path / "1"]
    archive = Writer(parents, tmp_path / "fine", Options(factors=(0.5, 0.5))).archive()
    unpack(parents, archive, tmp_path / "out")
    other = shard({"w": ("BF16", (50_000,), mean + (one, two)[wrong] * 49_999)})
    (parents[wrong] / "m.safetensors").write_bytes(other)
    with pytest.raises(WrongBaseError, match="the base tensor 'w' differs: tensor 'w' does"):
        unpack(parents, archive, tmp_path / "other")


def test_right_base_is_found_among_lookalikes(tmp_path: Path) -> None:
    pair = lookalikes(tmp_path)
    archive = Writer(pair.bases[1:], pair.fine_tune, Options()).archive()
    unpack(pair.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


def run_reader(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, finedelta_reader.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_line(small: Pair, archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(archive)
    assert run_reader("check", tmp_path / "archive").returncode == 0
    done = run_reader("unpack", *small.bases, tmp_path / "archive", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(tmp_path / "out") == tree(small.fine_tune)
    lossy = ("unpack", "--layers", "1", *small.bases, tmp_path / "archive", tmp_path / "first")
    assert run_reader(*lossy).returncode == 0
    assert tree(tmp_path / "first") == tree(small.fine_tune)
    done = run_reader("unpack", tmp_path / "archive", tmp_path / "other")
    assert done.returncode == 1
    assert done.stderr == "WrongBaseError: no base has the tensor 'a'\n"
