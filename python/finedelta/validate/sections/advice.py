"""7. What to do with it, what it does not do, and what happens when things go wrong."""

from __future__ import annotations

from dataclasses import dataclass

from finedelta.validate.compression import TARGET_SAVINGS
from finedelta.validate.document import Block, Cell, Paragraph, Section, Table, Verdict
from finedelta.validate.edge_cases import COVERED
from finedelta.validate.run import PairResult, Results
from finedelta.validate.sections.claims import MEMORY_LIMIT
from finedelta.validate.sections.performance import COMPRESS, DECOMPRESS, STEPS, Step, faster, short
from finedelta.validate.speed import OURS, RIVALS
from finedelta.validate.units import milliseconds, percent, rate, size, times


_REST = "the rest"


@dataclass(frozen=True)
class Parts:
    """Seconds that parts of a step would take alone, and the step from disk to disk."""

    verb: str
    alone: dict[str, float]
    measured: float

    @property
    def bottleneck(self) -> str:
        return max(self.alone, key=lambda name: self.alone[name])


def parts_of(pair: PairResult, results: Results) -> tuple[Parts, Parts]:
    """Of packing and of unpacking, with all threads."""
    machine, sizes = results.machine, pair.compression
    end = max((each for each in pair.end_to_end if each.way == OURS), key=lambda each: each.threads)
    tune, archive = sizes.fine_tune_bytes, sizes.archive_bytes

    def codec(step: Step) -> float:
        return tune * step.of(pair.speed.of(OURS, end.threads).times) / pair.speed.sample_bytes

    pack = {
        "reading": (sizes.base_bytes + tune) / machine.disk_read,
        "coding": codec(COMPRESS),
        "SHA-256": tune / machine.sha256,
        "writing": archive / machine.disk_write,
    }
    unpack = {
        "reading": (sizes.base_bytes + archive) / machine.disk_read,
        "coding": codec(DECOMPRESS),
        "SHA-256": 0.0,
        "writing": tune / machine.disk_write,
    }
    for alone, measured in ((pack, end.compress), (unpack, end.decompress)):
        # At least: parts may go on at the same time.
        alone[_REST] = max(0.0, measured - sum(alone.values()))
    return Parts("pack", pack, end.compress), Parts("unpack", unpack, end.decompress)


