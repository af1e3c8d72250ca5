"""What all baselines share: vectors are stored exactly; matrices are base + delta, rounded once to bf16."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from layouts import add_changes, read_changes
from pair import Pair, joined, matrices, vectors
from store import Reader, Writer
from weights import State, from_bits, rounded, to_bits


class Baseline(ABC):
    """One way to store a fine-tune with loss, at one setting.

    A file is decoded by its family with nothing but the base: settings that matter are in it.
    """

    family: str
    setting: str

    def encode(self, pair: Pair) -> bytes:
        writer = Writer()
        add_changes(writer, to_bits(vectors(pair.base)), to_bits(vectors(pair.fine)))
        self.write(writer, pair)
        return writer.content()

    @classmethod
    def decode(cls, base: State, content: bytes) -> State:
        reader = Reader(content)
        exact = from_bits(read_changes(reader, to_bits(vectors(base))))
        delta = cls.read(reader, base)
        if not reader.at_end():
            raise ValueError("there are bytes after the last part")
        return joined(base, exact, rounded(matrices(base) + delta))

    def store(self, pair: Pair, file: Path) -> None:
        file.write_bytes(self.encode(pair))

    def restore(self, base: State, file: Path) -> State:
        return self.decode(base, file.read_bytes())

    @abstractmethod
    def write(self, writer: Writer, pair: Pair) -> None:
        """Adds the parts from which `read` makes the matrices' delta."""

    @classmethod
    @abstractmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        """The delta of all matrices, float32, as one vector."""
