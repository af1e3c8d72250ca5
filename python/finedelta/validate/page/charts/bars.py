"""Horizontal bars."""

from __future__ import annotations

import math

from finedelta.validate.page.charts.canvas import (
    ROW,
    WIDTH,
    drawing,
    rect,
    share,
    text,
    tipped,
    widest,
)
from finedelta.validate.page.document import Bar, Bars

_GAP = 10
_LONGEST_NAME = 300
_TOP = 26  # room for what names and values are


def bars(chart: Bars) -> str:
    ours = [bar for bar in chart.bars if bar.is_ours]
    name_room = max(
        widest([chart.head[0], *(bar.name for bar in chart.bars)], _LONGEST_NAME),
        widest([bar.name for bar in ours], _LONGEST_NAME, is_bold=True),
    )
    text_room = widest([bar.text for bar in chart.bars], 200, is_bold=True)
    left = name_room + _GAP
    reach = WIDTH - left - _GAP - text_room
    largest = max((bar.value for bar in chart.bars if math.isfinite(bar.value)), default=0.0)
    elements = [
        text(0, 12, chart.head[0], name_room, "quiet"),
        text(left, 12, chart.head[1], WIDTH - left, "quiet"),
    ]
    for number, bar in enumerate(chart.bars):
        length = max(1.0, share(bar.value, largest) * reach)
        elements.append(_bar(bar, _TOP + number * ROW, name_room, left, length, text_room))
    return drawing("Bars", chart.caption, WIDTH, _TOP + ROW * len(chart.bars), elements)


def _bar(bar: Bar, top: float, name_room: float, left: float, length: float, text_room: float) -> str:
    base = top + 15
    weight = "bold" if bar.is_ours else ""
    return tipped(
        f"{bar.name}: {bar.text}",
        text(0, base, bar.name, name_room, weight),
        rect(left, top + 3, length, ROW - 8, "bar ours" if bar.is_ours else "bar"),
        text(left + length + _GAP / 2, base, bar.text, text_room, weight),
    )
