"""SIGINT and SIGTERM stop the work and leave nothing behind."""

import random
import signal
import time

import pytest

from conftest import content, temporaries
from programs import default_signals

# A run may end before the signal reaches it; then it is tried again.
TRIES = 10

CASES = {
    "pack": ["pack", "base.safetensors", "tune.safetensors", "-o", "{}/x.fd"],
    "unpack": ["unpack", "base.safetensors", "tune.fd", "-o", "{}/x.safetensors"],
}


def started_words(verb, folder, large):
    words = [word.format(folder) for word in CASES[verb]]
    return [large / word if (large / word).is_file() else word for word in words]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("verb", CASES)
def test_a_signal_half_way(verb, number, code, force, large, start, tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    moments = random.Random(seed)
    target = tmp_path / ("x.fd" if verb == "pack" else "x.safetensors")
    for _ in range(TRIES):
        target.unlink(missing_ok=True)
        if force:
            target.write_bytes(b"an older file")
        process = start(*started_words(verb, tmp_path, large), "--threads", "1", "-q",
                        *["--force"] * force, preexec_fn=default_signals)
        while process.poll() is None and not temporaries(tmp_path):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        if process.returncode != 0:
            break
    assert (process.returncode, error) == (code, b"finedelta: interrupted\n")
    assert content(target) == (b"an older file" if force else None)
    assert temporaries(tmp_path) == []
