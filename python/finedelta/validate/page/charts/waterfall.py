"""From a fine-tune's size down to the archive's, a bar for what each kind of tensors saves."""

from __future__ import annotations

from dataclasses import dataclass

from finedelta.validate.page.charts.canvas import (
    ROW,
    WIDTH,
    drawing,
    line,
    rect,
    text,
    tipped,
    widest,
)
from finedelta.validate.page.document import Waterfall
from finedelta.validate.page.units import percent, size

_GAP = 14


@dataclass(frozen=True)
class _Row:
    name: str
    begin: int
    end: int
    text: str
    style: str
    tip: str
    is_total: bool = False


def waterfall(chart: Waterfall) -> str:
    rows = _rows(chart)
    largest = max(1, *(max(row.begin, row.end) for row in rows))
    name_room = widest([row.name for row in rows], 220, is_bold=True)
    text_room = widest([row.text for row in rows], 200, is_bold=True)
    left = name_room + _GAP
    reach = WIDTH - left - _GAP - text_room
    elements = []
    for number, row in enumerate(rows):
        top = number * ROW
        begin, end = (left + reach * place / largest for place in (row.begin, row.end))
        weight = "bold" if row.is_total else ""
        if number + 1 < len(rows):
            elements.append(line(end, top + 3, end, top + 2 * ROW - 5, "joint"))
        elements.append(
            tipped(
                row.tip,
                text(0, top + 15, row.name, name_room, weight),
                rect(min(begin, end), top + 3, max(1.0, abs(end - begin)), ROW - 8, row.style),
                text(WIDTH, top + 15, row.text, text_room, weight, "end"),
            )
        )
    return drawing("Waterfall", chart.caption, WIDTH, ROW * len(rows), elements)


def _rows(chart: Waterfall) -> list[_Row]:
    total = chart.total()
    rows = [_total("fine-tune", total.before, size(total.before), "bar")]
    left = total.before
    for step in chart.steps:
        saved = step.before - step.after
        sign, style = ("−", "bar saved") if saved >= 0 else ("+", "bar added")
        tip = f"{step.name}: {size(step.before)} become {size(step.after)}"
        rows.append(_Row(step.name, left, left - saved, f"{sign} {size(abs(saved))}", style, tip))
        left -= saved
    share = f" ({percent(total.after / total.before)})" if total.before else ""
    return [*rows, _total("archive", total.after, f"{size(total.after)}{share}", "bar ours")]


def _total(name: str, count: int, text: str, style: str) -> _Row:
    return _Row(name, 0, count, text, style, f"{name}: {text}", is_total=True)
