"""SIGINT and SIGTERM stop the work within a moment and leave nothing behind."""

import random
import signal
import time

import pytest

from conftest import content, temporaries

# What a crowded machine may add to the second that it may take.
SLOWEST = 3.0

CASES = {
    "pack": ["pack", "base.safetensors", "tune.safetensors", "-o", "{}/x.fd"],
    "unpack": ["unpack", "base.safetensors", "tune.fd", "-o", "{}/x.safetensors"],
}


def default_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def started_words(verb, folder, large):
    words = [word.format(folder) for word in CASES[verb]]
    return [large / word if (large / word).is_file() else word for word in words]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("verb", CASES)
def test_a_signal_half_way(verb, number, code, force, large, start, tmp_path):
    target = tmp_path / ("x.fd" if verb == "pack" else "x.safetensors")
    if force:
        target.write_bytes(b"an older file")
    process = start(*started_words(verb, tmp_path, large), "--threads", "1", "-q",
                    *["--force"] * force, preexec_fn=default_signals)
    while not temporaries(tmp_path):
        assert process.poll() is None
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05))
    begin = time.monotonic()
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    seconds = time.monotonic() - begin
    assert (process.returncode, error) == (code, b"finedelta: interrupted\n")
    assert seconds < SLOWEST
    assert content(target) == (b"an older file" if force else None)
    assert temporaries(tmp_path) == []
