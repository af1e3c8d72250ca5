#!/usr/bin/env python3
"""Draws ratio against decode speed, a panel for each pair, as one SVG.

Usage: plot.py OUTPUT.svg REPORT.json...    (what finedelta-bench --json wrote)

Both axes are logarithmic. The dashed line is as fast as a copy whose hash is checked.
"""

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plots"))

from log_log import BOTTOM, LEFT, RIGHT, TOP, Axis, document, grid, spread  # noqa: E402

WIDTH, HEIGHT = 400, 300  # of a panel
LABEL_WIDTH = 80  # of the longest
COLUMNS = 2


def axes(coders: list[dict[str, Any]], limit: float) -> tuple[Axis, Axis]:
    speeds = [coder["decode_gbs"] for coder in coders] + [limit]
    ratios = [coder["ratio"] for coder in coders]
    x = Axis(min(speeds) / 1.5, max(speeds) * 1.5, LEFT, WIDTH - RIGHT)
    y = Axis(min(ratios) / 1.15, max(ratios) * 1.15, HEIGHT - BOTTOM, TOP)
    return x, y


def points(coders: list[dict[str, Any]], x: Axis, y: Axis) -> list[str]:
    coders = sorted(coders, key=lambda coder: -coder["ratio"])
    places = [(x.at(coder["decode_gbs"]), y.at(coder["ratio"]) + 4) for coder in coders]
    baselines = spread(places, LABEL_WIDTH)
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
        *grid(x, y, "decode, GB/s", "ratio"),
        f'<path class="limit" d="M{x.at(limit):.1f} {TOP}V{HEIGHT - BOTTOM}"/>',
        *points(coders, x, y),
    ]


def plot(reports: list[dict[str, Any]]) -> str:
    rows = math.ceil(len(reports) / COLUMNS)
    width, height = WIDTH * min(COLUMNS, len(reports)), HEIGHT * rows
    lines = []
    for number, report in enumerate(reports):
        row, column = divmod(number, COLUMNS)
        lines.append(f'<g transform="translate({column * WIDTH} {row * HEIGHT})">')
        lines += [*panel(report), "</g>"]
    return document("Ratio against decode speed", width, height, "", lines)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    output, *names = map(Path, sys.argv[1:])
    output.write_text(plot([json.loads(name.read_text()) for name in names]))


if __name__ == "__main__":
    main()
