"""Runs of `python -m finedelta.cluster` that tests watch, interrupt and kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from finedelta.cluster.records import read_record, record_of
from models import make_model, nudged, random_bf16
from programs import default_signals, environment


def make_family(folder):
    """Fields of jobs for six fine-tunes of two bases, which alternate."""
    weight = random_bf16(1, 100 * 200)
    for name, data in (("base", weight), ("other", weight), ("tune", nudged(weight, 2))):
        make_model(folder / name, {"weight": ("BF16", [100, 200], data)})
    jobs = []
    for number in range(6):
        (folder / f"tune{number}").symlink_to("tune")
        base = folder / ("base", "other")[number % 2]
        jobs.append({"base": str(base), "fine_tune": str(folder / f"tune{number}")})
    return jobs


def make_slow_jobs(folder, count):
    """Fields of jobs that can be met in the middle: at level 9 every matrix is looked at closely."""
    generator = np.random.default_rng(1)
    old = generator.normal(0, 0.02, (1024, 1024)).astype(np.float32)
    new = old + generator.normal(0, 3e-4, old.shape).astype(np.float32)
    for name, values in (("base", old), ("tune", new)):
        data = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
        make_model(folder / name, {"q_proj.weight": ("BF16", [1024, 1024], data)})
    return [{"base": "base", "fine_tune": "tune", "name": f"{number}.fd", "level": 9}
            for number in range(count)]


def write_jobs(path, jobs):
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    return path


class Run:
    """A command in a session of its own, so that all its processes can be found."""

    def __init__(self, folder, *arguments, **extra):
        keep = {key: os.environ[key] for key in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "finedelta.cluster", *map(os.fspath, arguments)], cwd=folder,
            env=environment(folder, **keep, **extra), stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=default_signals)

    def end(self):
        """Exit code, standard output and standard error."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def report(self):
        code, out, err = self.end()
        assert code in (0, 1), err
        return json.loads(out)

    def workers(self):
        """The processes that do jobs on this machine."""
        return [pid for pid in self.left() if "spawn_main" in command_of(pid)]

    def left(self):
        """Processes of the session, but for the command itself."""
        return [pid for pid in all_processes()
                if pid != self.process.pid and session_of(pid) == self.process.pid]


def all_processes():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def session_of(pid):
    try:
        return os.getsid(pid)
    except OSError:
        return None


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def archives(out):
    return {path.name: path.read_bytes() for path in out.glob("*.fd")}


def assert_records_are_true(out):
    for path in out.rglob("*.done.json"):
        record = read_record(path)
        output = path.with_name(path.name.removesuffix(".done.json"))
        assert record == record_of(record.job, output)
