"""The verb that is the Python package's: what the program hands on, and what it says where that can't be."""

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from conftest import assert_error

PACKAGE = Path(__file__).parents[2] / "python" / "finedelta"
WHAT_TO_DO = ("; install the package in a Python environment that comes first on the PATH, or run "
              "`python -m finedelta validate` with the Python that has it")
NO_PACKAGE = f"'validate' is part of the Python package, which python3 does not find{WHAT_TO_DO}"
NO_PYTHON = ("'validate' is part of the Python package, and python3 cannot be run: No such file or "
             f"directory{WHAT_TO_DO}")
ODD_WORDS = [b"--json", b"", b"two words", b"a\nb", b"'\"$HOME\\", b"\xff\xfe", b"-c", b"--", b"-h"]


@pytest.fixture
def python3(tmp_path):
    """python3(COMMANDS): a PATH on which python3 is a shell script of these commands."""

    def make(commands):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "python3").write_text(f"#!/bin/sh\n{commands}\n")
        (folder / "python3").chmod(0o755)
        return {"PATH": str(folder)}

    return make


@pytest.fixture
def without_package(python3):
    """A PATH on which python3 is Python itself, without any installed package."""
    return python3(f'exec {shlex.quote(sys.executable)} -S "$@"')


@pytest.fixture
def package(tmp_path):
    """A folder with a package whose report is its words and where it is; the exit code is 7."""
    folder = tmp_path / "packages"
    (folder / "finedelta" / "validate").mkdir(parents=True)
    for name in ("__init__.py", "validate/__init__.py"):
        (folder / "finedelta" / name).touch()
    shutil.copy(PACKAGE / "__main__.py", folder / "finedelta")
    (folder / "finedelta" / "validate" / "command.py").write_text(
        "import sys\n\n\ndef main(words):\n    print(ascii([sys.argv[0], __file__, *words]))\n    return 7\n")
    return folder


def test_words_and_exit_code_are_handed_on(run, python3, tmp_path):
    path = python3(r"""printf '%s\0' "$@" >words; exit 42""")
    outcome = run("validate", *ODD_WORDS, env=path)
    assert (outcome.code, outcome.out, outcome.err) == (42, "", "")
    words = (tmp_path / "words").read_bytes().split(b"\0")
    assert words[0] == b"-c" and words[4:] == [b"validate", *ODD_WORDS, b""]


def test_no_signal_stays_ignored(run, python3):
    path = python3('while read -r name mask; do [ "$name" = SigIgn: ] && echo "$mask"; done '
                   "</proc/self/status; exit 0")
    ignored = int(run("validate", env=path).out, 16)
    sigpipe, sigxfsz = 1 << 12, 1 << 24
    assert ignored & (sigpipe | sigxfsz) == 0


def test_the_package_is_run(run, without_package, package):
    outcome = run("validate", *ODD_WORDS, env={**without_package, "PYTHONPATH": str(package)})
    assert (outcome.code, outcome.err) == (7, "")
    words = [word.decode(errors="surrogateescape") for word in ODD_WORDS]
    command = package / "finedelta" / "validate" / "command.py"
    assert outcome.out == ascii(["finedelta", str(command), *words]) + "\n"


def test_the_current_folder_is_not_the_package(run, without_package, package, tmp_path):
    (package / "finedelta").rename(tmp_path / "finedelta")
    outcome = run("validate", env=without_package)
    assert_error(outcome, 1)
    assert outcome.err == f"finedelta: {NO_PACKAGE}\n"


def test_what_the_package_lacks_is_not_the_package(run, without_package, package):
    (package / "finedelta" / "validate" / "__init__.py").write_text("import nothing_like_it\n")
    outcome = run("validate", env={**without_package, "PYTHONPATH": str(package)})
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.endswith("ModuleNotFoundError: No module named 'nothing_like_it'\n")


@pytest.mark.parametrize("words", [[], ["base", "tune", "-o", "report"], ["--help"], ["--", "--json"]])
def test_no_package(run, without_package, words):
    outcome = run("validate", *words, env=without_package)
    assert_error(outcome, 1)
    assert outcome.err == f"finedelta: {NO_PACKAGE}\n"


def test_no_python(run, tmp_path):
    outcome = run("validate", "base", "tune", env={"PATH": str(tmp_path)})
    assert_error(outcome, 1)
    assert outcome.err == f"finedelta: {NO_PYTHON}\n"


def assert_json_error(outcome, message):
    assert (outcome.code, outcome.err) == (1, f"finedelta: {message}\n")
    assert json.loads(outcome.out) == {"error": {"code": 1, "message": message}}
    assert outcome.out.count("\n") == 1


def test_json_errors(run, without_package, tmp_path):
    assert_json_error(run("validate", "base", "--json", env=without_package), NO_PACKAGE)
    assert_json_error(run("validate", "base", "--json", env={"PATH": str(tmp_path)}), NO_PYTHON)


@pytest.mark.parametrize("words", [["-q", "validate"], ["--", "validate"]])
def test_only_the_first_word_is_the_verb(run, without_package, words):
    assert_error(run(*words, env=without_package), 2)
