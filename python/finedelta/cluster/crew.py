"""What does jobs, some at a time."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from types import TracebackType
from typing import Protocol

from finedelta.cluster.jobs import Job
from finedelta.cluster.results import JobResult


class Crew(Protocol):
    """Leaving it stops what still runs, and waits until it has stopped.

    A job whose worker dies is given to another one, as often as the crew was told; then its result says
    so.
    """

    def free(self) -> Iterator[Hashable]:
        """For every job that could start now, the machine where it would."""

    def start(self, place: Hashable, job: Job) -> None: ...

    def wait(self) -> list[tuple[Job, JobResult]]:
        """What ended since, after waiting a while for something to end."""

    def __enter__(self) -> Crew: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
