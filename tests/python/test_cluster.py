"""Many jobs on one machine: what is refused, the order, records, retries, resuming, the command."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

import finedelta
from finedelta.cluster import PackJob, UnpackJob, VerifyJob, pack_many, unpack_many, verify_many
from finedelta.cluster.jobs import key_of
from finedelta._core import default_threads
from finedelta.cluster.order import Queue, by_base, part_of
from finedelta.cluster.records import path_of_record
from finedelta.cluster.task import Settings, do
from models import read_tree
from runs import (
    Run,
    archives,
    assert_records_are_true,
    kill,
    make_family,
    make_slow_jobs,
    wait_until,
    write_jobs,
)


@pytest.fixture
def family(tmp_path):
    return [PackJob(**job) for job in make_family(tmp_path)]


@pytest.fixture
def slow(tmp_path):
    return make_slow_jobs(tmp_path, 8)


def settings(out, **others):
    return Settings(**{"out": str(out), "folder": os.getcwd(), "threads": 1, "memory": None, "force": False,
                       "check": False, **others})


def do_one(job, out, **options):
    """The status and, of a failure, the reason of a job that is done in this process."""
    result = do(job, settings(out, **options))
    return result.reason or result.status


def statuses(report):
    return [result.status for result in report.results]


def test_pack_verify_and_unpack(family, tmp_path):
    seen = []
    packed = pack_many(family, tmp_path / "out", workers=2,
                       progress=lambda result, done, total: seen.append((result.name, done, total)))
    assert (packed.done, packed.skipped, packed.failed) == (6, 0, 0)
    assert sorted(name for name, _, _ in seen) == [f"tune{number}.fd" for number in range(6)]
    assert [(done, total) for _, done, total in seen] == [(number, 6) for number in range(1, 7)]
    finedelta.pack(family[0].base, family[0].fine_tune, tmp_path / "one.fd")
    assert set(archives(tmp_path / "out").values()) == {(tmp_path / "one.fd").read_bytes()}
    assert packed.bytes_out == 6 * (tmp_path / "one.fd").stat().st_size

    held = [(str(tmp_path / "out" / f"tune{number}.fd"), job.base) for number, job in enumerate(family)]
    verified = verify_many([VerifyJob(*each) for each in held], tmp_path / "verified")
    assert verified.done == 6 and verified.bytes_out == packed.bytes_in
    unpacked = unpack_many([UnpackJob(*each) for each in held], tmp_path / "models")
    assert unpacked.done == 6 and unpacked.bytes_out == packed.bytes_in
    for number in range(6):
        assert read_tree(tmp_path / "models" / f"tune{number}") == read_tree(family[0].fine_tune)
    assert_records_are_true(tmp_path / "out")
    assert_records_are_true(tmp_path / "models")


def test_what_is_done_is_skipped(family, tmp_path):
    out = tmp_path / "out"
    assert do_one(family[0], out) == "done"
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    for options in ({}, {"check": True}, {"force": True}):
        assert do_one(family[0], out, **options) == "skipped"
        assert {path: path.stat().st_mtime_ns for path in before} == before
    assert statuses(pack_many(family[:2], out)) == ["skipped", "done"]


def test_a_changed_archive_is_verified_again(family, tmp_path):
    archive = tmp_path / "a.fd"
    job = VerifyJob(str(archive), family[0].base)
    for base in (family[0].base, None):
        finedelta.pack(base, family[0].fine_tune, archive, force=True)
        assert do_one(job, tmp_path / "v") == "done"
        assert do_one(job, tmp_path / "v") == "skipped"
    assert do_one(VerifyJob(str(archive)), tmp_path / "v") == "done"


def test_other_options_for_the_same_name_need_force(family, tmp_path):
    out = tmp_path / "out"
    do_one(family[0], out)
    before = archives(out)
    changed = PackJob(None, family[0].fine_tune)
    assert "other inputs or options, or was changed since: use --force" in do_one(changed, out)
    assert archives(out) == before
    assert do_one(changed, out, force=True) == "done"
    assert archives(out) != before
    assert_records_are_true(out)


def test_an_output_that_was_changed_is_noticed(family, tmp_path):
    out = tmp_path / "out"
    do_one(family[0], out)
    archive = out / "tune0.fd"
    content = bytearray(archive.read_bytes())
    content[100] ^= 1
    archive.write_bytes(content)
    assert do_one(family[0], out) == "skipped"
    assert "changed since" in do_one(family[0], out, check=True)
    archive.write_bytes(content[:-1])
    assert "changed since" in do_one(family[0], out)
    archive.unlink()
    assert do_one(family[0], out) == "done"
    assert_records_are_true(out)


def test_an_output_without_a_record_is_adopted_if_it_is_the_jobs(family, tmp_path):
    out = tmp_path / "out"
    do_one(family[0], out)
    archive = out / "tune0.fd"
    record = path_of_record(archive)
    before = record.read_bytes(), archive.stat().st_ino
    for leave in (record.unlink, lambda: record.write_text("{"), lambda: record.write_text("{}")):
        leave()
        assert do_one(family[0], out) == "done"
        assert (record.read_bytes(), archive.stat().st_ino) == before
    unpack = UnpackJob(str(archive), family[0].base)
    do_one(unpack, tmp_path / "models")
    path_of_record(tmp_path / "models" / "tune0").unlink()
    assert do_one(unpack, tmp_path / "models") == "done"
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["tune0", "tune0.done.json"]


def test_an_output_of_somebody_else_stays(family, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "tune0.fd").write_text("mine")
    assert "has no record" in do_one(family[0], out)
    assert [path.name for path in out.iterdir()] == ["tune0.fd"]
    assert (out / "tune0.fd").read_text() == "mine"
    assert do_one(family[0], out, force=True) == "done"


def test_another_run_may_finish_the_job_first(family, tmp_path, monkeypatch):
    job, run = family[0], PackJob.run
    calls = []

    def overtaken(self, place, limits, *, force):
        if not calls:
            finedelta.pack(job.base, job.fine_tune, place)
        calls.append(place)
        return run(self, place, limits, force=force)

    monkeypatch.setattr(PackJob, "run", overtaken)
    assert do(job, settings(tmp_path / "out")).status == "done"
    assert len(calls) == 2
    assert_records_are_true(tmp_path / "out")
    assert do(job, settings(tmp_path / "out")).status == "skipped"


def test_two_runs_at_once(family, tmp_path):
    reports = []

    def run():
        reports.append(pack_many(family, tmp_path / "out", workers=2))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 2 and all(report.failed == 0 for report in reports), reports
    assert_records_are_true(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 12


def test_a_failed_job_is_tried_again_after_the_others(family, tmp_path):
    late = PackJob(family[0].base, str(tmp_path / "late"))
    first = []

    def on_result(result, done, total):
        if not first:
            (tmp_path / "late").symlink_to(family[1].fine_tune)
        first.append(result.name)

    report = pack_many([late, family[2]], tmp_path / "out", workers=1, progress=on_result)
    assert first == ["tune2.fd", "late.fd"]
    assert [(result.status, result.tries) for result in report.results] == [("done", 2), ("done", 1)]


def test_what_fails_is_reported_and_the_rest_goes_on(family, tmp_path):
    absent = PackJob(family[0].base, str(tmp_path / "absent"))
    report = pack_many([absent, family[1]], tmp_path / "out", retries=2)
    failed, done = report.results
    assert (failed.status, done.status) == ("failed", "done")
    assert (failed.name, failed.tries, failed.error) == ("absent.fd", 3, "FineDeltaError")
    assert "absent" in failed.reason


def test_errors_that_can_not_change_are_not_tried_again(family, tmp_path):
    do_one(family[0], tmp_path / "out")
    archive = str(tmp_path / "out" / "tune0.fd")
    (tmp_path / "broken.fd").write_bytes(Path(archive).read_bytes()[:-1])
    report = verify_many(
        [VerifyJob(archive, family[0].fine_tune), VerifyJob(str(tmp_path / "broken.fd"))], tmp_path / "v")
    errors = sorted((result.error, result.tries) for result in report.results)
    assert errors == [("CorruptError", 1), ("WrongBaseError", 1)]
    assert not list((tmp_path / "v").iterdir())


@pytest.mark.parametrize(("kind", "line", "message"), [
    ("pack", "{", "not a line of JSON"),
    ("pack", "\xff", "not a line of JSON"),
    ("pack", "[]", "not a JSON object"),
    ("pack", '{"base": "b", "fine_tune": "t", "levl": 3}', "unknown key 'levl'"),
    ("pack", '{"base": "b", "fine_tune": "t", "base": "c"}', "a key occurs twice"),
    ("pack", '{"fine_tune": "t"}', "the key 'base' is missing"),
    ("pack", '{"base": "b"}', "the key 'fine_tune' is missing"),
    ("pack", '{"base": 3, "fine_tune": "t"}', "'base' can't be 3"),
    ("pack", '{"base": ["b", 3], "fine_tune": "t"}', "'base' can't be"),
    ("pack", '{"base": "b", "fine_tune": "t", "level": true}', "'level' can't be True"),
    ("pack", '{"base": "b", "fine_tune": "t", "level": 3.5}', "'level' can't be 3.5"),
    ("pack", '{"base": "b", "fine_tune": "t", "bits": NaN}', "NaN is no number"),
    ("pack", '{"base": "b", "fine_tune": "x/good"}', "the name 'good.fd' is that of jobs.jsonl:1 too"),
    ("pack", '{"base": "b", "fine_tune": "t", "name": "good.fd/x"}', "would lie inside 'good.fd'"),
    ("pack", '{"base": "b", "fine_tune": "t", "name": "x.done.json"}', "ends like that of a record"),
    *(("pack", '{"base": "b", "fine_tune": "t", "name": "%s"}' % name, "not a plain path inside OUT")
      for name in ("../x", "a/../../x", "/x", "", ".", "..", "a/", "a//b", "./a", "a\\u0000b")),
    ("unpack", '{"base": "b"}', "the key 'archive' is missing"),
    ("unpack", '{"archive": ".."}', "not a plain path"),
    ("verify", '{"archive": "a", "level": 3}', "unknown key 'level'"),
])
def test_files_of_jobs_that_make_no_sense(tmp_path, monkeypatch, kind, line, message):
    monkeypatch.chdir(tmp_path)
    good = {"pack": {"base": "b", "fine_tune": "good"}}.get(kind, {"archive": "good"})
    Path("jobs.jsonl").write_bytes(json.dumps(good).encode() + b"\n\n" + line.encode("latin-1") + b"\n")
    run = {"pack": pack_many, "unpack": unpack_many, "verify": verify_many}[kind]
    with pytest.raises(finedelta.UsageError, match="^jobs.jsonl:(1|3): .*" ) as caught:
        run("jobs.jsonl", "out")
    assert message in str(caught.value)
    assert not Path("out").exists()


def test_job_objects_are_checked_too(tmp_path):
    with pytest.raises(finedelta.UsageError, match="job 2: the name 'a.fd' is that of job 1 too"):
        pack_many([PackJob("b", "x/a"), PackJob("b", "y/a")], tmp_path)
    with pytest.raises(finedelta.UsageError, match="job 1: not a PackJob"):
        pack_many([VerifyJob("a.fd")], tmp_path)
    with pytest.raises(finedelta.UsageError, match="can't read the jobs"):
        pack_many(tmp_path / "absent", tmp_path)
    for options in ({"workers": 0}, {"threads": 0}, {"retries": -1}, {"shard": (2, 2)}, {"shard": (0, 0)}):
        with pytest.raises(finedelta.UsageError):
            pack_many([PackJob("b", "a")], tmp_path / "out", **options)


def test_no_jobs_are_no_error(tmp_path):
    assert pack_many([], tmp_path / "out").results == ()


@pytest.mark.parametrize(("job", "name"), [
    (PackJob("b", "org/model"), "model.fd"),
    (PackJob("b", "org/model@v1.0"), "model@v1.0.fd"),
    (PackJob("b", "x/model.safetensors"), "model.fd"),
    (PackJob("b", "x/model-1.5/"), "model-1.5.fd"),
    (UnpackJob("x/model-1.5.fd"), "model-1.5"),
    (VerifyJob("x/model.fd"), "model.fd"),
])
def test_names_that_are_not_given(job, name):
    assert job.default_name() == name


def test_a_jobs_key_is_what_it_asks_for():
    same = {key_of(PackJob("b", "t")), key_of(PackJob(["b"], "t", name="x"))}
    assert len(same) == 1
    others = {key_of(job) for job in (PackJob("b", "u"), PackJob("c", "t"), PackJob("b", "t", level=4),
                                      UnpackJob("t", "b"), VerifyJob("t", "b"))}
    assert len(others | same) == 6


def random_jobs(seed):
    generator = random.Random(seed)
    return [PackJob(f"base{generator.randrange(4)}", f"tune{number}")
            for number in range(generator.randrange(60))]


@pytest.mark.parametrize("seed", range(20))
def test_shards_are_all_jobs_once_each_and_share_few_bases(seed):
    jobs = by_base(random_jobs(seed))
    count = seed % 7 + 1
    parts = [part_of(jobs, (index, count)) for index in range(count)]
    assert [job for part in parts for job in part] == jobs
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    groups = len({job.base for job in jobs})
    assert sum(len({job.base for job in part}) for part in parts) <= groups + count - 1


def test_jobs_of_a_base_come_together_in_their_order():
    jobs = by_base([PackJob("b", "1"), PackJob("a", "2"), PackJob("b", "3"), PackJob(["a", "b"], "4")])
    assert [job.fine_tune for job in jobs] == ["1", "3", "2", "4"]


@pytest.mark.parametrize("places", [1, 2, 5])
def test_a_queue_gives_every_job_once_and_few_bases_to_a_place(places):
    jobs = by_base(random_jobs(3))
    queue = Queue(jobs)
    taken = {place: [] for place in range(places)}
    for turn in range(len(jobs)):
        taken[turn % places].append(queue.take(turn % places))
    assert queue.take(0) is None
    assert Counter(job.fine_tune for jobs in taken.values() for job in jobs) == \
        Counter(job.fine_tune for job in jobs)
    if places == 1:
        assert taken[0] == jobs
    reads = sum(len({job.base for job in part}) for part in taken.values())
    assert reads <= len({job.base for job in jobs}) + 2 * places
    queue.try_again(jobs[0])
    assert queue.take(1) == jobs[0] and queue.take(0) is None


def test_what_a_machine_that_went_away_had_is_done_by_others():
    jobs = [PackJob("b", str(number)) for number in range(10)]
    queue = Queue(jobs)
    first = [queue.take("a"), queue.take("b")]
    rest = [queue.take("b") for _ in range(8)]
    assert sorted(job.fine_tune for job in first + rest) == [str(number) for number in range(10)]


def test_cores_are_no_more_than_allowed():
    assert 1 <= default_threads() <= len(os.sched_getaffinity(0))


def test_the_command(family, tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", [
        {"base": os.path.relpath(job.base, tmp_path), "fine_tune": job.fine_tune} for job in family])
    code, out, err = Run(tmp_path, "pack", jobs, "out", "--workers", "2", "--report", "r.json").end()
    assert (code, out) == (0, "") and "6 of 6 jobs" in err
    report = json.loads((tmp_path / "r.json").read_text())
    assert set(report) == {"verb", "finedelta", "jobs", "done", "skipped", "failed", "bytes_in", "bytes_out",
                           "seconds", "results"}
    assert set(report["results"][0]) == {"name", "status", "seconds", "tries", "bytes_in", "bytes_out",
                                         "lossy", "error", "reason"}
    assert (report["verb"], report["jobs"], report["done"]) == ("pack", 6, 6)
    write_jobs(jobs, [{"base": "base", "fine_tune": "absent"}, {"base": "base", "fine_tune": "tune"}])
    code, out, err = Run(tmp_path, "pack", jobs, "out", "--retries", "0").end()
    assert code == 1 and "finedelta: absent.fd: " in err
    assert [result["status"] for result in json.loads(out)["results"]] == ["failed", "done"]
    write_jobs(jobs, [{"archive": "out/tune0.fd", "base": "base"}])
    assert Run(tmp_path, "verify", jobs, "checked").end()[0] == 0
    assert Run(tmp_path, "unpack", jobs, "models").end()[0] == 0
    assert read_tree(tmp_path / "models" / "tune0") == read_tree(tmp_path / "tune")


def test_shards_of_the_command_do_it_all(family, tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", [
        {"base": job.base, "fine_tune": job.fine_tune} for job in family])
    runs = [Run(tmp_path, "pack", jobs, "out", "--shard", f"{index}/3") for index in range(3)]
    assert [run.report()["done"] for run in runs] == [2, 2, 2]
    assert len(archives(tmp_path / "out")) == 6


@pytest.mark.parametrize("arguments", [
    [], ["pack"], ["pack", "jobs.jsonl"], ["pack", "absent.jsonl", "out"], ["pack", "jobs.jsonl", "out"],
    ["fold", "jobs.jsonl", "out"], ["pack", "good.jsonl", "out", "--shard", "3"],
    ["pack", "good.jsonl", "out", "--shard", "3/3"], ["pack", "good.jsonl", "out", "--workers", "0"],
    ["pack", "good.jsonl", "out", "--report", "absent/r.json"],
])
def test_usage_errors_of_the_command(tmp_path, arguments):
    write_jobs(tmp_path / "good.jsonl", [{"base": None, "fine_tune": "x"}])
    (tmp_path / "jobs.jsonl").write_text("{}\n")
    code, out, err = Run(tmp_path, *arguments).end()
    assert (code, out) == (2, "") and err
    assert "Traceback" not in err and not (tmp_path / "out" / "x.fd").exists()


@pytest.mark.skipif(bool(find_spec("ray")), reason="Ray is installed")
def test_ray_must_be_installed_to_be_used(tmp_path):
    with pytest.raises(finedelta.UsageError, match="pip install"):
        pack_many([PackJob(None, "x")], tmp_path / "out", ray="auto")


def test_help_has_exit_codes(tmp_path):
    for arguments in (["--help"], ["pack", "--help"], ["unpack", "-h"], ["verify", "-h"]):
        code, out, err = Run(tmp_path, *arguments).end()
        assert (code, err) == (0, "") and "EXIT STATUS" in out and "130" in out


@pytest.mark.parametrize(("number", "code", "to_all"), [
    (signal.SIGINT, 130, False), (signal.SIGINT, 130, True), (signal.SIGTERM, 143, True)])
def test_a_signal_stops_everything_cleanly(slow, tmp_path, number, code, to_all):
    jobs = write_jobs(tmp_path / "jobs.jsonl", slow)
    run = Run(tmp_path, "pack", jobs, "out", "--workers", "2")
    wait_until(lambda: any(tmp_path.glob("out/*.fd")))
    (os.killpg if to_all else os.kill)(run.process.pid, number)
    assert run.end()[:2] == (code, "")
    wait_until(lambda: not run.left())
    # Only outputs and their records.
    for path in (tmp_path / "out").iterdir():
        assert path.name.removesuffix(".done.json") in {job["name"] for job in slow}
    assert len(archives(tmp_path / "out")) < len(slow)
    assert_records_are_true(tmp_path / "out")


def test_a_killed_run_goes_on_where_it_was(slow, tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", slow)
    for number in (1, 2):
        run = Run(tmp_path, "pack", jobs, "out", "--workers", "2")
        wait_until(lambda: len(list((tmp_path / "out").glob("*.done.json"))) >= number)
        kill(run.process.pid)
        run.end()
        # Workers see that they are alone, and stop.
        wait_until(lambda: not run.left())
        assert_records_are_true(tmp_path / "out")
    report = Run(tmp_path, "pack", jobs, "out", "--workers", "2").report()
    assert report["failed"] == 0 and report["skipped"] >= 2 and report["done"] >= 1
    assert len(set(archives(tmp_path / "out").values())) == 1
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(slow)


def test_jobs_of_a_killed_worker_are_done_by_another(slow, tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", slow[:4])
    run = Run(tmp_path, "pack", jobs, "out", "--workers", "2")
    wait_until(lambda: any(tmp_path.glob("out/.*.tmp")))
    kill(run.workers()[0])
    report = run.report()
    assert report["done"] == 4
    assert len(set(archives(tmp_path / "out").values())) == 1
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_a_job_that_kills_its_workers_fails_alone(slow, tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", slow[:2])
    run = Run(tmp_path, "pack", jobs, "out", "--workers", "1", "--retries", "1")
    for _ in range(2):
        wait_until(lambda: any(tmp_path.glob("out/.0.fd*.tmp")))
        kill(run.workers()[0])
        wait_until(lambda: len(run.workers()) == 1)
        for path in tmp_path.glob("out/.*.tmp"):
            path.unlink()
    first, second = run.report()["results"]
    assert (first["status"], first["error"]) == ("failed", "WorkerDied")
    assert second["status"] == "done"


def test_a_script_without_a_guard_is_told_so(tmp_path):
    (tmp_path / "script.py").write_text(
        "from finedelta.cluster import PackJob, pack_many\n"
        "pack_many([PackJob('base', 'tune')], 'out')\n")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "__name__" in done.stderr.splitlines()[-1]


def test_the_examples(tmp_path):
    examples = Path(__file__).parents[2] / "examples" / "cluster"
    with pytest.raises(finedelta.UsageError, match="there is no shard 9/1"):
        pack_many(examples / "jobs.jsonl", tmp_path / "out", shard=(9, 1))
    assert subprocess.run(["bash", "-n", examples / "slurm.sh"]).returncode == 0
    script = (examples / "on_ray.py").read_text()
    compile(script, "on_ray.py", "exec")
    slurm = (examples / "slurm.sh").read_text()
    assert "--array=0-99\n" in slurm and "shards=100 " in slurm
