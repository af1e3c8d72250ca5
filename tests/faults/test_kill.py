"""A process that is killed leaves the old output or the new one; the next run tidies up."""

import os
import random
import signal
import subprocess
import time

import pytest

from actions import ACTIONS, Action
from conftest import content, pack_progressive, temporaries, write_matrix, write_model
from programs import PROGRAM, environment

KILLS = 15


def finish(action, models, folder, **extra):
    """Runs to the end, over an output that may be there already."""
    words = action.words(models)
    if not action.force:
        words.append("--force")
    subprocess.run([PROGRAM, *words], cwd=folder, env=environment(folder, **extra), check=True)
    assert content(folder / action.output) == action.expected(models)
    assert temporaries(folder) == []


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_killed_at_random_moments(action, models, start, tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    moments = random.Random(seed)
    action.prepare(models, tmp_path)
    begin = time.monotonic()
    finish(action, models, tmp_path)
    whole = time.monotonic() - begin
    expected = action.expected(models)
    for _ in range(KILLS):
        before = action.prepare(models, tmp_path)
        process = start(*action.words(models))
        time.sleep(moments.uniform(0, 1.1 * whole))
        process.send_signal(signal.SIGKILL)
        _, error = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), error
        now = content(tmp_path / action.output)
        assert now == expected if process.returncode == 0 else now in (before, expected)
        assert len(temporaries(tmp_path)) <= 1  # that of the run before is gone
    finish(action, models, tmp_path)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """As `models`, in the smallest form, so that a run makes few calls."""
    root = tmp_path_factory.mktemp("tiny")
    for name, changed in (("base", False), ("tune", True)):
        (root / name).mkdir()
        (root / name / "inner").mkdir()
        (root / name / "inner" / "config.json").write_text(name)
        write_model(root / name / "model.safetensors", [100], changed)
        write_model(root / f"{name}.safetensors", [100], changed)
        write_matrix(root / f"{name}-matrix.safetensors", 32, 32, changed)
    for suffix, archive in (("", "folder.fd"), (".safetensors", "file.fd")):
        subprocess.run([PROGRAM, "pack", "-q", root / f"base{suffix}", root / f"tune{suffix}", "-o",
                        root / archive], check=True)
    pack_progressive(root)
    return root


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_killed_before_every_call_that_changes_files(action: Action, tiny, start, tmp_path, faults):
    expected = action.expected(tiny)
    renamed = False
    for call in range(1, 200):
        before = action.prepare(tiny, tmp_path)
        process = start(*action.words(tiny),
                        env={"LD_PRELOAD": faults, "FINEDELTA_KILL_BEFORE": str(call)})
        _, error = process.communicate()
        now = content(tmp_path / action.output)
        if process.returncode == 0:
            assert now == expected
            break
        assert process.returncode == -signal.SIGKILL, error
        # Once the new output has appeared, it is there to stay.
        assert now == expected if renamed else now in (before, expected)
        renamed = now == expected
        assert len(temporaries(tmp_path)) <= 1
    assert call > 5 and process.returncode == 0 and renamed
    assert temporaries(tmp_path) == []


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_two_runs_at_once(action, models, start, tmp_path):
    expected = action.expected(models)
    for _ in range(2):
        action.prepare(models, tmp_path)
        both = [start(*action.words(models)) for _ in range(2)]
        ended = [(process.communicate()[1].decode(), process.returncode) for process in both]
        assert content(tmp_path / action.output) == expected
        assert temporaries(tmp_path) == []
        winners = [code for _, code in ended].count(0)
        if action.force:
            assert winners == 2, ended  # the later one replaces what the earlier one made
        else:
            assert winners == 1, ended
            shown = f"finedelta: '{action.output}' exists already; use --force to replace it\n"
            assert (shown, 2) in ended
