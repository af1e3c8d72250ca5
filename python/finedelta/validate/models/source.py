"""The pairs of a run: models that are there, or synthetic ones that are there for as long as they are
needed."""

from __future__ import annotations

import math
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import finedelta
from finedelta.errors import NoSpaceError
from finedelta.validate.models.checkpoint import pairs_of, size_of
from finedelta.validate.models.shapes import LAYOUTS
from finedelta.validate.models.synthetic import Training, write_base, write_fine_tune
from finedelta.validate.page.units import size

_COPIES = 2  # of a fine-tune, that lie in the scratch folder at a time beside the models, at most


@dataclass(frozen=True)
class Model:
    name: str
    """For people."""
    path: Path


def find_model(model: str) -> Model:
    """A path, or what the local Hugging Face cache has by that name."""
    path = Path(os.path.abspath(model))
    if not os.path.lexists(path):
        return Model(model, Path(finedelta.plan(model, model, progress=False).bases[0]))
    return Model(path.stem if path.suffix == ".safetensors" else path.name, path)


@dataclass(frozen=True)
class Pair:
    name: str
    base: Path
    fine_tune: Path
    scales: bool
    """Whether this is the one that is cut into smaller models."""
    is_synthetic: bool = False

    def need(self, scratch: Path) -> None:
        """That there is room for what is measured."""
        _need(self.name, _COPIES * size_of(self.fine_tune), scratch)


def _need(name: str, wanted: int, scratch: Path) -> None:
    if (free := shutil.disk_usage(scratch).free) < wanted:
        raise NoSpaceError(f"'{scratch.parent.parent}' has {size(free)} free; {name} needs {size(wanted)}")


def real_pairs(models: Sequence[tuple[Model, Model]]) -> Iterator[Pair]:
    """Base and fine-tune each; the largest fine-tune is the one that is cut."""
    sizes = [_shared_bytes(base.path, tune.path) for base, tune in models]
    scaled = sizes.index(max(sizes)) if any(sizes) else None
    names = [f"{base.name} → {tune.name}" for base, tune in models]
    for number, (base, tune) in enumerate(models):
        name = names[number]
        if names.count(name) > 1:
            name = f"{base.path} → {tune.path}"
        yield Pair(name, base.path, tune.path, number == scaled)


def _shared_bytes(base: Path, fine_tune: Path) -> int:
    """Of tensors that both have; none of what can't be read, which `diff` will say."""
    try:
        return sum(tensor.size for _, tensor in pairs_of(base, fine_tune))
    except (ValueError, KeyError, TypeError, AttributeError, struct.error):
        return 0


def synthetic_pairs(model: str, trainings: Sequence[Training], scratch: Path) -> Iterator[Pair]:
    """Each as if the base had been trained so. The one that changes most is the one that is cut."""
    layout = LAYOUTS[model]()
    width = {"F32": 4, "F16": 2}[layout.dtype]
    weights = sum(math.prod(tensor.shape) for tensor in layout.tensors())
    _need(model, (2 + _COPIES) * width * weights, scratch)
    base = scratch / model
    write_base(model, base)
    scaled = "full-sft" if "full-sft" in trainings else trainings[0]
    for training in trainings:
        tune = scratch / training
        write_fine_tune(model, training, tune)
        yield Pair(f"SYNTHETIC {model} → {training}", base, tune, training == scaled, is_synthetic=True)
        shutil.rmtree(tune)
    shutil.rmtree(base)
