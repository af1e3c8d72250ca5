"""6. What a model of 70 B parameters would take."""

from __future__ import annotations

from finedelta.validate.measured.scaling import PROJECTED_BYTES, Growth, Scaling
from finedelta.validate.models.checkpoint import LARGE
from finedelta.validate.page.document import Block, Line, Lines, Paragraph, Point, Section, Table
from finedelta.validate.page.units import count, number, percent, rate, size
from finedelta.validate.run import Results

_FAR = 100  # times what was measured
_NONE = "too small to tell"


def extrapolation(results: Results) -> Section:
    scaling = results.scaling
    if scaling is None:
        blocks: tuple[Block, ...] = (
            Paragraph("No fine-tune has tensors of its base's type and shape, so none was cut."),
        )
    else:
        blocks = _blocks(scaling)
    return Section("6. Extrapolation to 70 B parameters", blocks)


def _blocks(scaling: Scaling) -> tuple[Block, ...]:
    measured = scaling.growths[0].measured
    largest = measured[-1].bytes
    return (
        Paragraph(
            f"{scaling.pair}, cut to an eighth, a quarter and a half of the rows of every tensor that base and "
            "fine-tune share, and whole, with all other files: packed, verified and unpacked with all threads. "
            f"The line through the {len(measured)} sizes has the least relative error; it ends at "
            f"{size(PROJECTED_BYTES)}, 70 B parameters of 16 bits, {number(PROJECTED_BYTES / largest)} times "
            "as much as was measured. The error is one standard deviation of a time that would be measured "
            f"there, computed from how far the {len(measured)} sizes lie from the line (which is little to go "
            "by): it knows nothing of what changes with size, such as files that no longer fit in memory or a "
            f"disk that slows down.{_too_far(largest)}"
        ),
        Lines(
            "Time against size",
            ("size of the fine-tune, GB", "time, s"),
            tuple(_line(growth) for growth in scaling.growths),
        ),
        Table(
            "70 B parameters, computed",
            ("step", "time", "error of the fit", "start and rate"),
            tuple(_row(growth) for growth in scaling.growths),
        ),
        Table(
            "Peak memory of the process, measured",
            ("step", *(size(each.bytes) for each in measured), "for each GB more"),
            tuple(_memory(growth) for growth in scaling.growths),
        ),
        Paragraph(_flat(scaling)),
    )


def _too_far(largest: int) -> str:
    if PROJECTED_BYTES <= _FAR * largest:
        return ""
    return " Over so many times the size it is not to be relied on: measure a larger model."


def _line(growth: Growth) -> Line:
    points = [
        Point(each.bytes / 1e9, each.seconds, (size(each.bytes), time_text(each.seconds)))
        for each in growth.measured
    ]
    if growth.fit:
        seconds = growth.fit.projected_seconds
        texts = (size(PROJECTED_BYTES), time_text(seconds))
        points.append(Point(PROJECTED_BYTES / 1e9, seconds, texts, is_measured=False))
    return Line(growth.verb, tuple(points))


def time_text(seconds: float) -> str:
    return f"{number(seconds)} s" if seconds < 600 else f"{number(seconds / 60)} min"


def projected(growth: Growth) -> str:
    """With its error."""
    fit = growth.fit
    if fit is None:
        return _NONE
    return f"{time_text(fit.projected_seconds)} ± {time_text(fit.projected_error)}"


def _row(growth: Growth) -> tuple[str, ...]:
    fit = growth.fit
    if fit is None:
        return (growth.verb, _NONE, "", "")
    line = f"{number(1000 * fit.start)} ms + {rate(fit.rate)}"
    return (growth.verb, projected(growth), percent(fit.relative_error), line)


def _memory(growth: Growth) -> tuple[str, ...]:
    peaks = (size(each.peak_bytes) for each in growth.measured)
    return (growth.verb, *peaks, _more(growth))


def _more(growth: Growth) -> str:
    more = growth.memory_per_gigabyte
    if more is None:
        return _NONE
    return ("-" if more < 0 else "") + size(abs(more))


def _flat(scaling: Scaling) -> str:
    """Whether memory stays as it is, where the run can tell."""
    large = [each for each in scaling.growths[0].measured if each.bytes >= LARGE]
    if len(large) < 2:
        return (
            "Models are streamed, through buffers for some chunks of 2^18 weights. To show that memory stays as it "
            f"is takes two sizes of at least {size(LARGE)}, where buffers are full; this run has none."
        )
    peaks = [each.peak_bytes for growth in scaling.growths for each in growth.measured if each.bytes >= LARGE]
    return (
        "Models are streamed, through buffers for some chunks of 2^18 weights. From "
        f"{size(large[0].bytes)} to {size(large[-1].bytes)}, in {count(len(large), 'size')}, the peaks of all steps lie between "
        f"{size(min(peaks))} and {size(max(peaks))}."
    )
