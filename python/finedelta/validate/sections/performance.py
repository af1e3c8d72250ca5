"""3. How long it takes, beside two ways to do it in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finedelta.validate.measured.baselines import Baseline
from finedelta.validate.measured.speed import OURS, RIVALS, InMemory, Speed, Times
from finedelta.validate.page.document import Bar, Bars, Block, Cell, Paragraph, Section, Table
from finedelta.validate.page.units import count, milliseconds, percent, rate, size, times
from finedelta.validate.run import Results

Part = Callable[[Times], float]


@dataclass(frozen=True)
class Step:
    name: str
    of: Part


DELTA = Step("delta", lambda each: each.delta)
COMPRESS = Step("compress", lambda each: each.compress)
DECOMPRESS = Step("decompress", lambda each: each.decompress)
STEPS = (DELTA, COMPRESS, DECOMPRESS)


def short(way: str) -> str:
    """The letter of a way that has one."""
    letters = {rival.name: f"({letter})" for rival, letter in zip(RIVALS, "ab", strict=True)}
    return letters.get(way, way)


def faster(speed: Speed, rival: Baseline, step: Step, threads: int) -> float:
    """How many times faster finedelta is, in memory."""
    return step.of(speed.of(rival.name, threads).times) / step.of(speed.of(OURS, threads).times)


def performance(results: Results) -> Section:
    timed = [(pair.name, pair.speed) for pair in results.pairs if pair.speed]
    blocks: list[Block] = [
        Paragraph(
            f"(a) is {RIVALS[0].name}: the way of older tools, `np.savez_compressed` of the difference, in "
            "float32 where the type is BF16, which numpy does not have. It does not give every fine-tune "
            "back bit by bit, since base + (fine-tune - base) is rounded. (b) is "
            f"{RIVALS[1].name}: what a competent user writes. Both work on pieces of 2^16 weights, which the "
            "processor's caches hold and which all threads share, and check no hash; finedelta takes two "
            "hashes of each chunk and compares them."
        ),
        Paragraph(_what(results)),
    ]
    for threads in sorted({each.threads for _, speed in timed for each in speed.in_memory}):
        blocks.append(_table(timed, threads, results.rounds))
    blocks += [
        _end_to_end(results),
        Paragraph(
            "finedelta is the program here, from its start, on the whole model, with matching, products of low "
            "rank, all files, their SHA-256, and everything synced; the others read the same tensors as in "
            "memory and sync what they write, without any of the rest, in a process that runs already."
        ),
    ]
    if timed:
        blocks.append(_spread(timed))
        blocks += [_bars(name, speed) for name, speed in timed]
        blocks.append(Paragraph(_bandwidth(results, max(timed, key=lambda each: each[1].sample_bytes))))
    return Section("3. Performance", tuple(blocks))


def _what(results: Results) -> str:
    """How much of each fine-tune the ways are compared on."""
    parts = []
    for pair in results.pairs:
        if pair.speed is None:
            parts.append(f"{pair.name}: none")
            continue
        all_weights = sum(kind.before for kind in pair.compression.kinds[:-1])
        sampled, of = pair.speed.sample_bytes, pair.speed.sampled_of_bytes
        share = f"a sample of {size(sampled)}" if sampled < of else f"{size(of)}"
        parts.append(f"{pair.name}: {share} of {size(all_weights)}")
    return "In memory, of float tensors of the base's type and shape. " + "; ".join(parts) + "."


def _table(timed: list[tuple[str, Speed]], threads: int, rounds: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, speed in timed:
        for step in STEPS:
            ours = step.of(speed.of(OURS, threads).times)
            cells: list[Cell] = [name, step.name, milliseconds(ours)]
            cells.append(rate(speed.sample_bytes / ours))
            for rival in RIVALS:
                cells.append(milliseconds(step.of(speed.of(rival.name, threads).times)))
                cells.append(times(faster(speed, rival, step, threads)))
            rows.append(tuple(cells))
    head = ("fine-tune", "step", OURS, "of the fine-tune", "(a)", "faster", "(b)", "faster")
    on = "one thread on one core" if threads == 1 else f"{threads} threads"
    return Table(f"In memory, {on}: median of {count(rounds, 'round')}", head, tuple(rows), 2)


def _end_to_end(results: Results) -> Table:
    rows = [
        (
            pair.name,
            short(each.way),
            str(each.threads),
            str(each.rounds),
            size(each.bytes),
            milliseconds(each.compress),
            rate(each.pack_rate),
            milliseconds(each.decompress),
            rate(each.unpack_rate),
        )
        for pair in results.pairs
        for each in pair.end_to_end
    ]
    return Table(
        "From disk to disk",
        ("fine-tune", "way", "threads", "rounds", "size", "pack", "", "unpack", ""),
        tuple(rows),
        numbers_from=2,
    )


def _spread(timed: list[tuple[str, Speed]]) -> Table:
    """So that nobody reads more from a median than is in it."""
    rows = []
    for name, speed in timed:
        for each in speed.in_memory:
            rows.append((name, short(each.way), str(each.threads), *(_range(each, step) for step in STEPS)))
    return Table(
        "In memory, all rounds: fastest and slowest",
        ("fine-tune", "way", "threads", *(step.name for step in STEPS)),
        tuple(rows),
        numbers_from=2,
    )


def _range(each: InMemory, step: Step) -> str:
    values = [step.of(times) for times in each.rounds]
    return f"{milliseconds(min(values))} to {milliseconds(max(values))}"


def _bars(name: str, speed: Speed) -> Bars:
    bars = [_bar(step, each) for step in STEPS for each in speed.in_memory if each.threads == 1]
    return Bars(f"{name}: time in memory, one thread", ("step and way", "time"), tuple(bars))


def _bar(step: Step, each: InMemory) -> Bar:
    seconds = step.of(each.times)
    return Bar(f"{step.name}, {short(each.way)}", seconds, milliseconds(seconds), each.way == OURS)


def _bandwidth(results: Results, largest: tuple[str, Speed]) -> str:
    name, speed = largest
    moved = 2 * speed.sample_bytes / speed.of(OURS, 1).times.delta
    share = moved / results.machine.memory_copy
    text = (
        f"The delta alone reads both models and keeps nothing: {rate(moved)} with one thread ({name}), "
        f"{percent(share)} of what copying memory moves here."
    )
    if share > 0.5:
        text += " That is about as fast as memory is: no program can be many times faster at it."
    return text