def advice(results: Results) -> Section:
    parts = {pair.name: parts_of(pair, results) for pair in results.pairs}
    blocks: list[Block] = [
        Table(
            "What each part would take alone",
            ("fine-tune", "step", "reading", "coding", "SHA-256", "writing", _REST, "bottleneck", "measured"),
            tuple(_parts_row(name, each) for name, both in parts.items() for each in both),
            numbers_from=2,
        ),
        Paragraph(
            "Computed from this machine's rates, with all threads. The rest is what was measured from disk to "
            "disk less all of them: starting, matching, looking for products of low rank, syncing. The largest "
            "is the bottleneck."
        ),
        Table("Recommendations for a hub", ("", "do", "because"), tuple(_advice(results, parts)), 3),
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
    if any(pair.is_synthetic for pair in results.pairs):
        blocks.append(
            Paragraph(
                "The models are SYNTHETIC: times and memory are those of models of this size and type; sizes of "
                "archives follow from how the numbers were made up."
            )
        )
    return Section("7. Recommendations, limitations, edge cases", tuple(blocks))


def _parts_row(name: str, parts: Parts) -> tuple[Cell, ...]:
    alone = (milliseconds(seconds) if seconds else "-" for seconds in parts.alone.values())
    return (name, parts.verb, *alone, parts.bottleneck, milliseconds(parts.measured))


def _advice(results: Results, parts: dict[str, tuple[Parts, Parts]]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for pair in results.pairs:
        rows += _quick_wins(pair)
    for pair in results.pairs:
        rows += [_performance(pair, each) for each in parts[pair.name]]
    for pair in results.pairs:
        rows += _approach(pair, results)
    return rows


def _quick_wins(pair: PairResult) -> list[tuple[Cell, ...]]:
    sizes = pair.compression
    rows: list[tuple[Cell, ...]] = [
        (
            "quick win",
            f"store {pair.name} as an archive",
            f"{size(sizes.fine_tune_bytes - sizes.archive_bytes)} of {size(sizes.fine_tune_bytes)} less to keep "
            "and to send, and every byte is checked",
        )
    ]
    fast, default = sizes.levels[0], sizes.levels[-1]
    larger, quicker = fast.archive_bytes / default.archive_bytes, default.seconds / fast.seconds
    if quicker > 1.2 and larger < 1.1:
        rows.append(
            (
                "quick win",
                f"pack {pair.name} with `-1` where time counts",
                f"{times(quicker)} as fast for {percent(larger - 1)} more bytes",
            )
        )
    return rows


_REMEDIES = {
    "reading": "keep bases on a faster disk or in memory, and pack fine-tunes of one base together",
    "coding": "give it more cores: chunks are coded in parallel",
    "SHA-256": "pack several fine-tunes at a time: each file is hashed by one thread",
    "writing": "write to a faster disk",
    _REST: "pack several fine-tunes at a time: what is left is not done by all threads, or by the disk",
}


def _performance(pair: PairResult, parts: Parts) -> tuple[Cell, ...]:
    bottleneck = parts.bottleneck
    because = (
        f"{parts.verb}: {bottleneck} alone takes {milliseconds(parts.alone[bottleneck])} of "
        f"{milliseconds(parts.measured)}"
    )
    if bottleneck == "coding":
        step = COMPRESS if parts.verb == "pack" else DECOMPRESS
        threads = max(each.threads for each in pair.speed.in_memory)
        one = step.of(pair.speed.of(OURS, 1).times)
        gain = one / step.of(pair.speed.of(OURS, threads).times)
        because += f"; {threads} threads were {times(gain)} as fast as one, in memory"
    return ("performance", f"{pair.name}: {_REMEDIES[bottleneck]}", because)


def _approach(pair: PairResult, results: Results) -> list[tuple[Cell, ...]]:
    sizes, restored = pair.compression, pair.accuracy.restored
    saved = sizes.fine_tune_bytes - sizes.archive_bytes
    peak = max(restored.unpack_peak_bytes, max(each.peak_bytes for each in sizes.levels))
    at_once = int(results.environment.memory_bytes * 0.8 / MEMORY_LIMIT)
    rows: list[tuple[Cell, ...]] = []
    if saved > 0:
        rows.append(
            (
                "approach",
                f"{pair.name}: send archives over links below {rate(saved / restored.unpack_seconds)}",
                "computed: there, what is saved in sending takes longer than unpacking "
                f"({milliseconds(restored.unpack_seconds)})",
            )
        )
    rows.append(
        (
            "approach",
            f"run up to {at_once} packs or unpacks at a time on a machine like this one",
            f"{pair.name}: peak {size(peak)}; the limit of each is {size(MEMORY_LIMIT)} (computed from 80 % of memory)",
        )
    )
    for each in sizes.lossy:
        if each.archive_bytes is not None and each.savings == TARGET_SAVINGS[0]:
            rows.append(
                (
                    "approach",
                    f"{pair.name}: offer a LOSSY first layer (`--progressive`) where the exact one comes later",
                    f"{size(each.archive_bytes)} carry all but {percent(each.relative_error or 0)} of the change",
                )
            )
    return rows


def _limitations(results: Results) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for pair in results.pairs:
        if pair.compression.savings < TARGET_SAVINGS[0]:
            rows.append(
                (f"{pair.name} saves less than {percent(TARGET_SAVINGS[0])}", percent(pair.compression.savings))
            )
        for rival in RIVALS:
            for step in STEPS:
                ratio = faster(pair, rival, step, 1)
                if ratio < 1:
                    rows.append(
                        (
                            f"{pair.name}: {short(rival.name)} is faster at one step ({step.name})",
                            f"finedelta is {times(ratio)} as fast, one thread in memory",
                        )
                    )
        rows += _slower_from_disk(pair)
        if pair.speed.sample_bytes < pair.speed.sampled_of_bytes:
            share = pair.speed.sample_bytes / pair.speed.sampled_of_bytes
            rows.append((f"{pair.name}: ways were compared on a sample", f"{percent(share)} of the tensors"))
    rows.append(("one machine, one run", f"{results.rounds} rounds; no GPU, no network"))
    return rows


def _slower_from_disk(pair: PairResult) -> list[tuple[Cell, ...]]:
    """Where another way has more bytes through in a second, with as many threads."""
    rows: list[tuple[Cell, ...]] = []
    ours = max((each for each in pair.end_to_end if each.way == OURS), key=lambda each: each.threads)
    for each in pair.end_to_end:
        if each.way == OURS or each.threads != ours.threads:
            continue
        for verb, mine, theirs in (
            ("packing", ours.bytes / ours.compress, each.bytes / each.compress),
            ("unpacking", ours.bytes / ours.decompress, each.bytes / each.decompress),
        ):
            if mine < theirs:
                what = f"{pair.name}: {short(each.way)} is faster from disk to disk ({verb})"
                rows.append((what, f"{rate(mine)} against {rate(theirs)}"))
    return rows


def _tried(results: Results) -> list[tuple[Cell, ...]]:
    """All pairs together."""
    cases: dict[str, list[Cell]] = {}
    found = [each for pair in results.pairs for each in pair.edge_cases]
    for case in dict.fromkeys(each.case for each in found):
        of_case = [each for each in found if each.case == case]
        tries, right = sum(each.tries for each in of_case), sum(each.as_documented for each in of_case)
        cases[case] = [
            Verdict(right == tries, f"{right} of {tries}"),
            str(of_case[0].exit_code),
            milliseconds(max(each.seconds for each in of_case)),
            f"`{of_case[0].test}`",
        ]
    return [(case, *cells) for case, cells in cases.items()]
