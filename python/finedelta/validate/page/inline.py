"""What both forms of the report do with text: names of tensors and files may hold anything."""

from __future__ import annotations

import re
from itertools import groupby

from finedelta.validate.page.document import Table, Verdict

# Controls, what XML or UTF-8 cannot hold, and what turns the direction of the text around it.
_SPACES = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def clean(text: str) -> str:
    """On one line, without what does not belong into a file of text."""
    return _UNFIT.sub("\ufffd", _SPACES.sub(" ", text))


def spans(text: str) -> list[tuple[bool, str]]:
    """Pieces of a text, and whether each is code; no two of a kind follow each other. A backtick without a
    partner is one of the text."""
    pieces = clean(text).split("`")
    if len(pieces) % 2 == 0:
        pieces[-2:] = ["`".join(pieces[-2:])]
    kinds = [(number % 2 == 1, piece) for number, piece in enumerate(pieces) if piece]
    groups = groupby(kinds, lambda kind: kind[0])
    return [(is_code, "".join(piece for _, piece in group)) for is_code, group in groups]


def plain(text: str) -> str:
    """For where there is no code."""
    return "".join(piece for _, piece in spans(text))


def mark(verdict: Verdict) -> str:
    """Beside the words, for the eye; empty if there is nothing to hold."""
    return {True: "✓", False: "✗", None: ""}[verdict.holds]


def are_numbers(table: Table, column: int) -> bool:
    """Whether a column is set flush right: verdicts and words among the numbers are not."""
    if column < table.numbers_from:
        return False
    cells = [row[column] for row in table.rows]
    has_number = any(isinstance(cell, str) and re.search(r"\d", cell) for cell in cells)
    return has_number and not any(isinstance(cell, Verdict) for cell in cells)
