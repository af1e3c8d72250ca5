"""Draws KL against bits per weight for one fine-tune: a line through the frontier of each family."""

import sys
from html import escape
from pathlib import Path

from results import Report, Row, frontier

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plots"))

from log_log import BOTTOM, LEFT, TOP, Axis, document, grid, spread  # noqa: E402

WIDTH, HEIGHT = 720, 460
LABELS = 84  # right of the axes, for the names of families
BITS = (0.03, 4)  # what the plot shows
LEAST_KL = 1e-5  # below, differences between models are of no interest
# Of each family on white paper and on black.
COLORS = {
    "BitDelta": ("#0e7490", "#56d4dd"),
    "DARE": ("#cf222e", "#ff7b72"),
    "pruning": ("#8250df", "#bc8cff"),
    "ternary": ("#1a7f37", "#3fb950"),
    "integers": ("#bf3989", "#f778ba"),
    "SVD": ("#bc4c00", "#f0883e"),
    "finedelta": ("#0969da", "#58a6ff"),
}


def rules() -> str:
    def of_theme(index: int) -> str:
        return " ".join(
            f".{family} {{ stroke: {colors[index]} }} "
            f"circle.{family}, text.{family} {{ fill: {colors[index]}; stroke: none }}"
            for family, colors in COLORS.items()
        )

    return (
        "  .curve { fill: none; stroke-width: 1.5 } .curve.finedelta { stroke-width: 3 } "
        f".other {{ opacity: 0.35 }}\n  {of_theme(0)}\n"
        f"  @media (prefers-color-scheme: dark) {{ {of_theme(1)} }}\n"
    )


def plot(report: Report) -> str:
    x = Axis(*BITS, LEFT + 16, WIDTH - LABELS)
    y = Axis(least_kl(report), 1.5 * report.base_kl, HEIGHT - BOTTOM, TOP)
    body = [
        f'<text class="title" x="{WIDTH / 2}" y="16" text-anchor="middle">{escape(report.name)}</text>',
        *grid(x, y, "bits per weight", "KL, nats"),
        *limits(report, x, y),
    ]
    ends = []
    for family, rows in report.families().items():
        shown = [row for row in rows if is_inside(report, row, x, y)]
        if shown:
            body += curve(report, family, shown, x, y)
            ends.append((family, frontier(shown)[-1]))
    title = f"{report.name}: KL against bits per weight"
    return document(title, WIDTH, HEIGHT, rules(), [*body, *names(report, ends, x, y)])


def least_kl(report: Report) -> float:
    kls = [row.kl for row in report.rows if BITS[0] <= report.bits(row) <= BITS[1]]
    return max(LEAST_KL, min(kls) / 1.5)


def is_inside(report: Report, row: Row, x: Axis, y: Axis) -> bool:
    return x.low <= report.bits(row) <= x.high and y.low <= row.kl <= y.high


def limits(report: Report, x: Axis, y: Axis) -> list[str]:
    """The base's KL, and what finedelta takes without loss."""
    at = y.at(report.base_kl)
    lines = [
        f'<path class="limit" d="M{x.begin} {at:.1f}H{x.end}"/>',
        f'<text x="{x.end + 6}" y="{at + 4:.1f}">base</text>',
    ]
    lossless = report.lossless()
    if lossless:
        at = x.at(report.bits(lossless))
        lines.append(f'<path class="limit" d="M{at:.1f} {y.end}V{y.begin}"/>')
        lines.append(f'<text x="{at:.1f}" y="{y.end - 6}" text-anchor="middle">lossless</text>')
    return lines


def curve(report: Report, family: str, rows: list[Row], x: Axis, y: Axis) -> list[str]:
    best = frontier(rows)
    way = "L".join(f"{x.at(report.bits(row)):.1f} {y.at(row.kl):.1f}" for row in best)
    lines = [f'<path class="curve {family}" d="M{way}"/>']
    for row in rows:
        kind = family if row in best else f"{family} other"
        at = f'cx="{x.at(report.bits(row)):.1f}" cy="{y.at(row.kl):.1f}"'
        lines.append(f'<circle class="{kind}" {at} r="{2.5 if row in best else 1.5}"/>')
    return lines


def names(report: Report, ends: list[tuple[str, Row]], x: Axis, y: Axis) -> list[str]:
    """Each family's beside the end of its line."""
    # From above, since labels that would meet are moved down.
    ends = sorted(ends, key=lambda end: -end[1].kl)
    places = [(x.at(report.bits(row)) + 7, y.at(row.kl) + 4) for _, row in ends]
    baselines = spread(places, LABELS)
    return [
        f'<text class="{family}" x="{left:.1f}" y="{baseline:.1f}">{escape(family)}</text>'
        for (family, _), (left, _), baseline in zip(ends, places, baselines, strict=True)
    ]
