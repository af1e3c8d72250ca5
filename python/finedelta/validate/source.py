"""The pairs of a run: models that are there, or synthetic ones that are there for as long as they are needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finedelta.errors import NoSpaceError
from finedelta.validate.checkpoint import files_of
from finedelta.validate.shapes import LAYOUTS
from finedelta.validate.synthetic import Training, write_base, write_fine_tune
from finedelta.validate.units import size

_COPIES = 4  # of a fine-tune that lie in the scratch folder at a time, at most


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


def real_pairs(models: Sequence[tuple[Path, Path]]) -> Iterator[Pair]:
    """Base and fine-tune each; the largest fine-tune is the one that is cut."""
    sizes = [sum(file.stat().st_size for file in files_of(tune)) for _, tune in models]
    for number, (base, tune) in enumerate(models):
        name = f"{_name(base)} → {_name(tune)}"
        yield Pair(name, base, tune, number == sizes.index(max(sizes)))


def _name(model: Path) -> str:
    model = model.resolve()
    return model.stem if model.suffix == ".safetensors" else model.name


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


MODELS = tuple(LAYOUTS)
