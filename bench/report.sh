#!/usr/bin/env bash
# Measures anew what docs/benchmarks.md shows, and writes that page and its plot, docs/coders.svg.
#
# Usage: bench/report.sh PAIRS SCRATCH
# PAIRS is the folder of real pairs, SCRATCH a folder with 14 GB free. Takes a few minutes; run it on a
# machine that does nothing else. `make bench` builds first and calls it.
set -euo pipefail

cd "$(dirname "$0")/.."
pairs=$1 scratch=$2
python=build/venv/bin/python
program=build/release/finedelta
peak_memory=build/release/peak_memory
bench=build/release/finedelta-bench
page=$(mktemp) plot=$(mktemp)
trap 'rm -f "$page" "$plot"' EXIT

{
  cat <<END
# Benchmarks

Written by \`make bench\`. Machine: $(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores, Linux
$(uname -r | cut -d- -f1); $("$program" --version); zstd as linked statically by this build.

Bytes and ratios count whole archives, headers, hashes and side files included, against all files of
the fine-tune. Times are of whole processes, from start to the output being on disk. Compare ratios
with other tools' only on the same files.

## Real pairs

Every pair is packed, verified with its base and unpacked, and every file compared by SHA-256; a
difference would have ended the run. One thread; medians of three runs; files in the page cache; the
peak is the largest of the three steps' resident memory. Estimate: by how much \`plan\` says too much or
too little.

END
  "$python" bench/pairs/run.py "$program" "$peak_memory" "$pairs"
  cat <<END

## Every level beside the best of the others

Ratios of the weights alone: only \`.safetensors\` files are packed, at every level (3 is the default; the
[README](../README.md#quick-start) says what each does). The best reference is whichever stores least of
BitX, TensorX, FM-Delta, zstd -3, zstd -3 --patch-from (all as below) and z4ai 0.2.0, a published Python
package. Ours are whole archives, with header, index and hashes; of the references only what they store
for the weights is counted. The margin is by how much the reference stores more than our largest archive
of all levels; **no** is where ours is larger. Made-up pairs have 2 M weights in matrices of 1024 x 1024.

END
  "$python" bench/pairs/levels.py "$program" "$bench" "$pairs"
  cat <<END

A full fine-tune in float32 has noise in its last bits, which nothing can predict: 1.2 to 2.2 times is
all that any exact coder gets there (ani is float32 too, but four fifths of it did not change).

## Coders

What \`finedelta-bench\` ([bench/coders](../bench/coders)) prints: every coder on the same bytes, in one
process, with one thread; files and archives are left out. The others are written anew from their
papers, with the same vector loops and the same zstd. Small models are repeated, each copy for itself.

![Ratio against decode speed](coders.svg)

END
  "$python" bench/coders/run.py "$bench" "$pairs" "$plot"
  cat <<END

### Without AVX-512

The same with \`FINEDELTA_TARGET=AVX2\`. BitX is compiled for any x86-64; its time is mostly zstd's.

END
  "$python" bench/coders/targets.py "$bench" "$pairs"
  cat <<END

## What levels cost

The same measurement at every level, with what pack does besides at that level: the look for merged
adapters at 64 rows of each matrix (a third of those of tinyllama, a thirtieth of the made-up ones), and
from 6 on the search for what is of low rank in every matrix. \`finedelta\` above has neither.

END
  "$python" bench/coders/levels.py "$bench" "$pairs"
  cat <<END

## A large pair

4 GiB of bf16 in two shards; the base is Gaussian with a deviation of 0.02, the fine-tune adds Gaussian
steps of 1e-4. Single runs, all cores, memory limit 512 MiB (the default):

END
  "$python" bench/scale/run.py "$program" "$peak_memory" "$scratch"
  cat <<END

The same with \`--memory 64M --threads 7\`:

END
  "$python" bench/scale/run.py "$program" "$peak_memory" "$scratch" -- --memory 64M --threads 7
  cat <<END

## Two threads

The coder alone, as in the tables of coders, by itself and twice at the same time; then all of the
program, 1 GiB of the same kind, in memory (/dev/shm); medians of five runs in turn. \`--threads\` counts
those that code: pack and verify have another one for SHA-256, so that one thread keeps more than a core
busy. For the first column the whole process was confined to one core.

END
  "$python" bench/scale/threads.py "$program" "$bench" /dev/shm
} >"$page"
cp "$page" docs/benchmarks.md
cp "$plot" docs/coders.svg
