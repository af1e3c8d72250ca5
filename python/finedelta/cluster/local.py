"""Workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Hashable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any

from finedelta.cluster.jobs import Job, name_of
from finedelta.cluster.results import WORKER_DIED, JobResult
from finedelta.cluster.task import Settings, do
from finedelta.errors import FineDeltaError

# Spawned, since threads of the parent (PyTorch's, say) don't survive a fork.
_processes = multiprocessing.get_context("spawn")

# How long a worker that was told to stop may take to remove what it has half written.
_PATIENCE_S = 10

_READY = "ready"


def _work(connection: Connection[Any, Any], settings: Settings) -> None:
    """Takes jobs and gives results until the other end is closed."""
    # Ends as an error would end it: finedelta then removes what it has half written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with suppress(EOFError, OSError):
        connection.send(_READY)
        while True:
            connection.send(do(connection.recv(), settings, _stop_without_parent))


def _stop_without_parent(done: int, total: int) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        sys.exit(1)


class _Worker:
    def __init__(self, settings: Settings) -> None:
        self.connection, theirs = _processes.Pipe()
        self.process: SpawnProcess = _processes.Process(
            target=_work, args=(theirs, settings), daemon=True
        )
        self.job: Job | None = None
        self.deaths = 0
        # Ctrl-C on a terminal reaches every process; what it means for workers is decided here alone.
        # They inherit the mask.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def start(self, job: Job, deaths: int = 0) -> None:
        self.job, self.deaths = job, deaths
        # One that is dead already shows in what it answers.
        with suppress(OSError):
            self.connection.send(job)

    def stop(self) -> None:
        self.process.terminate()

    def join(self) -> int | None:
        self.process.join(_PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        return self.process.exitcode


class LocalCrew:
    def __init__(self, settings: Settings, workers: int, retries: int) -> None:
        self._settings = settings
        self._most = workers
        self._retries = retries
        self._workers: list[_Worker] = []
        self._any_began = False

    def free(self) -> Iterator[Hashable]:
        for _ in range(self._most - len(self._busy())):
            yield "here"

    def start(self, place: Hashable, job: Job) -> None:
        idle = next((worker for worker in self._workers if worker.job is None), None)
        (idle or self._new_worker()).start(job)

    def wait(self) -> list[tuple[Job, JobResult]]:
        busy = self._busy()
        heard = set(wait([worker.connection for worker in busy]))
        results = [self._heard(worker) for worker in busy if worker.connection in heard]
        return [result for result in results if result is not None]

    def _heard(self, worker: _Worker) -> tuple[Job, JobResult] | None:
        job = worker.job
        assert job is not None
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            return self._died(worker, job)
        if answer == _READY:
            self._any_began = True
            return None
        worker.job = None
        return job, answer

    def _died(self, worker: _Worker, job: Job) -> tuple[Job, JobResult] | None:
        self._workers.remove(worker)
        code = worker.join()
        if not self._any_began:
            # None ever will.
            raise FineDeltaError(
                f"a worker process ended with code {code} before it began: a script that calls this "
                "must do so under `if __name__ == '__main__':`"
            )
        if worker.deaths < self._retries:
            self._new_worker().start(job, worker.deaths + 1)
            return None
        reason = f"its worker process ended with code {code}"
        return job, JobResult(name_of(job), "failed", 0.0, error=WORKER_DIED, reason=reason)

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _new_worker(self) -> _Worker:
        worker = _Worker(self._settings)
        self._workers.append(worker)
        return worker

    def __enter__(self) -> LocalCrew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join()
