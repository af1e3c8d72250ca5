#!/usr/bin/env python3
"""Measures what docs/scale.md reckons with, and prints it as Markdown tables: what a job costs beside its
work, locally and on Ray, what names in one folder cost, and how fast a core packs, verifies and unpacks.

Usage: PYTHONPATH=build/python jobs.py PAIRS FOLDER

PAIRS is the folder of real pairs, of which those of tinyllama are used; FOLDER is for outputs, which are
removed again, and should be on the kind of disk that one has in mind. Rows of Ray, which is started here,
are left out where it is not installed. Its many workers share this machine's cores with the process that
gives them jobs, so they say at least how many jobs that can give. Times are medians of three rounds.
"""

import argparse
import importlib.util
import json
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import shard_start

from finedelta.cluster import PackJob, UnpackJob, VerifyJob, pack_many
from finedelta.cluster.job_list import all_jobs
from finedelta.cluster.jobs import Job
from finedelta.cluster.order import by_base
from finedelta.cluster.task import Settings, do

Options = dict[str, Any]

ROUNDS = 3
FULL = ["sft", "sft-b", "sft-strong", "frozen", "vocab"]
MERGED = ["lora-merged"]
RAY_WORKERS = 16
SMALL_JOBS = 300
SKIPPED_JOBS = 3000
LISTED_JOBS = 100_000


def median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(ROUNDS))


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def alone(out: Path) -> Settings:
    return Settings(str(out), os.getcwd(), threads=1, memory=None, force=False, check=False)


def must_do(jobs: list[Job], out: Path) -> None:
    for job in jobs:
        result = do(job, alone(out))
        assert result.status == "done", result


def small_jobs(folder: Path, count: int) -> list[Job]:
    """Of a fine-tune that takes no time."""
    model = folder / "small.safetensors"
    model.write_bytes(shard_start("BF16", {"x": (4,)}) + b"\0" * 8)
    return [PackJob(None, str(model), f"{number}.fd") for number in range(count)]


def cost_of_jobs(jobs: list[Job], out: Path, options: Options) -> tuple[float, float]:
    """Seconds for each of many jobs when they are done, and when they are skipped; without what it takes
    to begin."""
    shutil.rmtree(out, ignore_errors=True)
    workers = options.get("workers", 1)
    first, rest = jobs[:workers], jobs[workers:]
    pack_many(first, out, **options)
    begin = seconds(lambda: pack_many(first, out, **options))
    small = rest[:SMALL_JOBS]
    done = seconds(lambda: pack_many(small, out, **options)) - begin
    for job in rest[SMALL_JOBS:]:
        for ending in ("", ".done.json"):
            # All packed the same thing, and a record does not say under what name.
            os.link(out / f"{small[0].name}{ending}", out / f"{job.name}{ending}")
    skipped = seconds(lambda: pack_many(rest, out, **options)) - begin
    return done / len(small), skipped / len(rest)


