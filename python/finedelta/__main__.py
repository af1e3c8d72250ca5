"""The command line, as `finedelta` and as `python -m finedelta`: the program that comes with the package."""

import os
import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    program = Path(__file__).with_name("bin") / "finedelta"
    os.execv(program, [str(program), *sys.argv[1:]])


if __name__ == "__main__":
    main()
