"""What is told of jobs. Sizes are in bytes; `docs/scale.md` explains each field of the report as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from finedelta._core import VERSION

WORKER_DIED = "WorkerDied"
"""`error` of a job whose worker went down with it, each time that it was tried."""


@dataclass(frozen=True, slots=True)
class JobResult:
    name: str
    status: str
    """`done`, `skipped` (it was done before) or `failed`."""
    seconds: float
    """Of the last try."""
    tries: int = 1
    bytes_in: int = 0
    bytes_out: int = 0
    lossy: bool = False
    error: str | None = None
    """The kind of error, as Python calls it."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Of one run. `bytes_in` and `bytes_out` are sums over what this run did, without what it skipped."""

    verb: str
    results: tuple[JobResult, ...]
    """Sorted by base, as the jobs were."""
    seconds: float

    @property
    def done(self) -> int:
        return self._count("done")

    @property
    def skipped(self) -> int:
        return self._count("skipped")

    @property
    def failed(self) -> int:
        return self._count("failed")

    @property
    def bytes_in(self) -> int:
        return sum(result.bytes_in for result in self.results)

    @property
    def bytes_out(self) -> int:
        return sum(result.bytes_out for result in self.results)

    def _count(self, status: str) -> int:
        return sum(result.status == status for result in self.results)

    def to_json(self) -> str:
        """One line for each job, so that large reports can be searched by line."""
        totals = {
            "verb": self.verb,
            "finedelta": VERSION,
            "jobs": len(self.results),
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "seconds": self.seconds,
        }
        lines = ",\n".join(json.dumps(asdict(result)) for result in self.results)
        return json.dumps(totals)[:-1] + f', "results": [\n{lines}\n]}}\n'