def print_overhead(folder: Path) -> None:
    jobs = small_jobs(folder, SKIPPED_JOBS)
    print("| of a job that takes no time, ms | done | skipped |\n|---|---:|---:|")

    def directly() -> float:
        shutil.rmtree(folder / "out", ignore_errors=True)
        return seconds(lambda: must_do(jobs[:SMALL_JOBS], folder / "out")) / SMALL_JOBS

    def skipping() -> float:
        return seconds(lambda: [do(job, alone(folder / "out")) for job in jobs[:SMALL_JOBS]]) / SMALL_JOBS

    print(f"| in one process | {median(directly) * 1e3:.2f} | {median(skipping) * 1e3:.2f} |", flush=True)
    print_crew("one local worker", jobs, folder / "out", {"workers": 1})
    if importlib.util.find_spec("ray"):
        import ray

        ray.init(num_cpus=RAY_WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        for workers in (1, RAY_WORKERS):
            name = f"Ray, {workers} worker{'s' * (workers > 1)}"
            print_crew(name, jobs, folder / "out", {"workers": workers, "threads": 1, "ray": "auto"})
        ray.shutdown()
    shutil.rmtree(folder / "out")


def print_crew(name: str, jobs: list[Job], out: Path, options: Options) -> None:
    rounds = [cost_of_jobs(jobs, out, options) for _ in range(ROUNDS)]
    done, skipped = (statistics.median(times) * 1e3 for times in zip(*rounds, strict=True))
    print(f"| {name} | {done:.2f} | {skipped:.2f} |", flush=True)


def print_list(folder: Path) -> None:
    path = folder / "jobs.jsonl"
    with path.open("w") as file:
        for number in range(LISTED_JOBS):
            job = {"base": f"org/base-{number % 100}", "fine_tune": f"/models/org-{number}/fine-tune",
                   "name": f"{number // 1000:03}/{number}.fd"}  # fmt: skip
            file.write(json.dumps(job) + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = seconds(lambda: by_base(all_jobs(PackJob, path)))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print("\n| a file of jobs, for each job | |\n|---|---:|")
    print(f"| reading, checking and sorting, µs | {taken / LISTED_JOBS * 1e6:.1f} |")
    print(f"| memory, bytes | {grown / LISTED_JOBS:.0f} |")


def print_folders(folder: Path) -> None:
    jobs = small_jobs(folder, 20)
    out = folder / "full"
    out.mkdir()
    print("\n| names in the folder of the output | of a job that takes no time, ms |\n|---:|---:|")
    there = 0
    for count in (1000, 10_000, 100_000):
        for number in range(there, count):
            os.close(os.open(out / f"other-{number}", os.O_CREAT))
        there = count

        def measure() -> float:
            taken = seconds(lambda: must_do(jobs, out)) / len(jobs)
            for job in jobs:
                (out / f"{job.name}").unlink()
                (out / f"{job.name}.done.json").unlink()
            return taken

        print(f"| {count:,} | {median(measure) * 1e3:.1f} |", flush=True)
    shutil.rmtree(out)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def size_of_models(models: list[Path]) -> int:
    return sum(path.stat().st_size for model in models for path in model.rglob("*") if path.is_file())


def print_speed(name: str, jobs: list[Job], size: int, out: Path) -> None:
    rounds = []
    for _ in range(ROUNDS):
        shutil.rmtree(out, ignore_errors=True)
        cpu = cpu_seconds()
        wall = seconds(lambda: must_do(jobs, out))
        rounds.append((wall, cpu_seconds() - cpu))
    wall, cpu = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"| {name} | {size / wall / 1e6:.0f} | {cpu / size * 1e9:.1f} |", flush=True)


def print_speeds(pairs: Path, folder: Path) -> None:
    base = str(pairs / "tinyllama" / "base")
    print("\n| with one thread | MB/s of fine-tunes | CPU seconds for each GB |\n|---|---:|---:|")
    for kind, names in (("full fine-tunes", FULL), ("a merged adapter", MERGED)):
        tunes = [pairs / "tinyllama" / name for name in names]
        packed = [str(folder / kind / f"{name}.fd") for name in names]
        size = size_of_models(tunes)
        steps: dict[str, tuple[Path, list[Job]]] = {
            "pack": (folder / kind, [PackJob(base, str(tune)) for tune in tunes]),
            "verify": (folder / "verified", [VerifyJob(archive, base) for archive in packed]),
            "unpack": (folder / "unpacked", [UnpackJob(archive, base) for archive in packed]),
        }
        for verb, (out, jobs) in steps.items():
            print_speed(f"{verb}, {kind}", jobs, size, out)
        stored = sum(Path(path).stat().st_size for path in packed)
        print(f"| {kind}: {size / stored:.1f} times smaller | | |")
    print(f"\nA record takes {(folder / 'full fine-tunes' / 'sft.fd.done.json').stat().st_size} bytes.")


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        print_overhead(Path(scratch))
        print_list(Path(scratch))
        print_folders(Path(scratch))
        print_speeds(arguments.pairs, Path(scratch))


if __name__ == "__main__":
    main()
