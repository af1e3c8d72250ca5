"""The report as Markdown (GitHub's), for reading in a terminal or beside code; charts are their tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

from finedelta.validate.page.document import Block, Cell, Document, Paragraph, Table, Verdict
from finedelta.validate.page.inline import are_numbers, mark, spans

_SPECIAL = re.compile(r"([\\`*_<>\[\]|~&$#])")
_LINK = re.compile(r"(?<=www)\.|:(?=//)", re.IGNORECASE)
_LIST = re.compile(r"^([-+=]|\d+(?=[.)](\s|$)))")


def markdown(document: Document) -> str:
    parts = [f"# {_inline(document.title)}"]
    parts += [f"> **{_inline(label)}**" for label in document.labels]
    parts += _blocks(document.summary)
    for section in document.sections:
        parts += [f"## {_inline(section.title)}", *_blocks(section.blocks)]
    return "\n\n".join(parts) + "\n"


def _blocks(blocks: Iterable[Block]) -> list[str]:
    return [_block(block) for block in blocks]


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return _line_start(_inline(block.text))
    return _table(block if isinstance(block, Table) else block.table())


def _table(table: Table) -> str:
    rules = ["---:" if are_numbers(table, column) else "---" for column in range(len(table.head))]
    lines = [_row(map(_inline, table.head)), _row(rules)]
    lines += [_row(map(_cell, row)) for row in table.rows]
    caption = [f"**{_inline(table.caption)}**", ""] if table.caption else []
    return "\n".join([*caption, *lines])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    if isinstance(cell, Verdict):
        return f"{mark(cell)} {_inline(cell.text)}".strip()
    return _inline(cell)


def _inline(text: str) -> str:
    """A text on one line, in which nothing but code is Markdown."""
    return "".join(_code(piece) if is_code else _escape(piece) for is_code, piece in spans(text)).strip()


def _code(text: str) -> str:
    # A table is cut into cells before code is looked for.
    return "`" + text.replace("|", "\\|") + "`"


def _escape(text: str) -> str:
    return _LINK.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", text))


def _line_start(text: str) -> str:
    """A paragraph may not begin as a list does."""
    return _LIST.sub(lambda found: f"\\{found[0]}" if found[0] in "-+=" else f"{found[0]}\\", text)
