"""One job, as a worker does it. Tasks know nothing of each other: any of them may be done twice, in any
order, by several runs at once."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finedelta.cluster.jobs import Job, Limits, Made, VerifyJob, key_of, name_of
from finedelta.cluster.records import (
    path_of_record,
    read_record,
    record_of,
    sha256_of,
    write_record,
)
from finedelta.cluster.results import JobResult
from finedelta.errors import UsageError
from finedelta.progress import ProgressFunction


@dataclass(frozen=True, slots=True)
class Settings:
    """What all jobs of a run have in common."""

    out: str
    folder: str
    """What relative paths of jobs are relative to."""
    threads: int
    memory: int | None
    force: bool
    check: bool


def do(job: Job, settings: Settings, progress: ProgressFunction | None = None) -> JobResult:
    """Never raises an ordinary error: it becomes the job's result."""
    begin = time.perf_counter()
    try:
        made = _Task(job, settings, progress).run()
    except Exception as error:
        seconds = time.perf_counter() - begin
        reason = str(error) or repr(error)
        return JobResult(
            name_of(job), "failed", seconds, error=type(error).__name__, reason=reason
        )
    seconds = time.perf_counter() - begin
    if made is None:
        return JobResult(name_of(job), "skipped", seconds)
    return JobResult(
        name_of(job),
        "done",
        seconds,
        bytes_in=made.bytes_in,
        bytes_out=made.bytes_out,
        lossy=made.lossy,
    )


class _Task:
    def __init__(self, job: Job, settings: Settings, progress: ProgressFunction | None) -> None:
        self._job = job
        self._key = key_of(job)
        self._place = Path(settings.out, name_of(job))
        self._record = path_of_record(self._place)
        self._output = job.output(self._place)
        self._limits = Limits(settings.threads, settings.memory, progress)
        self._force = settings.force
        self._check = settings.check

    def run(self) -> Made | None:
        """None where it was done before."""
        # Verifying again harms nothing, so all that is asked of it is whether the record holds.
        if isinstance(self._job, VerifyJob):
            return None if self._is_done() else self._make()
        if not self._output.exists():
            return self._make_or_meet_another()
        if self._is_done():
            return None
        if self._force:
            return self._make()
        if read_record(self._record) is not None:
            raise UsageError(
                f"'{self._output}' was made by a job with other inputs or options, or was changed "
                "since: use --force to make it again"
            )
        return self._adopt()

    def _is_done(self) -> bool:
        record = read_record(self._record)
        if record is None or record.job != self._key or not self._output.exists():
            return False
        return record.is_of(self._output, check=self._check)

    def _make(self) -> Made:
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._record.unlink(missing_ok=True)
        made = self._job.run(self._place, self._limits, force=self._force)
        write_record(self._record, record_of(self._key, self._output))
        return made

    def _make_or_meet_another(self) -> Made | None:
        try:
            return self._make()
        except UsageError:
            # Two runs at once: the other one was faster, and its output is as good as ours.
            if not self._output.exists():
                raise
            return self.run()

    def _adopt(self) -> Made:
        """For an output without a record. Either a run was killed between the two, or the output is
        somebody else's, which must not be lost. Making it again tells: the same comes out."""
        again = self._place.with_name(f".{self._place.name}.{self._key[:16]}.again")
        try:
            made = self._job.run(again, self._limits, force=True)
            same = sha256_of(again) == sha256_of(self._output)
        finally:
            _remove(again)
        if not same:
            raise UsageError(
                f"'{self._output}' exists already, has no record, and is not what this job makes: "
                "use --force to replace it"
            )
        write_record(self._record, record_of(self._key, self._output))
        return made


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()
