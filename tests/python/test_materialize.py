"""Archives as directories in a cache, which many processes share."""

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import finedelta
from finedelta import materializing
from hub_cache import COMMIT, put_in_cache
from models import make_model, nudged, random_bf16, read_tree, write_safetensors

MATERIALIZE = "import finedelta, sys; print(finedelta.materialize(*sys.argv[1:]))"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """The folder of the cache, which is not made yet."""
    monkeypatch.setenv("FINEDELTA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pair(tmp_path):
    """The folders `base` and `tune`, small enough to be built often."""
    square = random_bf16(3, 128 * 128)
    make_model(tmp_path / "base", {"square": ("BF16", [128, 128], square)})
    make_model(tmp_path / "tune", {"square": ("BF16", [128, 128], nudged(square, 4))})
    (tmp_path / "tune" / "notes").mkdir()
    (tmp_path / "tune" / "notes" / "training.txt").write_text("three epochs\n")
    return tmp_path / "base", tmp_path / "tune"


@pytest.fixture
def builds(monkeypatch):
    """The outputs that were built in this process."""
    done = []

    def unpack(archive, output, **options):
        done.append(output)
        return finedelta.unpack(archive, output, **options)

    monkeypatch.setattr(materializing, "unpack", unpack)
    return done


@pytest.fixture
def start():
    """start(SCRIPT, ARGUMENT...): a running Python."""
    processes = []

    def call(script, *arguments, **options):
        processes.append(subprocess.Popen([sys.executable, "-c", script, *arguments], text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options))
        return processes[-1]

    yield call
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def elsewhere(start):
    """elsewhere(ARGUMENT...): the path that another process, which has ended, was handed."""

    def call(*arguments, script=MATERIALIZE, **options):
        process = start(script, *arguments, **options)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return Path(out.strip())

    return call


def make_tune(folder, archive, base, seed):
    """Packs a fine-tune of the fixture `pair` that has `seed` in it."""
    shutil.copytree(base, folder)
    write_safetensors(folder / "model.safetensors", {"bias": ("U8", [1 << 16], bytes([seed]) * (1 << 16))})
    finedelta.pack(base, folder, archive)
    return archive


def entries(cache):
    return sorted(path.name for path in cache.iterdir())


def test_the_directory_is_the_fine_tune(pair, archive, cache):
    base, tune = pair
    folder = finedelta.materialize(archive, base)
    assert isinstance(folder, Path) and folder.is_relative_to(cache)
    assert read_tree(folder) == read_tree(tune)
    assert [file.stat().st_mode & 0o222 for file in folder.rglob("*") if file.is_file()] == [0] * 3


def test_a_hit_rebuilds_nothing_and_needs_no_base(pair, archive, builds):
    first = finedelta.materialize(archive, pair[0])
    assert finedelta.materialize(archive) == first and len(builds) == 1


def test_a_hit_is_a_use(pair, archive):
    used = finedelta.materialize(archive, pair[0]).with_name("used")
    os.utime(used, (1, 1))
    finedelta.materialize(archive)
    assert used.stat().st_mtime > 1


def test_archives_of_the_same_model_share_an_entry(pair, archive, builds, tmp_path):
    finedelta.pack(*pair, tmp_path / "other.fd", level=9)
    assert finedelta.materialize(archive, pair[0]) == finedelta.materialize(tmp_path / "other.fd")
    assert len(builds) == 1


def test_layers_are_entries_of_their_own(trained, tmp_path):
    base, tune = trained
    finedelta.pack(base, tune, tmp_path / "a.fd", bits=2.0, progressive=True)
    near = finedelta.materialize(tmp_path / "a.fd", base, layers=1)
    exact = finedelta.materialize(tmp_path / "a.fd", base)
    assert read_tree(exact) == read_tree(tune) != read_tree(near)
    with pytest.raises(finedelta.UsageError, match="has 2 layers, not 3"):
        finedelta.materialize(tmp_path / "a.fd", base, layers=3)


def test_an_executable_file_is_another_one(pair, archive, tmp_path):
    base, tune = pair
    first = finedelta.materialize(archive, base)
    (tune / "config.json").chmod(0o755)
    finedelta.pack(base, tune, tmp_path / "other.fd")
    other = finedelta.materialize(tmp_path / "other.fd", base)
    assert other != first and os.access(other / "config.json", os.X_OK)


def test_empty_directories_come_back(pair, tmp_path, builds):
    base, tune = pair
    (tune / "empty").mkdir()
    finedelta.pack(base, tune, tmp_path / "a.fd")
    folder = finedelta.materialize(tmp_path / "a.fd", base)
    assert (folder / "empty").is_dir()
    (folder / "empty").rmdir()
    assert (finedelta.materialize(tmp_path / "a.fd", base) / "empty").is_dir() and len(builds) == 2


def test_a_delta_repository_is_a_directory_with_an_archive(pair, archive, tmp_path):
    (tmp_path / "repo").mkdir()
    with pytest.raises(finedelta.UsageError, match=r"repo' has no delta\.fd, so it is no delta repository"):
        finedelta.materialize(tmp_path / "repo", pair[0])
    archive.rename(tmp_path / "repo" / "delta.fd")
    assert read_tree(finedelta.materialize(tmp_path / "repo", pair[0])) == read_tree(pair[1])


def test_where_the_cache_is(pair, archive, cache, monkeypatch, tmp_path):
    base, _ = pair
    given = finedelta.materialize(archive, base, cache=str(tmp_path / "given"))
    assert given.is_relative_to(tmp_path / "given") and not cache.exists()
    monkeypatch.delenv("FINEDELTA_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert finedelta.materialize(archive, base).is_relative_to(tmp_path / "home/.cache/finedelta")
    monkeypatch.chdir(tmp_path)
    assert finedelta.materialize(archive, base, cache="given") == given


def test_a_single_file_is_no_directory(single):
    base, archive = single({"t": ("U8", [4], b"abcd")})
    with pytest.raises(finedelta.UsageError, match=r"a single file, without the config\.json .*load_file"):
        finedelta.materialize(archive, base)


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: os.truncate(file, 1000)])
def test_a_damaged_entry_is_rebuilt(pair, archive, builds, damage):
    folder = finedelta.materialize(archive, pair[0])
    damage(folder / "model.safetensors")
    assert finedelta.materialize(archive, pair[0]) == folder and len(builds) == 2
    assert read_tree(folder) == read_tree(pair[1])


