#!/usr/bin/env bash
# Packs a small real fine-tune against its base, checks the archive, rebuilds the fine-tune and
# compares it with the original. Writes to a folder of its own, which it removes.
set -euo pipefail

cd "$(dirname "$0")/.."
finedelta=build/release/finedelta
base=examples/demo/base.safetensors
fine_tune=examples/demo/fine-tune.safetensors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archive=$work/fine-tune.finedelta
rebuilt=$work/rebuilt.safetensors

step() {
  printf '\n$ finedelta %s\n' "${*//$work\//}"
  "$finedelta" "$@"
}

sha256() { sha256sum <"$1" | cut -d ' ' -f 1; }
size() { stat -c %s "$1"; }

step pack "$base" "$fine_tune" -o "$archive"
step inspect "$archive"
step verify "$archive" --base "$base"
step unpack "$base" "$archive" -o "$rebuilt"

original_hash=$(sha256 "$fine_tune")
rebuilt_hash=$(sha256 "$rebuilt")
ratio=$(awk -v whole="$(size "$fine_tune")" -v packed="$(size "$archive")" \
  'BEGIN { printf "%.2f", whole / packed }')

printf '\n%-10s %12s  %s\n' '' bytes SHA-256
printf '%-10s %12d  %s\n' \
  base "$(size "$base")" "$(sha256 "$base")" \
  fine-tune "$(size "$fine_tune")" "$original_hash" \
  archive "$(size "$archive")" "$(sha256 "$archive")" \
  rebuilt "$(size "$rebuilt")" "$rebuilt_hash"

if [[ $rebuilt_hash != "$original_hash" ]]; then
  echo "The rebuilt file differs from the original." >&2
  exit 1
fi
printf '\nThe rebuilt file is the original, bit for bit; the archive is %s times smaller.\n' "$ratio"
