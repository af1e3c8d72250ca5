"""Progress, and what stops an operation."""

import os
import signal
import subprocess
import sys
import termios
import time

import ml_dtypes
import numpy as np
import pytest

import finedelta
from models import make_model, random_bf16


@pytest.fixture
def large(tmp_path):
    """A model that takes long enough to be stopped: 64 MB."""
    make_model(tmp_path / "large", {"w": ("BF16", [1000, 1000], random_bf16(1, 1000000)),
                                    **{f"w{i}": ("BF16", [1000, 1000], os.urandom(2000000))
                                       for i in range(31)}})
    return tmp_path / "large"


@pytest.fixture
def slow(tmp_path):
    """A base and a fine-tune that take seconds to pack with an error; exact packing may be done before anyone
    can stop it."""
    generator = np.random.default_rng(1)
    older = generator.normal(0, 0.02, (1000, 1000))
    newer = older + generator.normal(0, 4e-4, older.shape)
    for name, matrix in (("base", older), ("tune", newer)):
        data = matrix.astype(ml_dtypes.bfloat16).tobytes()
        make_model(tmp_path / name, {f"w{i}": ("BF16", [1000, 1000], data) for i in range(16)})
    return tmp_path / "base", tmp_path / "tune"


def test_a_function_hears_of_progress(pair, tmp_path):
    heard = []
    finedelta.pack(*pair, tmp_path / "a.fd", progress=lambda done, total: heard.append((done, total)))
    assert heard and all(0 <= done <= total for done, total in heard)
    assert heard == sorted(heard)
    report = finedelta.inspect(tmp_path / "a.fd")
    assert heard[-1][1] == report.input_bytes


def test_an_exception_in_it_stops_the_operation(slow, tmp_path):
    def refuse(done, total):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        finedelta.pack(*slow, tmp_path / "a.fd", bits=1, threads=1, progress=refuse)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "tune"]


def test_ctrl_c_stops_the_operation(slow, tmp_path):
    script = f"""
import finedelta, sys
def started(done, total):
    print("started", flush=True)
try:
    finedelta.pack(*{tuple(map(str, slow))!r}, {str(tmp_path / "a.fd")!r}, bits=1, threads=1, progress=started)
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    out, _ = process.communicate(timeout=60)
    assert out.splitlines()[-1] == "interrupted"
    assert process.returncode == 0 and time.monotonic() - begin < 30
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "tune"]


def test_other_threads_run_meanwhile(large, tmp_path):
    script = f"""
import finedelta, threading, time
ticks = []
stop = threading.Event()
def tick():
    while not stop.wait(0.005):
        ticks.append(time.monotonic())
thread = threading.Thread(target=tick)
thread.start()
begin = time.monotonic()
finedelta.pack(None, {str(large)!r}, {str(tmp_path / "a.fd")!r}, threads=1)
end = time.monotonic()
stop.set()
thread.join()
print(sum(begin < t < end for t in ticks))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 3


def bar_of(progress, pair, tmp_path, **options):
    script = (
        "import finedelta; finedelta.pack"
        f"({str(pair[0])!r}, {str(pair[1])!r}, {str(tmp_path / 'a.fd')!r}, force=True, progress={progress})"
    )
    return subprocess.run([sys.executable, "-c", script], check=True, **options)


def test_a_bar_where_it_is_asked_for_and_nothing_elsewhere(pair, tmp_path):
    assert "packing" in bar_of(True, pair, tmp_path, capture_output=True, text=True).stderr
    assert bar_of(None, pair, tmp_path, capture_output=True, text=True).stderr == ""
    assert bar_of(False, pair, tmp_path, capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize(("progress", "shown"), [(None, True), (False, False)])
def test_a_bar_on_a_terminal(pair, tmp_path, progress, shown):
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (25, 80))
    bar_of(progress, pair, tmp_path, stderr=slave, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    heard = b""
    try:
        while piece := os.read(master, 4096):
            heard += piece
    except OSError:  # the end, for a terminal
        pass
    os.close(master)
    assert (b"packing" in heard) == shown
