"""Whole runs: jobs in, a report out.

All three take the same. `jobs` are a file of JSON lines or job objects; they are checked before anything
runs. A job whose output is there, with a record of the same job, is skipped (`check` reads the output and
compares its hash). An output that is something else is replaced with `force` only. A failed job is tried
`retries` times more, unless its error can't change, and the rest goes on. `shard`, (index, count), does
one part of the jobs, each index another one. `ray` is the address of a Ray cluster, or "auto".

`workers` is how many jobs run at a time (None: one for each core, as far as there are jobs), `threads` how
many threads each has (None: the cores by the workers), `memory` the bytes that each may add to its
process, `progress` a function that is called with (result, done, total) for every job. Ctrl-C stops
everything; nothing half-written is left.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path

from finedelta import _core
from finedelta.cluster.crew import Crew
from finedelta.cluster.job_list import AnyJob, Jobs, all_jobs
from finedelta.cluster.jobs import Job, PackJob, UnpackJob, VerifyJob, name_of
from finedelta.cluster.local import LocalCrew
from finedelta.cluster.order import Queue, by_base, part_of
from finedelta.cluster.results import WORKER_DIED, JobResult, Report
from finedelta.cluster.task import Settings
from finedelta.errors import UsageError

JobProgress = Callable[[JobResult, int, int], object]

# What fails again however often it is tried; and what the crew has tried again already.
_FINAL = {"UsageError", "WrongBaseError", "CorruptError", WORKER_DIED}


def pack_many(
    jobs: Jobs[PackJob],
    out: str | PathLike[str],
    *,
    ray: str | None = None,
    shard: tuple[int, int] | None = None,
    workers: int | None = None,
    threads: int | None = None,
    memory: int | None = None,
    retries: int = 1,
    force: bool = False,
    check: bool = False,
    progress: JobProgress | None = None,
) -> Report:
    """Makes an archive under `out` for every job."""
    return run_many(PackJob, jobs, out, ray=ray, shard=shard, workers=workers, threads=threads,
                    memory=memory, retries=retries, force=force, check=check, progress=progress)  # fmt: skip


def unpack_many(
    jobs: Jobs[UnpackJob],
    out: str | PathLike[str],
    *,
    ray: str | None = None,
    shard: tuple[int, int] | None = None,
    workers: int | None = None,
    threads: int | None = None,
    memory: int | None = None,
    retries: int = 1,
    force: bool = False,
    check: bool = False,
    progress: JobProgress | None = None,
) -> Report:
    """Rebuilds a model under `out` for every job."""
    return run_many(UnpackJob, jobs, out, ray=ray, shard=shard, workers=workers, threads=threads,
                    memory=memory, retries=retries, force=force, check=check, progress=progress)  # fmt: skip


def verify_many(
    jobs: Jobs[VerifyJob],
    out: str | PathLike[str],
    *,
    ray: str | None = None,
    shard: tuple[int, int] | None = None,
    workers: int | None = None,
    threads: int | None = None,
    memory: int | None = None,
    retries: int = 1,
    force: bool = False,
    check: bool = False,
    progress: JobProgress | None = None,
) -> Report:
    """Verifies the archive of every job, and writes a record of each that holds under `out`."""
    return run_many(VerifyJob, jobs, out, ray=ray, shard=shard, workers=workers, threads=threads,
                    memory=memory, retries=retries, force=force, check=check, progress=progress)  # fmt: skip


def run_many(
    kind: type[AnyJob],
    jobs: Jobs[AnyJob],
    out: str | PathLike[str],
    *,
    ray: str | None,
    shard: tuple[int, int] | None,
    workers: int | None,
    threads: int | None,
    memory: int | None,
    retries: int,
    force: bool,
    check: bool,
    progress: JobProgress | None,
) -> Report:
    begin = time.perf_counter()
    for name, value, least in (("workers", workers, 1), ("threads", threads, 1), ("retries", retries, 0)):
        if value is not None and value < least:
            raise UsageError(f"{name} can't be {value}: {least} is the least")
    todo = by_base(all_jobs(kind, jobs))
    part = part_of(todo, shard) if shard else todo
    place = Path(out).absolute()
    place.mkdir(parents=True, exist_ok=True)
    # Threads that are not given are worked out when the crew is known.
    settings = Settings(str(place), os.getcwd(), threads or 0, memory, force, check)
    results: list[JobResult] = []
    if part:
        with _crew(ray, len(part), workers, retries, settings) as crew:
            results = _work(part, crew, retries, progress)
    return Report(kind.verb, tuple(results), time.perf_counter() - begin)


@contextmanager
def _crew(
    ray: str | None, jobs: int, workers: int | None, retries: int, settings: Settings
) -> Iterator[Crew]:
    if ray is None:
        cores = _core.default_threads()
        workers, threads = _shares(cores, cores, jobs, workers, settings.threads)
        with LocalCrew(replace(settings, threads=threads), workers, retries) as crew:
            yield crew
        return
    from finedelta.cluster import on_ray

    with on_ray.connection(ray):
        nodes = on_ray.cpus_of_nodes().values()
        largest = max(nodes, default=0)
        workers, threads = _shares(sum(nodes), largest, jobs, workers, settings.threads)
        if threads > largest:
            raise UsageError(f"no node of the Ray cluster has {threads} CPUs")
        with on_ray.RayCrew(replace(settings, threads=threads), workers, retries) as ray_crew:
            yield ray_crew


def _shares(
    cores: int, largest: int, jobs: int, workers: int | None, threads: int
) -> tuple[int, int]:
    """Workers, and threads for each: no more than the largest machine has cores, unless asked for."""
    workers = workers or min(max(1, cores // max(1, threads)), jobs)
    return workers, threads or max(1, min(cores // workers, largest))


def _work(
    jobs: Sequence[Job], crew: Crew, retries: int, progress: JobProgress | None
) -> list[JobResult]:
    queue = Queue(jobs)
    failures: Counter[str] = Counter()
    results: dict[str, JobResult] = {}
    while len(results) < len(jobs):
        for place in crew.free():
            job = queue.take(place)
            if job is None:
                break
            crew.start(place, job)
        for job, result in crew.wait():
            name = name_of(job)
            if result.error and result.error not in _FINAL and failures[name] < retries:
                failures[name] += 1
                queue.try_again(job)
                continue
            results[name] = replace(result, tries=failures[name] + 1)
            if progress is not None:
                progress(results[name], len(results), len(jobs))
    return [results[name_of(job)] for job in jobs]
