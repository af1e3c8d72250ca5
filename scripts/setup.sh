#!/usr/bin/env bash
# Installs what is missing to build (build), test (test), test what the Python package does with PyTorch,
# transformers and Ray and what a browser makes of its pages (extras: some gigabytes), check everything (ci)
# or measure what models do (quality: PyTorch again) on Debian 12 or newer and Ubuntu 24.04 or newer.
# Elsewhere it says what is needed and goes on if it is there.
set -euo pipefail

cd "$(dirname "$0")/.."

kBuildPackages=(g++ cmake ninja-build ccache libhwy-dev libzstd-dev libxxhash-dev libssl-dev
  libcli11-dev libfmt-dev nlohmann-json3-dev libeigen3-dev)
kPythonPackages=(python3-venv ca-certificates)
kTestPackages=(libgtest-dev libgmock-dev librapidcheck-dev python3-dev "${kPythonPackages[@]}")
kBrowserPackages=(chromium chromium-driver)
kCiPackages=(clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev libbenchmark-dev)

usage() {
  echo "usage: scripts/setup.sh build|test|extras|ci|quality" >&2
  exit 2
}

# True on a system whose packages are known to be recent enough.
is_supported_system() {
  [[ -r /etc/os-release ]] && command -v apt-get dpkg-query >/dev/null || return 1
  local ID='' VERSION_ID=''
  # shellcheck source=/dev/null
  . /etc/os-release
  case $ID in
    debian) dpkg --compare-versions "${VERSION_ID:-99}" ge 12 ;;
    ubuntu) dpkg --compare-versions "${VERSION_ID:-99}" ge 24.04 ;;
    *) return 1 ;;
  esac
}

# Ubuntu has its browsers as snaps, which not every machine can run: they are left to the user there.
has_browser_packages() (
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && . /etc/os-release && [[ ${ID:-} == debian ]]
)

is_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Says what is needed, and ends here unless the tools of this step are on the machine already; CMake
# then reports a library that is missing by its name.
go_on_without_apt() {
  echo "$1" >&2
  echo "Needed, by their Debian names: ${packages[*]}" >&2
  local tool absent=()
  for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || absent+=("$tool")
  done
  if ((${#absent[@]} > 0)); then
    echo "Not found: ${absent[*]}" >&2
    exit 1
  fi
  [[ $step == build ]] || find_python
  echo "The tools are here; going on." >&2
}

# Sets `python` to what virtual environments are made from: the system's own where it will do, since
# another one of that name may move away. Ends here where there is none.
find_python() {
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
    then
      return
    fi
  done
  echo "Tests and benchmarks need Python 3.11 or newer with its modules venv and ensurepip; neither" \
    "/usr/bin/python3 nor the first python3 in PATH will do." >&2
  exit 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

update_lists() { as_root apt-get -q update; }

install_packages() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
}

has_candidates() { apt-cache show --no-all-versions "$@" >/dev/null 2>&1; }

refuse_unknown_packages() {
  local package unknown=()
  for package in "$@"; do
    has_candidates "$package" || unknown+=("$package")
  done
  ((${#unknown[@]} == 0)) && return
  echo "This system's package sources do not have: ${unknown[*]}" >&2
  echo "On Ubuntu, enable the 'universe' component and the release's updates." >&2
  exit 1
}

ensure_packages() {
  if ! is_supported_system; then
    go_on_without_apt "This is neither Debian 12 or newer nor Ubuntu 24.04 or newer."
    return
  fi
  local package missing=()
  for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
    go_on_without_apt "Packages are missing (${missing[*]}), and installing them needs root or sudo."
    return
  fi
  echo "Installing: ${missing[*]}"
  if ! has_candidates "${missing[@]}"; then
    update_lists
    refuse_unknown_packages "${missing[@]}"
    install_packages "${missing[@]}"
  else
    # Package lists that are out of date name files that the mirrors no longer have.
    install_packages "${missing[@]}" || { update_lists && install_packages "${missing[@]}"; }
  fi
}

# ensure_venv VENV REQUIREMENTS: a Python of its own, made anew when its requirements change.
ensure_venv() {
  local venv=$1 requirements=$2
  if cmp -s "$requirements" "$venv/requirements.txt" && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  find_python
  echo "Making $venv"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/requirements.txt"
}

(($# == 1)) || usage
packages=("${kBuildPackages[@]}")
tools=(g++ cmake ninja)
step=$1
has_browser_packages || kBrowserPackages=()
case $step in
  build) ;;
  test) packages+=("${kTestPackages[@]}") ;;
  extras) packages+=("${kTestPackages[@]}" "${kBrowserPackages[@]}") ;;
  ci)
    packages+=("${kTestPackages[@]}" "${kBrowserPackages[@]}" "${kCiPackages[@]}")
    tools+=(clang++-19 run-clang-tidy-19 clang-format-19)
    ;;
  quality)
    packages=("${kPythonPackages[@]}")
    tools=()
    ;;
  *) usage ;;
esac

ensure_packages
case $step in
  test) ensure_venv build/venv tests/requirements.txt ;;
  extras | ci)
    ensure_venv build/venv tests/requirements.txt
    ensure_venv build/venv-extras tests/requirements-extras.txt
    ;;
  quality) ensure_venv build/venv-quality bench/quality/requirements.txt ;;
esac
