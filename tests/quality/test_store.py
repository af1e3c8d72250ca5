"""Parts of a file, and the layouts of what is in them."""

import layouts
import numpy as np
import pytest
from store import Reader, Writer, compress, decompress, varint

ALL_WORDS = np.arange(1 << 16, dtype=np.uint16)
RANDOM = np.random.default_rng(1)


def written(add, *values) -> bytes:
    writer = Writer()
    add(writer, *values)
    return writer.content()


def test_varints_have_seven_bits_a_byte():
    assert [varint(value).hex() for value in (0, 127, 128, 300)] == ["00", "7f", "8001", "ac02"]


def test_the_smallest_layout_is_stored_and_all_bytes_are_seen():
    noise, zeros = RANDOM.bytes(400), bytes(1000)
    writer = Writer()
    writer.add([noise], [zeros, b"ab"], [noise + noise])
    writer.add([noise])
    content = writer.content()
    # A layout's number, and for a string its length and flag; what noise takes more is its own 400.
    assert len(content) == 1 + (1 + len(compress(zeros))) + (1 + 2) + 1 + (2 + 400)
    reader = Reader(content)
    assert (reader.layout(), reader.string(), reader.string()) == (1, zeros, b"ab")
    assert not reader.at_end()
    assert (reader.layout(), reader.string()) == (0, noise)
    assert reader.at_end()


@pytest.mark.parametrize("string", [b"", b"a", bytes(300_000), RANDOM.bytes(300_000)])
def test_frames_decompress(string):
    assert decompress(compress(string)) == string


def test_changes_of_all_words_come_back():
    for base in (ALL_WORDS, ALL_WORDS ^ 0x8000, ALL_WORDS[::-1], RANDOM.permutation(ALL_WORDS)):
        content = written(layouts.add_changes, base, ALL_WORDS)
        assert np.array_equal(layouts.read_changes(Reader(content), base), ALL_WORDS)


def test_changes_take_the_smaller_layout():
    small = ALL_WORDS[0x3000:0x4000]
    steps = written(layouts.add_changes, small, small + RANDOM.integers(-3, 4, small.size).astype(np.uint16))
    signs = written(layouts.add_changes, small, small ^ 0x8000)
    assert (steps[0], signs[0]) == (0, 1)


@pytest.mark.parametrize("share", [0, 0.001, 0.05, 0.5, 1])
def test_masks_come_back(share):
    mask = RANDOM.random(10_001) < share
    assert np.array_equal(layouts.from_gaps(layouts.to_gaps(np.flatnonzero(mask))), np.flatnonzero(mask))
    content = written(layouts.add_mask, mask)
    assert np.array_equal(layouts.read_mask(Reader(content), mask.size), mask)


def test_gaps_of_all_lengths_come_back():
    positions = np.cumsum(np.arange(1, 1100))
    assert np.array_equal(layouts.from_gaps(layouts.to_gaps(positions)), positions)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 1])
def test_ternary_comes_back(share):
    signs = RANDOM.choice([-1, 1], 10_001) * (RANDOM.random(10_001) < share)
    content = written(layouts.add_ternary, signs.astype(np.int8))
    assert np.array_equal(layouts.read_ternary(Reader(content), signs.size), signs)


def test_each_layout_of_ternary_is_taken_and_comes_back():
    taken = set()
    for signs in (
        RANDOM.choice([-1, 0, 1], 1000, p=[0.25, 0.5, 0.25]),
        RANDOM.choice([-1, 0, 1], 10_000, p=[0.01, 0.98, 0.01]),
        RANDOM.choice([-1, 0, 1], 10_000),
    ):
        content = written(layouts.add_ternary, signs.astype(np.int8))
        taken.add(content[0])
        assert np.array_equal(layouts.read_ternary(Reader(content), signs.size), signs)
    assert taken == {0, 1, 2}


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_codes_come_back(width, count):
    codes = RANDOM.integers(0, 1 << width, count)
    assert len(layouts.packed(codes, width)) == -(-count * width // 8)
    assert np.array_equal(layouts.unpacked(layouts.packed(codes, width), width, count), codes)
    content = written(layouts.add_codes, codes, width)
    assert np.array_equal(layouts.read_codes(Reader(content), width, count), codes)


def test_words_floats_and_bits_come_back():
    content = written(layouts.add_words, ALL_WORDS)
    assert np.array_equal(layouts.read_words(Reader(content)), ALL_WORDS)
    floats = np.array([0, -1.5, 1e-30], np.float32)
    assert np.array_equal(layouts.read_floats(Reader(written(layouts.add_floats, floats))), floats)
    bits = RANDOM.random(77) < 0.5
    assert np.array_equal(layouts.read_bits(Reader(written(layouts.add_bits, bits)), 77), bits)
