"""What plots with two logarithmic axes share: colours, axes, their grid, and places for labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 40  # between a panel's border and its axes
LABEL_GAP = 13  # between the baselines of two labels


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
SHAPES = """
  text { font: 12px system-ui, sans-serif } .title, .ours { font-weight: 600 }
  .limit { stroke-dasharray: 4 3 }
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
        steps: Sequence[float] = (1, 2, 5) if self.high / self.low > 10 else (1, 1.5, 2, 3, 4, 5, 7)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in ticks if self.low <= tick <= self.high]


def spread(wanted: list[tuple[float, float]], width: float) -> list[float]:
    """Baselines of labels, each as little below its wanted place as those placed before allow.

    Labels whose places are `width` apart do not meet.
    """
    placed: list[tuple[float, float]] = []
    for x, y in wanted:
        near = sorted(other for at, other in placed if abs(at - x) < width)
        for other in near:
            if abs(other - y) < LABEL_GAP:
                y = other + LABEL_GAP
        placed.append((x, y))
    return [y for _, y in placed]


def grid(x: Axis, y: Axis, x_label: str, y_label: str) -> list[str]:
    """Lines at all ticks and their numbers, and what the axes show."""
    left, right, top, bottom = x.begin, x.end, y.end, y.begin
    lines = []
    for tick in x.ticks():
        at = x.at(tick)
        lines.append(f'<path class="grid" d="M{at:.1f} {top}V{bottom}"/>')
        lines.append(f'<text x="{at:.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks():
        at = y.at(tick)
        lines.append(f'<path class="grid" d="M{left} {at:.1f}H{right}"/>')
        lines.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (left - LEFT + right + RIGHT) / 2
    lines.append(
        f'<text x="{middle}" y="{bottom + BOTTOM - 6}" text-anchor="middle">{escape(x_label)}</text>'
    )
    lines.append(f'<text x="{left - 6}" y="{top - 6}" text-anchor="end">{escape(y_label)}</text>')
    return lines


def document(title: str, width: float, height: float, rules: str, body: list[str]) -> str:
    """An SVG on paper, with the style of all plots and what `rules` adds to it."""
    style = (
        f"{SHAPES}  {LIGHT.rules()}\n"
        f"  @media (prefers-color-scheme: dark) {{ {DARK.rules()} }}\n{rules}"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        *body,
    ]
    return "\n".join([*lines, "</svg>", ""])
