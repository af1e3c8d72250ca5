"""1. What was measured on and with."""

from __future__ import annotations

from finedelta.validate.page.document import Paragraph, Section, Table
from finedelta.validate.page.units import count, rate, size
from finedelta.validate.run import Results


def environment(results: Results) -> Section:
    here, machine = results.environment, results.machine
    rows = [
        ("date", here.date),
        ("CPU", here.cpu),
        ("cores", f"{here.cores} of {here.machine_cores} may be used"),
        ("SIMD target of finedelta", _target(results)),
        ("memory", size(here.memory_bytes)),
        ("system", f"{here.system}, {here.libc}"),
        ("file system", here.scratch_file_system),
        ("disk, reading", rate(machine.disk_read)),
        ("disk, writing and syncing", rate(machine.disk_write)),
        ("SHA-256, one thread", rate(machine.sha256)),
        ("memory, copying", f"{rate(machine.memory_copy)}, bytes read and bytes written added"),
        ("finedelta", here.finedelta),
        ("Python", here.python),
        *((name, version or "not installed") for name, version in here.packages.items()),
    ]
    return Section(
        "1. Test environment",
        (
            Table("Where this was measured", ("", ""), tuple(rows), numbers_from=2),
            Paragraph(
                "Every number of this report was measured in this run unless it is said to be computed. "
                "Times are wall-clock times: of "
                f"{count(results.rounds, 'round')} the median, in which the ways that are compared took turns; "
                "but of models of more than 1 GB what is not in memory was measured once. Sizes are in powers "
                "of 1000. Before a step from disk to disk, the system was asked to forget the files."
            ),
        ),
    )


def _target(results: Results) -> str:
    targets = {pair.speed.target for pair in results.pairs if pair.speed}
    return ", ".join(targets) or "not measured"
