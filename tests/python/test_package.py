"""The package as it is installed: its command, its types, its wheel."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import finedelta

ROOT = Path(__file__).parents[2]
PACKAGE = Path(finedelta.__file__).parent


def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=600,
                          **options)


def test_the_package_under_test_is_the_wheel():
    assert PACKAGE == ROOT / "build" / "python" / "finedelta"


def test_the_version_is_the_librarys():
    (version,) = re.findall(r"project\(finedelta VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert finedelta.__version__ == version
    assert python("-m", "finedelta", "--version").stdout == f"finedelta {version}\n"


def test_the_command_comes_with_the_wheel(pair, tmp_path):
    base, tune = pair
    command = [sys.executable, PACKAGE.parent / "bin" / "finedelta"]
    done = subprocess.run([*command, "pack", "-q", base, tune, "-o", "a.fd"], cwd=tmp_path)
    assert done.returncode == 0
    assert python("-m", "finedelta", "verify", "-q", "a.fd", "--base", base, cwd=tmp_path).returncode == 0
    wrong = python("-m", "finedelta", "unpack", tune, "a.fd", "-o", "out", cwd=tmp_path)
    assert wrong.returncode == 12 and wrong.stdout == ""


def test_the_wheel_needs_nothing_else():
    (wheel,) = (ROOT / "build" / "dist").glob("*.whl")
    assert "manylinux_2_35_x86_64" in wheel.name
    auditwheel = Path(sys.executable).with_name("auditwheel")
    shown = subprocess.run([auditwheel, "show", wheel], capture_output=True, text=True).stdout
    assert 'consistent with the following platform tag: "manylinux_2_35_x86_64"' in " ".join(shown.split())
    libraries = subprocess.run(["ldd", PACKAGE / "bin" / "finedelta"], capture_output=True, text=True).stdout
    for line in libraries.splitlines():
        name = line.split()[0]
        own = re.match(r"lib(crypto|fmt|hwy|xxhash)", name)
        assert not own or str(PACKAGE.parent / "finedelta.libs") in os.path.realpath(line.split()[2])


def test_everything_bundled_has_its_notice():
    notices = (ROOT / "python" / "NOTICES.md").read_text()
    libraries = {path.name.split("-")[0] for path in (PACKAGE.parent / "finedelta.libs").iterdir()}
    assert libraries == {"libcrypto", "libfmt", "libhwy", "libxxhash"}
    for name in ("OpenSSL", "fmt", "Highway", "xxHash", "Zstandard", "Eigen", "JSON for Modern C++", "CLI11",
                 "nanobind", "robin-map"):
        assert f"## {name}\n" in notices
    licenses = next(PACKAGE.parent.glob("finedelta-*.dist-info")) / "licenses"
    assert (licenses / "python" / "NOTICES.md").read_text() == notices
    assert (licenses / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_types_are_complete(tmp_path):
    done = python("-m", "mypy", "--strict", "--cache-dir", tmp_path, "-p", "finedelta",
                  env={**os.environ, "MYPYPATH": str(PACKAGE.parent)})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("line", "error"), [
    ('finedelta.pack("a", "b", "c", level="high")', "arg-type"),
    ('finedelta.inspect("a").tensors[0].nothing', "attr-defined"),
    ('finedelta.open("a", framework="tf")', "arg-type"),
    ('finedelta.pack("a", "b", "c").ratio', ""),
])
def test_types_are_seen_by_callers(tmp_path, line, error):
    (tmp_path / "caller.py").write_text(f"import finedelta\n{line}\n")
    done = python("-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "caller.py", cwd=tmp_path,
                  env={**os.environ, "MYPYPATH": str(PACKAGE.parent)})
    assert (f"[{error}]" in done.stdout) if error else done.returncode == 0, done.stdout


def test_importing_it_imports_no_framework():
    done = python("-c", "import finedelta, sys; print([m for m in ('torch', 'transformers', 'tqdm',"
                        " 'huggingface_hub', 'ray') if m in sys.modules])")
    assert done.stdout == "[]\n", done.stderr
