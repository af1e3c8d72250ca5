"""Peak memory stays within --memory, whatever the models are like."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from conftest import weights, write_model
from models import safetensors_head
from programs import PROGRAM, assert_error, environment

PEAK_MEMORY = os.environ["FINEDELTA_PEAK_MEMORY"]
MIB = 1 << 20


class Pair:
    """base and tune below a folder that is removed; all verbs in turn, each with its peak."""

    def __init__(self, folder, record, suffix=""):
        self.folder = folder
        self.record = record
        self.base, self.tune = f"base{suffix}", f"tune{suffix}"
        self.peaks = {}

    def peak(self, verb, *words, code=0):
        done = subprocess.run([PEAK_MEMORY, PROGRAM, verb, "-q", *words], cwd=self.folder,
                              env=environment(self.folder), capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        self.peaks[verb] = int(done.stderr.splitlines()[-1]) / 1024

    def check_diff(self, name, limit, *options):
        self.peak("diff", self.base, self.tune, *options, code=3)
        self.record("memory", f"{name}: {self.peaks['diff']:.1f} of {limit}")
        print(f"{name}: {self.peaks['diff']:.1f} of {limit} MiB")
        assert self.peaks["diff"] <= limit

    def check(self, name, limit, *options, tensor="w0", pack=()):
        for output in ("x.fd", "out", "w"):
            path = self.folder / output
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.peak("pack", self.base, self.tune, "-o", "x.fd", *options, *pack)
        self.peak("verify", "x.fd", "--base", self.base, *options)
        self.peak("unpack", self.base, "x.fd", "-o", "out", *options)
        self.peak("extract", self.base, "x.fd", tensor, "-o", "w", *options)
        shown = "  ".join(f"{verb} {peak:.1f}" for verb, peak in self.peaks.items())
        self.record("memory", f"{name}: {shown} of {limit}")
        print(f"{name}: {shown} of {limit} MiB")
        assert max(self.peaks.values()) <= limit, self.peaks


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("name, limit, options", [
    ("defaults", 512, []),
    ("least", 64, ["--memory", "64M"]),
    ("least, seven threads", 64, ["--memory", "64M", "--threads", "7"]),
])
def test_large_tensors(name, limit, options, big, record_property):
    big.record = record_property
    big.check(f"640 MiB, {name}", limit, *options)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A tensor of 520 MiB and others, 640 MiB in all."""
    root = tmp_path_factory.mktemp("big")
    sizes = [260 * MIB, 40 * MIB, 20 * MIB]
    for name, changed in (("base", False), ("tune", True)):
        write_model(root / f"{name}.safetensors", sizes, changed)
    yield Pair(root, None, ".safetensors")
    shutil.rmtree(root)


THREADS = [["--threads", "1"], ["--threads", "7"], ["--threads", "64"]]


@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
@pytest.mark.parametrize("base_dtype, dtype", [
    ("BF16", "BF16"), ("F32", "BF16"), ("BF16", "F32"), ("F64", "F64"),
])
def test_dtypes(base_dtype, dtype, threads, folder, record_property):
    sizes = [8 * MIB, 4 * MIB]
    write_model(folder / "base.safetensors", sizes, False, base_dtype)
    write_model(folder / "tune.safetensors", sizes, True, dtype)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check(f"{base_dtype} to {dtype}, {' '.join(threads)}", 64, "--memory", "64M", *threads)


@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
def test_many_small_tensors(threads, folder, record_property):
    for name, changed in (("base", False), ("tune", True)):
        (folder / name).mkdir()
        write_many(folder / name / "model.safetensors", 20000, changed)
    pair = Pair(folder, record_property)
    pair.check(f"20000 tensors, {' '.join(threads)}", 64, "--memory", "64M", *threads,
               tensor="layers.0.self_attn.q_proj.weight")


