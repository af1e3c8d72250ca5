"""Packs many fine-tunes on the Ray cluster that this machine is part of: python on_ray.py JOBS OUT"""

import sys

from finedelta.cluster import pack_many


def main() -> int:
    jobs, out = sys.argv[1:]
    report = pack_many(jobs, out, ray="auto", retries=3)
    for result in report.results:
        if result.status == "failed":
            print(f"{result.name}: {result.reason}")
    print(f"{report.done} packed, {report.skipped} were, {report.failed} failed; "
          f"{report.bytes_in} bytes in {report.bytes_out}")  # fmt: skip
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
