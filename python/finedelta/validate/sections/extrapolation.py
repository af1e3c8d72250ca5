"""6. What a model of 70 B parameters would take."""

from __future__ import annotations

from finedelta.validate.document import Block, Line, Lines, Paragraph, Point, Section, Table
from finedelta.validate.run import Results
from finedelta.validate.scaling import PROJECTED_BYTES, Growth
from finedelta.validate.units import number, percent, rate, size

_FAR = 100  # times what was measured


def extrapolation(results: Results) -> Section:
    scaling = results.scaling
    largest = max(each.bytes for growth in scaling.growths for each in growth.measured)
    blocks: list[Block] = [
        Paragraph(
            f"{scaling.pair}, cut to an eighth, a quarter and a half of the rows of every tensor, and whole: "
            f"packed, verified and unpacked with all threads. The line through the {len(scaling.growths[0].measured)} "
            "sizes has the least relative error; it ends at "
            f"{size(PROJECTED_BYTES)}, 70 B parameters of 16 bits, {number(PROJECTED_BYTES / largest)} times "
            "as much as was measured. The error is one standard deviation, computed from how far the measured "
            "sizes lie from the line: it knows nothing of what changes with size, such as files that no longer "
            "fit in memory or a disk that slows down." + _too_far(largest)
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
            ("step", *(size(each.bytes) for each in scaling.growths[0].measured), "for each GB more"),
            tuple(_memory(growth) for growth in scaling.growths),
        ),
        Paragraph(_flat(results)),
    ]
    return Section("6. Extrapolation to 70 B parameters", tuple(blocks))


def _too_far(largest: int) -> str:
    if PROJECTED_BYTES <= _FAR * largest:
        return ""
    return " Over so many times the size it is not to be relied on: measure a larger model."


def _line(growth: Growth) -> Line:
    points = [
        Point(each.bytes / 1e9, each.seconds, (size(each.bytes), _time(each.seconds)))
        for each in growth.measured
    ]
    seconds = growth.fit.projected_seconds
    points.append(
        Point(PROJECTED_BYTES / 1e9, seconds, (size(PROJECTED_BYTES), _time(seconds)), is_measured=False)
    )
    return Line(growth.verb, tuple(points))


def _time(seconds: float) -> str:
    return f"{number(seconds)} s" if seconds < 600 else f"{number(seconds / 60)} min"


def _row(growth: Growth) -> tuple[str, ...]:
    fit = growth.fit
    return (
        growth.verb,
        f"{_time(fit.projected_seconds)} ± {_time(fit.projected_error)}",
        percent(fit.relative_error),
        f"{number(1000 * fit.start)} ms + {rate(fit.rate)}",
    )


def _memory(growth: Growth) -> tuple[str, ...]:
    peaks = (size(each.peak_bytes) for each in growth.measured)
    return (growth.verb, *peaks, _more(growth))


def _more(growth: Growth) -> str:
    if growth.measured[-1].bytes < 1e9:
        return "too small to tell"
    more = growth.memory_per_gigabyte
    return ("-" if more < 0 else "") + size(abs(more))


def _flat(results: Results) -> str:
    peaks = [each.peak_bytes for growth in results.scaling.growths for each in growth.measured]
    return (
        "Models are streamed: chunks of 2^18 weights are read, coded and written, so many at a time as the "
        "memory limit allows (512 MiB unless another is given). The largest peak of all these runs was "
        f"{size(max(peaks))}. Below some hundred megabytes a process grows as long as there is less model than "
        "its buffers could hold; above, the size of the model has no part in it."
    )
