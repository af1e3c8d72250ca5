#!/usr/bin/env bash
# Runs the Python tests of the given folders. FINEDELTA_PROGRAM names the program under test,
# FINEDELTA_PAIRS the folder of real model pairs, FINEDELTA_VENV another virtual environment than
# build/venv.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
python=$root/${FINEDELTA_VENV:-build/venv}/bin/python
if [[ ! -x $python ]]; then
  echo "The Python tests need $python: run scripts/setup.sh" >&2
  exit 1
fi
if [[ ! -x ${FINEDELTA_PROGRAM:-} ]]; then
  echo "FINEDELTA_PROGRAM must name the program to test; it is '${FINEDELTA_PROGRAM:-}'" >&2
  exit 1
fi

# The clone is not to be written to: no caches, no .pyc files.
export PYTHONDONTWRITEBYTECODE=1
# What several folders share, and the package as scripts/wheel.sh made it.
export PYTHONPATH=$root/tests/support_py:$root/build/python
cd "$root"
exec "$python" -m pytest -q -p no:cacheprovider -o tmp_path_retention_policy=failed \
  --rootdir "$root/tests" "$@"
