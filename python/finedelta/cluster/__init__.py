"""Many fine-tunes at once: on the cores of one machine, on a Ray cluster, or in the tasks of a Slurm array
or a Kubernetes Job.

    from finedelta.cluster import PackJob, pack_many

    report = pack_many([PackJob("org/base", "./tunes/a"), PackJob("org/base", "./tunes/b")], "archives")

The same as a command: `python -m finedelta.cluster pack jobs.jsonl archives`. A run that was stopped goes
on where it was when it is started again: beside every output lies a record of the job that made it.
"""

from finedelta.cluster.jobs import PackJob, UnpackJob, VerifyJob
from finedelta.cluster.results import JobResult, Report
from finedelta.cluster.run import pack_many, unpack_many, verify_many

__all__ = [
    "JobResult",
    "PackJob",
    "Report",
    "UnpackJob",
    "VerifyJob",
    "pack_many",
    "unpack_many",
    "verify_many",
]
