"""The worked example of docs/format.md is true, byte for byte."""

import re
from pathlib import Path

from archive import HEADER_SIZE, open_archive

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = (ROOT / "tests" / "golden" / "example" / "0.1.0.fd").read_bytes()
BIT_LINE = re.compile(r"^([01]+) ", re.MULTILINE)
DUMP_LINE = re.compile(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)", re.MULTILINE)


def blocks() -> list[str]:
    """The code blocks of section 8."""
    return (ROOT / "docs" / "format.md").read_text().split("\n## 8. ")[1].split("```")[1::2]


def dumps() -> list[dict[int, bytes]]:
    """The hexadecimal dumps, one for each block that has one: bytes by offset."""
    found = [DUMP_LINE.findall(block) for block in blocks()]
    return [
        {int(offset, 16): bytes.fromhex(digits) for offset, digits in dump}
        for dump in found
        if dump
    ]


def listed_bits() -> bytes:
    """What the bits that are listed one after another are as bytes."""
    lists = [BIT_LINE.findall(block) for block in blocks() if not DUMP_LINE.search(block)]
    bits = "".join(bit for found in lists for bit in found)
    return int(bits[::-1], 2).to_bytes(len(bits) // 8, "little")


def check(dump: dict[int, bytes], data: bytes) -> int:
    for offset, piece in dump.items():
        assert data[offset : offset + len(piece)] == piece, hex(offset)
    return sum(map(len, dump.values()))


def test_the_dumps_are_the_archive() -> None:
    length, payload, index, body = dumps()
    assert check(length, ARCHIVE) == 8
    assert check(payload, ARCHIVE) == 33
    assert listed_bits() == payload[0x203]
    assert check(index, ARCHIVE) == 24
    opened = open_archive(ARCHIVE)
    assert check(body, opened.body) == len(opened.body)


def test_the_header_is_that_of_the_archive() -> None:
    (header,) = (block for block in blocks() if block.strip().startswith("{"))
    assert header.replace("\n", "").encode() == ARCHIVE[8:HEADER_SIZE].rstrip()


def test_the_sizes_are_those_of_the_archive() -> None:
    section = (ROOT / "docs" / "format.md").read_text().split("\n## 8. ")[1]
    assert f"Its {len(ARCHIVE)} bytes:" in section
