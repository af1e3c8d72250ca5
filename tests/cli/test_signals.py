import json
import os
import signal
import struct

import pytest

SIZE = 1 << 28


@pytest.fixture
def large(tmp_path):
    """base.safetensors and tune.safetensors of 256 MiB of zeros each, which take no disk space."""
    header = json.dumps({"w": {"dtype": "BF16", "shape": [SIZE // 2],
                               "data_offsets": [0, SIZE]}}).encode()
    header += b" " * (-len(header) % 8)
    for name in ("base", "tune"):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(struct.pack("<Q", len(header)) + header)
        os.truncate(path, 8 + len(header) + SIZE)


def default_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


WORDS = ["pack", "base.safetensors", "tune.safetensors", "-o", "x.fd"]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_work(start, large, tmp_path, number, code):
    before = sorted(tmp_path.iterdir())
    process = start(*WORDS, preexec_fn=default_signals)
    assert process.stderr.readline() == b"packing 'tune.safetensors'\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, b"")
    assert err.startswith(b"finedelta: ") and err.count(b"\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_signal_that_was_ignored_stays_ignored(start, large):
    process = start(*WORDS, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 0
