#!/usr/bin/env bash
# Checks that PEFT loads what the program's `lora` writes, measures anew what docs/lossy.md shows between
# its markers, and draws its plots.
#
# Usage: bench/quality/run.sh PAIRS [FINEDELTA]
# PAIRS is the folder of real pairs. Without the program FINEDELTA only the baselines are measured.
# Takes about a quarter of an hour on two cores, one process and 1.5 GB for each fine-tune.
# `make bench-quality` builds first and calls it.
set -euo pipefail

cd "$(dirname "$0")/../.."
pairs=$1
shift
python=build/venv-quality/bin/python
reports=build/quality
cores=$(nproc)  # before OMP_NUM_THREADS, which nproc takes for the answer
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 TRANSFORMERS_OFFLINE=1

if (($# > 0)); then "$python" bench/quality/peft_check.py "$1"; fi
mkdir -p "$reports"
printf '%s\n' sft sft-strong sft-b |
  xargs -P "$cores" -I {} "$python" bench/quality/run.py "$pairs" {} "$reports/{}.json" "$@"
"$python" bench/quality/report.py docs/lossy.md "$reports"/{sft,sft-strong,sft-b}.json
