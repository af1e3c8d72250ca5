"""5. What is said of tools like this one, and what this run says of it."""

from __future__ import annotations

from collections.abc import Callable

from finedelta.validate.measured.baselines import Baseline
from finedelta.validate.measured.compression import TARGET_SAVINGS
from finedelta.validate.measured.scaling import PROJECTED_BYTES
from finedelta.validate.measured.speed import OURS, RIVALS
from finedelta.validate.page.document import Cell, Paragraph, Section, Table, Verdict
from finedelta.validate.page.units import count, number, percent, size, times
from finedelta.validate.run import PairResult, Results
from finedelta.validate.sections.extrapolation import projected
from finedelta.validate.sections.performance import STEPS, faster, short

MEMORY_LIMIT = 512 << 20
"""Bytes that the program keeps to unless another limit is given."""
_LIMIT = f"512 MiB ({size(MEMORY_LIMIT)})"

_SEVEN_BILLION = 6.5e9  # what is called 7B has so many weights at least
_WANTED = 10.0


def claims(results: Results) -> Section:
    rows: list[tuple[Cell, ...]] = [_compression(results)]
    rows += [_speed(results, rival) for rival in RIVALS]
    rows += [_seven_billion(results), _production(results)]
    return Section(
        "5. Claims",
        (
            Table("Claims, and what was measured", ("claim", "verdict", "evidence"), tuple(rows), 3),
            Paragraph(
                "A claim about speed holds if compression and decompression in memory, with one thread, are at "
                "least ten times as fast for every fine-tune. The delta is bound by memory, and what goes from "
                "disk to disk by much else; both stand beside it."
            ),
        ),
    )


def _compression(results: Results) -> tuple[Cell, ...]:
    claim = "90-96 % compression on fine-tunes"
    savings = [pair.compression.savings for pair in results.pairs]
    below = [pair.compression for pair in results.pairs if not pair.compression.meets_target]
    evidence = f"exact: {_range(savings, percent)} saved, of {count(len(savings), 'fine-tune')}"
    at_target = [sizes.lossy_at_target for sizes in below]
    errors = [each.relative_error for each in at_target if each and each.relative_error is not None]
    if errors:
        evidence += (
            f"; {percent(TARGET_SAVINGS[0])} with an error of {_range(errors, percent)} of the change (of "
            f"{len(errors)} of {len(below)} that save less)"
        )
    if results.are_synthetic:
        return (claim, Verdict(None, "can't be told: SYNTHETIC"), evidence)
    met = len(savings) - len(below)
    return (
        claim,
        Verdict(not below, "holds" if not below else f"holds for {met} of {len(savings)}"),
        evidence,
    )


def _speed(results: Results, rival: Baseline) -> tuple[Cell, ...]:
    claim = f"10-20x faster native, against {short(rival.name)} {rival.name}"
    timed = [pair.speed for pair in results.pairs if pair.speed]
    if not timed:
        return (claim, Verdict(None, "not measured here"), "0 float tensors of the base's type and shape")
    ratios = {step: [faster(speed, rival, step, 1) for speed in timed] for step in STEPS}
    parts = [f"{step.name} {_range(of_step, times)}" for step, of_step in ratios.items()]
    evidence = f"one thread, in memory: {', '.join(parts)} as fast"
    for verb, of_verb in _from_disk(results, rival).items():
        evidence += f"; {verb} from disk to disk, all threads: {_range(of_verb, times)}"
    least = min(ratio for step, of_step in ratios.items() if step.name != "delta" for ratio in of_step)
    holds = least >= _WANTED
    return (claim, Verdict(holds, "holds" if holds else "does not hold"), evidence)


def _from_disk(results: Results, rival: Baseline) -> dict[str, list[float]]:
    """How many times the bytes a second that the other way has through."""
    found: dict[str, list[float]] = {"packing": [], "unpacking": []}
    for pair in results.pairs:
        for other in pair.from_disk(rival.name):
            ours = pair.from_disk(OURS)[-1]
            found["packing"].append(ours.pack_rate / other.pack_rate)
            found["unpacking"].append(ours.unpack_rate / other.unpack_rate)
    return {verb: ratios for verb, ratios in found.items() if ratios}


def _range(values: list[float], shown: Callable[[float], str]) -> str:
    if len(values) == 1:
        return shown(values[0])
    return f"{shown(min(values))} to {shown(max(values))}"


def _seven_billion(results: Results) -> tuple[Cell, ...]:
    claim = "works on 7B models"
    large = [pair for pair in results.pairs if pair.compression.weights >= _SEVEN_BILLION]
    if not large:
        largest = max(pair.compression.weights for pair in results.pairs)
        evidence = f"the largest model of this run has {number(largest / 1e9)} billion weights"
        if results.scaling:
            pack = next(each for each in results.scaling.growths if each.verb == "pack")
            evidence += f"; packing {size(PROJECTED_BYTES)}, computed: {projected(pack)}"
        return (claim, Verdict(None, "not measured here"), evidence)
    peak = largest_peak(results)
    equal = all(is_exact(pair) for pair in large)
    synthetic = " (SYNTHETIC)" if large[0].is_synthetic else ""
    evidence = (
        f"{count(len(large), 'fine-tune')} of {number(large[0].compression.weights / 1e9)} billion weights{synthetic}, "
        f"{size(large[0].compression.fine_tune_bytes)}: packed, unpacked, {'equal' if equal else 'DIFFERENT'}; "
        f"largest peak {size(peak)} of a limit of {_LIMIT}"
    )
    holds = equal and peak <= MEMORY_LIMIT
    return (claim, Verdict(holds, "holds" if holds else "does not hold"), evidence)


def is_exact(pair: PairResult) -> bool:
    restored = pair.accuracy.restored
    files = all(each.is_equal for each in restored.files) and not restored.surplus
    return files and restored.different_weights == 0


def largest_peak(results: Results) -> int:
    """Of all runs of the program whose memory was looked at."""
    peaks = [each.peak_bytes for pair in results.pairs for each in pair.compression.levels]
    peaks += [each.peak_bytes for pair in results.pairs for each in pair.compression.lossy]
    for pair in results.pairs:
        restored = pair.accuracy.restored
        peaks += [restored.unpack_peak_bytes, restored.verify_peak_bytes]
    if results.scaling:
        peaks += [each.peak_bytes for growth in results.scaling.growths for each in growth.measured]
    return max(peaks)


def _production(results: Results) -> tuple[Cell, ...]:
    """What a run can say of it."""
    equal = sum(is_exact(pair) for pair in results.pairs)
    tried = [each for pair in results.pairs for each in pair.edge_cases]
    right = sum(each.as_documented for each in tried)
    tries = sum(each.tries for each in tried)
    peak = largest_peak(results)
    holds = equal == len(results.pairs) and right == tries and peak <= MEMORY_LIMIT
    evidence = (
        f"{equal} of {len(results.pairs)} came back bit by bit; {right} of {tries} mishaps ended as "
        f"documented; largest peak {size(peak)} of {_LIMIT}. That is what one run can show; the "
        "project's tests cover more (section 7), and years of use by others can't be measured"
    )
    verdict = Verdict(None, "all checks passed") if holds else Verdict(False, "a check failed")
    return ("production ready", verdict, evidence)
