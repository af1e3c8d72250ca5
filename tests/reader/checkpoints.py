"""Generated checkpoints: pairs of a base and a fine-tune that between them hold every case."""

import itertools
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from floats import narrow
from primitives import DTYPE_BY_NAME, DTYPES, DType, tensor_bytes, u64
from safetensors_header import TensorPlace, canonical_header

Shape = tuple[int, ...]
Maker = Callable[[Path], None]  # writes base, base2 and fine below a folder
Tensors = dict[str, tuple[str, Shape, bytes]]  # by name: dtype, shape and data

# Bits of F32 where conversions are easily wrong: NaNs of both signs, quiet and signalling, with
# payloads that fit and that do not; infinities; the border to infinity and to subnormal numbers
# of F16 and BF16; ties to even, up and down.
F32_CASES = [
    0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001,
    0xFF800001, 0x7F802000, 0x7FA00000, 0x7FC02000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F810000,
    0x477FE000, 0x477FEFFF, 0x477FF000, 0xC77FF000, 0x47800000, 0x7F7F7FFF, 0x7F7F8000,
    0xFF7FFFFF, 0x00000001, 0x007FFFFF, 0x00800000, 0x00008000, 0x00018000, 0x00008001,
    0x33000000, 0x33000001, 0x32FFFFFF, 0x33C00000, 0x387FC000, 0x387FE000, 0x38800000,
    0x3F801000, 0x3F803000, 0x3F801001, 0x3F808000, 0x3F818000, 0x3F808001, 0xBF818000,
]  # fmt: skip
F16_CASES = [
    0x0000, 0x8000, 0x7C00, 0xFC00, 0x7C01, 0xFC01, 0x7D00, 0x7E00, 0x7FFF, 0xFE01, 0x0001,
    0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, 0x3C01, 0x3C04, 0x3C0C,
]  # fmt: skip
BF16_CASES = [
    0x0000, 0x8000, 0x7F80, 0xFF80, 0x7F81, 0xFF81, 0x7FC0, 0x7FFF, 0xFFC1, 0x0001, 0x007F,
    0x0080, 0x7F7F, 0xFF7F, 0x3F80, 0x3F81, 0x4780, 0x477F, 0x3300, 0x3301, 0x3880, 0x387F,
]  # fmt: skip
FLOAT_CASES = {
    "F32": np.array(F32_CASES, "<u4").tobytes(),
    "F16": np.array(F16_CASES, "<u2").tobytes(),
    "BF16": np.array(BF16_CASES, "<u2").tobytes(),
}


@dataclass
class Pair:
    name: str
    bases: list[Path]
    fine_tune: Path


def noise(size: int, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def changed(data: bytes, seed: int, share: float = 0.1) -> bytes:
    """`data` with the low bits of some of its bytes flipped."""
    random = np.random.default_rng(seed)
    flips = random.integers(0, 4, len(data), np.uint8) * (random.random(len(data)) < share)
    return (np.frombuffer(data, np.uint8) ^ flips.astype(np.uint8)).tobytes()


def low_numbers(count: int, seed: int) -> bytes:
    """16-bit ones, all under 12."""
    return bytes(b for high in noise(count, seed) for b in (high % 12, 0))


def shard(
    tensors: Mapping[str, tuple[str, Shape, bytes]], metadata: bytes = b'{"format":"pt"}'
) -> bytes:
    places = [
        TensorPlace(name.encode(), DTYPE_BY_NAME[dtype], shape, 0, 0)
        for name, (dtype, shape, _) in tensors.items()
    ]
    header = canonical_header(metadata, places)
    return u64(len(header)) + header + b"".join(data for _, _, data in tensors.values())


def write_tree(root: Path, files: Mapping[str, bytes]) -> None:
    """Writes files; a path that ends with '/' is an empty directory, one with '*' executable."""
    for name, content in files.items():
        path = root / name.rstrip("*")
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if name.endswith("*") else 0o644)


