"""Runs the program in FINEDELTA_PROGRAM on small models made here."""

import json
import os
import random
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = os.environ["FINEDELTA_PROGRAM"]

VERBS = ("pack", "unpack", "verify", "inspect", "plan", "extract")


def write_safetensors(path, tensors):
    """Writes `tensors`, a dict of name to (dtype, shape, bytes), as a .safetensors file."""
    entries = {}
    offset = 0
    for name, (dtype, shape, data) in tensors.items():
        entries[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _, _, data in tensors.values():
            file.write(data)


def read_safetensors(path):
    """The tensors of a .safetensors file, as `write_safetensors` takes them."""
    content = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = (entry["dtype"], entry["shape"], content[begin:end])
    return tensors


def random_bf16(seed, count):
    """`count` small bf16 values as bytes: random sign and mantissa, exponents near 2^-6."""
    generator = random.Random(seed)
    values = [generator.randrange(2) << 15 | generator.randrange(118, 122) << 7
              | generator.randrange(128) for _ in range(count)]
    return struct.pack(f"<{count}H", *values)


def nudged(data, seed):
    """bf16 values `data`, one in eight of them a step further."""
    generator = random.Random(seed)
    values = struct.unpack(f"<{len(data) // 2}H", data)
    return struct.pack(f"<{len(values)}H",
                       *(v + (generator.randrange(8) == 0) for v in values))


def read_tree(path):
    """Relative path to content of every file below `path`."""
    return {str(file.relative_to(path)): file.read_bytes()
            for file in sorted(Path(path).rglob("*")) if file.is_file()}


def environment(folder, **extra):
    """An environment without the user's model cache or preferences."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HOME": str(folder / "hf"),
            "LANG": "C.UTF-8", "TERM": "xterm", **extra}


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path):
    """run(ARGUMENT...): runs the program in the test's folder until it ends."""

    def call(*arguments, **options):
        extra = options.pop("env", {})
        done = subprocess.run([PROGRAM, *map(os.fspath, arguments)], cwd=tmp_path,
                              stdin=subprocess.DEVNULL, timeout=120,
                              env=environment(tmp_path, **extra),
                              **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})
        return Outcome(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

    return call


@pytest.fixture
def start(tmp_path):
    """start(ARGUMENT...): the running program; it is killed if the test leaves it."""
    processes = []

    def call(*arguments, **options):
        process = subprocess.Popen([PROGRAM, *map(os.fspath, arguments)], cwd=tmp_path,
                                   stdin=subprocess.DEVNULL, env=environment(tmp_path),
                                   **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                      **options})
        processes.append(process)
        return process

    yield call
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def make_model(folder, tensors):
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text('{"model_type": "tiny"}\n')


@pytest.fixture
def pair(tmp_path):
    """The folders `base` and `tune`: two tensors of 8192 and 64 weights, one of them changed."""
    weight = random_bf16(1, 8192)
    bias = random_bf16(2, 64)
    make_model(tmp_path / "base",
               {"weight": ("BF16", [128, 64], weight), "bias": ("BF16", [64], bias)})
    make_model(tmp_path / "tune",
               {"weight": ("BF16", [128, 64], nudged(weight, 3)), "bias": ("BF16", [64], bias)})
    (tmp_path / "tune" / "notes").mkdir()
    (tmp_path / "tune" / "notes" / "training.txt").write_text("three epochs\n")
    return tmp_path / "base", tmp_path / "tune"


@pytest.fixture
def archive(run, pair, tmp_path):
    """The archive `tune.fd` of the pair."""
    outcome = run("pack", "-q", "base", "tune", "-o", "tune.fd")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    return tmp_path / "tune.fd"


def assert_error(outcome, code):
    """One sentence on standard error and nothing else."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    errors = [line for line in lines if line.startswith("finedelta: ")]
    assert len(errors) == 1 and lines[-1] == errors[0], outcome.err