# Wide: normal equations for its columns are the most that is held of a matrix.
@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
@pytest.mark.parametrize("columns, rank", [(28672, 30), (14336, 32), (64, 30)])
def test_merged_adapters(columns, rank, threads, folder, record_property):
    write_merged(folder, 512, columns, rank)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check(f"rank {rank} of 512 x {columns}, {' '.join(threads)}", 64, "--memory", "64M",
               *threads)


# Directions of as high a rank as are looked for.
@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
@pytest.mark.parametrize("rows, columns", [(8192, 2048), (1024, 16384), (32768, 256)])
def test_lossy(rows, columns, threads, folder, record_property):
    write_merged(folder, rows, columns, 100)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check(f"lossy {rows} x {columns}, {' '.join(threads)}", 64, "--memory", "64M", *threads,
               pack=["--lossy", "--bits", "0.4"])


# Steps of what the directions leave, in chunks of a tensor of which no more is in memory.
@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
@pytest.mark.parametrize("rows, columns", [(4096, 1024), (1024, 4096)])
def test_lossy_steps(rows, columns, threads, folder, record_property):
    write_noisy(folder, rows, columns)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check(f"lossy steps {rows} x {columns}, {' '.join(threads)}", 64, "--memory", "64M",
               *threads, pack=["--lossy", "--bits", "2"])
    shown = subprocess.run([PROGRAM, "inspect", "--json", "x.fd"], cwd=folder, check=True,
                           env=environment(folder), capture_output=True, text=True)
    (tensor,) = json.loads(shown.stdout)["tensors"]
    assert {"coder": "steps", "chunks": 16} in tensor["coders"]


# The second layer predicts from the first, chunk by chunk.
@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
@pytest.mark.parametrize("rows, columns", [(8192, 2048), (1024, 16384)])
def test_progressive(rows, columns, threads, folder, record_property):
    write_merged(folder, rows, columns, 100)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check(f"progressive {rows} x {columns}, {' '.join(threads)}", 64, "--memory", "64M",
               *threads, pack=["--lossy", "--bits", "0.4", "--progressive"])
    pair.peak("unpack", pair.base, "x.fd", "-o", "first", "--layers", "1", "--memory", "64M", *threads)
    assert pair.peaks["unpack"] <= 64


def write_merged(folder, rows, columns, rank):
    random = np.random.default_rng(1)
    base = random.standard_normal((rows, columns), np.float32) * np.float32(0.02)
    base = (base.view(np.uint32) & 0xFFFF_0000).view(np.float32)
    left = random.standard_normal((rows, rank), np.float32)
    adapter = left @ random.standard_normal((rank, columns), np.float32) * np.float32(2.5e-3)
    head = safetensors_head({"w0": {"dtype": "BF16", "shape": [rows, columns],
                                    "data_offsets": [0, 2 * rows * columns]}})
    for name, values in (("base", base), ("tune", base + adapter)):
        bits = (values.view(np.uint32) + 0x8000 >> 16).astype(np.uint16)
        (folder / f"{name}.safetensors").write_bytes(head + bits.tobytes())


def write_noisy(folder, rows, columns):
    random = np.random.default_rng(1)
    base = random.standard_normal((rows, columns), np.float32) * np.float32(0.02)
    noise = random.standard_normal((rows, columns), np.float32) * np.float32(2.5e-3)
    head = safetensors_head({"w0": {"dtype": "F32", "shape": [rows, columns],
                                    "data_offsets": [0, 4 * rows * columns]}})
    for name, values in (("base", base), ("tune", base + noise)):
        (folder / f"{name}.safetensors").write_bytes(head + values.tobytes())


def write_many(path, count, changed):
    data = np.random.default_rng(1).integers(0, 100, count * 512, np.uint8)
    data[::4] += changed
    entries = {
        f"layers.{number}.self_attn.q_proj.weight":
            {"dtype": "BF16", "shape": [16, 16], "data_offsets": [number * 512, number * 512 + 512]}
        for number in range(count)
    }
    path.write_bytes(safetensors_head(entries) + data.tobytes())


