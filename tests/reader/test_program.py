"""The C++ program against the Python reader and writer.

FINEDELTA_PROGRAM names the program; FINEDELTA_PAIRS a folder of real pairs, which are left out
where it is not set.
"""

import hashlib
import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import checkpoints
import pairs
from archive import HEADER_SIZE, open_archive
from bases import BaseSet, is_tensor
from checkpoints import (
    Maker,
    Pair,
    changed,
    floats_of,
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
    matrix,
    resealed,
    with_factors,
    with_stored,
)
from losses import compare, near
from lossy_lies import ADAPTIVE_LIES, LOSSY_LIES, with_body
from primitives import DamagedError, WrongBaseError
from programs import PROGRAM
from progressive_lies import PROGRESSIVE_LIES, REBUILT_LIES
from records import Coder, Predictor, encode_body
from writer import Options, Writer, always, seal_body

PAIRS = os.environ.get("FINEDELTA_PAIRS", "")
USAGE, WRONG_BASE, DAMAGED = 2, 12, 13  # exit codes
NO_BASE = [Path("--no-base")]

ALL_PAIRS = [*checkpoints.MAKERS, *(pairs.NAMES if PAIRS else [])]


def pair_id(source: str | Maker) -> str:
    return source if isinstance(source, str) else source.__name__


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module", params=ALL_PAIRS, ids=pair_id)
def any_pair(request: pytest.FixtureRequest, scratch: Path) -> Pair:
    """A generated pair or a real one."""
    if isinstance(request.param, str):
        return pairs.real_pair(request.param, Path(PAIRS), scratch)
    return generate(request.param, scratch / request.param.__name__)


def finedelta(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, *map(str, arguments), "-q"]
    environment = os.environ | {"HF_HUB_CACHE": os.devnull}  # no base but those that are named
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def finedelta_pack(pair: Pair, archive: Path, *options: str) -> bytes:
    bases = pair.bases or NO_BASE
    done = finedelta("pack", *options, *bases, pair.fine_tune, "-o", archive)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return archive.read_bytes()


