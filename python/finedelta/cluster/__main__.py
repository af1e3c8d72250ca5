"""The command line `python -m finedelta.cluster`."""

from __future__ import annotations

import argparse
import re
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

from finedelta.cluster.jobs import PackJob, UnpackJob, VerifyJob
from finedelta.cluster.records import write_whole
from finedelta.cluster.results import JobResult, Report
from finedelta.cluster.run import run_many
from finedelta.ending import ended
from finedelta.errors import FineDeltaError, UsageError

_KINDS = {kind.verb: kind for kind in (PackJob, UnpackJob, VerifyJob)}

_JOBS = {
    "pack": '{"base": "org/base", "fine_tune": "tunes/a"}; also "name", and "level", "bits", "size", '
    '"ratio", "max_error", "progressive", "all" as pack takes them. "base" may be a list or null',
    "unpack": '{"archive": "a.fd", "base": "org/base"}; also "name", "layers", "weights_only", "sha256"',
    "verify": '{"archive": "a.fd", "base": "org/base"}; also "name", for its record',
}

_EXIT_STATUS = """
EXIT STATUS
    0  every job is done, now or before
    1  some jobs failed, each with its reason in the report; or no job could run
    2  usage: a bad argument, or a file of jobs that makes no sense; nothing was run
  130  interrupted (SIGINT); nothing half-written is left
  143  terminated (SIGTERM); nothing half-written is left
  Any other code is a failure.
"""

# How often a line tells how far it is, where nobody sees it change.
_INTERVAL_S = 10.0


def _shard(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"[0-9]+/[0-9]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not I/N, as in 0/100")
    index, count = text.split("/")
    return int(index), int(count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finedelta.cluster",
        description="Packs, unpacks or verifies many models. A run that was stopped goes on where it was "
        "when it is started again.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="pack|unpack|verify")
    for verb in _KINDS:
        of_verb = verbs.add_parser(
            verb,
            help=f"{verb} many",
            epilog=_EXIT_STATUS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_arguments(of_verb, verb)
    return parser


def _add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("jobs", metavar="JOBS", help=f"a file of JSON lines: {_JOBS[verb]}")
    parser.add_argument("out", metavar="OUT", help="where outputs and records go; made if missing")
    parser.add_argument("--ray", metavar="ADDRESS", help="run on this Ray cluster; auto: the one found")
    parser.add_argument("--shard", type=_shard, metavar="I/N", help="do part I of N, counted from 0")
    parser.add_argument("--workers", type=int, metavar="N", help="jobs at a time (one for each core)")
    parser.add_argument("--threads", type=int, metavar="N", help="of each worker (cores by workers)")
    parser.add_argument("--memory", type=int, metavar="BYTES", help="of each worker (536870912)")
    parser.add_argument("--retries", type=int, default=1, metavar="N", help="of a failed job (1)")
    parser.add_argument("--force", action="store_true", help="replace outputs of other jobs")
    parser.add_argument("--check", action="store_true", help="read what is there, compare its hash")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there, not to stdout")


class _Line:
    """The line that tells how far it is, on standard error; what failed is told as it comes."""

    def __init__(self) -> None:
        self._failed = 0
        self._begin = self._told = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def __call__(self, result: JobResult, done: int, total: int) -> None:
        if result.status == "failed":
            self._failed += 1
            self._clear()
            print(f"finedelta: {result.name}: {result.reason}", file=sys.stderr)
        if self._terminal or done == total or time.monotonic() - self._told >= _INTERVAL_S:
            self._tell(done, total)

    def _tell(self, done: int, total: int) -> None:
        self._told = time.monotonic()
        self._clear()
        failed = f", {self._failed} of them failed" if self._failed else ""
        end = "\n" if done == total or not self._terminal else ""
        text = f"{done} of {total} jobs{failed}, {self._told - self._begin:.0f} s"
        print(text, end=end, file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr)


def _tell(report: Report, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(report.to_json())
    else:
        write_whole(file, report.to_json())


def _run(arguments: argparse.Namespace) -> int:
    if arguments.report and not arguments.report.absolute().parent.is_dir():
        raise UsageError(f"there is no folder for the report '{arguments.report}'")
    # Ray tells of lost workers on standard output, which is the report's.
    with redirect_stdout(sys.stderr):
        report = run_many(
            _KINDS[arguments.verb],
            arguments.jobs,
            arguments.out,
            ray=arguments.ray,
            shard=arguments.shard,
            workers=arguments.workers,
            threads=arguments.threads,
            memory=arguments.memory,
            retries=arguments.retries,
            force=arguments.force,
            check=arguments.check,
            progress=_Line(),
        )
    _tell(report, arguments.report)
    return 1 if report.failed else 0


def main() -> int:
    arguments = _parser().parse_args()

    def work() -> int:
        try:
            return _run(arguments)
        except OSError as error:
            raise FineDeltaError(str(error)) from error

    return ended(work)


if __name__ == "__main__":
    sys.exit(main())