def fitting_shape(dtype: DType, rows: int) -> Shape:
    return (rows, 8 if dtype.bits % 8 else 5)


def filled(dtype: DType, shape: Shape, seed: int) -> tuple[str, Shape, bytes]:
    return dtype.name, shape, noise(tensor_bytes(dtype, shape), seed)


def every_dtype(root: Path) -> None:
    base = {d.name: filled(d, fitting_shape(d, 7), n) for n, d in enumerate(DTYPES)}
    fine = {name: (d, shape, changed(data, 1)) for name, (d, shape, data) in base.items()}
    write_tree(root / "base", {"model.safetensors": shard(base)})
    write_tree(root / "fine", {"model.safetensors": shard(fine)})


def odd_shapes(root: Path) -> None:
    base = {
        "scalar": ("F32", (), noise(4, 1)),
        "empty": ("F16", (0, 3), b""),
        "empty in the middle": ("F4", (3, 0, 5), b""),
        "rows to come": ("F16", (0, 64), b""),
        "one": ("U8", (1,), b"x"),
        "rank 64": ("I16", (1,) * 63 + (3,), noise(6, 2)),
        "untouched": ("BF16", (100,), noise(200, 3)),
    }
    fine = base | {
        "scalar": ("F32", (), noise(4, 4)),
        "empty": ("F16", (2, 3), noise(12, 5)),
        "rows to come": ("F16", (2000, 64), low_numbers(128000, 7)),
        "no base": ("F64", (3,), noise(24, 6)),
        "zeros": ("C64", (50,), bytes(400)),
        "other shape": ("U8", (2,), b"ab"),
    }
    write_tree(root / "base", {"a.safetensors": shard(base)})
    write_tree(root / "fine", {"b.safetensors": shard(fine)})


def resized(root: Path) -> None:
    rows = noise(20 * 24, 1)
    base: Tensors = {}
    fine: Tensors = {}
    for dtype, row in (("BF16", 12), ("F32", 6), ("F6_E2M3", 32), ("F64", 3)):
        base |= {f"{dtype} {name}": (dtype, (20, row), rows) for name in ("more", "fewer", "none")}
        more, fewer = changed(rows, 2) + noise(7 * 24, 3), changed(rows[: 13 * 24], 4)
        fine[f"{dtype} more"] = (dtype, (27, row), more)
        fine[f"{dtype} fewer"] = (dtype, (13, row), fewer)
        fine[f"{dtype} none"] = (dtype, (0, row), b"")
    # A row of 6 elements of 6 bits is no whole number of bytes.
    base["odd rows"] = ("F6_E3M2", (4, 6), noise(18, 5))
    fine["odd rows"] = ("F6_E3M2", (8, 6), base["odd rows"][2] + noise(18, 6))
    write_tree(root / "base", {"model.safetensors": shard(base)})
    write_tree(root / "fine", {"model.safetensors": shard(fine)})


def cast(root: Path) -> None:
    """Every conversion of every special case, resized as well; the fine-tune is arbitrary."""
    base: Tensors = {}
    fine: Tensors = {}
    for number, (source, data) in enumerate(FLOAT_CASES.items()):
        base_width = DTYPE_BY_NAME[source].unit
        length = len(data) // base_width
        for target in FLOAT_CASES:
            name = f"{source} to {target}"
            base[name] = (source, (length,), data)
            width = DTYPE_BY_NAME[target].unit
            fine[name] = (target, (length + 3,), noise((length + 3) * width, number))
    write_tree(root / "base", {"model.safetensors": shard(base)})
    write_tree(root / "fine", {"model.safetensors": shard(fine)})


