"""3. How long it takes, beside two ways to do it in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finedelta.validate.baselines import Baseline
from finedelta.validate.document import Bar, Bars, Block, Cell, Paragraph, Section, Table
from finedelta.validate.run import PairResult, Results
from finedelta.validate.speed import OURS, RIVALS, InMemory, Times
from finedelta.validate.units import milliseconds, percent, rate, size, times

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


def faster(pair: PairResult, rival: Baseline, step: Step, threads: int) -> float:
    """How many times faster finedelta is."""
    return step.of(pair.speed.of(rival.name, threads).times) / step.of(
        pair.speed.of(OURS, threads).times
    )


def performance(results: Results) -> Section:
    blocks: list[Block] = [
        Paragraph(
            f"(a) is {RIVALS[0].name}: the way of older tools, `np.savez_compressed` of the difference. (b) is "
            f"{RIVALS[1].name}: what a competent user writes. Both take a delta and compress it; neither checks "
            "a hash, while finedelta takes two and compares them. (a) does not give every fine-tune back "
            "bit by bit, since base + (fine-tune - base) is rounded."
        ),
        Paragraph(_what(results)),
    ]
    for threads in _counts(results):
        blocks.append(_table(results, threads))
    blocks += [
        _end_to_end(results),
        Paragraph(
            "finedelta is the program here, from its start, on the whole model, with matching, products of low "
            "rank, all files, their SHA-256, and everything synced; the others read the same tensors as in "
            "memory and sync what they write, without any of the rest, in a process that runs already."
        ),
        _spread(results),
    ]
    blocks += [_bars(pair) for pair in results.pairs]
    blocks.append(Paragraph(_bandwidth(results)))
    return Section("3. Performance", tuple(blocks))


def _counts(results: Results) -> list[int]:
    return sorted({each.threads for pair in results.pairs for each in pair.speed.in_memory})


def _what(results: Results) -> str:
    parts = []
    for pair in results.pairs:
        speed = pair.speed
        share = "all" if speed.sample_bytes == speed.sampled_of_bytes else "a sample of"
        parts.append(f"{pair.name}: {share} {size(speed.sample_bytes)}")
    return "In memory, of float tensors of the base's type and shape. " + "; ".join(parts) + "."


def _table(results: Results, threads: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for pair in results.pairs:
        for step in STEPS:
            ours = step.of(pair.speed.of(OURS, threads).times)
            cells: list[Cell] = [pair.name, step.name, milliseconds(ours)]
            cells.append(rate(pair.speed.sample_bytes / ours))
            for rival in RIVALS:
                cells.append(milliseconds(step.of(pair.speed.of(rival.name, threads).times)))
                cells.append(times(faster(pair, rival, step, threads)))
            rows.append(tuple(cells))
    head = ("fine-tune", "step", OURS, "of the fine-tune", "(a)", "faster", "(b)", "faster")
    caption = f"In memory, {_threads(threads)}: median of {results.rounds} rounds"
    return Table(caption, head, tuple(rows), numbers_from=2)


def _threads(count: int) -> str:
    return "one thread on one core" if count == 1 else f"{count} threads"


def _end_to_end(results: Results) -> Table:
    rows = [
        (
            pair.name,
            short(each.way),
            str(each.threads),
            size(each.bytes),
            milliseconds(each.compress),
            rate(each.bytes / each.compress),
            milliseconds(each.decompress),
            rate(each.bytes / each.decompress),
        )
        for pair in results.pairs
        for each in pair.end_to_end
    ]
    return Table(
        "From disk to disk",
        ("fine-tune", "way", "threads", "size", "pack", "", "unpack", ""),
        tuple(rows),
        numbers_from=2,
    )


def _spread(results: Results) -> Table:
    """So that nobody reads more from a median than is in it."""
    rows = []
    for pair in results.pairs:
        for each in pair.speed.in_memory:
            rows.append((pair.name, short(each.way), str(each.threads), *(_range(each, step) for step in STEPS)))
    return Table(
        "All rounds: fastest and slowest",
        ("fine-tune", "way", "threads", *(step.name for step in STEPS)),
        tuple(rows),
        numbers_from=2,
    )


def _range(each: InMemory, step: Step) -> str:
    values = [step.of(times) for times in each.rounds]
    return f"{milliseconds(min(values))} to {milliseconds(max(values))}"


def _bars(pair: PairResult) -> Bars:
    bars = [
        _bar(step, each)
        for step in STEPS
        for each in pair.speed.in_memory
        if each.threads == 1
    ]
    return Bars(f"{pair.name}: time in memory, one thread", ("step and way", "time"), tuple(bars))


def _bar(step: Step, each: InMemory) -> Bar:
    seconds = step.of(each.times)
    return Bar(f"{step.name}, {short(each.way)}", seconds, milliseconds(seconds), each.way == OURS)


def _bandwidth(results: Results) -> str:
    pair = max(results.pairs, key=lambda each: each.speed.sample_bytes)
    ours = pair.speed.of(OURS, 1)
    moved = 2 * pair.speed.sample_bytes / ours.times.delta
    copy = results.machine.memory_copy
    return (
        f"The delta alone reads two models and keeps nothing: {rate(moved)} read with one thread "
        f"({pair.name}), {percent(moved / copy)} of what copying memory moves here. It is bound by memory, and "
        "so is numpy's: no program can be many times faster at it."
    )
