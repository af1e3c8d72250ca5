"""Zstandard frames as section 1 of docs/format.md allows them, walked before they are decoded."""

from typing import NamedTuple

import zstandard

from primitives import DamagedError

LARGEST_WINDOW = 8 << 20
LARGEST_BLOCK = 128 << 10
MAGIC = b"\x28\xb5\x2f\xfd"


class FrameHeader(NamedTuple):
    size: int
    window: int
    content_size: int | None
    checksum: bool


def take(data: bytes, at: int, size: int) -> int:
    """The little-endian number of `size` bytes at `at`."""
    if at + size > len(data):
        raise DamagedError("a zstd frame ends early")
    return int.from_bytes(data[at : at + size], "little")


def frame_header(data: bytes) -> FrameHeader:
    if data[:4] != MAGIC:
        raise DamagedError("a zstd frame has no magic number")
    descriptor = take(data, 4, 1)
    if descriptor & 3:
        raise DamagedError("a zstd frame has a dictionary id")
    if descriptor & 8:
        raise DamagedError("a zstd frame has its reserved bit set")
    at = 5
    single_segment = bool(descriptor & 0x20)
    window = 0
    if not single_segment:
        exponent, mantissa = divmod(take(data, at, 1), 8)
        window = (1 << (10 + exponent)) * (8 + mantissa) // 8
        at += 1
    content_size = None
    field = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    if field:
        content_size = take(data, at, field) + (256 if field == 2 else 0)
        at += field
    if single_segment:
        window = content_size or 0
    return FrameHeader(at, window, content_size, bool(descriptor & 4))


def walk_blocks(data: bytes, header: FrameHeader) -> tuple[int, int]:
    """Where the frame ends, and the most bytes that its blocks can stand for."""
    largest_block = min(header.window, LARGEST_BLOCK)
    at, bound, last = header.size, 0, False
    while not last:
        block = take(data, at, 3)
        last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        if kind == 3:
            raise DamagedError("a zstd frame has a block of the reserved type")
        at += 3 + (1 if kind == 1 else size)
        bound += largest_block if kind == 2 else size
    return at + (4 if header.checksum else 0), bound


def check_frame(data: bytes, length: int) -> None:
    """Rejects what is not one frame over all of `data` that may stand for `length` bytes."""
    header = frame_header(data)
    if header.window > LARGEST_WINDOW:
        raise DamagedError(f"a zstd frame has a window of {header.window} bytes")
    if header.content_size not in (None, length):
        raise DamagedError(f"a zstd frame is for {header.content_size} bytes, not {length}")
    end, bound = walk_blocks(data, header)
    if end != len(data):
        raise DamagedError(f"a zstd frame of {end} bytes lies in {len(data)} bytes")
    if length > bound:
        raise DamagedError(f"a zstd frame can't stand for {length} bytes")


def decompress(data: bytes, length: int, prefix: bytes = b"") -> bytes:
    check_frame(data, length)
    dictionary = None
    if prefix:
        kind = zstandard.DICT_TYPE_RAWCONTENT
        dictionary = zstandard.ZstdCompressionDict(prefix, dict_type=kind)
    decompressor = zstandard.ZstdDecompressor(dictionary, max_window_size=LARGEST_WINDOW)
    try:
        content = decompressor.decompress(data, max_output_size=length)
    except zstandard.ZstdError as error:
        raise DamagedError(f"a zstd frame can't be decoded: {error}") from error
    if len(content) != length:
        raise DamagedError(f"a zstd frame holds {len(content)} bytes, not {length}")
    return content
