import re

import pytest
from conftest import VERBS

EXIT_STATUS = """
EXIT STATUS
    0  done
    1  failure: reading or writing failed, or a model was not found
    2  usage: a bad argument, an output that exists or can't be reached, or an
       archive of a format version that this finedelta does not read
    3  differences found (only by 'diff')
   12  wrong base: not the one that the archive was made from
   13  an input is damaged, or unsafe to follow
   14  no space for the output
  130  interrupted (SIGINT); nothing is left behind
  143  terminated (SIGTERM); nothing is left behind
  Any other code is a failure.
"""


def test_version(run):
    outcome = run("--version")
    assert (outcome.code, outcome.err) == (0, "")
    name, version = outcome.out.rstrip("\n").split(" ")
    assert name == "finedelta"
    assert [part.isdigit() for part in version.split(".")] == [True, True, True]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_program_lists_its_verbs(run, flag):
    outcome = run(flag)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: finedelta VERB ...\n")
    assert outcome.out.endswith(EXIT_STATUS)
    verbs = outcome.out.split("\nVERBS\n")[1].split("\n\n")[0].splitlines()
    names = [line.split()[0] for line in verbs if line[2] != " "]
    assert names == [*VERBS, "validate"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(run, verb):
    outcome = run(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: finedelta {verb} ")
    assert outcome.out.endswith(EXIT_STATUS)
    examples = outcome.out.split("\nEXAMPLES\n")[1].split("\nEXIT STATUS\n")[0]
    assert examples.count(f"  finedelta {verb} ") >= 2


@pytest.mark.parametrize("words", [(), *((verb,) for verb in VERBS)])
def test_help_fits_a_terminal(run, words):
    for line in run(*words, "--help").out.splitlines():
        assert len(line) <= 80, line
        assert line == line.rstrip()


@pytest.mark.parametrize("verb, options", [
    ("pack", "--output --no-base --all --level --lossy --bits --size --ratio --max-error --progressive --force --threads --memory --json --quiet --help"),
    ("unpack", "--output --weights-only --sha256 --layers --force --threads --memory --json --quiet --help"),
    ("verify", "--base --threads --memory --json --quiet --help"),
    ("inspect", "--threads --memory --json --quiet --help"),
    ("plan", "--no-base --all --level --threads --memory --json --quiet --help"),
    ("extract", "--output --layers --force --threads --memory --json --quiet --help"),
    ("lora", "--output --size --energy --max-rank --plus-residual --from-archive --force --threads "
             "--memory --json --quiet --help"),
    ("diff", "--rank --equal --threads --memory --json --quiet --help"),
])
def test_options(run, verb, options):
    section = run(verb, "--help").out.split("\nOPTIONS\n")[1].split("\n\n")[0]
    assert re.findall(r"^  (?:-\w,|   ) (--[\w-]+)", section, re.MULTILINE) == options.split()
