"""Workers of a Ray cluster. Ray is imported here and nowhere else."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from finedelta.cluster.jobs import Job, name_of
from finedelta.cluster.results import WORKER_DIED, JobResult
from finedelta.cluster.task import Settings, do
from finedelta.errors import FineDeltaError, UsageError

try:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise UsageError("Ray is not installed here: pip install 'finedelta[ray]'") from error

# How often nodes are looked for that came or went.
_INTERVAL_S = 5.0

# How often a task looks whether it is to stop: thousands of them do, on one shared file system.
_STOP_INTERVAL_S = 2.0

# How long tasks that were told to stop may take to remove what they have half written.
_PATIENCE_S = 10.0


@contextmanager
def connection(address: str) -> Iterator[None]:
    """To a cluster; a caller who is connected to one stays so."""
    if ray.is_initialized():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise FineDeltaError(f"can't connect to the Ray cluster '{address}': {error}") from error
    if callable(handler) and signal.getsignal(signal.SIGTERM) is not handler:
        # Ray's own would end the process before its tasks were told to stop.
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        ray.shutdown()


def cpus_of_nodes() -> dict[str, int]:
    return {
        node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]
    }


class _Stopped(Exception):
    pass


class _Watch:
    """Progress that ends a job once the file `stop` is there. `ray.cancel` would be the way, but it aborts
    the process that calls it now and then (a failed check in Ray 2.60); and tasks that Ray ends because
    their driver left do not always have the time to remove what they have half written."""

    def __init__(self, stop: Path) -> None:
        self._stop = stop
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _STOP_INTERVAL_S
        if self._stop.exists():
            raise _Stopped("stopped")


def _do_here(job: Job, settings: Settings, stop: Path) -> JobResult:
    os.chdir(settings.folder)
    watch = _Watch(stop)
    watch(0, 0)
    return do(job, settings, watch)


class RayCrew:
    """A task for every job, on the node that it is for; elsewhere if that node is lost."""

    def __init__(self, settings: Settings, workers: int, retries: int) -> None:
        self._stop = Path(settings.out, f".stop-{secrets.token_hex(4)}")
        self._settings = settings
        self._most = workers
        self._task: Any = ray.remote(_do_here)
        self._options = {"num_cpus": settings.threads, "max_retries": retries}
        self._running: dict[Any, tuple[Job, Hashable]] = {}
        self._load: Counter[Hashable] = Counter()
        self._nodes: dict[str, int] = {}
        self._looked = -_INTERVAL_S

    def free(self) -> Iterator[Hashable]:
        room = self._most - len(self._running)
        for node, cpus in self._known_nodes().items():
            for _ in range(cpus // self._settings.threads - self._load[node]):
                if room <= 0:
                    return
                room -= 1
                yield node

    def start(self, place: Hashable, job: Job) -> None:
        there = NodeAffinitySchedulingStrategy(place, soft=True)
        task = self._task.options(**self._options, scheduling_strategy=there)
        self._running[task.remote(job, self._settings, self._stop)] = job, place
        self._load[place] += 1

    def wait(self) -> list[tuple[Job, JobResult]]:
        if not self._running:
            raise FineDeltaError("no node of the Ray cluster is left that could do a job")
        running = list(self._running)
        ended, _ = ray.wait(running, num_returns=1, timeout=_INTERVAL_S)
        if ended:
            # All others that ended meanwhile too: one call for each would take longer.
            ended, _ = ray.wait(running, num_returns=len(running), timeout=0)
        return [self._ended(reference) for reference in ended]

    def _ended(self, reference: Any) -> tuple[Job, JobResult]:
        job, place = self._running.pop(reference)
        self._load[place] -= 1
        try:
            return job, ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            kind, reason = type(error.cause).__name__, str(error.cause)
        except ray.exceptions.RayError as error:
            first_line = str(error).partition("\n")[0]
            kind, reason = WORKER_DIED, f"its Ray worker or node was lost: {first_line}"
        return job, JobResult(name_of(job), "failed", 0.0, error=kind, reason=reason)

    def _known_nodes(self) -> dict[str, int]:
        if time.monotonic() - self._looked >= _INTERVAL_S:
            self._nodes = cpus_of_nodes()
            self._looked = time.monotonic()
        return self._nodes

    def __enter__(self) -> RayCrew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        running = list(self._running)
        if not running:
            return
        self._stop.touch()
        try:
            ray.wait(running, num_returns=len(running), timeout=_PATIENCE_S)
        finally:
            self._stop.unlink()
