"""The worked example of docs/format.md is true, byte for byte."""

import re
from pathlib import Path

from archive import open_archive
from finedelta_reader import unpack

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "golden" / "example"
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
    archive = (EXAMPLE / "example.fd").read_bytes()
    length, payload, index, body = dumps()
    assert check(length, archive) == 8
    assert check(payload, archive) == 33
    assert listed_bits() == payload[0x203]
    assert check(index, archive) == 24
    opened = open_archive(archive)
    assert check(body, opened.body) == len(opened.body)


def test_the_example_unpacks(tmp_path: Path) -> None:
    archive = (EXAMPLE / "example.fd").read_bytes()
    unpack([EXAMPLE / "base.safetensors"], archive, tmp_path / "out")
    wanted = (EXAMPLE / "fine-tune.safetensors").read_bytes()
    assert (tmp_path / "out").read_bytes() == wanted
