"""Real pairs of base and fine-tune below a folder, and those that a script there derives."""

import subprocess
import sys
from pathlib import Path

from checkpoints import Pair

# Bases and fine-tune; the paths below `derived` are made by tinyllama/derive.py.
STORED = {
    "ani": (["ani/base_ani1x.safetensors"], "ani/ft_ani1ccx.safetensors"),
    "rife-anime": (
        ["rife/rife-HD.contextnet.safetensors"],
        "rife/rife-anime.contextnet.safetensors",
    ),
    "rife-v2.3": (["rife/rife-v2.contextnet.safetensors"], "rife/rife-v2.3.contextnet.safetensors"),
    "denoise1x": (
        ["realcugan/up2x-no-denoise.safetensors"],
        "realcugan/up2x-denoise1x.safetensors",
    ),
    "conservative": (
        ["realcugan/up2x-no-denoise.safetensors"],
        "realcugan/up2x-conservative.safetensors",
    ),
    "astra": (["merlin-astra/merlin.safetensors"], "merlin-astra/astra.safetensors"),
    "unrelated": (["unrelated/noise0_model.safetensors"], "unrelated/scale2.0x_model.safetensors"),
    "sft": (["tinyllama/base"], "tinyllama/sft"),
    "sft-strong": (["tinyllama/base"], "tinyllama/sft-strong"),
    "sft-b": (["tinyllama/base"], "tinyllama/sft-b"),
    "frozen": (["tinyllama/base"], "tinyllama/frozen"),
    "lora-merged": (["tinyllama/base"], "tinyllama/lora-merged"),
    "lora-adapter": (["tinyllama/base"], "tinyllama/lora-adapter"),
    "vocab": (["tinyllama/base"], "tinyllama/vocab"),
    "vocab-back": (["tinyllama/vocab"], "tinyllama/base"),
    "rl-00": (["tinyllama/sft"], "tinyllama/rl-00"),
    "rl-01": (["tinyllama/rl-00"], "tinyllama/rl-01"),
    "rl-05": (["tinyllama/sft"], "tinyllama/rl-05"),
    "upcast": (["tinyllama/base"], "tinyllama/sft-fp32"),
    "downcast": (["tinyllama/sft-fp32"], "tinyllama/sft"),
}
DERIVED = {
    "fp32": (["derived/base-fp32"], "tinyllama/sft-fp32"),
    "merge": (["tinyllama/sft-strong", "tinyllama/sft-b"], "derived/merge"),
    "sharded": (["tinyllama/base"], "derived/sft-sharded"),
    "unsharded": (["derived/sft-sharded"], "tinyllama/sft"),
}
NAMES = [*STORED, *DERIVED]


def real_pair(name: str, root: Path, scratch: Path) -> Pair:
    """The pair called `name`, from below `root`; what must be derived is made in `scratch`."""
    bases, fine_tune = (STORED | DERIVED)[name]
    derived = scratch / "derived"
    if name in DERIVED and not derived.exists():
        derived.mkdir()
        script = root / "tinyllama" / "derive.py"
        subprocess.run([sys.executable, script, derived], check=True)
    paths = [
        (scratch if path.startswith("derived/") else root) / path for path in [*bases, fine_tune]
    ]
    assert all(path.exists() for path in paths), paths
    return Pair(name, paths[:-1], paths[-1])
