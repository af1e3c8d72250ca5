"""2. How small each fine-tune becomes."""

from __future__ import annotations

from finedelta.validate.measured.compression import TARGET_SAVINGS, Lossy
from finedelta.validate.measured.speed import OURS, Speed, StoredSize
from finedelta.validate.page.document import (
    Bar,
    Bars,
    Block,
    Cell,
    Paragraph,
    Section,
    Table,
    Verdict,
    Waterfall,
    WaterfallStep,
)
from finedelta.validate.page.units import number, percent, ratio, size, times
from finedelta.validate.run import PairResult, Results

_LEAST, _MOST = TARGET_SAVINGS


def compression(results: Results) -> Section:
    blocks: list[Block] = [
        Paragraph(
            "Whole archives against all files of the fine-tune: headers, index, hashes and side files count."
        ),
        Table(
            "Exact",
            ("fine-tune", "base", "fine-tune", "delta", "ratio", "savings", "at level 1"),
            tuple(_row(pair) for pair in results.pairs),
        ),
        Table(
            f"Savings of {percent(_LEAST)} to {percent(_MOST)}, the target",
            ("fine-tune", "exact", "because"),
            tuple((pair.name, _met(pair), _reason(pair)) for pair in results.pairs),
            numbers_from=3,
        ),
        Table(
            "With an error",
            (
                "fine-tune",
                "savings",
                "delta",
                "ratio",
                "error, of the change",
                "error, of the weights",
                "largest",
            ),
            tuple(_lossy_row(pair, lossy) for pair in results.pairs for lossy in pair.compression.lossy),
        ),
        Paragraph(
            "An error is the root of the sum of squares over all weights of what comes out less what was "
            "packed, against that of what the fine-tune added to its base (of the change) and of the "
            "fine-tune itself (of the weights). How a model behaves with it is not measured here. "
            + " ".join(_reasons(results))
        ),
    ]
    if any(pair.lossy_share < 1 for pair in results.pairs):
        blocks.append(Paragraph(_shares(results)))
    compared = [(pair, pair.speed) for pair in results.pairs if pair.speed]
    if compared:
        blocks += [
            _ratios(compared),
            Paragraph(
                "All ways on the same tensors: float tensors of the base's type and shape, each alone; what is "
                "stored counts without names and headers. finedelta is without its products of low rank and "
                "its matching of rows and names here, which archives have. What comes out of an inexact way "
                "differs from the fine-tune by the share of the change that stands beside it."
            ),
        ]
    for pair in results.pairs:
        blocks += [_beside(pair.name, pair.speed)] if pair.speed else []
        blocks.append(_waterfall(pair))
    return Section("2. Compression", tuple(blocks))


def _shares(results: Results) -> str:
    cut = [pair for pair in results.pairs if pair.lossy_share < 1]
    parts = ", ".join(f"{pair.name}: {percent(pair.lossy_share)}" for pair in cut)
    return (
        "Of large models, archives with an error were made of the first rows of every tensor only, and the "
        f"sizes and errors are of those ({parts})."
    )


def _row(pair: PairResult) -> tuple[Cell, ...]:
    sizes = pair.compression
    return (
        pair.name,
        size(sizes.base_bytes),
        size(sizes.fine_tune_bytes),
        size(sizes.archive_bytes),
        times(sizes.ratio),
        percent(sizes.savings),
        size(sizes.levels[0].archive_bytes),
    )


def _lossy_row(pair: PairResult, lossy: Lossy) -> tuple[Cell, ...]:
    asked = f"{100 * lossy.savings:.0f} %"
    if lossy.archive_bytes is None:
        return (pair.name, asked, "none", "", "", "", "")
    whole = pair.compression.fine_tune_bytes * pair.lossy_share
    return (
        pair.name,
        asked,
        f"{size(lossy.archive_bytes)} LOSSY",
        times(whole / lossy.archive_bytes),
        percent(lossy.relative_error or 0),
        percent(lossy.error_of_weights or 0),
        number(lossy.largest_error or 0),
    )


