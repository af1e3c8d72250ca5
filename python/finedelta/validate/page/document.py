"""What a report is made of, before it is a page: sections of paragraphs, tables and charts.

A chart is a table that can be drawn too: Markdown shows the table, the page both.
"""

from __future__ import annotations

from dataclasses import dataclass

from finedelta.validate.page.units import percent, size


@dataclass(frozen=True)
class Verdict:
    """A cell that says whether something holds; None: there is nothing to hold."""

    holds: bool | None
    text: str


Cell = str | Verdict


@dataclass(frozen=True)
class Paragraph:
    """Plain text; `this` is code."""

    text: str


@dataclass(frozen=True)
class Table:
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers_from: int = 1
    """The first column of numbers, which are set flush right; that many columns of words stand before."""


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    text: str
    """The value as it is to be read."""
    is_ours: bool = False


@dataclass(frozen=True)
class Bars:
    caption: str
    head: tuple[str, str]
    """What names and values are."""
    bars: tuple[Bar, ...]

    def table(self) -> Table:
        return Table(self.caption, self.head, tuple((bar.name, bar.text) for bar in self.bars))


@dataclass(frozen=True)
class WaterfallStep:
    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Waterfall:
    """How bytes become fewer, kind by kind: from the sum of `before` to the sum of `after`."""

    caption: str
    steps: tuple[WaterfallStep, ...]

    def table(self) -> Table:
        rows = []
        for step in (*self.steps, self.total()):
            saved = percent(1 - step.after / step.before) if step.before else ""
            rows.append((step.name, size(step.before), size(step.after), saved))
        return Table(self.caption, ("kind", "fine-tune", "archive", "saved"), tuple(rows))

    def total(self) -> WaterfallStep:
        before = sum(step.before for step in self.steps)
        return WaterfallStep("all", before, sum(step.after for step in self.steps))


@dataclass(frozen=True)
class HeatMap:
    """A number for each row and column, from 0 to 1; None where there is none."""

    caption: str
    corner: str
    """What the rows are."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    """The numbers as they are to be read; empty where there is none."""
    ends: tuple[str, str] = ("0 %", "100 %")
    """0 and 1 as they are to be read."""

    def table(self) -> Table:
        rows = tuple((row, *texts) for row, texts in zip(self.rows, self.texts, strict=True))
        return Table(self.caption, (self.corner, *self.columns), rows)


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    texts: tuple[str, str]
    """Both as they are to be read."""
    is_measured: bool = True
    """Or computed from those that are."""


@dataclass(frozen=True)
class Line:
    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Lines:
    """Lines over two logarithmic axes."""

    caption: str
    head: tuple[str, str]
    """What the axes show, with units."""
    lines: tuple[Line, ...]

    def table(self) -> Table:
        rows = [
            (line.name, *point.texts, "measured" if point.is_measured else "computed")
            for line in self.lines
            for point in line.points
        ]
        return Table(self.caption, ("", *self.head, ""), tuple(rows))


Chart = Bars | Waterfall | HeatMap | Lines
Block = Paragraph | Table | Chart


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    title: str
    labels: tuple[str, ...]
    """What must not be overlooked: SYNTHETIC, say, with why. First on the page."""
    summary: tuple[Block, ...]
    sections: tuple[Section, ...]
