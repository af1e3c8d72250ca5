"""Ways to store a fine-tune with loss that are not ours. NumPy alone."""

from . import bitdelta, dare, integers, prune, svd, ternary
from .baseline import Baseline

MODULES = (bitdelta, dare, prune, ternary, integers, svd)


def all_points() -> list[Baseline]:
    """Every family at every setting that is measured."""
    return [point for module in MODULES for point in module.points()]
