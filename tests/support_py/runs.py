"""Runs of `python -m finedelta.cluster` that tests watch, interrupt and kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from programs import default_signals, environment


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
        """The processes that do jobs."""
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
