"""Outputs that can't be made or must not be replaced: exit 2, the reason, and nothing touched."""

import ctypes
import errno
import os
import subprocess

import pytest

from actions import ACTIONS
from conftest import content, temporaries
from programs import assert_error

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1

FOLDER, FILE, PACK = (
    next(action for action in ACTIONS if action.output == name and not action.force)
    for name in ("folder", "x.safetensors", "x.fd")
)


def obey_permissions():
    """Has root obey them like anyone else: takes CAP_DAC_OVERRIDE from what exec may give."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0


def words(action, models, target, force=True):
    inputs = [models / name for name in action.inputs]
    return [action.verb, "-q", *inputs, "-o", target, *["--force"] * force]


def assert_refused(outcome, message):
    assert_error(outcome, 2)
    assert outcome.err == f"finedelta: {message}\n"


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_read_only_directory(action, models, run, tmp_path):
    parent = tmp_path / "closed"
    parent.mkdir()
    parent.chmod(0o555)
    outcome = run(*words(action, models, parent / action.output), preexec_fn=obey_permissions)
    parent.chmod(0o755)
    assert_refused(outcome, f"cannot write to '{parent}': Permission denied")
    assert list(parent.iterdir()) == []


@pytest.fixture
def read_only_disk(tmp_path_factory):
    mounted = tmp_path_factory.mktemp("disk")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", mounted],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        pytest.skip(f"a file system can't be mounted: {mount.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_read_only_file_system(action, models, run, read_only_disk):
    outcome = run(*words(action, models, read_only_disk / action.output))
    assert_refused(outcome, f"cannot write to '{read_only_disk}': Read-only file system")


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_mount_point(action, models, run, read_only_disk):
    why = ("is a mount point, which can't be replaced; name a new directory in it"
           if action is FOLDER else "is a directory; name a file")
    outcome = run(*words(action, models, read_only_disk))
    assert_refused(outcome, f"'{read_only_disk}' {why}")


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_parent_is_missing(action, models, run, tmp_path):
    outcome = run(*words(action, models, "no/such/output"))
    assert_refused(outcome, "the directory 'no/such' does not exist; create it first")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_parent_is_a_file(action, models, run, tmp_path):
    (tmp_path / "file").write_text("here")
    outcome = run(*words(action, models, "file/output"))
    assert_refused(outcome, "cannot examine 'file/output': Not a directory")
    assert content(tmp_path) == {"file": b"here"}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("action", [FILE, PACK], ids=str)
def test_a_file_never_replaces_a_directory(action, force, models, run, tmp_path):
    (tmp_path / "target").mkdir()
    outcome = run(*words(action, models, "target", force))
    assert_refused(outcome, "'target' is a directory; name a file")
    assert content(tmp_path) == {"target": None}


@pytest.mark.parametrize("force", [False, True])
def test_a_directory_never_replaces_a_file(force, models, run, tmp_path):
    (tmp_path / "target").write_text("here")
    outcome = run(*words(FOLDER, models, "target", force))
    assert_refused(outcome, "'target' is not a directory; name a directory")
    assert content(tmp_path) == {"target": b"here"}


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_without_force_nothing_is_replaced(action, models, run, tmp_path):
    target = tmp_path / action.output
    target.mkdir() if action is FOLDER else target.write_text("here")
    before = content(target)
    outcome = run(*words(action, models, action.output, False))
    assert_refused(outcome, f"'{action.output}' exists already; use --force to replace it")
    assert content(target) == before


@pytest.mark.parametrize("name, why", [
    (".", "holds the current directory and is never replaced; name a new directory"),
    ("../{}", "holds the current directory and is never replaced; name a new directory"),
    ("home", "holds the home directory and is never replaced; name a new directory"),
    ("home/", "holds the home directory and is never replaced; name a new directory"),
])
def test_a_directory_that_is_never_replaced(name, why, models, run, tmp_path):
    (tmp_path / "home" / "user").mkdir(parents=True)
    (tmp_path / "home" / "user" / "letter").write_text("dear")
    before = content(tmp_path)
    name = name.format(tmp_path.name)
    outcome = run(*words(FOLDER, models, name), env={"HOME": str(tmp_path / "home" / "user")})
    assert_refused(outcome, f"'{name}' {why}")
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", ["/", "//", "/..", ".."])
def test_a_directory_that_holds_the_inputs(name, models, run, tmp_path):
    outcome = run(*words(FOLDER, models, name))
    assert_refused(outcome, f"the output '{name}' contains the input '{models / 'base'}'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_an_output_in_an_input(action, models, run):
    before = content(models)
    for name in action.inputs:
        outcome = run(*words(action, models, models / name))
        assert_refused(outcome, f"the output '{models / name}' lies inside the input "
                                f"'{models / name}'")
    assert content(models) == before


@pytest.mark.parametrize("name", ["/dev/null", "pipe", "link"])
@pytest.mark.parametrize("action", [FILE, PACK], ids=str)
def test_special_files_are_never_replaced(action, name, models, run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/stdout", tmp_path / "link")
    outcome = run(*words(action, models, name))
    assert_refused(outcome, f"'{name}' is not a regular file and is never replaced")
    assert temporaries(tmp_path) == []


def test_a_directory_never_replaces_a_link(models, run, tmp_path):
    (tmp_path / "old").mkdir()
    os.symlink("old", tmp_path / "link")
    outcome = run(*words(FOLDER, models, "link"))
    assert_refused(outcome,
                   "'link' is a symbolic link; remove it, or name the directory that it leads to")


def test_a_file_replaces_the_link_itself(models, run, tmp_path):
    (tmp_path / "old").write_text("here")
    os.symlink("old", tmp_path / "link")
    outcome = run(*words(FILE, models, "link"))
    assert outcome.code == 0, outcome
    assert (tmp_path / "old").read_text() == "here"
    assert not (tmp_path / "link").is_symlink()
    assert content(tmp_path / "link") == FILE.expected(models)


UNSUPPORTED = [errno.EINVAL, errno.ENOSYS, errno.EXDEV]


# As on file systems that can't exchange two names, nor rename without replacing.
@pytest.mark.parametrize("number", UNSUPPORTED)
def test_no_exchange(number, models, run, tmp_path, faults):
    fault = {"LD_PRELOAD": faults, "FINEDELTA_FAIL": f"renameat2:{number}"}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("here")
    outcome = run(*words(FOLDER, models, "folder"), env=fault)
    assert_refused(outcome, "'folder' can't be replaced in one step on this file system; "
                            "remove it or choose another name")
    assert content(tmp_path) == {"folder": None, "folder/old": b"here"}


@pytest.mark.parametrize("number", UNSUPPORTED)
@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_new_outputs_need_no_exchange(action, number, models, run, tmp_path, faults):
    fault = {"LD_PRELOAD": faults, "FINEDELTA_FAIL": f"renameat2:{number}"}
    outcome = run(*words(action, models, action.output, False), env=fault)
    assert outcome.code == 0, outcome
    assert content(tmp_path / action.output) == action.expected(models)
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("action", [FILE, PACK], ids=str)
def test_replacing_a_file_needs_no_exchange(action, models, run, tmp_path, faults):
    fault = {"LD_PRELOAD": faults, "FINEDELTA_FAIL": f"renameat2:{errno.EINVAL}"}
    (tmp_path / action.output).write_text("an older file")
    outcome = run(*words(action, models, action.output), env=fault)
    assert outcome.code == 0, outcome
    assert content(tmp_path / action.output) == action.expected(models)


@pytest.mark.parametrize("action", [FOLDER, FILE, PACK], ids=str)
def test_without_locks(action, models, run, tmp_path, faults):
    fault = {"LD_PRELOAD": faults, "FINEDELTA_FAIL": f"flock:{errno.ENOLCK}"}
    outcome = run(*words(action, models, action.output), env=fault)
    assert outcome.code == 0, outcome
    assert content(tmp_path / action.output) == action.expected(models)
