#!/usr/bin/env python3
"""Packs a made-up pair of Llama-2-7B's shapes with loss, verifies it, and prints a Markdown table.

Usage: lossy.py PROGRAM PEAK_MEMORY FOLDER [--layers N] [-- OPTION...]

PROGRAM is finedelta, PEAK_MEMORY the small program of that name in the build directory. In FOLDER,
which needs about 29 GB of free space, a base and a fine-tune are made and removed again. Options
after `--` are those of pack (`--lossy --bits 0.5` unless given).

The pair: fp16, 32 layers, synthetic. The base is Gaussian with a deviation of 0.02. To every matrix
the fine-tune adds 24 directions, the k-th with a strength of k^-0.6, and Gaussian noise of 1e-4, with
as much energy in both. Values repeat after 16 Mi of them. Times are of single runs, of whole
processes.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import in_scratch, parse, run_steps, shard_start

WIDTH, INNER, VOCABULARY = 4096, 11008, 32000
DIRECTIONS = 24
NOISE = np.float32(1e-4)
TILE = 1 << 24

Shapes = dict[str, tuple[int, ...]]


def layer_shapes(number: int) -> Shapes:
    name = f"model.layers.{number}."
    attention = {f"{name}self_attn.{each}_proj.weight": (WIDTH, WIDTH) for each in "qkvo"}
    return attention | {
        name + "mlp.gate_proj.weight": (INNER, WIDTH),
        name + "mlp.up_proj.weight": (INNER, WIDTH),
        name + "mlp.down_proj.weight": (WIDTH, INNER),
        name + "input_layernorm.weight": (WIDTH,),
        name + "post_attention_layernorm.weight": (WIDTH,),
    }


def shards(layers: int) -> Iterator[Shapes]:
    yield {"model.embed_tokens.weight": (VOCABULARY, WIDTH), "model.norm.weight": (WIDTH,)}
    yield {"lm_head.weight": (VOCABULARY, WIDTH)}
    for number in range(layers):
        yield layer_shapes(number)


class Values:
    """Of base and fine-tune, tensor after tensor."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(7)
        self._base = self._random.standard_normal(TILE, np.float32) * np.float32(0.02)
        self._noise = self._random.standard_normal(TILE, np.float32) * NOISE

    def rows(self, shape: tuple[int, ...]) -> Iterator[tuple[bytes, bytes]]:
        """Block by block of rows."""
        count, columns = (shape[0], shape[1]) if len(shape) == 2 else (1, shape[0])
        left, right = self._directions(count, columns)
        step = TILE // columns // 4
        for row in range(0, count, step):
            part = left[row : row + step]
            start = int(self._random.integers(TILE - len(part) * columns))
            place = slice(start, start + len(part) * columns)
            base = self._base[place].astype(np.float16)
            fine = base + (part @ right).ravel() + self._noise[place]
            yield base.tobytes(), fine.astype(np.float16).tobytes()

    def _directions(self, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        strengths = np.arange(1, DIRECTIONS + 1, dtype=np.float32) ** np.float32(-0.6)
        strengths *= NOISE / np.sqrt((strengths**2).sum())
        left = self._random.standard_normal((rows, DIRECTIONS), np.float32) * strengths
        return left, self._random.standard_normal((DIRECTIONS, columns), np.float32)


def make_pair(folder: Path, layers: int) -> None:
    values = Values()
    for model in ("base", "tune"):
        (folder / model).mkdir()
    for number, shapes in enumerate(shards(layers)):
        name = f"model-{number:05}.safetensors"
        with (folder / "base" / name).open("wb") as base, (folder / "tune" / name).open("wb") as tune:
            base.write(shard_start("F16", shapes))
            tune.write(shard_start("F16", shapes))
            for shape in shapes.values():
                for old, new in values.rows(shape):
                    base.write(old)
                    tune.write(new)


def run(arguments: argparse.Namespace, folder: Path) -> None:
    make_pair(folder, arguments.layers)
    base, tune, archive = (str(folder / name) for name in ("base", "tune", "x.fd"))
    size = sum(path.stat().st_size for path in (folder / "tune").iterdir())
    options = arguments.options or ["--lossy", "--bits", "0.5"]
    steps = [
        (" ".join(["pack", *options]), ["pack", *options, base, tune, "-o", archive]),
        ("verify", ["verify", archive, "--base", base]),
    ]
    run_steps(arguments, size, steps)
    packed = Path(archive).stat().st_size
    print(f"\n{size / 1e6:.1f} MB into {packed / 1e6:.1f} MB ({size / packed:.2f}x)")


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--layers", type=int, default=32)
    arguments = parse(parser)
    needed = 0.84e9 * arguments.layers + 2e9
    in_scratch(arguments.folder, needed, lambda folder: run(arguments, folder))


if __name__ == "__main__":
    main()
