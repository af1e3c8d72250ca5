"""The pairs of a run: models that are there, or synthetic ones that are there for as long as they are needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import finedelta
from finedelta.errors import NoSpaceError
from finedelta.validate.checkpoint import files_of
from finedelta.validate.synthetic import Training, write_base, write_fine_tune
from finedelta.validate.units import size

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
        largest = sum(file.stat().st_size for file in files_of(self.fine_tune))
        needed = _COPIES * largest
        if (free := shutil.disk_usage(scratch).free) < needed:
            raise NoSpaceError(f"'{scratch}' has {size(free)} free; '{self.name}' needs {size(needed)}")


def real_pairs(models: Sequence[tuple[Model, Model]]) -> Iterator[Pair]:
    """Base and fine-tune each; the largest fine-tune is the one that is cut."""
    sizes = [sum(file.stat().st_size for file in files_of(tune.path)) for _, tune in models]
    for number, (base, tune) in enumerate(models):
        name = f"{base.name} → {tune.name}"
        yield Pair(name, base.path, tune.path, number == sizes.index(max(sizes)))


def synthetic_pairs(model: str, trainings: Sequence[Training], scratch: Path) -> Iterator[Pair]:
    """Each as if the base had been trained so. The one that changes most is the one that is cut."""
    base = scratch / model
    write_base(model, base)
    scaled = "full-sft" if "full-sft" in trainings else trainings[0]
    for training in trainings:
        tune = scratch / training
        write_fine_tune(model, training, tune)
        yield Pair(f"{model} → {training}", base, tune, training == scaled, is_synthetic=True)
        shutil.rmtree(tune)
    shutil.rmtree(base)
