"""5. What is said of tools like this one, and what this run says of it."""

from __future__ import annotations

from collections.abc import Callable

from finedelta.validate.baselines import Baseline
from finedelta.validate.compression import TARGET_SAVINGS
from finedelta.validate.document import Cell, Paragraph, Section, Table, Verdict
from finedelta.validate.run import PairResult, Results
from finedelta.validate.scaling import PROJECTED_BYTES
from finedelta.validate.sections.performance import COMPRESS, DECOMPRESS, faster
from finedelta.validate.speed import RIVALS
from finedelta.validate.units import number, percent, size, times

MEMORY_LIMIT = 512 << 20
"""Bytes that the program keeps to unless another limit is given."""

_SEVEN_BILLION = 6.5e9  # what is called 7B has so many weights at least
_WANTED = 10.0


def claims(results: Results) -> Section:
    rows: list[tuple[Cell, ...]] = [_compression(results)]
    rows += [_speed(results, rival, letter) for rival, letter in zip(RIVALS, "ab", strict=True)]
    rows += [_seven_billion(results), _production(results)]
    return Section(
        "5. Claims",
        (
            Table("Claims, and what was measured", ("claim", "verdict", "evidence"), tuple(rows), 3),
            Paragraph("A claim about speed holds if the least of the ratios is at least ten."),
        ),
    )


def _compression(results: Results) -> tuple[Cell, ...]:
    savings = [pair.compression.savings for pair in results.pairs]
    meet = sum(each >= TARGET_SAVINGS[0] for each in savings)
    evidence = f"exact: {_range(savings, percent)} saved, of {_pairs(len(savings))}"
    errors = [
        each.relative_error
        for pair in results.pairs
        for each in pair.compression.lossy
        if each.savings == TARGET_SAVINGS[0] and each.relative_error is not None
    ]
    if errors:
        evidence += (
            f"; {percent(TARGET_SAVINGS[0])} of the others with an error of {_range(errors, percent)} of the "
            "change"
        )
    holds = meet == len(savings)
    text = "holds" if holds else f"holds for {meet} of {len(savings)}"
    return ("90-96 % compression on fine-tunes", Verdict(holds, text), evidence)


def _pairs(count: int) -> str:
    return "one fine-tune" if count == 1 else f"{count} fine-tunes"


def _speed(results: Results, rival: Baseline, letter: str) -> tuple[Cell, ...]:
    """With one thread in memory."""
    parts, least = [], float("inf")
    for step in (COMPRESS, DECOMPRESS):
        ratios = [faster(pair, rival, step, 1) for pair in results.pairs]
        least = min(least, *ratios)
        parts.append(f"{step.name} {_range(ratios, times)}")
    return (
        f"10-20x faster native, against ({letter}) {rival.name}",
        Verdict(least >= _WANTED, "holds" if least >= _WANTED else "does not hold"),
        "one thread, in memory: " + ", ".join(parts) + " as fast",
    )


def _range(values: list[float], shown: Callable[[float], str]) -> str:
    if len(values) == 1:
        return shown(values[0])
    return f"{shown(min(values))} to {shown(max(values))}"


def _seven_billion(results: Results) -> tuple[Cell, ...]:
    claim = "works on 7B models"
    large = [pair for pair in results.pairs if pair.compression.weights >= _SEVEN_BILLION]
    if not large:
        largest = max(pair.compression.weights for pair in results.pairs)
        growth = next(each for each in results.scaling.growths if each.verb == "pack")
        evidence = (
            f"the largest model of this run has {number(largest / 1e9)} billion weights; computed for "
            f"{size(PROJECTED_BYTES)}: packed in {number(growth.fit.projected_seconds / 60)} min ± "
            f"{number(growth.fit.projected_error / 60)} min"
        )
        return (claim, Verdict(None, "not measured here"), evidence)
    peak = max(_peak(pair) for pair in large)
    equal = all(is_exact(pair) for pair in large)
    evidence = (
        f"{_pairs(len(large))} of {number(large[0].compression.weights / 1e9)} billion weights, "
        f"{size(large[0].compression.fine_tune_bytes)}: packed, unpacked, {'equal' if equal else 'DIFFERENT'}; "
        f"largest peak {size(peak)} of a limit of {size(MEMORY_LIMIT)}"
    )
    holds = equal and peak <= MEMORY_LIMIT
    return (claim, Verdict(holds, "holds" if holds else "does not hold"), evidence)


def is_exact(pair: PairResult) -> bool:
    restored = pair.accuracy.restored
    return all(each.is_equal for each in restored.files) and restored.different_weights == 0


def _peak(pair: PairResult) -> int:
    restored = pair.accuracy.restored
    packing = max(each.peak_bytes for each in pair.compression.levels)
    return max(packing, restored.unpack_peak_bytes, restored.verify_peak_bytes)


def _production(results: Results) -> tuple[Cell, ...]:
    """What a run can say of it."""
    equal = sum(is_exact(pair) for pair in results.pairs)
    tried = [each for pair in results.pairs for each in pair.edge_cases]
    right = sum(each.as_documented for each in tried)
    tries = sum(each.tries for each in tried)
    peak = max(_peak(pair) for pair in results.pairs)
    holds = equal == len(results.pairs) and right == tries and peak <= MEMORY_LIMIT
    evidence = (
        f"{equal} of {len(results.pairs)} came back bit by bit; {right} of {tries} mishaps ended as "
        f"documented; largest peak {size(peak)} of {size(MEMORY_LIMIT)}. That is what one run can show; the "
        "project's tests cover more (section 7), and years of use by others can't be measured"
    )
    verdict = Verdict(None, "all checks passed") if holds else Verdict(False, "a check failed")
    return ("production ready", verdict, evidence)
