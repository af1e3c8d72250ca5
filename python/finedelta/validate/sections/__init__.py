"""What the report says, a section a module: each makes tables, charts and sentences of what was measured."""

from __future__ import annotations

from finedelta.validate.page.document import Document
from finedelta.validate.run import Results
from finedelta.validate.sections.accuracy import accuracy
from finedelta.validate.sections.advice import advice
from finedelta.validate.sections.claims import claims
from finedelta.validate.sections.compression import compression
from finedelta.validate.sections.environment import environment
from finedelta.validate.sections.extrapolation import extrapolation
from finedelta.validate.sections.performance import performance

_SYNTHETIC = (
    "SYNTHETIC: the models have the shapes and types of real ones, and made-up numbers. Times and memory are "
    "those of such models; how much they shrink says nothing of real fine-tunes."
)


def document(results: Results) -> Document:
    claimed = claims(results)
    return Document(
        title="finedelta: validation report",
        labels=(_SYNTHETIC,) if results.are_synthetic else (),
        summary=claimed.blocks[:1],
        sections=(
            environment(results),
            compression(results),
            performance(results),
            accuracy(results),
            claimed,
            extrapolation(results),
            advice(results),
        ),
    )
