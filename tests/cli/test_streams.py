"""What goes to standard output and standard error, and how."""

import os
import pty
import re
import signal
import subprocess
import threading

import pytest
from conftest import PROGRAM, environment


def on_terminal(folder, *words, **extra):
    """Runs the program with a terminal of 80 columns as standard error: (code, stdout, screen)."""
    reader, terminal = pty.openpty()
    os.set_inheritable(terminal, True)
    screen = bytearray()

    def collect():
        while True:
            try:
                screen.extend(os.read(reader, 4096))
            except OSError:  # the other side is closed
                return

    with subprocess.Popen([PROGRAM, *words], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=terminal,
                          env=environment(folder, **extra)) as process:
        os.close(terminal)
        thread = threading.Thread(target=collect)
        thread.start()
        out = process.stdout.read()
    thread.join()
    os.close(reader)
    return process.returncode, out.decode(), screen.decode()


@pytest.mark.parametrize("words", [
    ["pack", "base", "tune", "-o", "x.fd"],
    ["unpack", "base", "tune.fd", "-o", "out"],
    ["verify", "tune.fd"],
    ["extract", "base", "tune.fd", "bias", "-o", "x.safetensors"],
])
def test_quiet(run, pair, archive, words):
    outcome = run(*words, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize("words", [["inspect", "tune.fd"], ["plan", "base", "tune"]])
def test_quiet_keeps_data(run, pair, archive, words):
    outcome = run(*words, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == run(*words).out != ""


def test_quiet_keeps_errors(run, pair):
    outcome = run("pack", "-q", "missing", "tune", "-o", "x.fd")
    assert outcome.code == 1
    assert outcome.err.startswith("finedelta: ") and outcome.err.count("\n") == 1


def test_no_escape_codes_without_a_terminal(run, pair):
    for words in (["pack", "base", "tune", "-o", "x.fd"], ["pack", "nope", "tune", "-o", "y.fd"]):
        outcome = run(*words)
        assert not re.search("[\x1b\r]", outcome.out + outcome.err)


def test_progress_is_one_line_on_a_terminal(pair, tmp_path):
    code, out, screen = on_terminal(tmp_path, "pack", "base", "tune", "-o", "x.fd")
    assert (code, out) == (0, "")
    assert re.search(r"\rpacking +[0-9]+ %  [0-9.]+ \w+ of [0-9.]+ \w+ *\r", screen)
    assert screen.endswith("\r\n") and screen.count("\n") == 1
    assert "\x1b" not in screen
    assert screen.split("\r")[-2].startswith("packed 3 files, ")


def test_errors_have_colour_on_a_terminal_only(pair, tmp_path):
    words = ["pack", "missing", "tune", "-o", "x.fd"]
    assert "\x1b[1;31mfinedelta:\x1b[0m " in on_terminal(tmp_path, *words)[2]
    for extra in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        screen = on_terminal(tmp_path, *words, **extra)[2]
        assert "finedelta: " in screen and "\x1b" not in screen
    assert "\x1b[1;31m" in on_terminal(tmp_path, *words, NO_COLOR="")[2]
    code, out, screen = on_terminal(tmp_path, *words, "--json")
    assert code == 1 and "\x1b" not in out + screen


def test_a_dumb_terminal_gets_whole_lines(pair, tmp_path):
    code, _, screen = on_terminal(tmp_path, "pack", "base", "tune", "-o", "x.fd", TERM="dumb")
    assert code == 0
    assert [line.split(" ")[0] for line in screen.splitlines()] == ["packing", "packed"]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["pack", "--help"],
                                   ["inspect", "tune.fd"], ["inspect", "tune.fd", "--json"]])
def test_a_full_standard_output_is_a_failure(run, pair, archive, words):
    with open("/dev/full", "wb") as full:
        outcome = run(*words, stdout=full)
    assert outcome.code == 1
    assert outcome.err == "finedelta: cannot write to standard output: No space left on device\n"


def test_a_closed_standard_output_is_a_failure(run):
    outcome = run("--version", stdout=None, preexec_fn=lambda: os.close(1))
    assert outcome.code == 1
    assert outcome.err == "finedelta: cannot write to standard output: Bad file descriptor\n"


def test_a_closed_standard_output_is_never_an_output_file(run, pair, tmp_path):
    outcome = run("pack", "--json", "base", "tune", "-o", "x.fd", stdout=None,
                  preexec_fn=lambda: os.close(1))
    assert outcome.code == 1
    assert run("verify", "-q", "x.fd").code == 0


def test_a_closed_standard_error_is_let_be(run, pair):
    outcome = run("pack", "base", "tune", "-o", "x.fd", stderr=None,
                  preexec_fn=lambda: os.close(2))
    assert outcome.code == 0
    assert run("verify", "-q", "x.fd").code == 0


def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_reader_that_left(run):
    writer = closed_pipe()
    outcome = run("--help", stdout=writer)
    os.close(writer)
    assert (outcome.code, outcome.err) == (-signal.SIGPIPE, "")


def test_a_reader_of_messages_that_left_does_not_stop_the_work(run, pair):
    writer = closed_pipe()
    outcome = run("pack", "base", "tune", "-o", "x.fd", stderr=writer)
    os.close(writer)
    assert outcome.code == 0
    assert run("verify", "-q", "x.fd").code == 0


def test_a_reader_that_left_where_sigpipe_is_ignored(run):
    writer = closed_pipe()
    outcome = run("--help", stdout=writer, restore_signals=False,
                  preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    os.close(writer)
    assert outcome.code == 1
    assert outcome.err == "finedelta: cannot write to standard output: Broken pipe\n"
