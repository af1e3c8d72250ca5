"""7. What to do with it, what it does not do, and what happens when things go wrong."""

from __future__ import annotations

from finedelta.validate.measured.compression import TARGET_SAVINGS
from finedelta.validate.measured.edge_cases import COVERED
from finedelta.validate.measured.speed import OURS, RIVALS
from finedelta.validate.page.document import Block, Cell, Paragraph, Section, Table, Verdict
from finedelta.validate.page.units import count, milliseconds, percent, rate, size, times
from finedelta.validate.run import PairResult, Results
from finedelta.validate.sections.bottleneck import all_parts, parts_table, remedy
from finedelta.validate.sections.claims import MEMORY_LIMIT, largest_peak
from finedelta.validate.sections.performance import STEPS, faster, short

_SLOW = 0.5  # seconds of packing, from which on it is worth being faster


def advice(results: Results) -> Section:
    parts = all_parts(results)
    blocks: list[Block] = [*parts_table(parts)] if parts else []
    rows = [row for pair in results.pairs for row in _quick_wins(pair)]
    rows += [("performance", f"{each.pair}: {remedy(each)[0]}", remedy(each)[1]) for each in parts]
    rows += [row for pair in results.pairs for row in _approach(pair)]
    rows.append(_at_once(results))
    blocks += [
        Table("Recommendations for a hub", ("", "do", "because"), tuple(rows), 3),
        Table(
            "Limitations found in this run",
            ("limitation", "evidence"),
            tuple(_limitations(results)),
            numbers_from=2,
        ),
        Table(
            "Mishaps tried in this run, on its own archives",
            ("case", "as documented", "exit code", "within", "test of the project"),
            tuple(_tried(results)),
        ),
        Table(
            "Other cases, which the project's tests cover",
            ("case", "behaviour", "test"),
            tuple((each.case, each.behaviour, f"`{each.test}`") for each in COVERED),
            numbers_from=3,
        ),
    ]
    if results.are_synthetic:
        blocks.append(
            Paragraph(
                "The models are SYNTHETIC: times and memory are those of models of this size and type; sizes of "
                "archives follow from how the numbers were made up."
            )
        )
    return Section("7. Recommendations, limitations, edge cases", tuple(blocks))


def _quick_wins(pair: PairResult) -> list[tuple[Cell, ...]]:
    sizes = pair.compression
    rows: list[tuple[Cell, ...]] = []
    if sizes.saved_bytes > 0:
        rows.append(
            (
                "quick win",
                f"store {pair.name} as an archive",
                f"{size(sizes.saved_bytes)} of {size(sizes.fine_tune_bytes)} less to keep and to send, and every byte is "
                "checked",
            )
        )
    fast, default = sizes.levels[0], sizes.levels[-1]
    larger, quicker = fast.archive_bytes / default.archive_bytes, default.seconds / fast.seconds
    if default.seconds > _SLOW and quicker > 1.2 and larger < 1.1:
        rows.append(
            (
                "quick win",
                f"pack {pair.name} with `-1` where time counts",
                f"{times(quicker)} as fast for {percent(larger - 1)} more bytes",
            )
        )
    return rows


def _approach(pair: PairResult) -> list[tuple[Cell, ...]]:
    sizes, restored = pair.compression, pair.accuracy.restored
    rows: list[tuple[Cell, ...]] = []
    if sizes.saved_bytes > 0:
        link = rate(sizes.saved_bytes / restored.unpack_seconds)
        rows.append(
            (
                "approach",
                f"{pair.name}: send archives over links below {link}",
                "computed: there, what is saved in sending takes longer than unpacking "
                f"({milliseconds(restored.unpack_seconds)})",
            )
        )
    lossy = sizes.lossy_at_target
    if lossy and lossy.archive_bytes:
        rows.append(
            (
                "approach",
                f"{pair.name}: offer a LOSSY first layer (`--progressive`) where the exact one comes later",
                f"{size(lossy.archive_bytes)} carry all but {percent(lossy.relative_error or 0)} of the change",
            )
        )
    return rows


def _at_once(results: Results) -> tuple[Cell, ...]:
    here = results.environment
    limits = int(0.8 * here.memory_bytes / MEMORY_LIMIT)
    most = max(1, min(here.cores, limits))
    return (
        "approach",
        f"many models: {count(most, 'job')} at a time on a machine like this one, with `--threads 1`",
        f"computed: {count(here.cores, 'core')}, and room for {limits} limits "
        f"of 512 MiB in 80 % of memory; the largest peak here was {size(largest_peak(results))}",
    )


def _limitations(results: Results) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for pair in results.pairs:
        saved = percent(pair.compression.savings)
        if not pair.compression.meets_target:
            rows.append((f"{pair.name} saves less than {percent(TARGET_SAVINGS[0])}", saved))
        rows += _slower_in_memory(pair) + _slower_from_disk(pair)
        if pair.speed is None:
            rows.append((f"{pair.name}: ways are not compared", "0 tensors that all are for"))
        elif pair.speed.sample_bytes < pair.speed.sampled_of_bytes:
            share = percent(pair.speed.sample_bytes / pair.speed.sampled_of_bytes)
            rows.append((f"{pair.name}: ways are compared on a sample", f"{share} of the tensors"))
    rows.append(("one machine, one run", f"{count(results.rounds, 'round')}; no GPU, no network"))
    return rows


def _slower_in_memory(pair: PairResult) -> list[tuple[Cell, ...]]:
    """Where another way is faster at a step."""
    rows: list[tuple[Cell, ...]] = []
    for rival in RIVALS:
        for step in STEPS:
            if pair.speed and (ratio := faster(pair.speed, rival, step, 1)) < 1:
                what = f"{pair.name}: {short(rival.name)} is faster at one step ({step.name})"
                rows.append((what, f"finedelta is {times(ratio)} as fast, one thread in memory"))
    return rows


def _slower_from_disk(pair: PairResult) -> list[tuple[Cell, ...]]:
    """Where another way has more bytes through in a second, with as many threads."""
    rows: list[tuple[Cell, ...]] = []
    ours = pair.from_disk(OURS)[-1]
    for each in (of_rival for rival in RIVALS for of_rival in pair.from_disk(rival.name)):
        for verb, mine, theirs in (
            ("packing", ours.pack_rate, each.pack_rate),
            ("unpacking", ours.unpack_rate, each.unpack_rate),
        ):
            if mine < theirs:
                what = f"{pair.name}: {short(each.way)} is faster from disk to disk ({verb})"
                rows.append((what, f"{rate(mine)} against {rate(theirs)}"))
    return rows


def _tried(results: Results) -> list[tuple[Cell, ...]]:
    """All pairs together."""
    rows: list[tuple[Cell, ...]] = []
    found = [each for pair in results.pairs for each in pair.edge_cases]
    for case in dict.fromkeys(each.case for each in found):
        of_case = [each for each in found if each.case == case]
        tries, right = sum(each.tries for each in of_case), sum(each.as_documented for each in of_case)
        rows.append(
            (
                case,
                Verdict(right == tries, f"{right} of {tries}"),
                str(of_case[0].exit_code),
                milliseconds(max(each.seconds for each in of_case)),
                f"`{of_case[0].test}`",
            )
        )
    return rows
