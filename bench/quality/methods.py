"""What all ways to store a fine-tune have in common, and how one is measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pair import Pair
from results import Metrics, Row
from weights import State


class Method(Protocol):
    """One setting of one family."""

    family: str
    setting: str

    def store(self, pair: Pair, file: Path) -> None: ...

    def restore(self, base: State, file: Path) -> State: ...


class Evaluator(Protocol):
    """That of model.py, or one without a model."""

    def measure(self, state: State) -> Metrics: ...


def measure(method: Method, pair: Pair, evaluators: Mapping[str, Evaluator], folder: Path) -> Row:
    """What comes out of the file that is made in `folder`, by each evaluator."""
    file = folder / "stored"
    method.store(pair, file)
    state = method.restore(pair.base, file)
    on = {text: evaluator.measure(state) for text, evaluator in evaluators.items()}
    return Row(method.family, method.setting, file.stat().st_size, on)
