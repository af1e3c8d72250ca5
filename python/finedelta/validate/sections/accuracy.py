"""4. That what comes out is what went in; and what the fine-tune changed."""

from __future__ import annotations

from collections.abc import Callable

from finedelta.validate.measured.accuracy import Change, ChangedBits
from finedelta.validate.page.document import (
    Bar,
    Bars,
    Block,
    Cell,
    HeatMap,
    Section,
    Table,
    Verdict,
)
from finedelta.validate.page.units import milliseconds, number, percent, size
from finedelta.validate.run import PairResult, Results


def accuracy(results: Results) -> Section:
    blocks: list[Block] = [
        Table(
            "What came out of the exact archives",
            (
                "fine-tune",
                "files equal",
                "files too many",
                "largest error",
                "weights that differ",
                "verified in",
            ),
            tuple(_restored(pair) for pair in results.pairs),
        ),
        Table(
            "What the fine-tunes changed",
            (
                "fine-tune",
                "L2 norm of the delta",
                "of the base's",
                "weights changed",
                "NaN",
                "infinities",
                "tensors",
            ),
            tuple(_changed(pair) for pair in results.pairs),
        ),
    ]
    for pair in results.pairs:
        blocks.append(_files(pair))
        blocks += [_heat_map(pair, "weights changed", lambda each: each.changed_share)]
        blocks += [_heat_map(pair, "norm of the delta, of the base's", lambda each: each.relative_norm)]
        blocks += [_bits(pair, each) for each in pair.accuracy.bits]
    return Section("4. Accuracy", tuple(blocks))


def _restored(pair: PairResult) -> tuple[Cell, ...]:
    restored = pair.accuracy.restored
    equal = sum(each.is_equal for each in restored.files)
    all_equal = equal == len(restored.files)
    return (
        pair.name,
        Verdict(all_equal, f"{equal} of {len(restored.files)}"),
        Verdict(not restored.surplus, str(len(restored.surplus))),
        Verdict(restored.largest_error == 0, number(restored.largest_error)),
        Verdict(restored.different_weights == 0, f"{restored.different_weights:,}"),
        milliseconds(restored.verify_seconds),
    )


def _changed(pair: PairResult) -> tuple[Cell, ...]:
    found = pair.accuracy
    return (
        pair.name,
        number(found.all.delta_norm),
        percent(found.all.relative_norm),
        percent(found.all.changed_share),
        _counts(found.nans),
        _counts(found.infinities),
        ", ".join(f"{number} {status}" for status, number in found.statuses.items()),
    )


def _counts(counts: tuple[int, int]) -> Verdict:
    """Those of base and fine-tune: no fault of ours, but worth a look."""
    base, tune = counts
    return Verdict(True if base == tune == 0 else None, f"{base:,} and {tune:,}")


def _files(pair: PairResult) -> Table:
    rows = [
        (
            each.path,
            size(each.bytes),
            Verdict(each.is_equal, "equal" if each.is_equal else f"`{each.restored_sha256}`"),
            f"`{each.sha256}`",
        )
        for each in pair.accuracy.restored.files
    ]
    head = ("file", "size", "what came out", "SHA-256 of the original")
    return Table(f"{pair.name}: every file", head, tuple(rows))


def _heat_map(pair: PairResult, what: str, value: Callable[[Change], float]) -> HeatMap:
    cells = pair.accuracy.cells
    kinds = sorted({kind for row in cells.values() for kind in row})
    found = [[value(row[kind]) if kind in row else None for kind in kinds] for row in cells.values()]
    # Colours go from none to the largest.
    largest = max((each for row in found for each in row if each is not None), default=0.0) or 1.0
    return HeatMap(
        f"{pair.name}: {what}, by layer and kind of tensor",
        "layer",
        tuple(cells),
        tuple(kinds),
        tuple(tuple(None if each is None else each / largest for each in row) for row in found),
        tuple(tuple("" if each is None else percent(each) for each in row) for row in found),
        ends=(percent(0), percent(largest)),
    )


def _bits(pair: PairResult, bits: ChangedBits) -> Bars:
    """From the sign to the mantissa's lowest bit, as they lie in a number."""
    names = ["sign"]
    names += [f"exponent {place}" for place in reversed(range(len(bits.exponent)))]
    names += [f"mantissa {place}" for place in reversed(range(len(bits.mantissa)))]
    counts = [bits.sign, *reversed(bits.exponent), *reversed(bits.mantissa)]
    return Bars(
        f"{pair.name}: weights of {bits.dtype} with another bit there",
        ("bit", "of all weights"),
        tuple(
            Bar(name, count / bits.weights, percent(count / bits.weights))
            for name, count in zip(names, counts, strict=True)
        ),
    )
