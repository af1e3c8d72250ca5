"""The command line, as `finedelta` and as `python -m finedelta`: the program that comes with the package, but
for its verb `validate`, which is Python."""

import os
import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    if sys.argv[1:2] == ["validate"]:
        # Imported here: what it needs takes longer to load than other verbs take to run.
        from finedelta.validate.command import main as validate

        sys.exit(validate(sys.argv[2:]))
    program = Path(__file__).with_name("bin") / "finedelta"
    os.execv(program, [str(program), *sys.argv[1:]])


if __name__ == "__main__":
    main()
