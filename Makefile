# Short names for the usual steps. Everything they make lies in build/.
JOBS ?= $(shell nproc)
SOURCES = find include src cli python tests fuzz examples bench -name '*.cc' -o -name '*.h' -o -name '*.c'

# Compiler cache hits in another clone or folder too.
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1

.PHONY: build test test-extras wheel demo bench bench-quality bench-apply demo-validate install format check-format check-includes tidy analyze clean help

build:  ## the library and the program build/release/finedelta
	scripts/setup.sh build
	test -f build/release/build.ninja || cmake --preset release -DFINEDELTA_TESTS=OFF
	cmake --build --preset release -j $(JOBS) --target finedelta finedelta_cli

test:  ## build and run every test
	scripts/setup.sh test
	cmake --preset release -DFINEDELTA_TESTS=ON
	cmake --build --preset release -j $(JOBS)
	scripts/wheel.sh
	ctest --preset release -j $(JOBS)

test-extras: wheel  ## test the Python package with PyTorch, transformers, Ray and a browser: some gigabytes to install
	scripts/setup.sh extras
	FINEDELTA_VENV=build/venv-extras FINEDELTA_PROGRAM=build/python/finedelta/bin/finedelta \
	  tests/run_pytest.sh tests/extras tests/browser

wheel:  ## the Python package, as build/dist/finedelta-*.whl
	scripts/setup.sh test
	scripts/wheel.sh

demo: build  ## pack, check and rebuild a small real fine-tune
	scripts/demo.sh

demo-validate: wheel  ## a validation report of a small real fine-tune, walked through
	scripts/demo_validate.sh

bench: test  ## measure docs/benchmarks.md anew; needs FINEDELTA_PAIRS and 14 GB in SCRATCH (/tmp)
	scripts/setup.sh ci
	cmake --preset release -DFINEDELTA_BENCH=ON
	cmake --build --preset release -j $(JOBS) --target finedelta-bench
	bench/report.sh $(FINEDELTA_PAIRS) $(or $(SCRATCH),/tmp)

bench-quality: build  ## measure docs/lossy.md anew; needs FINEDELTA_PAIRS
	scripts/setup.sh quality
	bench/quality/run.sh $(FINEDELTA_PAIRS) build/release/finedelta

bench-apply: wheel  ## measure docs/apply.md anew
	scripts/setup.sh extras
	build/venv-extras/bin/python bench/apply/run.py docs/apply.md

install:  ## copy program, library and headers of `make build` to PREFIX (default /usr/local)
	@test -x build/release/finedelta || \
	  { echo "There is nothing to install yet: run make build first." >&2; exit 1; }
	cmake --install build/release $(if $(PREFIX),--prefix "$(PREFIX)")

format:  ## lay out all C++ by .clang-format
	scripts/setup.sh ci
	$(SOURCES) | xargs clang-format-19 -i

check-format:
	scripts/setup.sh ci
	$(SOURCES) | xargs clang-format-19 --dry-run -Werror

check-includes:
	scripts/setup.sh ci
	python3 scripts/check_includes.py

# The file that a folder is compiled as includes .cc files.
tidy:  ## clang-tidy over the library and the program, a folder at a time
	scripts/setup.sh ci
	cmake --preset asan
	run-clang-tidy-19 -quiet -j $(JOBS) -p build/asan -checks=-bugprone-suspicious-include \
	  '^$(CURDIR)/(build/asan/)?(src|cli)/'

analyze:  ## clang-tidy a file at a time, with clang's analyzer: takes several times as long
	scripts/setup.sh ci
	cmake --preset asan -B build/analyze -DCMAKE_UNITY_BUILD=OFF
	run-clang-tidy-19 -quiet -j $(JOBS) -p build/analyze '^$(CURDIR)/(src|cli)/'

clean:  ## remove everything that was built
	rm -rf build

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/\1: \2/p' Makefile
