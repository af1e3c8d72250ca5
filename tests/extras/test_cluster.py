"""Many jobs on a Ray cluster of three nodes, all of them processes of this machine, on its loopback."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import finedelta
from finedelta.cluster import PackJob, UnpackJob, VerifyJob, pack_many, unpack_many, verify_many
from models import read_tree
from runs import (
    Run,
    all_processes,
    archives,
    assert_records_are_true,
    command_of,
    kill,
    make_family,
    make_slow_jobs,
    wait_until,
    write_jobs,
)

# Ray takes 127.0.0.1 for the machine's outward address.
HERE = "127.0.0.2"
NODE = {"node_ip_address": HERE, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def cluster():
    """A head that does no jobs, and two nodes that do one at a time."""
    # Short, for the paths of sockets.
    folder = tempfile.mkdtemp(prefix="fd-ray-")
    before = dict(os.environ)
    os.environ.update(RAY_TMPDIR=folder, RAY_USAGE_STATS_ENABLED="0")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True,
                      head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(**NODE, num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def slow(tmp_path):
    return make_slow_jobs(tmp_path, 10)


def start(cluster, folder, jobs, *arguments):
    jobs = write_jobs(folder / "jobs.jsonl", jobs)
    return Run(folder, "pack", jobs, "out", "--ray", cluster.address, *arguments,
               RAY_TMPDIR=os.environ["RAY_TMPDIR"])


def ray_workers():
    """The processes in which Ray does our jobs now."""
    return [pid for pid in all_processes() if command_of(pid).startswith("ray::_do_here")]


def assert_complete(folder, jobs):
    """Every archive is there, and is what one process makes of its job."""
    finedelta.pack(folder / "base", folder / "tune", folder / "one.fd", level=9)
    made = archives(folder / "out")
    assert set(made) == {job["name"] for job in jobs}
    assert set(made.values()) == {(folder / "one.fd").read_bytes()}
    assert len(list((folder / "out").iterdir())) == 2 * len(jobs)
    assert_records_are_true(folder / "out")


def test_ray_is_imported_only_where_it_is_asked_for(tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", make_family(tmp_path))
    code = ("import finedelta.cluster as cluster, sys\n"
            "if __name__ == '__main__':\n"
            "    assert cluster.pack_many(sys.argv[1], sys.argv[2]).done == 6\n"
            "    assert 'ray' not in sys.modules\n")
    (tmp_path / "script.py").write_text(code)
    subprocess.run([sys.executable, "script.py", jobs, "out"], cwd=tmp_path, check=True, timeout=60)


def test_pack_verify_and_unpack(cluster, tmp_path, monkeypatch):
    family = make_family(tmp_path)
    monkeypatch.chdir(tmp_path)
    jobs = [PackJob(os.path.relpath(job["base"]), os.path.relpath(job["fine_tune"])) for job in family]
    packed = pack_many(jobs, "out", ray=cluster.address)
    assert (packed.done, packed.failed) == (6, 0)
    finedelta.pack("base", "tune", "one.fd")
    assert set(archives(Path("out")).values()) == {Path("one.fd").read_bytes()}
    assert pack_many(jobs, "out", ray=cluster.address, check=True).skipped == 6
    held = [(f"out/tune{number}.fd", job.base) for number, job in enumerate(jobs)]
    assert verify_many([VerifyJob(*each) for each in held], "v", ray=cluster.address).done == 6
    assert unpack_many([UnpackJob(*each) for each in held], "models", ray=cluster.address).done == 6
    assert read_tree(Path("models/tune5")) == read_tree(Path("tune"))


def test_what_fails_is_reported_and_the_rest_goes_on(cluster, tmp_path):
    jobs = [PackJob(**job) for job in make_family(tmp_path)]
    absent = PackJob(jobs[0].base, str(tmp_path / "absent"))
    report = pack_many([absent, jobs[0]], tmp_path / "out", ray=cluster.address)
    failed, done = report.results
    assert (failed.status, failed.tries, done.status) == ("failed", 2, "done")
    archive = str(tmp_path / "out" / "tune0.fd")
    report = verify_many([VerifyJob(archive, jobs[0].fine_tune)], tmp_path / "v", ray=cluster.address)
    assert (report.results[0].error, report.results[0].tries) == ("WrongBaseError", 1)


def test_more_threads_than_a_node_has_are_refused(cluster, tmp_path):
    with pytest.raises(finedelta.UsageError, match="no node of the Ray cluster has 2 CPUs"):
        pack_many([PackJob(None, "x")], tmp_path / "out", ray=cluster.address, threads=2)


def test_an_address_without_a_cluster_is_an_error(tmp_path):
    jobs = write_jobs(tmp_path / "jobs.jsonl", [{"base": None, "fine_tune": "x"}])
    code, out, err = Run(tmp_path, "pack", jobs, "out", "--ray", "nowhere").end()
    assert (code, out) == (1, "") and "can't connect to the Ray cluster 'nowhere'" in err


def test_jobs_of_a_killed_worker_are_done_by_another(cluster, tmp_path, slow):
    run = start(cluster, tmp_path, slow)
    wait_until(lambda: any(tmp_path.glob("out/*.fd")) and ray_workers())
    kill(ray_workers()[0])
    assert run.report()["done"] == 10
    assert_complete(tmp_path, slow)


def test_jobs_of_a_lost_node_are_done_by_another(cluster, tmp_path, slow):
    lost = cluster.add_node(**NODE, num_cpus=1)
    cluster.wait_for_nodes()
    run = start(cluster, tmp_path, slow)
    wait_until(lambda: any(tmp_path.glob("out/*.fd")) and len(ray_workers()) == 3)
    cluster.remove_node(lost, allow_graceful=False)
    report = run.report()
    assert report["failed"] == 0, report
    assert_complete(tmp_path, slow)


def test_a_killed_run_goes_on_where_it_was(cluster, tmp_path, slow):
    run = start(cluster, tmp_path, slow)
    wait_until(lambda: any(tmp_path.glob("out/*.done.json")))
    kill(run.process.pid)
    run.end()
    report = start(cluster, tmp_path, slow).report()
    assert report["failed"] == 0 and report["skipped"] >= 1
    assert_complete(tmp_path, slow)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_everything_cleanly(cluster, tmp_path, slow, number, code):
    run = start(cluster, tmp_path, slow)
    wait_until(lambda: any(tmp_path.glob("out/*.fd")))
    os.kill(run.process.pid, number)
    assert run.end()[:2] == (code, "")
    wait_until(lambda: not ray_workers())
    assert not list(tmp_path.glob("out/.*"))
    assert len(archives(tmp_path / "out")) < len(slow)
    assert_records_are_true(tmp_path / "out")


def test_the_example_for_kubernetes():
    yaml = pytest.importorskip("yaml")
    path = Path(__file__).parents[2] / "examples" / "cluster" / "kubernetes.yaml"
    spec = yaml.safe_load(path.read_text())["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    shell, option, command = container["command"]
    assert (shell, option, spec["completionMode"]) == ("sh", "-c", "Indexed")
    assert f'--shard "$JOB_COMPLETION_INDEX/{spec["completions"]}"' in command
    assert subprocess.run(["sh", "-n", "-c", command]).returncode == 0


def test_the_example_for_ray(cluster, tmp_path):
    script = Path(__file__).parents[2] / "examples" / "cluster" / "on_ray.py"
    jobs = write_jobs(tmp_path / "jobs.jsonl", make_family(tmp_path))
    done = subprocess.run([sys.executable, script, jobs, tmp_path / "out"], capture_output=True, text=True,
                          env={**os.environ, "RAY_ADDRESS": cluster.address}, timeout=60)
    assert done.returncode == 0 and "6 packed, 0 were, 0 failed" in done.stdout, done
