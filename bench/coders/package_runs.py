#!/usr/bin/env python3
"""Runs one published package on a pair of files, and prints what it took as JSON.

Usage: package_runs.py PACKAGE BASE FINE_TUNE ROUNDS     (started by packages.py, in its own venv)
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ["BIGSMALL_DISABLE_VERSION_CHECK"] = "1"  # it asks a server otherwise

# From the two files' bytes: a coder, and what gives the fine-tune back from its output.
Encode = Callable[[bytes, bytes], bytes]
Decode = Callable[[bytes, bytes], bytes]
DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


def header_of(file: bytes) -> dict[str, Any]:
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + size])
    header.pop("__metadata__", None)
    return header


def zipnn(base: bytes, tune: bytes, scratch: Path) -> tuple[Encode, Decode]:
    from zipnn import ZipNN

    if len(base) != len(tune):
        raise ValueError("its delta needs files of one size")
    dtype = next(DTYPES[entry["dtype"]] for entry in header_of(tune).values()
                 if entry["dtype"] in DTYPES)  # fmt: skip

    def coder() -> Any:
        return ZipNN(method="huffman", input_format="byte", bytearray_dtype=dtype, threads=1,
                     delta_compressed_type="byte")  # fmt: skip

    return (
        lambda b, t: coder().compress(t, delta_second_data=b),
        lambda b, stored: coder().decompress(stored, delta_second_data=b),
    )


def z4ai(base: bytes, tune: bytes, scratch: Path) -> tuple[Encode, Decode]:
    from z4ai import model_delta

    return (
        lambda b, t: model_delta.compress(t, b, threads=1),
        lambda b, stored: model_delta.decompress(stored, b),
    )


def hdiffpatch(base: bytes, tune: bytes, scratch: Path) -> tuple[Encode, Decode]:
    import hdiffpatch as package

    return (
        lambda b, t: package.diff(b, t, compression="zstd", validate=False),
        lambda b, stored: package.apply(b, stored),
    )


def bigsmall(base: bytes, tune: bytes, scratch: Path) -> tuple[Encode, Decode]:
    """Works on files only."""
    import bigsmall as package

    paths = [scratch / name for name in ("base.safetensors", "tune.safetensors", "stored.bs")]
    paths[0].write_bytes(base)
    paths[1].write_bytes(tune)
    header = header_of(tune)
    by_place = sorted(header, key=lambda name: header[name]["data_offsets"])
    data_begin = 8 + int.from_bytes(tune[:8], "little")

    def encode(b: bytes, t: bytes) -> bytes:
        package.compress_delta(paths[1], paths[0], paths[2], workers=1, progress=False,
                               force_delta=True)  # fmt: skip
        return paths[2].read_bytes()

    def decode(b: bytes, stored: bytes) -> bytes:
        tensors = package.decompress_delta(paths[2], paths[0], progress=False)
        # Tensors are all it gives: they are put where the fine-tune has them.
        return tune[:data_begin] + b"".join(tensors[name].tobytes() for name in by_place)

    return encode, decode


PACKAGES = {"zipnn": zipnn, "z4ai": z4ai, "bigsmall": bigsmall, "hdiffpatch": hdiffpatch}


def measure(
    encode: Encode, decode: Decode, base: bytes, tune: bytes, rounds: int
) -> dict[str, Any]:
    result: dict[str, Any] = {"encode_seconds": [], "decode_seconds": [], "exact": True}
    for _ in range(rounds):
        copies = bytes(bytearray(base)), bytes(bytearray(tune))  # zipnn changes its input in place
        start = time.perf_counter()
        stored = encode(*copies)
        middle = time.perf_counter()
        decoded = decode(base, stored)
        result["decode_seconds"].append(time.perf_counter() - middle)
        result["encode_seconds"].append(middle - start)
        result["exact"] = result["exact"] and bytes(decoded) == tune
        result["stored_bytes"] = len(stored)
    return result


def main() -> None:
    package, base_path, tune_path, rounds = sys.argv[1:]
    base, tune = Path(base_path).read_bytes(), Path(tune_path).read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        coder = PACKAGES[package](base, tune, Path(scratch))
        print(json.dumps(measure(*coder, base, tune, int(rounds))))


if __name__ == "__main__":
    main()