def finedelta_unpack(
    pair: Pair, archive: bytes, folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    (folder / "archive").write_bytes(archive)
    return finedelta("unpack", *pair.bases, folder / "archive", "-o", folder / "out", *options)


def test_base_tensors_are_fingerprinted(any_pair: Pair, tmp_path: Path) -> None:
    index = open_archive(finedelta_pack(any_pair, tmp_path / "archive")).index
    bases = BaseSet(any_pair.bases)
    assert all(is_tensor(tensor, bases.tensor(tensor)) for tensor in index.base_tensors)


def test_reader_unpacks_what_the_program_packs(any_pair: Pair, tmp_path: Path) -> None:
    archive = finedelta_pack(any_pair, tmp_path / "archive")
    unpack(any_pair.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(any_pair.fine_tune)


def test_program_writes_what_the_specification_spells(any_pair: Pair, tmp_path: Path) -> None:
    opened = check(finedelta_pack(any_pair, tmp_path / "archive"))
    assert encode_body(opened.index) == opened.body
    assert (opened.header.version, opened.header.oldest_reader) == (1, 1)
    assert opened.index.chunk_log2 == 18


def test_archives_are_safetensors_files(any_pair: Pair, tmp_path: Path) -> None:
    finedelta_pack(any_pair, tmp_path / "archive")
    with safe_open(tmp_path / "archive", "np") as opened:
        names = ["finedelta.index", "finedelta.payload", "finedelta.side"]
        assert sorted(opened.keys()) == names


@pytest.mark.parametrize("chunk_log2", [12, 18])
@pytest.mark.parametrize("canonical", [False, True])
def test_program_unpacks_what_the_writer_packs(
    any_pair: Pair, chunk_log2: int, canonical: bool, tmp_path: Path
) -> None:
    options = Options(chunk_log2=chunk_log2, canonical=canonical)
    archive = Writer(any_pair.bases, any_pair.fine_tune, options).archive()
    done = finedelta_unpack(any_pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(tmp_path / "out") == tree(any_pair.fine_tune)


@pytest.mark.parametrize("coder", [Coder.RAW, Coder.IDENTICAL, Coder.PLANES])
@pytest.mark.parametrize("make", checkpoints.MAKERS, ids=pair_id)
def test_program_unpacks_every_coder(make: Maker, coder: int, tmp_path: Path) -> None:
    pair = generate(make, tmp_path / "pair")
    options = Options(tensor_coder=always(coder), sized_frames=True, name=b"org/name")
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    done = finedelta_unpack(pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


@pytest.mark.parametrize("factors", [(0.7,), (1.9999999,), (0.3, -0.7), (4, 2**-16)], ids=str)
@pytest.mark.parametrize("make", checkpoints.MAKERS, ids=pair_id)
def test_program_unpacks_every_predictor(
    make: Maker, factors: tuple[float, ...], tmp_path: Path
) -> None:
    pair = generate(make, tmp_path / "pair")
    options = Options(factors=factors, tensor_coder=always(Coder.PLANES))
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    done = finedelta_unpack(pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


LOW_RANK = [(1, 2.0**-20), (3, 1.0), (5, 2.0**-100), (8, 2.0**40), (9, 2.0**63)]


@pytest.mark.parametrize("low_rank", LOW_RANK, ids=str)
@pytest.mark.parametrize("make", checkpoints.MAKERS, ids=pair_id)
def test_program_unpacks_low_rank_predictions(
    make: Maker, low_rank: tuple[int, float], tmp_path: Path
) -> None:
    pair = generate(make, tmp_path / "pair")
    options = Options(low_rank=low_rank, tensor_coder=always(Coder.PLANES))
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    done = finedelta_unpack(pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


@pytest.mark.parametrize("low_rank", LOW_RANK, ids=str)
def test_program_unpacks_adaptive_factors(
    tuned: Pair, low_rank: tuple[int, float], tmp_path: Path
) -> None:
    options = Options(low_rank=low_rank, adaptive=True)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    done = finedelta_unpack(tuned, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)


@pytest.mark.parametrize("adaptive", [False, True])
def test_program_unpacks_lossy_archives(tuned: Pair, adaptive: bool, tmp_path: Path) -> None:
    options = Options(low_rank=(3, 2.0**-14), adaptive=adaptive, lossy=True)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "reader")
    done = finedelta_unpack(tuned, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(tmp_path / "reader")


@pytest.mark.parametrize("chunk_log2", [12, 18])
@pytest.mark.parametrize("low_rank", [None, (3, 2.0**-20)], ids=str)
@pytest.mark.parametrize("step", [2.0**-9, 2.0**-7, 0.03])
def test_program_unpacks_steps(
    tuned: Pair,
    chunk_log2: int,
    low_rank: tuple[int, float] | None,
    step: float,
    tmp_path: Path,
) -> None:
    options = Options(chunk_log2=chunk_log2, low_rank=low_rank, lossy=True, step=step)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    chunks = open_archive(archive).index.chunks
    assert Coder.STEPS in {chunk.coder for chunk in chunks if chunk.of_tensor}
    unpack(tuned.bases, archive, tmp_path / "reader")
    done = finedelta_unpack(tuned, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(tmp_path / "reader")


def test_program_rejects_steps_in_version_1(tuned: Pair, tmp_path: Path) -> None:
    options = Options(lossy=True, step=2.0**-7)
    written = Writer(tuned.bases, tuned.fine_tune, options).archive()
    index = open_archive(written).index
    index.lossy = False
    done = finedelta_unpack(tuned, with_body(written, encode_body(index), 1), tmp_path)
    assert done.returncode == DAMAGED
    assert "a coder is unknown" in done.stderr


@pytest.mark.parametrize("bits", ["1.5", "4"])
def test_reader_unpacks_lossy_archives_of_the_program(
    tuned: Pair, bits: str, tmp_path: Path
) -> None:
    archive = finedelta_pack(tuned, tmp_path / "archive", "--lossy", "--bits", bits)
    unpack(tuned.bases, archive, tmp_path / "out")
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    assert (opened.header.version, opened.header.oldest_reader) == (2, 2)
    losses = compare(tuned, opened, tmp_path / "out")
    for tensor in opened.index.tensors():
        assert near(losses[tensor.name], tensor.loss), tensor.name
    assert {b"vector", b"same", b"NaN", b"new"} <= {name for name in losses if not losses[name]}
    assert sum(loss is not None for loss in losses.values()) >= 9
    for file in opened.index.shards():
        packed = (tuned.fine_tune / file.path.decode()).read_bytes()
        assert file.packed_sha256 == hashlib.sha256(packed).digest()


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("coder", [Coder.RAW, Coder.PLANES])
def test_program_unpacks_progressive_archives(
    tuned: Pair, adaptive: bool, coder: int, tmp_path: Path
) -> None:
    options = Options(
        low_rank=(3, 2.0**-14),
        adaptive=adaptive,
        lossy=True,
        progressive=True,
        chunk_log2=12,
        tensor_coder=always(coder),
    )
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "reader", layers=1)
    for layers, wanted in (("2", tuned.fine_tune), ("1", tmp_path / "reader")):
        done = finedelta_unpack(
            tuned, archive, tmp_path, "--sha256", "--layers", layers, "--force"
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert tree(tmp_path / "out") == tree(wanted)


@pytest.mark.parametrize("bits", ["1.5", "4"])
def test_reader_unpacks_progressive_archives_of_the_program(
    tuned: Pair, bits: str, tmp_path: Path
) -> None:
    options = ("--lossy", "--bits", bits)
    archive = finedelta_pack(tuned, tmp_path / "archive", *options, "--progressive")
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    assert (opened.header.version, opened.header.oldest_reader) == (2, 2)
    assert opened.index.progressive
    unpack(tuned.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)
    unpack(tuned.bases, archive, tmp_path / "first", layers=1)
    unpack(tuned.bases, finedelta_pack(tuned, tmp_path / "lossy", *options), tmp_path / "other")
    assert tree(tmp_path / "first") == tree(tmp_path / "other")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A trained matrix of several chunks; its last rows are as in the base."""
    root = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(1)
    base = random.normal(0, 0.02, (700, 400))
    change = random.normal(0, 0.005, (700, 4)) @ random.normal(0, 1, (4, 400))
    change[650:] = 0
    for name, values in (("base", base), ("fine", base + change)):
        tensor = {"w": ("BF16", values.shape, floats_of("BF16", values))}
        write_tree(root / name, {"m.safetensors": shard(tensor)})
    return Pair("large", [root / "base"], root / "fine")


def test_second_layers_of_several_chunks(large: Pair, tmp_path: Path) -> None:
    archive = finedelta_pack(
        large, tmp_path / "archive", "--lossy", "--bits", "0.5", "--progressive"
    )
    assert len(open_archive(archive).index.second_layer) == 2
    unpack(large.bases, archive, tmp_path / "reader")
    assert tree(tmp_path / "reader") == tree(large.fine_tune)
    options = Options(low_rank=(1, 2.0**-30), lossy=True, progressive=True, chunk_log2=12)
    archive = Writer(large.bases, large.fine_tune, options).archive()
    second_layer = open_archive(archive).index.second_layer
    assert len(second_layer) == 69
    assert {chunk.coder for chunk in second_layer} == {Coder.IDENTICAL, Coder.PLANES}
    assert finedelta_unpack(large, archive, tmp_path, "--sha256").returncode == 0
    assert tree(tmp_path / "out") == tree(large.fine_tune)


def test_program_chooses_every_predictor(tmp_path: Path) -> None:
    pair = generate(checkpoints.merge, tmp_path / "pair")
    index = check(finedelta_pack(pair, tmp_path / "archive")).index
    chosen = {tensor.predictor for file in index.files for tensor in file.tensors}
    assert chosen == set(Predictor)


@pytest.mark.parametrize("change", [lie[0] for lie in LIES.values()], ids=LIES.keys())
def test_program_rejects_lies(small: Pair, archive: bytes, change: Change, tmp_path: Path) -> None:
    done = finedelta_unpack(small, resealed(archive, change), tmp_path, "--sha256")
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lie", STORED_LIES.values(), ids=STORED_LIES.keys())
def test_program_rejects_lies_in_stored_bytes(
    small: Pair, archive: bytes, lie: Lie, tmp_path: Path
) -> None:
    done = finedelta_unpack(small, with_stored(archive, lie), tmp_path)
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lie", [lie[0] for lie in FACTOR_LIES.values()], ids=FACTOR_LIES.keys())
def test_program_rejects_lies_in_factors(
    small: Pair, archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, with_factors(archive, lie), tmp_path)
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lie", [lie[0] for lie in LOSSY_LIES.values()], ids=LOSSY_LIES.keys())
def test_program_rejects_lies_in_lossy_archives(
    small: Pair, lossy_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, lie(lossy_archive), tmp_path)
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "lie", [lie[0] for lie in PROGRESSIVE_LIES.values()], ids=PROGRESSIVE_LIES.keys()
)
def test_program_rejects_lies_in_progressive_archives(
    small: Pair, progressive_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, lie(progressive_archive), tmp_path)
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lie", [lie[0] for lie in REBUILT_LIES.values()], ids=REBUILT_LIES.keys())
def test_program_rejects_lies_in_second_layers(
    small: Pair, progressive_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, lie(progressive_archive), tmp_path, "--sha256")
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()
    done = finedelta_unpack(small, lie(progressive_archive), tmp_path, "--sha256", "--layers", "1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("lie", [lie[0] for lie in ADAPTIVE_LIES.values()], ids=ADAPTIVE_LIES.keys())
def test_program_rejects_lies_in_adaptive_factors(
    small: Pair, lossy_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, with_factors(lossy_archive, lie), tmp_path)
    assert done.returncode == DAMAGED, done.stderr
    assert not (tmp_path / "out").exists()


def test_program_rejects_adaptive_factors_in_version_1(small: Pair, tmp_path: Path) -> None:
    options = Options(low_rank=(2, 1.0), adaptive=True)
    written = Writer(small.bases, small.fine_tune, options).archive()
    assert finedelta_unpack(small, written, tmp_path).returncode == 0
    older = with_body(written, open_archive(written).body, 1)
    done = finedelta_unpack(small, older, tmp_path, "--force")
    assert done.returncode == DAMAGED, done.stderr


def test_program_and_reader_agree_on_flipped_adaptive_factors(
    small: Pair, lossy_archive: bytes, tmp_path: Path
) -> None:
    """Records that lie in one bit are rejected by both, or are other factors for both."""
    opened = open_archive(lossy_archive)
    record = opened.factors[id(matrix(opened.index))]
    found = {False: 0, True: 0}
    for bit in random.Random(3).sample(range(8 * len(record)), 200):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        lie = with_factors(lossy_archive, lambda _, lie=bytes(flipped): lie)
        folder = tmp_path / str(bit)
        folder.mkdir()
        done = finedelta_unpack(small, lie, folder)
        assert done.returncode == reader_code(small, lie, folder / "reader"), bit
        try:
            check(lie)
        except DamagedError:
            rejected = True
        else:
            rejected = False
        assert ("low-rank factors" in done.stderr) == rejected, (bit, done.stderr)
        found[rejected] += 1
    assert min(found.values()) > 10, found


def test_program_rejects_flipped_bits(small: Pair, archive: bytes, tmp_path: Path) -> None:
    for bit in random.Random(1).sample(range(len(archive) * 8), 400):
        damaged = bytearray(archive)
        damaged[bit // 8] ^= 1 << bit % 8
        done = finedelta_unpack(small, bytes(damaged), tmp_path)
        assert done.returncode == DAMAGED, (bit, done.stderr)
        assert not (tmp_path / "out").exists()


def test_program_rejects_truncations(small: Pair, archive: bytes, tmp_path: Path) -> None:
    for length in [*range(0, len(archive), 37), len(archive) - 1]:
        done = finedelta_unpack(small, archive[:length], tmp_path)
        assert done.returncode == DAMAGED, (length, done.stderr)


def reader_code(pair: Pair, archive: bytes, out: Path) -> int:
    """What the program would exit with if it were the reader."""
    try:
        unpack(pair.bases, archive, out)
    except WrongBaseError:
        return WRONG_BASE
    except DamagedError:
        return DAMAGED
    return 0


@pytest.mark.parametrize("kind", ["archive", "progressive_archive"])
def test_reader_and_program_agree(
    small: Pair, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Archives that lie in one bit of the index are rejected alike, or give the same bytes."""
    archive = request.getfixturevalue(kind)
    opened = open_archive(archive)
    side = HEADER_SIZE + opened.header.payload
    regions = archive[HEADER_SIZE:side], archive[side : side + opened.header.side]
    for bit in random.Random(2).sample(range(len(opened.body) * 8), 600):
        folder = tmp_path / str(bit)
        folder.mkdir()
        body = bytearray(opened.body)
        body[bit // 8] ^= 1 << bit % 8
        lie = seal_body(bytes(body), *regions, opened.header.oldest_reader)
        done = finedelta_unpack(small, lie, folder, "--sha256")
        code = reader_code(small, lie, folder / "reader")
        assert done.returncode == code, (bit, done.stderr)
        if done.returncode == 0:
            assert tree(folder / "out") == tree(folder / "reader")


def test_program_tells_a_wrong_base(small: Pair, archive: bytes, tmp_path: Path) -> None:
    wrong = {"a": ("F32", (8,), bytes(32)), "b": ("BF16", (16,), noise(32, 2))}
    write_tree(tmp_path / "base", {"model.safetensors": shard(wrong)})
    done = finedelta_unpack(Pair("wrong", [tmp_path / "base"], small.fine_tune), archive, tmp_path)
    assert done.returncode == WRONG_BASE, done.stderr


def test_program_tells_a_base_that_is_wrong_outside_the_sample(tmp_path: Path) -> None:
    data = noise(100_000, 1)
    for name, content in {"base": data, "wrong": b"x" + data[1:], "fine": changed(data, 2)}.items():
        write_tree(tmp_path / name, {"m.safetensors": shard({"w": ("U8", (100_000,), content)})})
    archive = finedelta_pack(Pair("", [tmp_path / "base"], tmp_path / "fine"), tmp_path / "packed")
    wrong = Pair("", [tmp_path / "wrong"], tmp_path / "fine")
    assert finedelta_unpack(wrong, archive, tmp_path).returncode == WRONG_BASE


def weights(seed: int) -> bytes:
    """100,000 numbers of BF16 like a model's."""
    values = np.random.default_rng(seed).normal(0, 0.02, 100_000).astype(np.float32)
    return (values.view(np.uint32) >> 16).astype("<u2").tobytes()


def test_wrong_base_with_which_a_chunk_does_not_decode(tmp_path: Path) -> None:
    """Exponents of the base say in which order symbols of coder wavelet come."""
    data = weights(1)
    wrong = bytes(byte ^ at & 1 if at < 50_000 else byte for at, byte in enumerate(data))
    for name, content in {"base": data, "wrong": wrong, "fine": changed(data, 2)}.items():
        write_tree(tmp_path / name, {"m.safetensors": shard({"w": ("BF16", (100_000,), content)})})
    archive = finedelta_pack(Pair("", [tmp_path / "base"], tmp_path / "fine"), tmp_path / "packed")
    assert open_archive(archive).index.chunks[0].coder == Coder.WAVELET
    wrong_pair = Pair("", [tmp_path / "wrong"], tmp_path / "fine")
    assert finedelta_unpack(wrong_pair, archive, tmp_path).returncode == WRONG_BASE
    with pytest.raises(WrongBaseError, match="the base tensor 'w' differs: tensor 'w': "):
        unpack(wrong_pair.bases, archive, tmp_path / "out")


def test_program_finds_the_right_base_among_lookalikes(tmp_path: Path) -> None:
    pair = lookalikes(tmp_path)
    archive = Writer(pair.bases[1:], pair.fine_tune, Options()).archive()
    done = finedelta_unpack(pair, archive, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


def test_program_reads_a_newer_version_that_it_may(
    small: Pair, archive: bytes, tmp_path: Path
) -> None:
    newer = replace(open_archive(archive).header, version=3).encode() + archive[HEADER_SIZE:]
    done = finedelta_unpack(small, newer, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(small.fine_tune)


def test_program_names_the_version_that_it_lacks(
    small: Pair, archive: bytes, tmp_path: Path
) -> None:
    header = replace(open_archive(archive).header, version=9, oldest_reader=7)
    done = finedelta_unpack(small, header.encode() + archive[HEADER_SIZE:], tmp_path)
    assert done.returncode == USAGE
    assert "reads archive format 7, and this one reads up to 2" in done.stderr


def test_program_refuses_version_0(small: Pair, archive: bytes, tmp_path: Path) -> None:
    header = replace(open_archive(archive).header, version=0, oldest_reader=0)
    done = finedelta_unpack(small, header.encode() + archive[HEADER_SIZE:], tmp_path)
    assert done.returncode == USAGE
    assert "archive format 0, which no release reads" in done.stderr
