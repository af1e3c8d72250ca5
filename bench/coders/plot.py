#!/usr/bin/env python3
"""Draws ratio against decode speed, a panel for each pair, as one SVG.

Usage: plot.py OUTPUT.svg REPORT.json...    (what finedelta-bench --json wrote)

Both axes are logarithmic. The dashed line is as fast as a copy whose hash is checked.
"""

import json
import math
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 400, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 40  # between its border and the axes
LABEL_GAP, LABEL_WIDTH = 13, 80  # between the baselines of two labels; of the longest
COLUMNS = 2

@dataclass(frozen=True)
class Colors:
    ink: str
    quiet: str
    line: str
    ours: str
    paper: str

    def rules(self) -> str:
        # Not by CSS variables, which many programs that show an SVG do not know.
        return (
            f".paper {{ fill: {self.paper} }} text, circle {{ fill: {self.quiet} }} "
            f".title {{ fill: {self.ink} }} .ours {{ fill: {self.ours} }} "
            f".grid {{ stroke: {self.line} }} .limit {{ stroke: {self.quiet} }}"
        )


LIGHT = Colors("#1f2328", "#656d76", "#d8dee4", "#0969da", "#ffffff")
DARK = Colors("#e6edf3", "#9198a1", "#30363d", "#58a6ff", "#0d1117")
STYLE = f"""
  text {{ font: 12px system-ui, sans-serif }} .title, .ours {{ font-weight: 600 }}
  .limit {{ stroke-dasharray: 4 3 }}
  {LIGHT.rules()}
  @media (prefers-color-scheme: dark) {{ {DARK.rules()} }}
"""


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis: values from `low` to `high` lie on pixels `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if self.high / self.low > 10 else (1, 1.5, 2, 3, 4, 5, 7)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in ticks if self.low <= tick <= self.high]


def spread(wanted: list[tuple[float, float]]) -> list[float]:
    """Baselines of labels, each as little below its wanted place as those placed before allow."""
    placed: list[tuple[float, float]] = []
    for x, y in wanted:
        near = sorted(other for at, other in placed if abs(at - x) < LABEL_WIDTH)
        for other in near:
            if abs(other - y) < LABEL_GAP:
                y = other + LABEL_GAP
        placed.append((x, y))
    return [y for _, y in placed]


def axes(coders: list[dict[str, Any]], limit: float) -> tuple[Axis, Axis]:
    speeds = [coder["decode_gbs"] for coder in coders] + [limit]
    ratios = [coder["ratio"] for coder in coders]
    x = Axis(min(speeds) / 1.5, max(speeds) * 1.5, LEFT, WIDTH - RIGHT)
    y = Axis(min(ratios) / 1.15, max(ratios) * 1.15, HEIGHT - BOTTOM, TOP)
    return x, y


def grid(x: Axis, y: Axis) -> list[str]:
    lines = []
    for tick in x.ticks():
        at = x.at(tick)
        lines.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        lines.append(
            f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{tick:g}</text>'
        )
    for tick in y.ticks():
        at = y.at(tick)
        lines.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    lines.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">decode, GB/s</text>'
    )
    lines.append(f'<text x="{LEFT - 6}" y="{TOP - 6}" text-anchor="end">ratio</text>')
    return lines


def points(coders: list[dict[str, Any]], x: Axis, y: Axis) -> list[str]:
    coders = sorted(coders, key=lambda coder: -coder["ratio"])
    baselines = spread([(x.at(coder["decode_gbs"]), y.at(coder["ratio"]) + 4) for coder in coders])
    lines = []
    for coder, baseline in zip(coders, baselines, strict=True):
        at = x.at(coder["decode_gbs"])
        ours = ' class="ours"' if coder["coder"].startswith("finedelta") else ""
        left = at > WIDTH - LABEL_WIDTH
        anchor = ' text-anchor="end"' if left else ""
        lines.append(f'<circle{ours} cx="{at:.1f}" cy="{y.at(coder["ratio"]):.1f}" r="4"/>')
        lines.append(
            f'<text{ours} x="{at + (-8 if left else 8):.1f}" y="{baseline:.1f}"{anchor}>'
            f'{escape(coder["coder"])}</text>'
        )
    return lines


def panel(report: dict[str, Any]) -> list[str]:
    coders = [coder for coder in report["coders"] if not coder["yardstick"]]
    limit = max(
        (coder["decode_gbs"] for coder in report["coders"] if coder["coder"] == "memcpy+xxh3"),
        default=max(coder["decode_gbs"] for coder in coders),
    )
    x, y = axes(coders, limit)
    return [
        f'<text class="title" x="{LEFT}" y="14">{escape(report["pair"])}</text>',
        *grid(x, y),
        f'<path class="limit" d="M{x.at(limit):.1f} {TOP}V{HEIGHT - BOTTOM}"/>',
        *points(coders, x, y),
    ]


def plot(reports: list[dict[str, Any]]) -> str:
    rows = math.ceil(len(reports) / COLUMNS)
    width, height = WIDTH * min(COLUMNS, len(reports)), HEIGHT * rows
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        "<title>Ratio against decode speed</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
    ]
    for number, report in enumerate(reports):
        row, column = divmod(number, COLUMNS)
        lines.append(f'<g transform="translate({column * WIDTH} {row * HEIGHT})">')
        lines += [*panel(report), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    output, *names = map(Path, sys.argv[1:])
    output.write_text(plot([json.loads(name.read_text()) for name in names]))


if __name__ == "__main__":
    main()
