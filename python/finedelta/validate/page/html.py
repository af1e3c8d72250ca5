"""The report as one page that needs nothing else: no script, no font, no picture, no network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from finedelta.validate.page.charts import svg
from finedelta.validate.page.document import (
    Block,
    Cell,
    Chart,
    Document,
    Paragraph,
    Section,
    Table,
    Verdict,
)
from finedelta.validate.page.inline import are_numbers, mark, plain, spans

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_BREAK = re.compile(r"(?<=[./])(?=[^\W\d])")  # where names are broken first


def html(document: Document) -> str:
    anchors = _anchors(document.sections)
    parts = [
        *_head(document.title),
        '<body>\n<header class="top">',
        f"<h1>{_inline(document.title)}</h1>",
        *map(_label, document.labels),
        "</header>",
        *_contents(document.sections, anchors),
        "<main>",
        *_summary(document.summary),
    ]
    for section, anchor in zip(document.sections, anchors, strict=True):
        parts += [
            f'<section id="{anchor}">',
            f"<h2>{_inline(section.title)}</h2>",
            *map(_block, section.blocks),
            "</section>",
        ]
    return "\n".join([*parts, "</main>\n</body>\n</html>", ""])


def _head(title: str) -> list[str]:
    style = files("finedelta.validate.page").joinpath("page.css").read_text(encoding="utf-8")
    return [
        '<!DOCTYPE html>\n<html lang="en">\n<head>',
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(plain(title))}</title>",
        # Empty, so that browsers do not ask for one.
        '<link rel="icon" href="data:,">',
        f"<style>\n{style}</style>\n</head>",
    ]


def _label(label: str) -> str:
    """The word that must not be overlooked is in bold; after a colon comes why."""
    word, colon, reason = label.partition(":")
    return f'<p class="label" role="note"><strong>{_inline(word + colon)}</strong>{_inline(reason)}</p>'


def _anchors(sections: Iterable[Section]) -> list[str]:
    """Of letters, digits and dashes alone, whatever the titles are; each once."""
    anchors: list[str] = []
    for section in sections:
        stem = anchor = re.sub("[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        number = 2
        while anchor in anchors:
            anchor = f"{stem}-{number}"
            number += 1
        anchors.append(anchor)
    return anchors


def _contents(sections: Iterable[Section], anchors: list[str]) -> list[str]:
    if not anchors:
        return []
    entries = [
        f'<li><a href="#{anchor}">{_inline(section.title)}</a></li>'
        for section, anchor in zip(sections, anchors, strict=True)
    ]
    return ['<nav aria-label="Contents">\n<ol>', *entries, "</ol>\n</nav>"]


def _summary(blocks: tuple[Block, ...]) -> list[str]:
    return ['<div class="summary">', *map(_block, blocks), "</div>"] if blocks else []


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{_inline(block.text)}</p>"
    return _table(block) if isinstance(block, Table) else _figure(block)


def _figure(chart: Chart) -> str:
    return "\n".join(
        [
            f"<figure>\n<figcaption>{_inline(chart.caption)}</figcaption>",
            _scrolling(chart.caption, svg(chart)),
            "<details>\n<summary>The numbers as a table</summary>",
            _table(chart.table()),
            "</details>\n</figure>",
        ]
    )


def _table(table: Table) -> str:
    are_right = [are_numbers(table, column) for column in range(len(table.head))]
    head = [_head_cell(text, is_right) for text, is_right in zip(table.head, are_right, strict=True)]
    lines = [
        f"<table>\n<caption>{_inline(table.caption)}</caption>",
        f"<thead><tr>{''.join(head)}</tr></thead>\n<tbody>",
    ]
    for row in table.rows:
        cells = [
            _cell(cell, is_right, is_name=column == 0 and table.numbers_from > 0)
            for column, (cell, is_right) in enumerate(zip(row, are_right, strict=True))
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return _scrolling(table.caption, "\n".join([*lines, "</tbody>\n</table>"]))


def _scrolling(caption: str, content: str) -> str:
    """What is wider than the page moves in a box of its own, which keys reach too."""
    name = escape(plain(caption))
    return f'<div class="scroll" role="group" tabindex="0" aria-label="{name}">\n{content}\n</div>'


def _head_cell(text: str, is_right: bool) -> str:
    if not text:
        return "<td></td>"
    return f'<th scope="col"{_right(is_right)}>{_inline(text)}</th>'


def _cell(cell: Cell, is_right: bool, is_name: bool) -> str:
    content = _verdict(cell) if isinstance(cell, Verdict) else _inline(cell)
    if is_name:
        return f'<th scope="row">{_BREAK.sub("<wbr>", content)}</th>'
    return f"<td{_right(is_right)}>{content}</td>"


def _right(is_right: bool) -> str:
    return ' class="number"' if is_right else ""


def _verdict(verdict: Verdict) -> str:
    style = {True: "good", False: "bad", None: "neither"}[verdict.holds]
    sign = f'<span aria-hidden="true">{mark(verdict)}</span> ' if mark(verdict) else ""
    return f'<span class="verdict {style}">{sign}{_inline(verdict.text)}</span>'


def _inline(text: str) -> str:
    return "".join(
        f"<code>{escape(piece)}</code>" if is_code else escape(piece) for is_code, piece in spans(text)
    )
