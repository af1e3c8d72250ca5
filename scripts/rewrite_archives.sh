#!/usr/bin/env bash
# Writes the committed archives anew, for a change of what pack writes: those of tests/corrupt, the
# seeds in fuzz/corpus that come of them, and tests/golden. Needs `make test` once.
#
# Left to do by hand: section 8 of docs/format.md, which tests/reader/test_example.py compares, and the
# hash in tests/roundtrip/determinism_test.cc.
set -euo pipefail

cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --build --preset release --target finedelta_cli make_corrupt_files
build/release/make_corrupt_files "$scratch"
cp "$scratch"/files/* tests/corrupt/files/
# The seeds are a selection: those that reach something new.
for seed in fuzz/corpus/{index,unpack,coders}/*; do
  name=${seed#fuzz/corpus/}
  for new in "$scratch/$name" "$scratch/sound/$name"; do
    if [[ -f $new ]]; then cp "$new" "$seed"; fi
  done
done
build/venv/bin/python -B tests/golden/make.py build/release/finedelta
git status --short tests fuzz
