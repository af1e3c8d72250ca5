"""The real pairs, as the generated ones are: see bench/pairs/pair_list.py."""

import sys
from pathlib import Path

from checkpoints import Pair

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "pairs"))

import pair_list  # noqa: E402

NAMES = pair_list.NAMES


def real_pair(name: str, root: Path, scratch: Path) -> Pair:
    """The pair called `name`, from below `root`; what must be derived is made in `scratch`."""
    found = pair_list.real_pair(name, root, scratch)
    return Pair(found.name, found.bases, found.fine_tune)
