#!/usr/bin/env python3
"""Writes what was measured into a page, between its markers, and the plots beside it.

Usage: report.py PAGE.md REPORT.json...    (what run.py wrote)

The plots are PAGE-NAME.svg for each fine-tune. All that is outside the markers is left as it is.
"""

import sys
from pathlib import Path

from curves import plot
from results import BUDGETS, Report, Row, frontier, read_report

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"


def summary(report: Report) -> list[str]:
    """For each family the least KL within some budgets, and what the file really took."""
    lines = [
        "| bits per weight, at most | " + " | ".join(f"{bits:g}" for bits in BUDGETS) + " |",
        "|---" + "|---:" * len(BUDGETS) + "|",
    ]
    for family, rows in report.families().items():
        cells = []
        for budget in BUDGETS:
            fitting = [row for row in frontier(rows) if report.bits(row) <= budget]
            best = fitting[-1] if fitting else None
            cells.append(f"{best.kl:.3g} ({report.bits(best):.2f})" if best else "-")
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def details(report: Report) -> list[str]:
    """All that was measured."""
    others = list(report.base)[1:]
    heads = ["", "setting", "bytes", "bits a weight", "KL", "KL closed", "same top-1", "perplexity",
             "gap recovered", *(f"KL on {text}" for text in others)]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---|---" + "|---:" * (len(heads) - 2) + "|"]
    for family, rows in report.families().items():
        lines += [f"| {family} | {' | '.join(cells(report, row, others))} |" for row in rows]
    return lines


def cells(report: Report, row: Row, others: list[str]) -> list[str]:
    base, fine, own = (by[report.text] for by in (report.base, report.fine, row.on))
    return [
        row.setting,
        f"{row.bytes:,}",
        f"{report.bits(row):.3f}",
        f"{own['kl']:.3g} ± {own['kl_error']:.1g}",
        percent(1 - own["kl"] / base["kl"]),
        percent(own["same_top1"]),
        f"{own['ppl']:.2f}",
        percent((base["ppl"] - own["ppl"]) / (base["ppl"] - fine["ppl"])),
        *(f"{row.on[text]['kl']:.3g}" for text in others),
    ]


def section(report: Report, plot: str) -> list[str]:
    text = report.text
    base, fine = report.base[text], report.fine[text]
    lossless = report.lossless()
    exact = ""
    if lossless:
        exact = f" finedelta without loss takes {report.bits(lossless):.2f} bits a weight."
    return [
        f"### {report.name}",
        "",
        f"On {text}-eval the base's KL is {base['kl']:.3g} ± {base['kl_error']:.1g}, its "
        f"perplexity {base['ppl']:.2f}; the fine-tune's is {fine['ppl']:.2f}.{exact}",
        "",
        f"![KL against bits per weight]({plot})",
        "",
        *summary(report),
        "",
        "<details><summary>All that was measured</summary>",
        "",
        *details(report),
        "",
        "</details>",
        "",
    ]


def replaced(page: str, measured: list[str]) -> str:
    """The page with these lines in place of those between its markers."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} that is followed by {END}")
    return "\n".join([head + BEGIN, "", *measured, END]) + tail


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    page, *names = map(Path, sys.argv[1:])
    lines = []
    for report in map(read_report, names):
        file = page.with_name(f"{page.stem}-{report.name}.svg")
        file.write_text(plot(report))
        lines += section(report, file.name)
    page.write_text(replaced(page.read_text(), lines))


if __name__ == "__main__":
    main()
