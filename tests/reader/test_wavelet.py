"""Chunks of coder wavelet: what decodes, what is rejected, and that the program thinks the same."""

import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import wavelet
from archive import Archive, open_archive
from checkpoints import Pair, shard, write_tree
from finedelta_reader import unpack
from primitives import DTYPES, Cursor, DamagedError, DType, hash64, hash128
from records import Chunk, Coder
from test_program import DAMAGED, finedelta_pack, finedelta_unpack
from writer import seal

CORPUS = Path(__file__).resolve().parents[2] / "fuzz" / "corpus" / "coders"
SOUND = sorted(path.name for path in CORPUS.glob("wavelet_[A-Z]*"))
HAND_MADE = sorted(path.name for path in CORPUS.glob("wavelet_[a-z]*"))
# All others break a rule of the specification.
ALLOWED = [
    "wavelet_below_top",
    "wavelet_class",
    "wavelet_class_and_contexts",
    "wavelet_four_lanes",
    "wavelet_gaps",
    "wavelet_lanes_without_nodes",
    "wavelet_large",
    "wavelet_more_lanes_than_nibbles",
    "wavelet_other_coded",
    "wavelet_other_content",
    "wavelet_raw_node",
    "wavelet_sixteen_lanes",
]


class Seed(NamedTuple):
    """An input of fuzz_coders: see fuzz/coder_input.h."""

    dtype: DType
    units: int
    pattern: bytes
    stored: bytes

    def decode(self, stored: bytes) -> bytes:
        size = self.units * self.dtype.unit
        prediction = (self.pattern or b"\0") * size
        return wavelet.decode(stored, self.dtype, prediction[:size], bool(self.pattern))


def read_seed(name: str) -> Seed:
    cursor = Cursor((CORPUS / name).read_bytes(), name)
    dtype, units = DTYPES[cursor.u8()], int.from_bytes(cursor.take(2), "little") + 1
    return Seed(dtype, units, cursor.take(cursor.u8()), cursor.take(cursor.left))


def test_there_are_seeds_of_both_kinds() -> None:
    assert len(SOUND) > 10
    assert set(ALLOWED) < set(HAND_MADE)


@pytest.mark.parametrize("name", SOUND)
def test_sound_chunks_decode(name: str) -> None:
    seed = read_seed(name)
    assert len(seed.decode(seed.stored)) == seed.units * seed.dtype.unit


def test_what_differs_only_in_having_a_prediction_is_the_same() -> None:
    both = [name for name in SOUND if f"{name}_predicted" in SOUND]
    assert both
    for name in both:
        alone, predicted = read_seed(name), read_seed(f"{name}_predicted")
        assert alone.decode(alone.stored) == predicted.decode(predicted.stored)


@pytest.mark.parametrize("name", HAND_MADE)
def test_hand_made_chunks(name: str) -> None:
    seed = read_seed(name)
    if name in ALLOWED:
        seed.decode(seed.stored)
        return
    with pytest.raises(DamagedError):
        seed.decode(seed.stored)


def test_a_needed_prediction_must_be_there() -> None:
    seed = read_seed("wavelet_BF16_300_predicted")
    with pytest.raises(DamagedError, match="needs a prediction"):
        seed._replace(pattern=b"").decode(seed.stored)


def test_other_dtypes_are_rejected() -> None:
    seed = read_seed("wavelet_BF16_300")
    for dtype in DTYPES:
        if dtype.name not in wavelet.MANTISSA:
            with pytest.raises(DamagedError, match="coder wavelet is not for"):
                seed._replace(dtype=dtype).decode(seed.stored)


def decodes(seed: Seed, stored: bytes) -> bool:
    try:
        seed.decode(stored)
    except DamagedError:
        return False
    return True


DAMAGED_ONES = [*(name for name in SOUND if "_300_predicted" in name), "wavelet_F8_E5M2_300"]