def _met(pair: PairResult) -> Verdict:
    savings = percent(pair.compression.savings)
    if pair.is_synthetic:
        return Verdict(None, f"made up: {savings}")
    is_met = pair.compression.meets_target
    return Verdict(is_met, f"met: {savings}" if is_met else f"not met: {savings}")


def _reason(pair: PairResult) -> str:
    """What the savings come from, or why there are not more of them; and at which error there are."""
    sizes, found = pair.compression, pair.accuracy
    unchanged = 1 - found.all.changed_share
    parts = [f"{percent(unchanged)} of the weights that can be compared are unchanged"]
    if sizes.weights:
        bits = 8 * sum(each.after for each in sizes.kinds[:-1]) / sizes.weights
        width = 8 * sum(each.before for each in sizes.kinds[:-1]) / sizes.weights
        parts.append(
            f"{number(bits)} bits are stored for a weight of {number(width)}; {percent(_LEAST)} leave "
            f"{number(width * (1 - _LEAST))}"
        )
    for each in found.bits:
        if each.noise_bits:
            parts.append(
                f"in {each.dtype} weights that changed, {each.noise_bits} of {len(each.mantissa)} bits of the "
                "mantissa are other ones about as often as not"
            )
    if found.median_rank is not None:
        parts.append(
            f"what a matrix gained has {percent(found.median_rank)} of the rank that it could have (effective "
            "rank, median)"
        )
    if not sizes.meets_target:
        lossy = sizes.lossy_at_target
        parts.append(
            f"with an error of {percent(lossy.relative_error or 0)} of the change it is met"
            if lossy
            else "no error was measured at which it is met"
        )
    return "; ".join(parts)


def _reasons(results: Results) -> list[str]:
    """Why there are no archives with an error, where there are none."""
    return [
        f"{pair.name}, {100 * each.savings:.0f} %: {each.reason}."
        for pair in results.pairs
        for each in pair.compression.lossy
        if each.archive_bytes is None
    ]


def _ratios(compared: list[tuple[PairResult, Speed]]) -> Table:
    ways = [each.way for each in compared[0][1].stored]
    rows = []
    for pair, speed in compared:
        cells = [_ratio(speed.sample_bytes, each) for each in speed.stored]
        ours = ratio(speed.sample_bytes, _our_bytes(speed))
        rows.append((pair.name, size(speed.sample_bytes), ours, *cells))
    return Table(
        "Ratios beside other ways",
        ("fine-tune", "tensors", OURS, *ways),
        tuple(rows),
    )


def _our_bytes(speed: Speed) -> int:
    return next(each.stored_bytes for each in speed.in_memory if each.way == OURS)


def _ratio(of: int, stored: StoredSize) -> str:
    found = ratio(of, stored.bytes)
    return found if stored.is_exact else f"{found} INEXACT: {percent(stored.relative_error)}"


def _beside(name: str, speed: Speed) -> Bars:
    """All ways on the same tensors."""
    ours = _our_bytes(speed)
    bars = [Bar(OURS, ours, _share(ours, speed.sample_bytes), is_ours=True)]
    for each in speed.stored:
        text = _share(each.bytes, speed.sample_bytes)
        if not each.is_exact:
            text += ", INEXACT"
        bars.append(Bar(each.way, each.bytes, text))
    return Bars(
        f"{name}: what each way stores for {size(speed.sample_bytes)}",
        ("way", "stored"),
        tuple(bars),
    )


def _share(stored: int, of: int) -> str:
    return f"{size(stored)}, {ratio(of, stored)}"


def _waterfall(pair: PairResult) -> Waterfall:
    return Waterfall(
        f"{pair.name}: where the bytes go, by kind of tensor",
        tuple(WaterfallStep(each.kind, each.before, each.after) for each in pair.compression.kinds),
    )