def side_files(root: Path) -> None:
    text, large = b"some words, again and again\n" * 700, noise(2_500_000, 1)
    # What a dictionary begins with must not matter in a prefix.
    like_dictionary = b"\x37\xa4\x30\xec" + noise(60_000, 2)
    base = {
        "config.json": b'{"a":1}',
        "merges.txt": text,
        "large.bin": large,
        "like-dictionary.bin": like_dictionary,
        "was-empty.bin": b"",
        "model.safetensors": shard({"w": ("F32", (30,), noise(120, 3))}),
    }
    fine = {
        "config.json": b'{"a":1}',
        "merges.txt": b"new line\n" + text[: len(text) // 2] + b"more" + text[len(text) // 2 :],
        "large.bin": changed(large, 4, 0.001) + b"tail",
        "like-dictionary.bin": like_dictionary + b"!",
        "was-empty.bin": noise(5000, 7),
        "new.bin": noise(1_500_000, 5),
        "zeros.bin": bytes(1_300_000),
        "one-chunk.bin": noise(1 << 20, 8),
        "empty.txt": b"",
        "nothing/": b"",
        "deep/er/nothing/": b"",
        "deep/run.sh*": b"#!/bin/sh\n",
        "deep/er-than.txt": b"sorts before er/",
        "broken.safetensors": b"not a shard",
        "sub/folder/model.safetensors": shard({"w": ("F32", (30,), noise(120, 6))}),
        "stra\u00dfe \\ \u4f60.txt": b"name",
        "p" * 255 + "/" + "q" * 255: b"long",
    }
    write_tree(root / "base", base)
    write_tree(root / "fine", fine)


def stored_headers(root: Path) -> None:
    """Headers that are not canonical, and names that need escapes."""
    data = noise(16, 1)
    name = '\x00\x01\x08\t\n\x0b\x0c\r\x1f "\\/\x7f\u00e9\u4f60\U0001f600'
    entry = '{"dtype":"U8","shape":[8],"data_offsets":[%d,%d]}'
    one, two = entry % (0, 8), entry % (8, 16)
    texts = {
        "spaces": f'{{"a": {one}, "b": {two} }}',
        "unpadded": f'{{"a":{one},"b":{two}}}' + " " * 3,
        "swapped": f'{{"b":{two},"a":{one}}}',
        "metadata last": f'{{"a":{one},"b":{two},"__metadata__":{{"k":"v"}}}}',
        "metadata with spaces": f'{{"__metadata__": {{"k": "v"}}, "a":{one},"b":{two}}}',
        "escaped": f'{{"\\u0061":{one},"b":{two}}}',
        "empty metadata": f'{{"__metadata__":{{}},"a":{one},"b":{two}}}',
    }
    files = {
        f"{name}.safetensors": u64(len(text)) + text.encode() + data for name, text in texts.items()
    }
    files["names.safetensors"] = shard({name: ("U8", (16,), data)})
    files["plain.safetensors"] = shard({"a": ("U8", (16,), data)}, b"")
    files["no-tensors.safetensors"] = shard({}, b'{"a":"b"}')
    files["nothing.safetensors"] = shard({}, b"")
    write_tree(root / "fine", files)
    write_tree(root / "base", {"model.safetensors": shard({"a": ("U8", (8,), data[:8])})})


def many_chunks(root: Path) -> None:
    """Tensors of several chunks with one of each kind: equal, near, constant, noise."""
    rows = 3 * (1 << 18) + 17
    base = noise(rows * 2, 1)
    near = bytearray(base)
    near[1 << 19 : (1 << 19) + 5000] = noise(5000, 2)
    near[1 << 20 : (1 << 20) + (1 << 19)] = bytes(1 << 19)
    tensors = {"w": ("BF16", (rows, 1), bytes(near)), "bytes": ("U8", (rows,), base[:rows])}
    base_tensors = {"w": ("BF16", (rows, 1), base), "bytes": ("U8", (rows,), bytes(rows))}
    write_tree(root / "base", {"model.safetensors": shard(base_tensors)})
    write_tree(root / "fine", {"model.safetensors": shard(tensors)})


def single_file(root: Path) -> None:
    base = noise(4000, 1)
    write_tree(root, {"base.safetensors": shard({"w": ("F32", (10, 100), base)})})
    fine = {"w": ("F32", (10, 100), changed(base, 2))}
    write_tree(root, {"fine.safetensors*": shard(fine)})


def two_bases(root: Path) -> None:
    """Both bases have a tensor called `same`, equal in the sample and nowhere else."""
    middle, sides = noise(65536, 1), [noise(200_000, seed) for seed in (2, 3)]
    for name, side in zip(("base", "base2"), sides, strict=True):
        same = side[:100_000] + middle + side[100_000:]
        own = {"same": ("U8", (len(same),), same), name: ("F16", (40,), noise(80, 4))}
        write_tree(root / name, {"model.safetensors": shard(own)})
    fine = {
        "same": ("U8", (265_536,), sides[1][:100_000] + middle + sides[1][100_000:]),
        "base": ("F16", (40,), changed(noise(80, 4), 5)),
        "base2": ("F16", (40,), changed(noise(80, 4), 6)),
    }
    write_tree(root / "fine", {"model.safetensors": shard(fine)})


def combinations(root: Path) -> None:
    """Every conversion of special cases of two parents; the fine-tune is near no combination."""
    first: Tensors = {}
    second: Tensors = {}
    fine: Tensors = {}
    for source, data in FLOAT_CASES.items():
        for other, other_data in FLOAT_CASES.items():
            for target in FLOAT_CASES:
                name = f"{source} and {other} to {target}"
                width, other_width = DTYPE_BY_NAME[source].unit, DTYPE_BY_NAME[other].unit
                shape = (len(data) // width, len(other_data) // other_width)
                # Every case of the one meets every case of the other.
                cases = np.frombuffer(data, f"V{width}").repeat(shape[1])
                other_cases = np.tile(np.frombuffer(other_data, f"V{other_width}"), shape[0])
                first[name] = (source, shape, cases.tobytes())
                second[name] = (other, shape, other_cases.tobytes())
                size = shape[0] * shape[1] * DTYPE_BY_NAME[target].unit
                fine[name] = (target, shape, changed(bytes(size), 1))
    write_tree(root / "base", {"model.safetensors": shard(first)})
    write_tree(root / "base2", {"model.safetensors": shard(second)})
    write_tree(root / "fine", {"model.safetensors": shard(fine)})


def merge(root: Path) -> None:
    """What predictors are for: a merge of two bases, a merge of an adapter, a scaled tensor, one
    that is near its base."""
    random = np.random.default_rng(1)
    shape = (64, 64)
    one, other = (random.normal(0, 0.02, shape).astype("<f4") for _ in range(2))
    mixed = np.float32(0.3) * one + np.float32(0.7) * other
    wide = random.normal(0, 0.02, (256, 256)).astype("<f4")
    adapter = random.normal(0, 0.01, (256, 4)) @ random.normal(0, 0.05, (4, 256))
    fine: Tensors = {
        "adapted": ("F32", (256, 256), (wide + adapter.astype("<f4")).tobytes()),
        "mixed": ("F32", shape, mixed.tobytes()),
        "scaled": ("F32", shape, (np.float32(0.9) * one).tobytes()),
        "near": ("F32", shape, changed(one.tobytes(), 2)),
        "new": ("F32", shape, noise(one.nbytes, 3)),
    }
    for name, values in (("base", one), ("base2", other)):
        tensors = {key: ("F32", shape, values.tobytes()) for key in ("mixed", "scaled", "near")}
        tensors |= {"adapted": ("F32", (256, 256), wide.tobytes())} if name == "base" else {}
        write_tree(root / name, {"model.safetensors": shard(tensors)})
    write_tree(root / "fine", {"model.safetensors": shard(fine)})


def floats_of(dtype: str, values: np.ndarray) -> bytes:
    return narrow(values.astype(np.float32).view(np.uint32), dtype)


def tuned(root: Path) -> None:
    """Matrices that were trained, so that lossy archives of them are small, and what stays exact:
    a vector, an equal matrix, one with a NaN, one that is new, side files."""
    random = np.random.default_rng(1)
    shards: list[tuple[Tensors, Tensors]] = [({}, {}), ({}, {})]

    def add(name: str, source: str, target: str, rows: tuple[int, int]) -> None:
        base, fine = shards[len(name) % 2]
        had = random.normal(0, 0.02, (rows[0], 48))
        change = random.normal(0, 0.005, (rows[1], 4)) @ random.normal(0, 1, (4, 48))
        change += random.normal(0, 0.001, change.shape)
        has = np.zeros(change.shape)
        has[: rows[0]] = had[: rows[1]]
        base[name] = source, had.shape, floats_of(source, had)
        fine[name] = target, has.shape, floats_of(target, has + change)

    for source, target in itertools.product(FLOAT_CASES, FLOAT_CASES):
        add(f"{source} to {target}", source, target, (64, 64))
    add("more rows", "BF16", "BF16", (50, 64))
    add("fewer rows", "BF16", "F16", (64, 50))
    base, fine = shards[0]
    base["vector"], fine["vector"] = (("F32", (60,), noise(240, seed)) for seed in (1, 2))
    base["same"] = fine["same"] = ("BF16", (64, 48), floats_of("BF16", random.normal(size=3072)))
    infinite = np.where(np.arange(3072) == 7, np.nan, 0.01)
    base["NaN"] = ("F32", (64, 48), floats_of("F32", np.zeros(3072)))
    fine["NaN"] = ("F32", (64, 48), floats_of("F32", infinite))
    fine["new"] = ("BF16", (64, 48), floats_of("BF16", random.normal(0, 0.02, 3072)))
    files = {"config.json": b"{}", "merges.txt": b"words, " * 1000, "empty/": b""}
    for number, (base, fine) in enumerate(shards):
        write_tree(root / "base", {f"{number}.safetensors": shard(base)})
        write_tree(root / "fine", {f"{number}.safetensors": shard(fine)})
    write_tree(root / "fine", files)


def no_base(root: Path) -> None:
    write_tree(root / "fine", {"model.safetensors": shard({"w": ("F32", (50,), bytes(200))})})


def empty_directory(root: Path) -> None:
    write_tree(root, {"fine/": b""})


MAKERS: list[Maker] = [
    every_dtype,
    odd_shapes,
    resized,
    cast,
    side_files,
    stored_headers,
    many_chunks,
    single_file,
    two_bases,
    combinations,
    merge,
    no_base,
    empty_directory,
]


def generate(make: Maker, root: Path) -> Pair:
    make(root)
    bases = [root / name for name in ("base", "base2", "base.safetensors")]
    fine_tune = root / "fine"
    if not fine_tune.exists():
        fine_tune = root / "fine.safetensors"
    return Pair(make.__name__, [base for base in bases if base.exists()], fine_tune)


Tree = dict[str, tuple[bytes | None, bool]]


def tree(root: Path) -> Tree:
    """Every file below `root` with its executable bit, and every empty directory."""
    if root.is_file():
        return {"": (root.read_bytes(), bool(root.stat().st_mode & stat.S_IXUSR))}
    found: Tree = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
        elif not any(path.iterdir()):
            found[name] = (None, False)
    return found


def lookalikes(root: Path) -> Pair:
    """Two bases with tensors and files of equal names, sizes and samples: the second is meant."""
    data, words = noise(200_000, 1), b"hello world " * 1000
    for name, tensor, file in (("right", data, words), ("wrong", b"x" + data[1:], words[::-1])):
        model = shard({"w": ("U8", (200_000,), tensor)})
        write_tree(root / name, {"model.safetensors": model, "merges.txt": file})
    model = shard({"w": ("U8", (200_000,), changed(data, 2))})
    write_tree(root / "fine", {"model.safetensors": model, "merges.txt": words + b"!"})
    return Pair("lookalikes", [root / "wrong", root / "right"], root / "fine")