def test_a_cache_that_was_emptied_is_filled_again(pair, archive, cache, elsewhere, tmp_path):
    finedelta.materialize(archive, pair[0])
    shutil.rmtree(cache)
    folder = finedelta.materialize(archive, pair[0])
    # And what is there now is in use, as what was there before had been.
    other = make_tune(tmp_path / "t1", tmp_path / "t1.fd", pair[0], 1)
    elsewhere(other, pair[0], script=MATERIALIZE.replace("[1:]", "[1:], cache_size=0"))
    assert read_tree(folder) == read_tree(pair[1])


def test_the_least_recently_used_make_room(pair, elsewhere, cache, tmp_path):
    base, _ = pair
    archives = [make_tune(tmp_path / f"t{i}", tmp_path / f"t{i}.fd", base, i) for i in range(4)]
    size = sum(file.stat().st_size for file in (tmp_path / "t0").iterdir())
    folders = [elsewhere(archive, base) for archive in archives[:3]]
    for when, folder in zip((30, 10, 20), folders):
        os.utime(folder.with_name("used"), (when, when))
    (cache / "notes").mkdir()  # not ours
    folders.append(finedelta.materialize(archives[3], base, cache_size=2 * size))
    assert [folder.exists() for folder in folders] == [True, False, False, True]
    assert entries(cache) == sorted(["notes", folders[0].parent.name, folders[3].parent.name])


