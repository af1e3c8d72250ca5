"""Running the program in FINEDELTA_PROGRAM; fixtures for a conftest.py to import."""

import os
import signal
import subprocess
from dataclasses import dataclass

import pytest

PROGRAM = os.environ["FINEDELTA_PROGRAM"]


def environment(folder, **extra):
    """An environment without the user's model cache or preferences."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HOME": str(folder / "hf"),
            "LANG": "C.UTF-8", "TERM": "xterm", **extra}


def default_signals():
    """For `preexec_fn`: what started the tests may have had signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path):
    """run(ARGUMENT...): runs the program in the test's folder until it ends."""

    def call(*arguments, **options):
        extra = options.pop("env", {})
        done = subprocess.run([PROGRAM, *map(os.fspath, arguments)], cwd=tmp_path,
                              stdin=subprocess.DEVNULL, timeout=120,
                              env=environment(tmp_path, **extra),
                              **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})
        return Outcome(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

    return call


@pytest.fixture
def start(tmp_path):
    """start(ARGUMENT...): the running program; it is killed if the test leaves it."""
    processes = []

    def call(*arguments, **options):
        extra = options.pop("env", {})
        process = subprocess.Popen([PROGRAM, *map(os.fspath, arguments)], cwd=tmp_path,
                                   stdin=subprocess.DEVNULL, env=environment(tmp_path, **extra),
                                   **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                      **options})
        processes.append(process)
        return process

    yield call
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def assert_error(outcome, code):
    """One sentence on standard error and nothing else."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    errors = [line for line in lines if line.startswith("finedelta: ")]
    assert len(errors) == 1 and lines[-1] == errors[0], outcome.err
