"""Lines over two logarithmic axes: what was measured, and beyond it, dashed, what was computed."""

from __future__ import annotations

import math
from itertools import pairwise

from finedelta.validate.page.charts.axes import Axis, Tick, axis
from finedelta.validate.page.charts.canvas import (
    WIDTH,
    circle,
    drawing,
    line,
    text,
    text_width,
    tipped,
    widest,
)
from finedelta.validate.page.document import Line, Lines, Point

_HEIGHT = 260  # of the area between the axes, at least
_TOP, _BOTTOM = 28, 44  # room for what the axes show
_LABEL = 16  # between the baselines of two labels
_LEADER = 26  # from the area to labels
_COLORS = 6  # in page.css


def lines(chart: Lines) -> str:
    shown = [(number, part) for number, part in enumerate(map(_drawable, chart.lines)) if part.points]
    points = [point for _, part in shown for point in part.points]
    bottom = _TOP + max(_HEIGHT, _LABEL * (len(shown) + 1))
    y = axis([point.y for point in points], bottom, _TOP)
    y_ticks = y.ticks()
    left = widest([tick.label for tick in y_ticks], 100) + 8
    label_room = widest([part.name for _, part in shown], 200)
    right = WIDTH - label_room - _LEADER - 4
    x = axis([point.x for point in points], left, right)
    elements = _grid(x, y, y_ticks)
    elements += [
        text(0, 12, chart.head[1], WIDTH, "quiet"),
        text((left + right) / 2, bottom + 36, chart.head[0], right - left, "quiet", "middle"),
    ]
    for number, part in shown:
        elements += _line(part, x, y, f"line-{number % _COLORS}")
    elements += _labels(shown, x, y, label_room)
    has_legend = any(not point.is_measured for point in points)
    if has_legend:
        elements += _legend(left, bottom + _BOTTOM + 12)
    return drawing("Lines", chart.caption, WIDTH, bottom + _BOTTOM + 20 * has_legend, elements)


def _drawable(whole: Line) -> Line:
    """Without the points that have no place on logarithmic axes."""
    return Line(whole.name, tuple(p for p in whole.points if _has_place(p.x) and _has_place(p.y)))


def _has_place(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _grid(x: Axis, y: Axis, y_ticks: list[Tick]) -> list[str]:
    elements = []
    free = -math.inf
    for tick in x.ticks():
        elements.append(line(tick.at, y.end, tick.at, y.begin, "grid"))
        half = text_width(tick.label) / 2
        if tick.at - half >= free:
            elements.append(text(tick.at, y.begin + 16, tick.label, style="quiet", anchor="middle"))
            free = tick.at + half + 6
    for tick in y_ticks:
        elements.append(line(x.begin, tick.at, x.end, tick.at, "grid"))
        elements.append(text(x.begin - 6, tick.at + 4, tick.label, style="quiet", anchor="end"))
    return elements


def _line(part: Line, x: Axis, y: Axis, color: str) -> list[str]:
    elements = []
    for one, other in pairwise(part.points):
        style = f"line {color}" if one.is_measured and other.is_measured else f"line {color} computed"
        elements.append(line(x.at(one.x), y.at(one.y), x.at(other.x), y.at(other.y), style))
    for point in part.points:
        style = f"point {color}" if point.is_measured else f"point {color} computed"
        elements.append(tipped(_tip(part, point), circle(x.at(point.x), y.at(point.y), style)))
    return elements


def _tip(part: Line, point: Point) -> str:
    how = "measured" if point.is_measured else "computed"
    return f"{part.name}: {point.texts[0]}, {point.texts[1]} ({how})"


def _labels(shown: list[tuple[int, Line]], x: Axis, y: Axis, room: float) -> list[str]:
    """Names beside the last points, each with a thin line from there."""
    ordered = sorted(shown, key=lambda one: y.at(one[1].points[-1].y))
    wanted = [y.at(part.points[-1].y) for _, part in ordered]
    elements = []
    for (number, part), place in zip(ordered, _spread(wanted, y.end, y.begin), strict=True):
        last = part.points[-1]
        style = f"leader line-{number % _COLORS}"
        elements.append(line(x.at(last.x) + 5, y.at(last.y), x.end + _LEADER - 6, place, style))
        elements.append(text(x.end + _LEADER, place + 4, part.name, room, "end"))
    return elements


def _spread(wanted: list[float], low: float, high: float) -> list[float]:
    """Places as near to the wanted ones, which ascend, as lets each have its own room from low to high."""
    places: list[float] = []
    for number, place in enumerate(wanted):
        above = places[-1] + _LABEL if places else low
        below = high - _LABEL * (len(wanted) - 1 - number)
        places.append(min(max(place, above), below))
    return places


def _legend(left: float, base: float) -> list[str]:
    after = left + 14 + text_width("measured") + 16
    return [
        circle(left + 4, base - 4, "point legend"),
        text(left + 14, base, "measured", style="quiet"),
        circle(after + 4, base - 4, "point legend computed"),
        text(after + 14, base, "computed", style="quiet"),
    ]