@pytest.mark.parametrize("name", DAMAGED_ONES)
def test_damage_raises_nothing_else(name: str) -> None:
    seed = read_seed(name)
    for bit in range(len(seed.stored) * 8):
        damaged = bytearray(seed.stored)
        damaged[bit // 8] ^= 1 << bit % 8
        decodes(seed, bytes(damaged))
    assert not any(decodes(seed, seed.stored[:size]) for size in range(len(seed.stored)))
    assert not decodes(seed, seed.stored + b"\0")
    assert not decodes(seed, seed.stored + b"\0\0")


def bf16(values: np.ndarray) -> bytes:
    return (values.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()


ROW, ROWS = 512, 40


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair of which every other row was trained, so that blocks are of several classes."""
    root = tmp_path_factory.mktemp("rows")
    numbers = np.random.default_rng(1)
    base = numbers.normal(0, 0.02, (ROWS, ROW))
    fine = base + numbers.normal(0, 0.001, (ROWS, ROW)) * (np.arange(ROWS) % 2)[:, np.newaxis]
    fine[0, 5] = 3
    for name, values in {"base": base, "fine": fine}.items():
        weights = {"w": ("BF16", (ROWS, ROW), bf16(values))}
        write_tree(root / name, {"m.safetensors": shard(weights)})
    return Pair("rows", [root / "base"], root / "fine")


@pytest.fixture(scope="module")
def packed(rows: Pair, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    archive = open_archive(finedelta_pack(rows, tmp_path_factory.mktemp("packed") / "archive"))
    assert [chunk.coder for chunk in archive.index.chunks] == [Coder.WAVELET]
    return archive


def test_blocks_have_classes_and_units_contexts(packed: Archive) -> None:
    header = wavelet.ChunkReader(packed.stored[0], packed.index.chunks[0].tensor.dtype).header
    assert header.classes > 1
    assert header.exponent_contexts > 1


def sealed(archive: Archive, stored: bytes, result: bytes) -> bytes:
    """The archive with other stored bytes of its only chunk, which stand for `result`."""
    chunk: Chunk = archive.index.chunks[0]
    chunk.size, chunk.stored_hash = len(stored), hash64(stored)
    chunk.result_hash = hash128(result)
    return seal(archive.index, stored, b"")


def mutated(stored: bytes, number: int) -> bytes:
    """With a bit or two flipped: half of these in the first bytes, which say the most."""
    numbers = random.Random(number)
    damaged = bytearray(stored)
    for _ in range(numbers.choice((1, 1, 2))):
        bit = numbers.randrange(min(len(stored), 60) * 8 if number % 2 else len(stored) * 8)
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def test_reader_and_program_agree_on_lying_chunks(
    rows: Pair, packed: Archive, tmp_path: Path
) -> None:
    """They reject the same chunks, and make the same of the others."""
    dtype = packed.index.chunks[0].tensor.dtype
    original = packed.stored[0]
    size = ROW * ROWS * dtype.unit
    prediction = next(rows.bases[0].glob("*.safetensors")).read_bytes()[-size:]
    accepted = 0
    for number in range(200):
        stored = mutated(original, number)
        try:
            result = wavelet.decode(stored, dtype, prediction, True)
        except DamagedError:
            result = None
        folder = tmp_path / str(number)
        folder.mkdir()
        done = finedelta_unpack(rows, sealed(packed, stored, result or b""), folder)
        assert done.returncode == (DAMAGED if result is None else 0), (number, done.stderr)
        if result is not None:
            accepted += 1
            assert (folder / "out" / "m.safetensors").read_bytes()[-size:] == result, number
    assert 10 < accepted < 190


def test_rows_unpack(rows: Pair, tmp_path: Path) -> None:
    archive = finedelta_pack(rows, tmp_path / "archive")
    unpack(rows.bases, archive, tmp_path / "out")
    (wanted,) = rows.fine_tune.iterdir()
    assert (tmp_path / "out" / wanted.name).read_bytes() == wanted.read_bytes()
