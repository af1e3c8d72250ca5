"""Models large enough to be caught half-way, and what may be left of a run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from models import safetensors_head
from programs import run, start  # noqa: F401

TILE = 1 << 22
WIDTHS = {"BF16": 2, "F32": 4, "F64": 8}
PROGRESSIVE = ("--lossy", "--max-error", "0.5", "--progressive")
TEMPORARY = re.compile(r"\..+\.finedelta-[0-9a-f]{8}\.tmp")


def weights(dtype, seed, changed):
    """TILE values of `dtype` as numpy integers; `changed`: a quarter of them one step further."""
    random = np.random.default_rng(seed)
    values = random.standard_normal(TILE, np.float32) * np.float32(0.02)
    if dtype == "F64":
        bits = values.astype(np.float64).view(np.uint64)
    elif dtype == "F32":
        bits = values.view(np.uint32)
    else:
        bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    if changed:
        bits = bits + (random.random(TILE, np.float32) < 0.25).astype(bits.dtype)
    return bits


def write_model(path, sizes, changed, dtype="BF16", seed=1):
    """A .safetensors file of tensors w0, w1... of `sizes` elements. The values repeat after TILE of
    them: too far apart for the program to notice, and fast to write."""
    entries = {}
    offset = 0
    for number, size in enumerate(sizes):
        end = offset + size * WIDTHS[dtype]
        entries[f"w{number}"] = {"dtype": dtype, "shape": [size], "data_offsets": [offset, end]}
        offset = end
    tile = memoryview(weights(dtype, seed, changed).tobytes())
    with open(path, "wb") as file:
        file.write(safetensors_head(entries))
        while offset > 0:
            file.write(tile[:offset])
            offset -= min(len(tile), offset)


def write_matrix(path, rows, columns, changed):
    """A .safetensors file of one matrix, of which a lossy archive has something to lose."""
    random = np.random.default_rng(4)
    values = random.standard_normal((rows, columns), np.float32) * np.float32(0.02)
    if changed:
        left, right = (random.standard_normal((side, 2), np.float32) for side in (rows, columns))
        noise = random.standard_normal((rows, columns), np.float32)
        values += left @ right.T * np.float32(0.002) + noise * np.float32(0.0005)
    data = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    entry = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, len(data)]}
    path.write_bytes(safetensors_head({"w0": entry}) + data)


def pack_progressive(root):
    """base-matrix.safetensors and tune-matrix.safetensors into progressive.fd."""
    subprocess.run([os.environ["FINEDELTA_PROGRAM"], "pack", "-q", *PROGRESSIVE,
                    root / "base-matrix.safetensors", root / "tune-matrix.safetensors", "-o",
                    root / "progressive.fd"], check=True)


def write_folder(folder, changed):
    """A model in two shards with side files that are embedded, patched and stored: 25 MB."""
    folder.mkdir()
    (folder / "config.json").write_text(f'{{"changed": {int(changed)}}}\n')
    text = b"".join(b"%d: token %d\n" % (number, number * number) for number in range(40000))
    (folder / "merges.txt").write_bytes(b"first line\n" * changed + text)
    if changed:
        (folder / "notes").mkdir()
        (folder / "notes" / "empty").mkdir()
        (folder / "notes" / "optimizer.bin").write_bytes(np.random.default_rng(3).bytes(3 << 20))
    write_model(folder / "model-1.safetensors", [4 << 20, 1000], changed, seed=1)
    write_model(folder / "model-2.safetensors", [3 << 20, 0, 2 << 20], changed, seed=2)


def content(path):
    """What is at `path`: a file's bytes, or those of every file by relative path, directories as
    None; nothing where there is nothing."""
    path = Path(path)
    if path.is_dir():
        return {str(inner.relative_to(path)): None if inner.is_dir() else inner.read_bytes()
                for inner in sorted(path.rglob("*"))}
    return path.read_bytes() if path.exists() else None


def temporaries(folder):
    return [path for path in Path(folder).iterdir() if TEMPORARY.fullmatch(path.name)]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folders `base` and `tune`, `base.safetensors` and `tune.safetensors`, and their archives
    `folder.fd` and `file.fd`; what write_matrix() and pack_progressive() make."""
    root = tmp_path_factory.mktemp("models")
    for name, changed in (("base", False), ("tune", True)):
        write_folder(root / name, changed)
        write_model(root / f"{name}.safetensors", [5 << 20, 1 << 20], changed)
        write_matrix(root / f"{name}-matrix.safetensors", 2048, 2048, changed)
    for suffix, archive in (("", "folder.fd"), (".safetensors", "file.fd")):
        subprocess.run([os.environ["FINEDELTA_PROGRAM"], "pack", "-q", root / f"base{suffix}",
                        root / f"tune{suffix}", "-o", root / archive], check=True)
    pack_progressive(root)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """base.safetensors and tune.safetensors of 256 MiB, and their archive tune.fd."""
    root = tmp_path_factory.mktemp("large")
    for name, changed in (("base", False), ("tune", True)):
        write_model(root / f"{name}.safetensors", [100 << 20, 28 << 20], changed)
    subprocess.run([os.environ["FINEDELTA_PROGRAM"], "pack", "-q", root / "base.safetensors",
                    root / "tune.safetensors", "-o", root / "tune.fd"], check=True)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def faults():
    """The library tests/tools/file_faults.c, to be preloaded."""
    path = os.environ.get("FINEDELTA_FILE_FAULTS")
    if not path:
        pytest.skip("FINEDELTA_FILE_FAULTS does not name the library to preload")
    return path