def test_what_is_in_use_stays(pair, archive, start, elsewhere, cache, tmp_path):
    base, tune = pair
    user = start(MATERIALIZE + "; sys.stdout.flush(); sys.stdin.read()", archive, base,
                 stdin=subprocess.PIPE)
    used = Path(user.stdout.readline().strip())
    own = finedelta.materialize(make_tune(tmp_path / "t1", tmp_path / "t1.fd", base, 1), base)
    script = MATERIALIZE.replace("[1:]", "[1:], cache_size=0")
    third = elsewhere(make_tune(tmp_path / "t2", tmp_path / "t2.fd", base, 2), base, script=script)
    assert read_tree(used) == read_tree(tune) and own.exists() and third.exists()
    user.communicate("")
    elsewhere(make_tune(tmp_path / "t3", tmp_path / "t3.fd", base, 3), base, script=script)
    assert not used.exists() and not third.exists() and own.exists()


COUNTED = """
import finedelta, sys
from finedelta import materializing
unpack = finedelta.unpack
def counted(*arguments, **options):
    with open(sys.argv.pop(), "a") as log:
        log.write("x")
    return unpack(*arguments, **options)
materializing.unpack = counted
sys.stdin.read(2)
print(finedelta.materialize(*sys.argv[1:3]))
"""


