"""A file of zstd-coded parts, each in whichever of several layouts is smallest.

The file is what counts as a baseline's size, so nothing in it is spent on convenience: a part is the
number of its layout, then for each of the layout's strings its stored length and its bytes. Frames have
no magic number, no content size and no checksum.
"""

import zstandard

LEVEL = 19
FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS
MAX_STRING = 1 << 31  # bytes; for a frame that would not end

Layout = list[bytes]  # strings that are compressed apart


def compress(string: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL, source_size=len(string), format=FORMAT, write_content_size=False
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(string)


def decompress(frame: bytes) -> bytes:
    decompressor = zstandard.ZstdDecompressor(format=FORMAT)
    return decompressor.decompress(frame, max_output_size=MAX_STRING)


def varint(value: int) -> bytes:
    """Little-endian, 7 bits a byte, the highest bit set in all but the last."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def stored(string: bytes) -> bytes:
    """A string as the file has it: twice its length, plus one if it is compressed; its bytes."""
    frame = compress(string)
    if len(frame) < len(string):
        return varint(2 * len(frame) + 1) + frame
    return varint(2 * len(string)) + string


class Writer:
    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, *layouts: Layout) -> None:
        """Adds a part: the smallest of these layouts of the same thing."""
        coded = [b"".join(map(stored, layout)) for layout in layouts]
        best = min(range(len(coded)), key=lambda index: len(coded[index]))
        self._bytes += varint(best) + coded[best]

    def content(self) -> bytes:
        return bytes(self._bytes)


class Reader:
    """Reads what `Writer` wrote, in the same order."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def layout(self) -> int:
        """Starts a part: the number of its layout, by which the caller knows how many strings it has."""
        return self._varint()

    def string(self) -> bytes:
        length, compressed = divmod(self._varint(), 2)
        data = self._content[self._at : self._at + length]
        self._at += length
        return decompress(data) if compressed else data

    def at_end(self) -> bool:
        return self._at == len(self._content)

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._content[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
