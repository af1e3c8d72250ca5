"""Where there is no space left: exit 14 and one sentence, nothing left behind, nothing lost."""

import errno
import os
import resource
import subprocess

import pytest

from actions import ACTIONS, Action
from conftest import content, temporaries
from programs import assert_error

EXTRACT = [
    Action("extract", ("base.safetensors", "file.fd"), "extracted", force, "w.safetensors")
    for force in (False, True)
]


def words_of(action, models):
    if action.verb != "extract":
        return action.words(models)
    inputs = [models / name for name in action.inputs]
    return ["extract", "-q", *inputs, "w0", "-o", action.output, *["--force"] * action.force]


def assert_no_space(outcome, messages):
    assert_error(outcome, 14)
    assert outcome.err in [f"finedelta: {message}\n" for message in messages]


def shown_names(action):
    """The output's name as messages have it."""
    return ["folder/" + name for name in ("model-1.safetensors", "notes/optimizer.bin")] \
        if action.output == "folder" else [action.output]


@pytest.mark.parametrize("action", ACTIONS + EXTRACT, ids=str)
def test_file_size_limit(action, models, run, tmp_path):
    limit = 1 << 20
    before = action.prepare(models, tmp_path)
    outcome = run(*words_of(action, models), preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (limit, limit)))
    verb = "reserve space for" if action.verb == "unpack" else "write"
    names = shown_names(action)
    if "--lossy" in action.options:
        names.append(tmp_path / "(a file without a name)")  # what was found of the matrices
    assert_no_space(outcome, [f"cannot {verb} '{name}': File too large" for name in names])
    assert content(tmp_path / action.output) == before
    assert temporaries(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path_factory):
    """A file system of 5 MiB."""
    mounted = tmp_path_factory.mktemp("disk")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", mounted],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        pytest.skip(f"a small file system can't be mounted: {mount.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.mark.parametrize("action", [a for a in ACTIONS + EXTRACT if a.verb != "pack"], ids=str)
def test_full_disk(action, models, run, small_disk):
    assert_full(action, models, run, small_disk)


@pytest.mark.parametrize("force", [False, True])
def test_full_disk_while_packing(force, models, run, small_disk):
    target = small_disk / "x.fd"
    if force:
        target.write_text("an older file")
    before = content(target)
    outcome = run("pack", "-q", "--no-base", models / "tune.safetensors", "-o",
                  target, *["--force"] * force)
    assert_no_space(outcome, [f"cannot write '{target}': No space left on device"])
    assert content(target) == before
    assert temporaries(small_disk) == []


def assert_full(action, models, run, disk):
    small = "an older file" if action.force else None
    target = disk / action.output
    if small and action.output == "folder":
        target.mkdir()
        (target / "old.txt").write_text(small)
    elif small:
        target.write_text(small)
    before = content(target)
    words = [disk / word if word == action.output else word for word in words_of(action, models)]
    outcome = run(*words)
    verb = "reserve space for" if action.verb == "unpack" else "write"
    assert_no_space(outcome, [f"cannot {verb} '{disk / name}': No space left on device"
                              for name in shown_names(action)])
    assert content(target) == before
    assert temporaries(disk) == []


# Where a file system can't reserve space a write tells, or the sync where it allots space late. The
# size of an archive is not known beforehand.
@pytest.mark.parametrize("action, call", [
    (action, call)
    for action in ACTIONS
    for call in ("fallocate", "ftruncate", "pwrite", "fsync")
    if action.verb == "unpack" or call in ("pwrite", "fsync")
], ids=str)
def test_every_call_may_find_the_disk_full(action, call, models, run, tmp_path, faults):
    before = action.prepare(models, tmp_path)
    outcome = run(*action.words(models),
                  env={"LD_PRELOAD": faults, "FINEDELTA_FAIL": f"{call}:{errno.ENOSPC}"})
    assert_error(outcome, 14)
    assert outcome.err.endswith(": No space left on device\n")
    assert content(tmp_path / action.output) == before
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_a_failing_disk(action, models, run, tmp_path, faults):
    before = action.prepare(models, tmp_path)
    outcome = run(*action.words(models),
                  env={"LD_PRELOAD": faults, "FINEDELTA_FAIL": f"fsync:{errno.EIO}"})
    assert_error(outcome, 1)
    assert outcome.err.endswith(": Input/output error\n")
    assert content(tmp_path / action.output) == before
    assert temporaries(tmp_path) == []
