"""What the golden archives are made of: small models that between them need every part of the
format. All numbers come of SHAKE-128 and of integers, so that they are the same everywhere.

A case of which a release wrote an archive stays as it is; what is new is a case of its own.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import wavelet
from checkpoints import FLOAT_CASES, Tensors, shard, write_tree
from floats import combine, convert, narrow, scale, widen
from primitives import DTYPE_BY_NAME, DTYPES, tensor_bytes, u64

Array = npt.NDArray[Any]


def noise(size: int, seed: str) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


def below(limit: int, count: int, seed: str) -> Array:
    """Integers from 0 to `limit` - 1, all about as often."""
    return np.frombuffer(noise(4 * count, seed), "<u4").astype(np.int64) % limit


def normal(count: int, seed: str) -> Array:
    """Integers that are distributed about normally, with a standard deviation of 209."""
    sums = np.frombuffer(noise(8 * count, seed), np.uint8).reshape(count, 8).sum(axis=1)
    return sums.astype(np.int64) - 8 * 255 // 2


def weights(count: int, seed: str) -> Array:
    """F32 like a model's, about normal with a standard deviation of 0.0255, that use all bits."""
    whole = (normal(count, seed) << 12) + below(1 << 12, count, seed + " fraction")
    return whole.astype(np.float32) * np.float32(2**-25)


def bits_of(dtype: str, values: Array) -> Array:
    """F32 values as the bits of `dtype`."""
    wide = values.astype(np.float32).view(np.uint32)
    if dtype == "F32":
        return wide
    if dtype == "BF16":
        return (wide >> 16).astype(np.uint16)
    half = values.astype(np.float16).view(np.uint16)
    if dtype.startswith("F8_E5M2"):
        return (half >> 8).astype(np.uint8)
    if dtype.startswith("F8_E4M3"):
        magnitude = ((half & 0x7FFF) >> 7).astype(np.int64) - (8 << 3)
        return (half >> 8 & 0x80 | np.clip(magnitude, 0, 0x7E)).astype(np.uint8)
    return half


def units_of(data: bytes, dtype: str) -> Array:
    return np.frombuffer(data, f"<u{DTYPE_BY_NAME[dtype].unit}")


def moved(bits: Array, steps: Array) -> Array:
    """Each of these floats by so many steps further from zero, or nearer to it."""
    sign = 1 << (8 * bits.itemsize - 1)
    magnitude = (bits & (sign - 1)).astype(np.int64) + steps
    return (bits & sign | np.clip(magnitude, 0, sign - 1).astype(bits.dtype)).astype(bits.dtype)


def few(count: int, part: int, seed: str, back: int = 2) -> Array:
    """A step in one of `part` places, one of `back` of them back; zero elsewhere."""
    signs = np.where(below(back, count, f"{seed} sign") == 0, -1, 1)
    return np.where(below(part, count, seed) == 0, signs, 0)