def test_of_many_processes_one_builds(pair, archive, start, tmp_path):
    log = tmp_path / "log"
    processes = [start(COUNTED, archive, pair[0], log, stdin=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        process.stdin.write("go")
        process.stdin.flush()
    handed = set()
    for process in processes:
        assert process.wait(60) == 0, process.stderr.read()
        handed.add(process.stdout.read().strip())
    (folder,) = handed
    assert log.read_text() == "x" and read_tree(Path(folder)) == read_tree(pair[1])


STORM = """
import finedelta, os, random, sys
random.seed(int(sys.argv[1]))
for i in range(20):
    which = random.randrange(3)
    if not os.fork():  # who is done does not use its entry any more
        folder = finedelta.materialize(f"t{which}.fd", "base", cache_size=0)
        assert (folder / "model.safetensors").read_bytes() == open(f"t{which}/model.safetensors", "rb").read()
        os._exit(0)
    assert os.wait()[1] == 0
"""


def test_builders_and_removers_do_not_meet(pair, start, tmp_path):
    for i in range(3):
        make_tune(tmp_path / f"t{i}", tmp_path / f"t{i}.fd", pair[0], i)
    processes = [start(STORM, str(seed), cwd=tmp_path) for seed in range(6)]
    for process in processes:
        assert process.wait(60) == 0, process.stderr.read()


@pytest.fixture
def killed(start, cache, tmp_path):
    """An archive whose builder was killed in the middle, and the folder of the entry."""
    make_model(tmp_path / "large", {"w": ("BF16", [4000, 5000], random_bf16(1, 1000) * 20000)})
    finedelta.pack(None, tmp_path / "large", tmp_path / "large.fd", level=1)
    process = start(MATERIALIZE, tmp_path / "large.fd")
    while not list(cache.glob("*/.model.finedelta-*.tmp")):
        assert process.poll() is None
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    (entry,) = cache.iterdir()
    assert not (entry / "model").exists()
    return tmp_path / "large.fd", entry


def test_a_killed_builder_leaves_nothing_that_counts(killed, builds, tmp_path):
    archive, entry = killed
    assert read_tree(finedelta.materialize(archive)) == read_tree(tmp_path / "large")
    assert len(builds) == 1 and entries(entry) == ["lock", "model", "used"]


def test_what_a_killed_builder_left_goes_with_the_next_build(killed, pair, archive, cache):
    folder = finedelta.materialize(archive, pair[0])
    assert entries(cache) == [folder.parent.name]


def test_a_wrong_base(pair, archive, cache):
    with pytest.raises(finedelta.WrongBaseError, match="tensor 'square'"):
        finedelta.materialize(archive, pair[1])
    (entry,) = cache.iterdir()
    assert entries(entry) == ["lock"]
    assert read_tree(finedelta.materialize(archive, pair[0])) == read_tree(pair[1])


def test_the_base_is_found_in_the_local_cache(pair, tmp_path):
    put_in_cache(pair[0], "org/base")
    finedelta.pack("org/base", pair[1], tmp_path / "a.fd")
    assert read_tree(finedelta.materialize(tmp_path / "a.fd")) == read_tree(pair[1])


def test_a_base_that_is_nowhere(pair, archive, tmp_path, monkeypatch):
    storage = put_in_cache(pair[0], "org/base")
    finedelta.pack("org/base", pair[1], tmp_path / "named.fd")
    shutil.rmtree(storage)
    with pytest.raises(finedelta.FineDeltaError) as caught:
        finedelta.materialize(tmp_path / "named.fd")
    assert str(caught.value) == (
        f"the base 'org/base' (revision '{COMMIT}') is needed, and it is not in the local Hugging Face cache;"
        " give its path, or pass download=True to fetch it from the hub")
    with pytest.raises(finedelta.FineDeltaError) as caught:
        finedelta.materialize(archive, download=True)  # it has no name to download it by
    assert str(caught.value) == ("the base is needed, and it is not in the local Hugging Face cache; give its"
                                 " path")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(finedelta.FineDeltaError) as caught:
        finedelta.materialize(tmp_path / "named.fd", download=True)
    assert str(caught.value) == "this needs the package huggingface_hub: pip install 'finedelta[hub]'"


@pytest.mark.parametrize("call", [
    lambda: finedelta.materialize("org/name"),
    lambda: finedelta.hub.prepare("a.fd", "out"),
])
def test_without_the_package_of_the_hub(monkeypatch, call):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(finedelta.FineDeltaError, match=r"pip install 'finedelta\[hub\]'$"):
        call()


def test_without_transformers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(finedelta.FineDeltaError, match=r"pip install 'finedelta\[transformers\]'$"):
        finedelta.transformers.from_pretrained("a.fd")


def test_an_archive_that_is_not_there(tmp_path):
    with pytest.raises(finedelta.FineDeltaError, match="nothing.fd"):
        finedelta.materialize(tmp_path / "nothing.fd")


TELLING = """
import finedelta, sys
try:
    finedelta.materialize(*sys.argv[1:])
except finedelta.FineDeltaError as error:
    print(type(error).__name__, error)
"""


def obey_permissions():
    """Has root obey them like anyone else: takes CAP_DAC_OVERRIDE from what exec may give."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0


def test_a_read_only_cache(pair, archive, cache, elsewhere, start, tmp_path):
    base, tune = pair
    folder = elsewhere(archive, base)
    other = make_tune(tmp_path / "t1", tmp_path / "t1.fd", base, 1)
    closed = [cache, folder.parent, folder.with_name("lock"), folder.with_name("used")]
    for path in closed:
        path.chmod(0o555)
    try:
        assert elsewhere(archive, base, preexec_fn=obey_permissions) == folder
        out, err = start(TELLING, other, base, preexec_fn=obey_permissions).communicate(timeout=60)
    finally:
        for path in closed:
            path.chmod(0o755)
    assert out == (f"UsageError the cache {str(cache)!r} can't be used: Permission denied; name another folder"
                   " with cache= or in FINEDELTA_CACHE\n"), err
    assert read_tree(folder) == read_tree(tune)


def test_a_cache_that_is_a_file(pair, archive, cache):
    cache.write_text("")
    with pytest.raises(finedelta.UsageError, match="Not a directory; name another folder"):
        finedelta.materialize(archive, pair[0])


def test_no_space(pair, archive, cache, start):
    limit = 1 << 12
    out, err = start(TELLING, archive, pair[0], preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (limit, limit))).communicate(timeout=60)
    assert out.startswith("NoSpaceError cannot reserve space for") and "model.safetensors" in out, err
    (entry,) = cache.iterdir()
    assert entries(entry) == ["lock"]


def test_progress_stops_it(pair, archive, cache):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finedelta.materialize(archive, pair[0], progress=stop)
    assert read_tree(finedelta.materialize(archive, pair[0])) == read_tree(pair[1])
