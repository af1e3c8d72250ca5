import json

import pytest
from conftest import VERBS, assert_error

ONE_MODEL = ("one model is not enough: name a base before the fine-tune, or give --no-base to take "
             "the model alone")
NO_DASH = ("-o - is not possible: the output is written out of order and checked before it appears, "
           "so it must be a path")
ONE_BUDGET = "--size, --energy and --max-rank exclude each other"
ALONE = ("--from-archive takes all that the archive holds: no model, no budget and no --plus-residual "
         "go with it")


@pytest.mark.parametrize("words, message", [
    ([], "a verb is missing"),
    (["-q"], "unknown option '-q'"),
    (["nope"], "unknown verb 'nope'"),
    (["--", "pack"], "a verb is missing"),
    (["--nope", "pack"], "unknown option '--nope'"),
    (["a\x1b[31m"], "unknown verb 'a\\x1b[31m'"),
    ([""], "unknown verb ''"),
])
def test_program(run, words, message):
    outcome = run(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"finedelta: {message}; see 'finedelta --help'\n"


@pytest.mark.parametrize("verb, words, message", [
    ("pack", ["a", "b"], "'pack' needs -o ARCHIVE"),
    ("pack", ["-o", "x"], "name a base and a fine-tune"),
    ("pack", ["-o", "x", "a"], ONE_MODEL),
    ("pack", ["-o", "x", "a", "b", "--no-base"],
     "--no-base takes one model alone, but several are named"),
    ("pack", ["a", "b", "-o", "-"], NO_DASH),
    ("pack", ["a", "b", "-o", ""], "--output is empty"),
    ("pack", ["a", "b", "-o"], "--output needs a value"),
    ("pack", ["a", "b", "-o", "x", "-o", "y"], "--output is given twice"),
    ("pack", ["a", "", "-o", "x"], "an argument is an empty string"),
    ("pack", ["a", "b", "-o", "x", "--", ""], "an argument is an empty string"),
    ("pack", ["a", "b", "-o", "x", "--nope"], "unknown option '--nope'"),
    ("pack", ["a", "b", "-o", "x", "-z"], "unknown option '-z'"),
    ("pack", ["a", "b", "-o", "x", "---"], "unknown option '---'"),
    ("pack", ["a", "b", "-o", "x", "--force=yes"], "--force takes no value"),
    ("pack", ["a", "b", "-o", "x", "--sha256"], "unknown option '--sha256'"),
    ("pack", ["a", "b", "-o", "x", "--version"], "unknown option '--version'"),
    ("pack", ["a", "b", "-o", "x", "--threads", "0"],
     "--threads '0' is not a number from 1 to 1024"),
    ("pack", ["a", "b", "-o", "x", "--threads", "2x"],
     "--threads '2x' is not a number from 1 to 1024"),
    ("pack", ["a", "b", "-o", "x", "--threads", "-1"],
     "--threads '-1' is not a number from 1 to 1024"),
    ("pack", ["a", "b", "-o", "x", "--threads", ""], "--threads is empty"),
    ("pack", ["a", "b", "-o", "x", "--level", "0"], "--level '0' is not a number from 1 to 9"),
    ("pack", ["a", "b", "-o", "x", "--level=10"], "--level '10' is not a number from 1 to 9"),
    ("pack", ["a", "b", "-o", "x", "--level", "-5"], "--level '-5' is not a number from 1 to 9"),
    ("pack", ["a", "b", "-o", "x", "--level", "3x"], "--level '3x' is not a number from 1 to 9"),
    ("pack", ["a", "b", "-o", "x", "--level", ""], "--level is empty"),
    ("pack", ["a", "b", "-o", "x", "--level"], "--level needs a value"),
    ("pack", ["a", "b", "-o", "x", "--level", "3", "--level", "3"], "--level is given twice"),
    ("pack", ["a", "b", "-o", "x", "-5", "--level", "5"], "--level is given twice"),
    ("pack", ["-5", "a", "b", "-o", "x", "-6"], "--level is given twice"),
    ("pack", ["a", "b", "-o", "x", "-0"], "unknown option '-0'"),
    ("pack", ["a", "b", "-o", "x", "-10"], "unknown option '-10'"),
    ("pack", ["-o", "x", "-5", "a"], ONE_MODEL),
    ("unpack", ["a", "b", "-o", "x", "-5"], "unknown option '-5'"),
    ("plan", ["a", "b", "--level", "0"], "--level '0' is not a number from 1 to 9"),
    ("verify", ["a", "--level", "5"], "unknown option '--level'"),
    ("pack", ["a", "b", "-o", "x", "--threads=1", "--threads=1"], "--threads is given twice"),
    ("pack", ["a", "b", "-o", "x", "--memory", "67108863"],
     "--memory '67108863' is too little: 64 MiB is the least"),
    ("pack", ["a", "b", "-o", "x", "--memory", "64MB"],
     "--memory '64MB' is too little: 64 MiB is the least"),
    ("pack", ["a", "b", "-o", "x", "--memory", "much"],
     "--memory 'much' is not a size such as 512M or 2GiB"),
    ("unpack", ["-o", "x"], "name an archive"),
    ("unpack", ["a"], "'unpack' needs -o DIR"),
    ("unpack", ["a", "-o", "-"], NO_DASH),
    ("verify", [], "name an archive"),
    ("verify", ["a", "b"], "one archive at a time; a base is given with --base"),
    ("verify", ["a", "--base", ""], "--base is empty"),
    ("verify", ["a", "--base", "b", "--base"], "--base needs a value"),
    ("inspect", [], "name one archive"),
    ("inspect", ["a", "b"], "name one archive"),
    ("inspect", ["a", "--force"], "unknown option '--force'"),
    ("plan", [], "name a base and a fine-tune"),
    ("plan", ["a"], ONE_MODEL),
    ("plan", ["a", "b", "-o", "x"], "unknown option '-o'"),
    ("extract", ["-o", "x"], "name an archive and its tensors"),
    ("extract", ["-o", "x", "a", "b"], "none of the arguments is an archive"),
    ("extract", ["a", "b"], "'extract' needs -o FILE"),
    ("extract", ["a", "b", "-o", "-"], NO_DASH),
    ("lora", ["a", "b"], "'lora' needs -o DIR"),
    ("lora", ["a", "-o", "x"], "name one base and one fine-tune, or give --from-archive"),
    ("lora", ["a", "b", "c", "-o", "x"], "name one base and one fine-tune, or give --from-archive"),
    ("lora", ["a", "b", "-o", "x", "--size", "big"], "--size 'big' is not a size such as 20MB or 64KiB"),
    ("lora", ["a", "b", "-o", "x", "--energy", "1"], "--energy '1' is not a number between 0 and 1"),
    ("lora", ["a", "b", "-o", "x", "--energy", "0"], "--energy '0' is not a number between 0 and 1"),
    ("lora", ["a", "b", "-o", "x", "--energy", "nan"],
     "--energy 'nan' is not a number between 0 and 1"),
    ("lora", ["a", "b", "-o", "x", "--energy", "0.9x"],
     "--energy '0.9x' is not a number between 0 and 1"),
    ("lora", ["a", "b", "-o", "x", "--max-rank", "0"], "--max-rank '0' is not a number from 1 on"),
    ("lora", ["a", "b", "-o", "x", "--max-rank", "-3"], "--max-rank '-3' is not a number from 1 on"),
    ("lora", ["a", "b", "-o", "x", "--size", "1MB", "--max-rank", "8"], ONE_BUDGET),
    ("lora", ["a", "b", "-o", "x", "--energy", "0.9", "--max-rank", "8"], ONE_BUDGET),
    ("lora", ["a", "-o", "x", "--from-archive", "y.fd"], ALONE),
    ("lora", ["-o", "x", "--from-archive", "y.fd", "--size", "1MB"], ALONE),
    ("lora", ["-o", "x", "--from-archive", "y.fd", "--plus-residual"], ALONE),
    ("lora", ["-o", "x", "--from-archive", ""], "--from-archive is empty"),
    ("lora", ["a", "b", "-o", "x", "--level", "3"], "unknown option '--level'"),
    ("diff", ["a"], "name one base and one fine-tune"),
    ("diff", ["a", "b", "c"], "name one base and one fine-tune"),
    ("diff", ["a", "b", "-o", "x"], "unknown option '-o'"),
    ("diff", ["a", "b", "--all"], "unknown option '--all'"),
])
def test_verb(run, verb, words, message):
    outcome = run(verb, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"finedelta: {message}; see 'finedelta {verb} --help'\n"


def test_the_archive_comes_last(run, pair, archive):
    outcome = run("unpack", "tune.fd", "base", "-o", "out")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == ("finedelta: 'tune.fd' is an archive, and the archive comes last; see "
                           "'finedelta unpack --help'\n")


def test_extract_needs_a_name(run, pair, archive):
    outcome = run("extract", "base", "tune.fd", "-o", "x.safetensors")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == ("finedelta: name tensors after 'tune.fd': 'finedelta inspect' lists them; "
                           "see 'finedelta extract --help'\n")


@pytest.mark.parametrize("verb", VERBS)
def test_json_errors(run, verb):
    outcome = run(verb, "--json", "--nope")
    message = f"unknown option '--nope'; see 'finedelta {verb} --help'"
    assert outcome.code == 2
    assert outcome.err == f"finedelta: {message}\n"
    assert json.loads(outcome.out) == {"error": {"code": 2, "message": message}}
    assert outcome.out.count("\n") == 1


def test_json_after_the_dashes_is_a_name(run):
    assert_error(run("pack", "--", "--json"), 2)


def test_flags_may_be_repeated(run, pair):
    outcome = run("pack", "-q", "-q", "base", "tune", "-o", "x", "--force", "--force")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_odd_names(run, pair, tmp_path):
    base, tune = pair
    base.rename(tmp_path / "-base")
    tune.rename(tmp_path / "[pack]")
    outcome = run("pack", "-q", "-o", "x.fd", "--", "-base", "[pack]")
    assert (outcome.code, outcome.err) == (0, "")
    outcome = run("unpack", "-qo", "out", "--", "-base", "x.fd")
    assert (outcome.code, outcome.err) == (0, "")
    assert (tmp_path / "out" / "config.json").exists()
