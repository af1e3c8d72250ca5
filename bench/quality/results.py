"""What was measured of one fine-tune: written by run.py as JSON, read by report.py."""

import json
from dataclasses import dataclass
from pathlib import Path

BUDGETS = (0.05, 0.1, 0.2, 0.5, 1, 2)  # bits per weight, for which tables have columns
HARDLY_MORE = 1.02
LOSSLESS = "without loss"  # the setting that all tables leave out

Metrics = dict[str, float]  # what Evaluator.measure gives


@dataclass(frozen=True)
class Row:
    family: str
    setting: str
    bytes: int
    on: dict[str, Metrics]  # by text

    @property
    def kl(self) -> float:
        """On the fine-tune's own text, which is the first."""
        return next(iter(self.on.values()))["kl"]


@dataclass(frozen=True)
class Report:
    name: str
    weights: int
    base: dict[str, Metrics]  # by text
    fine: dict[str, Metrics]
    rows: list[Row]

    @property
    def text(self) -> str:
        """The fine-tune's own."""
        return next(iter(self.base))

    @property
    def base_kl(self) -> float:
        return self.base[self.text]["kl"]

    def bits(self, row: Row) -> float:
        """For each weight of the whole model."""
        return 8 * row.bytes / self.weights

    def families(self) -> dict[str, list[Row]]:
        """Those with loss."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.setting != LOSSLESS:
                found.setdefault(row.family, []).append(row)
        return found

    def lossless(self) -> Row | None:
        return next((row for row in self.rows if row.setting == LOSSLESS), None)


def read_report(file: Path) -> Report:
    stored = json.loads(file.read_text())
    return Report(**stored | {"rows": [Row(**row) for row in stored["rows"]]})


def frontier(rows: list[Row]) -> list[Row]:
    """Those that no other beats in KL with hardly more bytes, smallest first."""
    return [
        row
        for row in sorted(rows, key=lambda row: row.bytes)
        if not any(beats(other, row) for other in rows)
    ]


def beats(other: Row, row: Row) -> bool:
    """A line through points that differ in KL alone would be a staircase."""
    return other.bytes <= HARDLY_MORE * row.bytes and (other.kl, other.bytes) < (row.kl, row.bytes)