class Model:
    """Tensors of a base and of its fine-tune."""

    def __init__(self) -> None:
        self.base: Tensors = {}
        self.tuned: Tensors = {}

    def add(
        self, name: str, dtype: str, base: Array | None, tuned: Array, columns: int = 16
    ) -> None:
        """A matrix; without a base it is in the fine-tune only."""
        for tensors, bits in ((self.base, base), (self.tuned, tuned)):
            if bits is not None:
                tensors[name] = dtype, (len(bits) // columns, columns), bits.tobytes()

    def write(self, folder: Path) -> None:
        files = {"base.safetensors": shard(self.base)} if self.base else {}
        write_tree(folder, files | {"fine-tune.safetensors": shard(self.tuned)})


def floats(folder: Path) -> None:
    """Every dtype of coder wavelet, and what differences may be like."""
    model = Model()
    for dtype in wavelet.MANTISSA:
        base = bits_of(dtype, weights(512, dtype))
        model.add(f"near {dtype}", dtype, base, moved(base, normal(512, f"{dtype} steps") // 150))
    for dtype, most in {"BF16": 14, "F32": 28}.items():
        name = f"large {dtype}"
        base = bits_of(dtype, weights(512, name))
        size = 2 + below(2, 512, f"{name} sizes") << below(most, 512, f"{name} exponents")
        steps = few(512, 9, f"{name} steps") * size + normal(512, f"{name} small") // 200
        model.add(name, dtype, base, moved(base, steps))
    exponents = np.where(np.arange(1024) // 64 % 2, 12, 10) << 10
    base, tuned = (
        below(2, 1024, f"{seed} sign") << 15 | exponents | below(1024, 1024, seed)
        for seed in ("far", "away")
    )
    model.add("far", "F16", base.astype("<u2"), tuned.astype("<u2"))
    for classes, grades in ((2, [0, 2]), (4, [0, 2, 9, 40])):
        name = f"{classes} classes"
        base = bits_of("F8_E4M3", weights(4096, name))
        grade = np.array(grades)[np.arange(4096) // 64 % classes]
        steps = grade * normal(4096, f"{name} steps") // 400
        model.add(name, "F8_E4M3", base, moved(base, steps), 64)
    for dtype, data in FLOAT_CASES.items():
        cases = np.resize(units_of(data, dtype), 256)
        model.add(f"special {dtype}", dtype, None, cases)
        model.add(f"near special {dtype}", dtype, cases, moved(cases, few(256, 3, dtype)))
    model.write(folder)


def lanes(folder: Path) -> None:
    """So many units, or such that need many bits, that tables are more precise and rANS has more
    lanes, at last the most. The middle one of the values is by far the most frequent, so that it
    passes two nodes."""
    model = Model()
    for rows, part in ((8, 20), (32, 1), (66, 4)):
        name, count = f"{rows} rows", rows * 2048
        sizes = 1 + (below(9, count, f"{name} one") * below(9, count, f"{name} two") >> 3)
        values = 0x3C + few(count, part, name) * sizes
        model.add(name, "F8_E5M2", None, values.astype(np.uint8), 2048)
    model.write(folder)


def skews(folder: Path) -> None:
    """Nodes of all degrees of skew: tensors of which one unit in 2, 3, 4, ... was moved, as often
    back as forth or less often."""
    model = Model()
    part = 2
    while part < 200:
        name = f"1 in {part}"
        base = bits_of("F8_E4M3", weights(512, name))
        model.add(name, "F8_E4M3", base, moved(base, few(512, part, f"{name} moved", 2 + part % 3)))
        part += max(1, part // 5)
    model.write(folder)


def dtypes(folder: Path) -> None:
    """Every dtype by its own, most of them in byte planes."""
    model = Model()
    for dtype in DTYPES:
        shape = (16, 8)
        size = tensor_bytes(dtype, shape)
        base = np.frombuffer(noise(size, dtype.name), np.uint8)
        changed = base ^ (below(8, size, dtype.name + "!") == 0)
        model.base[dtype.name] = dtype.name, shape, base.tobytes()
        model.tuned[dtype.name] = dtype.name, shape, changed.astype(np.uint8).tobytes()
    small = np.frombuffer(noise(300, "small"), np.uint8)
    model.add("small numbers", "I32", None, small.astype("<i4"), 10)
    model.write(folder)


def casts(folder: Path) -> None:
    """Base tensors of another dtype, with all special numbers; of more rows and of fewer."""
    model = Model()
    for source, data in FLOAT_CASES.items():
        special = np.resize(units_of(data, source), 48)
        for target in FLOAT_CASES:
            name = f"{source} to {target}"
            base = np.concatenate([special, bits_of(source, weights(96, name))]).tobytes()
            same = units_of(convert(base, source, target), target)
            near = moved(same, few(len(same), 5, name))
            model.base[name] = source, (9, 16), base
            model.tuned[name] = target, (9, 16), near.tobytes()
    for name, had, has in (("more rows", 24, 32), ("fewer rows", 32, 24)):
        values = bits_of("BF16", weights(32 * 16, name))
        model.add(name, "BF16", values[: had * 16], values[: has * 16])
    model.write(folder)


def merge(folder: Path) -> None:
    """A sum of two bases, and multiples of one; some numbers are none to compute with."""
    tensors: list[Tensors] = [{}, {}, {}]
    for dtype, factors in {"BF16": (0.3, 0.7), "F16": (0.5, 0.5), "F32": (0.75, -0.25)}.items():
        special = units_of(FLOAT_CASES[dtype], dtype)
        one, two = (
            np.concatenate([cases[:16], bits_of(dtype, weights(240, seed))]).tobytes()
            for cases, seed in ((special, "one"), (special[::-1], "two"))
        )
        mixed = narrow(combine(widen(one, dtype), widen(two, dtype), factors), dtype)
        scaled = narrow(scale(widen(one, dtype), 0.9), dtype)
        for name, data in {"mixed": mixed, "scaled": scaled}.items():
            tuned = units_of(data, dtype)
            if dtype == "BF16":
                tuned = moved(tuned, few(256, 9, name))
            tensors[0][f"{name} {dtype}"] = dtype, (16, 16), one
            tensors[2][f"{name} {dtype}"] = dtype, (16, 16), tuned.tobytes()
        tensors[1][f"mixed {dtype}"] = dtype, (16, 16), two
    for name, content in zip(("base-1", "base-2", "fine-tune"), tensors, strict=True):
        write_tree(folder, {f"{name}.safetensors": shard(content)})


def low_rank(folder: Path) -> None:
    """A merged adapter of rank 2."""
    rows, columns = 64, 64
    base = weights(rows * columns, "low rank").reshape(rows, columns)
    left, right = normal(2 * rows, "left").reshape(rows, 2), normal(2 * columns, "right")
    adapter = (left @ right.reshape(2, columns)).astype(np.float32) * np.float32(2**-24)
    was, tuned = (bits_of("BF16", values.ravel()) for values in (base, base + adapter))
    model = Model()
    model.add("w", "BF16", was, tuned, columns)
    model.write(folder)


def trained(model: Model, name: str, dtype: str, shape: tuple[int, int], spread: Array) -> None:
    """A matrix that gained a product of rank 6, by rows as much as `spread` says, and some noise."""
    rows, columns = shape
    base = weights(rows * columns, name).reshape(shape)
    left = normal(6 * rows, f"{name} left").reshape(rows, 6) * spread.reshape(-1, 1)
    right = normal(6 * columns, f"{name} right").reshape(6, columns) >> np.arange(6).reshape(6, 1)
    noise_ = normal(rows * columns, f"{name} noise").reshape(shape)
    gained = (left @ right + noise_ * 16).astype(np.float32) * np.float32(2**-26)
    bits, tuned = (bits_of(dtype, values.ravel()) for values in (base, base + gained))
    model.add(name, dtype, bits, tuned, columns)


def lossy(folder: Path) -> None:
    """Matrices that gained much and little, evenly and in single rows; what stays exact."""
    model = Model()
    even, single = np.full(48, 1), np.where(np.arange(48) % 16 == 5, 300, 1)
    trained(model, "even", "BF16", (48, 64), even)
    trained(model, "in few rows", "F16", (48, 64), single)
    trained(model, "much", "F32", (48, 64), even * 20)
    hardly = bits_of("BF16", weights(64, "hardly"))
    model.add("hardly", "BF16", hardly, moved(hardly, few(64, 3, "hardly steps")))
    vector = bits_of("BF16", weights(64, "vector"))
    for tensors, bits in ((model.base, vector), (model.tuned, moved(vector, few(64, 3, "steps")))):
        tensors["vector"] = "BF16", (64,), bits.tobytes()
    same = bits_of("BF16", weights(256, "same"))
    model.add("same", "BF16", same, same)
    model.write(folder)


def lossy_directory(folder: Path) -> None:
    """Two shards, the matrix of one of which has more rows than its base, and side files."""
    one, two = Model(), Model()
    trained(one, "first", "BF16", (64, 48), np.full(64, 4))
    trained(two, "second", "BF16", (56, 48), np.full(56, 2))
    dtype, (rows, columns), data = two.base["second"]
    two.base["second"] = dtype, (rows - 8, columns), data[: 2 * (rows - 8) * columns]
    exact = bits_of("BF16", weights(512, "exact"))
    two.add("exact", "BF16", None, exact)
    write_tree(folder / "base", {"model.safetensors": shard(one.base | two.base)})
    tuned = {
        "model-00001-of-00002.safetensors": shard(one.tuned),
        "model-00002-of-00002.safetensors": shard(two.tuned),
        "config.json": b'{"model_type": "tiny"}\n',
        "sub/stored.txt": b"0123456789abcdef" * 1024,
    }
    write_tree(folder / "fine-tune", tuned)


def progressive(folder: Path) -> None:
    """Matrices that a second layer makes exact, one that the first one leaves as it is in the base,
    and a vector that is exact without one."""
    model = Model()
    trained(model, "even", "BF16", (48, 64), np.full(48, 2))
    trained(model, "in F16", "F16", (48, 64), np.full(48, 3))
    trained(model, "in F32", "F32", (32, 48), np.full(32, 20))
    hardly = bits_of("BF16", weights(512, "hardly"))
    model.add("hardly", "BF16", hardly, moved(hardly, few(512, 4, "hardly steps")))
    vector = bits_of("BF16", weights(64, "vector"))
    for tensors, bits in ((model.base, vector), (model.tuned, moved(vector, few(64, 3, "steps")))):
        tensors["vector"] = "BF16", (64,), bits.tobytes()
    model.write(folder)


def directory(folder: Path) -> None:
    """Two shards, one of them with a header as nobody else writes it, and every kind of file."""
    vocabulary = bits_of("BF16", weights(72 * 16, "vocabulary"))
    model = Model()
    model.add("embed", "BF16", vocabulary[: 64 * 16], vocabulary)
    model.add("mask", "U8", np.zeros(256, np.uint8), np.zeros(256, np.uint8))
    layer = bits_of("BF16", weights(512, "layer"))
    layers = Model()
    layers.add("layer", "BF16", layer, moved(layer, few(512, 4, "layer steps")))
    words = b"".join(b"%d " % number for number in below(100, 6000, "words"))
    base = {
        "model.safetensors": shard(model.base | layers.base),
        "same.txt": words[:16384],
        "tokenizer.json": words[-2000:],
    }
    write_tree(folder / "base", base)
    odd = shard(layers.tuned)[8:].replace(b"{", b"{ ", 1)
    odd = u64(len(odd) - 512 * 2) + odd
    tuned = {
        "model-00001-of-00002.safetensors": shard(model.tuned),
        "model-00002-of-00002.safetensors": odd,
        "config.json": b'{"model_type": "tiny"}\n',
        "random.bin": noise(300, "random"),
        "run.sh*": b"#!/bin/sh\n",
        "same.txt": words[:16384],
        "sub/stored.txt": b"0123456789abcdef" * 1024,
        "tokenizer.json": words[-2000:] * 8 + words[:500],
        "empty.txt": b"",
        "nothing/": b"",
    }
    write_tree(folder / "fine-tune", tuned)


def steps(folder: Path) -> None:
    """A matrix with more directions than a lossy archive keeps, of which it has steps besides. Its
    base is of few numbers, so that the files are small when they are compressed."""
    shape = rows, columns = 272, 264
    base = np.resize(bits_of("BF16", weights(31, "steps base")), rows * columns)
    left, right = below(5, rows, "steps left") - 2, below(3, columns, "steps right") - 1
    everywhere = normal(rows * columns, "steps everywhere").reshape(shape) // 300
    model = Model()
    tuned = moved(base, (np.outer(left, right) + everywhere).ravel())
    model.add("wide", "BF16", base, tuned, columns)
    model.write(folder)


def sparse(folder: Path) -> None:
    """Tensors of every width of which one unit in fifty changed, mostly by 1, some by more, and in one
    also in sign."""
    model = Model()
    count = 96 * 64
    chosen = below(50, count, "sparse chosen") == 0
    by = np.where(below(8, count, "sparse far") == 0, normal(count, "sparse by"), 1)
    by *= 1 - 2 * below(2, count, "sparse sign")
    for dtype in ("U8", "BF16", "F32", "I64"):
        width = DTYPE_BY_NAME[dtype].unit
        base = np.frombuffer(noise(width * count, f"sparse {dtype}"), f"<u{width}")
        changed = base.astype(np.uint64) + (by * chosen).astype(np.uint64)
        model.add(dtype, dtype, base, changed.astype(base.dtype), 64)
    model.add("no base", "BF16", None, (chosen * below(99, count, "sparse new")).astype("<u2"), 64)
    model.write(folder)


CASES: list[Callable[[Path], None]] = [
    casts,
    directory,
    dtypes,
    floats,
    lanes,
    lossy,
    lossy_directory,
    low_rank,
    merge,
    progressive,
    skews,
    sparse,
    steps,
]

# What a case is packed with, besides its bases.
OPTIONS = {
    "lossy": ["--lossy", "--bits", "2"],
    "lossy_directory": ["--lossy", "--bits", "4.5"],
    "progressive": ["--lossy", "--bits", "2", "--progressive"],
    "sparse": ["-1"],
    "steps": ["--lossy", "--bits", "1.5"],
}
