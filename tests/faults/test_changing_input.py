"""A model that changes while it is packed is refused, whichever of its files it is."""

import os
import shutil
import threading
import time

import pytest

from conftest import temporaries
from programs import assert_error


@pytest.fixture
def folders(models, large, tmp_path):
    """`base` and `tune`, of which the weights take the longest."""
    for name in ("base", "tune"):
        shutil.copytree(models / name, tmp_path / name)
        shutil.move(tmp_path / name / "model-1.safetensors", tmp_path / name / "a.safetensors")
        os.link(large / f"{name}.safetensors", tmp_path / name / "model.safetensors")
    return tmp_path


class Writer:
    """Writes the first byte of a file again, changed, once and again until it is left."""

    def __init__(self, path):
        self.path = path
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        with open(self.path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            while not self.stop.wait(0.01):
                last = bytes([last[0] ^ 1])
                file.seek(-1, os.SEEK_END)
                file.write(last)
                file.flush()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@pytest.mark.parametrize("path", [
    "tune/a.safetensors", "tune/config.json", "tune/merges.txt", "tune/notes/optimizer.bin",
    "base/a.safetensors", "base/merges.txt",
])
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_keeps_changing(path, force, folders, run):
    target = folders / "x.fd"
    if force:
        target.write_bytes(b"an older file")
    with Writer(folders / path):
        outcome = run("pack", "-q", "base", "tune", "-o", "x.fd", *["--force"] * force)
    assert_error(outcome, 1)
    assert outcome.err == (f"finedelta: '{folders / path}' was changed while it was being read; "
                           "try again\n")
    assert temporaries(folders) == []
    assert target.read_bytes() == b"an older file" if force else not target.exists()


@pytest.mark.parametrize("path", [
    "tune/a.safetensors", "tune/config.json", "tune/merges.txt", "tune/notes/optimizer.bin",
    "base/a.safetensors", "base/merges.txt",
])
def test_a_file_that_changes_once(path, folders, start):
    """As soon as the output is begun: by then what the inputs were is known."""
    process = start("pack", "-q", "base", "tune", "-o", "x.fd", "--threads", "1")
    while not temporaries(folders):
        assert process.poll() is None
        time.sleep(0.001)
    with open(folders / path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"#")
    _, error = process.communicate()
    assert (process.returncode, error.decode()) == (
        1, f"finedelta: '{folders / path}' was changed while it was being read; try again\n")
    assert temporaries(folders) == []
    assert not (folders / "x.fd").exists()
