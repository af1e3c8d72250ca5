"""Lossy archives that lie, as those of lies.py do. They are of the pair `small` of conftest.py: their
losses are 32 bytes, five marks, and the numbers of the matrix, which comes last."""

from collections.abc import Callable

import adaptive
from archive import HEADER_SIZE, open_archive
from lies import MATRIX, head
from writer import seal_body

Change = Callable[[bytes], bytes]

LOSS = 10  # bytes
LOSSES = 32 + 5 + LOSS
OLDER = 1  # format version


def with_body(archive: bytes, body: bytes, version: int) -> bytes:
    """The archive with another body of its index, for readers of that version."""
    header = open_archive(archive).header
    side = HEADER_SIZE + header.payload
    regions = archive[HEADER_SIZE:side], archive[side : side + header.side]
    return seal_body(body, *regions, version)


def other_body(change: Change, version: int = 2) -> Change:
    return lambda archive: with_body(archive, change(open_archive(archive).body), version)


def in_place(at: int, byte: int) -> Change:
    """The byte `at`, counted from the end, is another one."""
    return lambda body: body[:-at] + bytes([byte]) + body[len(body) - at + 1 :]


# How each changes a lossy archive, and what the reader says of it.
LOSSY_LIES: dict[str, tuple[Change, str]] = {
    "lossy in version 1": (other_body(lambda body: body, OLDER), "unknown flags 2"),
    "unknown flag": (other_body(lambda body: b"\x08" + body[1:]), "unknown flags 8"),
    "not lossy": (other_body(lambda body: b"\0" + body[1:]), f"leaves {LOSSES} bytes behind"),
    "no losses": (other_body(lambda body: body[:-LOSSES]), "ends early"),
    "losses cut": (other_body(lambda body: body[:-1]), "ends early"),
    "no numbers": (other_body(lambda body: body[:-LOSS]), "ends early"),
    "bytes behind losses": (other_body(lambda body: body + b"\0"), "leaves 1 bytes behind"),
    "unknown mark": (other_body(in_place(LOSS + 5, 2)), "tensor 'a' has unknown mark 2"),
    "error over infinity": (other_body(in_place(LOSS - 1, 0xFF)), "'e' has an error of 0xff"),
    "largest error over infinity": (
        other_body(in_place(LOSS - 3, 0xFF)),
        "'e' has an error of 0xff",
    ),
    "numbers of an exact tensor": (other_body(in_place(LOSS + 1, 0)), "no lossy tensor"),
    "no lossy tensor": (
        other_body(lambda body: body[: -LOSS - 1] + b"\0"),
        "a lossy archive has no lossy tensor",
    ),
    "numbers missing": (other_body(in_place(LOSS + 2, 1)), "ends early"),
}


def record(shifts: list[int], left: list[list[int]], right: list[list[int]]) -> Change:
    """Instead of any: an adaptive one of columns that begin so."""
    rows, columns = MATRIX
    left = [column + [0] * (rows - len(column)) for column in left]
    right = [column + [0] * (columns - len(column)) for column in right]
    coded = adaptive.encode(shifts, left, right)
    return lambda _: b"\0" + head(rows, columns, len(shifts)) + coded


# What stands for the adaptive record of the factors of the matrix, and what the reader says of it.
ADAPTIVE_LIES: dict[str, tuple[Change, str]] = {
    "no rows": (lambda _: b"\0" + head(rows=0) + b"\1" * 30, "0 rows and 8 columns for shape"),
    "other columns": (lambda _: b"\0" + head(columns=7) + b"\1" * 30, "15 rows and 7 columns"),
    "high rank": (lambda _: b"\0" + head(rank=257) + b"\1" * 30, "a rank of 257"),
    "large scale": (lambda _: b"\0" + head(scale=2.0**64) + b"\1" * 30, "a scale of 1.8"),
    "two zeros": (lambda rest: b"\0" + rest, "0 rows and 15 columns"),
    "no values": (lambda _: b"\0" + head(), "0 bytes can't hold 23 values"),
    "more values than bytes": (
        lambda _: b"\0" + head(rank=179) + b"\1\1",
        "2 bytes can't hold 4117 values",
    ),
    "last byte": (lambda rest: rest + b"\0", "the last byte is 0"),
    "bytes behind": (lambda rest: rest + b"\0\0\0\0\1", "bytes behind the last value"),
    "shift": (record([15], [[1]], [[1]]), "a shift of 15"),
    "second shift": (record([14, 15], [[1]] * 2, [[1]] * 2), "a shift of 15"),
    "value": (record([0], [[-32768]], [[1]]), "a value of over 32767"),
    "value with low bits apart": (record([0], [[1]], [[32767] * 4 + [32768]]), "of over 32767"),
    "shifted value": (record([1], [[16384]], [[1]]), "a value of 32768"),
    "sum": (record([0] * 3, [[32767]] * 3, [[-32767]] * 3), "sums of up to 3221028867"),
    "longest number": (lambda _: b"\0" + head() + b"\xff" * 30, "a shift of 15"),
}
