import os
import signal

import pytest

from models import safetensors_head
from programs import default_signals

SIZE = 1 << 28
WORDS = ["pack", "base.safetensors", "tune.safetensors", "-o", "x.fd"]

# A run may end before the signal reaches it; then it is tried again.
TRIES = 10


@pytest.fixture
def large(tmp_path):
    """base.safetensors and tune.safetensors of 256 MiB of zeros each, which take no disk space."""
    head = safetensors_head({"w": {"dtype": "BF16", "shape": [SIZE // 2],
                                   "data_offsets": [0, SIZE]}})
    for name in ("base", "tune"):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(head)
        os.truncate(path, len(head) + SIZE)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_work(start, large, tmp_path, number, code):
    before = sorted(tmp_path.iterdir())
    for _ in range(TRIES):
        (tmp_path / "x.fd").unlink(missing_ok=True)
        process = start(*WORDS, preexec_fn=default_signals)
        assert process.stderr.readline() == b"packing 'tune.safetensors'\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert (process.returncode, out) == (code, b"")
    # What came late may come after a note.
    *notes, last = err.splitlines()
    assert last.startswith(b"finedelta: ") and all(line.startswith(b"note: ") for line in notes)
    assert sorted(tmp_path.iterdir()) == before


def test_a_signal_stops_a_comparison(start, large):
    for _ in range(TRIES):
        process = start("diff", "--rank", "base.safetensors", "tune.safetensors",
                        preexec_fn=default_signals)
        assert process.stderr.readline() == b"comparing 'tune.safetensors'\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert (process.returncode, out, err) == (130, b"", b"finedelta: interrupted\n")


def test_a_signal_that_was_ignored_stays_ignored(start, large):
    process = start(*WORDS, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 0
