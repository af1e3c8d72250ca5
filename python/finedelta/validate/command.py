"""The verb `validate` of the command line."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from finedelta.ending import ended
from finedelta.errors import UsageError, system_error
from finedelta.files import put
from finedelta.validate.measured.baselines import import_zstandard
from finedelta.validate.models.shapes import LAYOUTS
from finedelta.validate.models.source import Pair, find_model, real_pairs, synthetic_pairs
from finedelta.validate.models.synthetic import TRAININGS
from finedelta.validate.page.as_json import as_json
from finedelta.validate.page.html import html
from finedelta.validate.page.markdown import markdown
from finedelta.validate.run import Results, Settings, measure_all
from finedelta.validate.sections import document

_DESCRIPTION = """\
Packs, verifies and unpacks fine-tunes and measures what that takes, beside other
ways to do it, and writes what was found as one HTML page, as Markdown and as
JSON: DIR/report.html, DIR/report.md, DIR/report.json.

Takes up to a minute for each 10 MB of weights, of which most is spent on the
other ways, on at most --sample of them. While it runs it needs twice the size of
the largest fine-tune where DIR is to be, four times that of a synthetic one, in a
folder `.DIR.*`, which only a kill (SIGKILL) leaves there. No network is used.
"""

_EXIT_STATUS = """
EXAMPLES
  finedelta validate org/base ./my-tune -o report
  finedelta validate ./base ./sft ./merged --pair ./sft ./rl -o report
  finedelta validate --synthetic gpt2-124m -o report

EXIT STATUS
    0  the report is written; what it says is in it
    1  failure: reading or writing failed, or a model was not found
    2  usage: a bad argument, or an output that exists
   13  an input is damaged
   14  no space
  130  interrupted (SIGINT); nothing is left behind
  143  terminated (SIGTERM); nothing is left behind
  Any other code is a failure.
"""

_DEFAULT_SAMPLE = "256M"
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see 'finedelta validate --help'")


def _size(text: str) -> int:
    digits, unit = text.rstrip("KMG"), text[len(text.rstrip("KMG")) :]
    if not digits.isdecimal() or unit not in _UNITS or int(digits) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 256M or 2G")
    return int(digits) * _UNITS[unit]


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to 100")
    return int(text)


def _parser() -> _Parser:
    parser = _Parser(
        prog="finedelta validate",
        usage="finedelta validate BASE FINE_TUNE... -o DIR [options]\n"
        "       finedelta validate --synthetic MODEL -o DIR [options]",
        description=_DESCRIPTION,
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help="a base, then fine-tunes of it")
    add("-o", "--output", required=True, metavar="DIR", help="a new folder for the report")
    add(
        "--pair",
        nargs=2,
        action="append",
        default=[],
        metavar=("BASE", "FINE_TUNE"),
        help="a fine-tune of another base; may be given several times",
    )
    add(
        "--synthetic",
        choices=sorted(LAYOUTS),
        metavar="MODEL",
        help="instead of models that are there, made-up ones with the shapes and types of a known one: "
        f"{', '.join(LAYOUTS)}; the report says SYNTHETIC",
    )
    add(
        "--training",
        choices=TRAININGS,
        action="append",
        metavar="KIND",
        help=f"how a synthetic fine-tune was made: {', '.join(TRAININGS)} (default: one of each)",
    )
    add(
        "--rounds",
        type=_rounds,
        default=3,
        metavar="N",
        help="rounds of what is measured, of which the median is taken (default 3); models of more than 1 GB are "
        "packed and unpacked once",
    )
    add(
        "--sample",
        type=_size,
        default=_DEFAULT_SAMPLE,
        metavar="SIZE",
        help="most weights of a fine-tune, in bytes, that ways are compared on in memory "
        f"(default {_DEFAULT_SAMPLE})",
    )
    add("--force", action="store_true", help="replace an existing report")
    add("--json", action="store_true", help="print report.json on standard output too")
    add("-q", "--quiet", action="store_true", help="print errors and data, nothing else")
    return parser


def _models(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Base and fine-tune, by name."""
    names: list[str] = arguments.models
    if arguments.synthetic:
        if names or arguments.pair:
            raise UsageError("--synthetic makes models itself: give it none")
        return []
    if arguments.training:
        raise UsageError("--training is for --synthetic")
    if len(names) == 1 or not names and not arguments.pair:
        raise UsageError("a base and a fine-tune are needed; see 'finedelta validate --help'")
    return [(names[0], tune) for tune in names[1:]] + [tuple(pair) for pair in arguments.pair]


@contextmanager
def _new_folder(output: Path, force: bool) -> Iterator[Path]:
    """A folder beside `output` that takes its place at the end, or is removed."""
    if os.path.lexists(output) and not (force and _is_report(output)):
        what = "is no report of ours, so it is not replaced" if force else "exists; --force replaces it"
        raise UsageError(f"'{output}' {what}")
    if not output.parent.is_dir():
        raise UsageError(f"'{output}' can't be written: '{output.parent}' is no folder")
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
        new = Path(folder) / "report"
        new.mkdir()
        yield new
        put(new, output, Path(folder) / "old")


def _is_report(folder: Path) -> bool:
    names = {"report.html", "report.md", "report.json"}
    return folder.is_dir() and not folder.is_symlink() and {each.name for each in folder.iterdir()} <= names


def _write(results: Results, folder: Path) -> str:
    made = document(results)
    text = as_json(results, made)
    for name, content in (("html", html(made)), ("md", markdown(made)), ("json", text)):
        (folder / f"report.{name}").write_text(content, encoding="utf-8")
    return text


def _run(arguments: argparse.Namespace) -> str:
    import_zstandard()  # which is needed at the end, and missed better at once
    found = [(find_model(base), find_model(tune)) for base, tune in _models(arguments)]
    output = Path(os.path.abspath(arguments.output))
    for model in {model.path for pair in found for model in pair}:
        if output.resolve().is_relative_to(model.resolve()):
            raise UsageError(f"'{output}' lies inside the model '{model}'")
    with _new_folder(output, arguments.force) as new:
        scratch = new.parent / "scratch"
        scratch.mkdir()
        pairs: Iterator[Pair]
        if arguments.synthetic:
            trainings = arguments.training or TRAININGS
            pairs = synthetic_pairs(arguments.synthetic, trainings, scratch)
        else:
            pairs = real_pairs(found)
        settings = Settings(scratch, arguments.rounds, arguments.sample)
        results = measure_all(pairs, settings, lambda text: _tell(text, arguments.quiet))
        text = _write(results, new)
        shutil.rmtree(scratch)
    _tell(f"wrote {arguments.output}/report.html, report.md and report.json", arguments.quiet)
    return text


def _tell(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def main(words: list[str]) -> int:
    """Runs the verb with what follows it on the command line; returns the exit code."""

    def work() -> int:
        arguments = _parser().parse_args(words)
        try:
            text = _run(arguments)
            if arguments.json:
                print(text, end="")
        except OSError as error:
            raise system_error(error, f"{error.filename or 'a file'}: {error.strerror}") from error
        return 0

    return ended(work, as_json="--json" in words)
