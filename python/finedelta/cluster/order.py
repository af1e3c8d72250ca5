"""Who does which job, such that a base is read on few machines and no machine waits for another.

Jobs are sorted by base. A shard, and a node of a Ray cluster, gets a part of that order in one piece. So
the jobs of a base come one after another on one machine, where the base stays in the page cache, and a
base with many jobs is shared by as many machines as that takes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from finedelta.cluster.jobs import Job, bases_of
from finedelta.errors import UsageError

AnyJob = TypeVar("AnyJob", bound=Job)


def by_base(jobs: Sequence[AnyJob]) -> list[AnyJob]:
    """Bases in the order in which they first occur, the jobs of each as they were."""
    groups: dict[tuple[str, ...], list[AnyJob]] = {}
    for job in jobs:
        groups.setdefault(bases_of(job), []).append(job)
    return [job for group in groups.values() for job in group]


def part_of(jobs: Sequence[AnyJob], shard: tuple[int, int]) -> Sequence[AnyJob]:
    """The part of shard (index, count) of jobs that are sorted by base. The parts of all shards are all
    jobs, once each, and differ in length by one at most."""
    index, count = shard
    if not 0 <= index < count:
        raise UsageError(f"there is no shard {index}/{count}: of N shards, the first is 0/N")
    return jobs[index * len(jobs) // count : (index + 1) * len(jobs) // count]


class Queue:
    """Jobs that wait, for machines that come and go. The first one's part is all of them; whoever has
    nothing left takes the second half of the longest part. Jobs to be tried again come last."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._parts: dict[Hashable, range] = {}
        self._again: list[Job] = []

    def take(self, place: Hashable) -> Job | None:
        part = self._parts.get(place) or self._new_part()
        if part:
            self._parts[place] = part[1:]
            return self._jobs[part[0]]
        return self._again.pop(0) if self._again else None

    def try_again(self, job: Job) -> None:
        self._again.append(job)

    def _new_part(self) -> range:
        if not self._parts:
            return range(len(self._jobs))
        owner, part = max(self._parts.items(), key=lambda item: len(item[1]))
        half = len(part) // 2
        self._parts[owner] = part[:half]
        return part[half:]
