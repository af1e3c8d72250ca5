"""A cell for each row and column, the stronger the larger its number.

One colour over the paper, which is never so strong that the ink upon it could not be read.
"""

from __future__ import annotations

import math

from finedelta.validate.page.charts.canvas import (
    WIDTH,
    Anchor,
    drawing,
    rect,
    text,
    text_width,
    tipped,
    widest,
)
from finedelta.validate.page.document import HeatMap

_CELL = 22  # height
_NARROWEST, _WIDEST = 30, 76
_GAP = 10
_TURN = 40  # degrees, of columns' names that are wider than their cells
_LEGEND = 36
_SWATCH = 16


def heat_map(chart: HeatMap) -> str:
    left = widest([chart.corner, *chart.rows], 220) + _GAP
    width = max(_NARROWEST, min(_WIDEST, (WIDTH - left) / max(1, len(chart.columns))))
    longest = widest(list(chart.columns), 160)
    is_turned = longest > width - 4
    angle = math.radians(_TURN)
    top = longest * math.sin(angle) + 18 if is_turned else 20
    # The last turned name reaches past its column.
    right = max(0.0, longest * math.cos(angle) - width / 2 + 6) if is_turned else 0
    bottom = top + _CELL * len(chart.rows)
    elements = [text(0, top - 7, chart.corner, left - _GAP, "quiet")]
    for number, name in enumerate(chart.columns):
        middle = left + (number + 0.5) * width
        anchor: Anchor = "start" if is_turned else "middle"
        turn = -_TURN if is_turned else 0
        elements.append(text(middle, top - 7, name, longest, "quiet", anchor, turn))
    for number, name in enumerate(chart.rows):
        y = top + number * _CELL
        elements.append(text(0, y + 15, name, left - _GAP))
        elements += _cells(chart, number, left, y, width)
    elements += _legend(chart, left, bottom + 14)
    whole = left + max(width * len(chart.columns) + right, _legend_width(chart))
    return drawing("Heat map", chart.caption, whole, bottom + _LEGEND, elements)


def _cells(chart: HeatMap, row: int, left: float, y: float, width: float) -> list[str]:
    cells = []
    for column, (value, shown) in enumerate(zip(chart.values[row], chart.texts[row], strict=True)):
        x = left + column * width
        if value is None or not math.isfinite(value):
            cells.append(rect(x + 1, y + 1, width - 2, _CELL - 2, "none"))
            continue
        parts = [rect(x + 1, y + 1, width - 2, _CELL - 2, "heat", min(1.0, max(0.0, value)))]
        if text_width(shown) <= width - 4:
            parts.append(text(x + width / 2, y + 15, shown, anchor="middle"))
        cells.append(tipped(f"{chart.rows[row]}, {chart.columns[column]}: {shown}", *parts))
    return cells


def _legend_width(chart: HeatMap) -> float:
    return sum(map(text_width, chart.ends)) + 11 * _SWATCH + 12


def _legend(chart: HeatMap, left: float, top: float) -> list[str]:
    begin = left + text_width(chart.ends[0]) + 6
    steps = [rect(begin + i * _SWATCH, top, _SWATCH, 14, "heat", i / 10) for i in range(11)]
    return [
        text(begin - 6, top + 11, chart.ends[0], style="quiet", anchor="end"),
        *steps,
        rect(begin, top, 11 * _SWATCH, 14, "frame"),
        text(begin + 11 * _SWATCH + 6, top + 11, chart.ends[1], style="quiet"),
    ]