# Up to 32 MiB a side file that its base has too is stored as what changed, above as it is.
@pytest.mark.parametrize("threads", THREADS, ids=" ".join)
@pytest.mark.parametrize("size", [30, 40])
def test_large_side_files(size, threads, folder, record_property):
    lines = b"".join(b'"token %d": %d,\n' % (number * number, number) for number in range(400000))
    text = (lines * (size * MIB // len(lines) + 1))[:size * MIB]
    for name, changed in (("base", False), ("tune", True)):
        (folder / name).mkdir()
        write_model(folder / name / "model.safetensors", [MIB], changed)
        (folder / name / "tokenizer.json").write_bytes(b"new first line\n" * changed + text)
    pair = Pair(folder, record_property)
    pair.check(f"{size} MiB side file, {' '.join(threads)}", 64, "--memory", "64M", *threads)


@pytest.mark.parametrize("verb", ["pack", "unpack", "verify", "extract"])
def test_too_little(verb, models, run):
    words = {"pack": ["base", "tune", "-o", "y"], "unpack": ["base", "folder.fd", "-o", "y"],
             "verify": ["folder.fd"], "extract": ["base", "folder.fd", "w0", "-o", "y"]}[verb]
    outcome = run(verb, *words, "--memory", "63M")
    assert_error(outcome, 2)
    assert outcome.err == ("finedelta: --memory '63M' is too little: 64 MiB is the least; "
                           f"see 'finedelta {verb} --help'\n")


@pytest.mark.parametrize("options", [[], ["--size", "4MB"], ["--threads", "7", "--max-rank", "16"]])
def test_adapters(options, folder, record_property):
    """Four matrices of 32 MiB each, whose differences are of no low rank."""
    side = 4096
    entries = {f"m{number}.weight": {"dtype": "BF16", "shape": [side, side],
                                     "data_offsets": [2 * side * side * number,
                                                      2 * side * side * (number + 1)]}
               for number in range(4)}
    for name, changed in (("base", False), ("tune", True)):
        tile = weights("BF16", 1, changed).tobytes()
        with open(folder / f"{name}.safetensors", "wb") as file:
            file.write(safetensors_head(entries))
            for _ in range(4 * 2 * side * side // len(tile)):
                file.write(tile)
    pair = Pair(folder, record_property, ".safetensors")
    pair.peak("lora", pair.base, pair.tune, "-o", "adapter", "--memory", "64M", *options)
    record_property("memory", f"adapters {options}: {pair.peaks['lora']:.1f} of 64")
    assert pair.peaks["lora"] <= 64


@pytest.mark.parametrize("options", [[], ["--rank"], ["--threads", "7", "--rank", "--json"]],
                         ids=" ".join)
def test_diff_of_matrices(options, folder, record_property):
    """Ranks exact and estimated; both sides of a wide matrix, and of a tall one."""
    for number, (rows, columns) in enumerate([(1024, 16384), (16384, 1024), (4096, 4096)]):
        pair_folder = folder / str(number)
        pair_folder.mkdir()
        write_merged(pair_folder, rows, columns, 30)
        pair = Pair(pair_folder, record_property, ".safetensors")
        pair.check_diff(f"diff {rows} x {columns} {options}", 64, "--memory", "64M", *options)


@pytest.mark.parametrize("options", [[], ["--json"], ["--threads", "64", "--rank"]], ids=" ".join)
def test_diff_of_many_small_tensors(options, folder, record_property):
    write_many(folder / "base.safetensors", 20000, False)
    write_many(folder / "tune.safetensors", 20000, True)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check_diff(f"diff of 20000 tensors {options}", 64, "--memory", "64M", *options)


@pytest.mark.parametrize("dtype", ["BF16", "F32", "F64"])
def test_diff_of_dtypes(dtype, folder, record_property):
    write_model(folder / "base.safetensors", [8 * MIB, 4 * MIB], False, dtype)
    write_model(folder / "tune.safetensors", [8 * MIB, 4 * MIB], True, dtype)
    pair = Pair(folder, record_property, ".safetensors")
    pair.check_diff(f"diff of {dtype}", 64, "--memory", "64M", "--threads", "64")
