#!/usr/bin/env python3
"""Checks that code includes only what lies below it: what the folders' order allows, nothing but
the standard library in the public headers, and nothing but those and its own in the program and in
the Python package's module. Prints file, line and reason of every violation."""

import re
import sys
from pathlib import Path

# A folder of src/ may include itself and the folders of a lower number.
LEVELS = {
    "base": 0,
    "numeric": 1,
    "kernels": 2,
    "safetensors": 2,
    "checkpoint": 3,
    "coder": 3,
    "predict": 3,
    "side": 3,
    "lossy": 4,
    "archive": 5,
    "match": 5,
    "engine": 6,
    "diff": 7,
    "lora": 7,
    "apply": 7,
}
PUBLIC = "finedelta"
QUOTED_LIBRARIES = {"hwy"}  # as Highway's documentation writes its headers
SUFFIXES = {".h", ".cc"}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD_HEADER = re.compile(r"[a-z_]+")


def public_violation(root, bracket, target):
    if bracket == "<":
        if STANDARD_HEADER.fullmatch(target):
            return None
        return f"a public header may not include <{target}>: only the standard library's headers"
    if target.split("/")[0] != PUBLIC:
        return f'a public header may not include "{target}": only other public headers'
    return missing(root / "include", target)


def source_violation(root, folder, bracket, target):
    if bracket == "<":
        if target.split("/")[0] == PUBLIC:
            return f'write "{target}", in quotes: the header is ours'
        return None
    first = target.split("/")[0]
    if first == PUBLIC:
        return missing(root / "include", target)
    if first in QUOTED_LIBRARIES:
        return None
    if first not in LEVELS:
        return f'"{target}" starts with no folder of src/; write other libraries\' headers in <>'
    if first != folder and LEVELS[first] >= LEVELS[folder]:
        return f"{folder}/ may not include {first}/"
    return missing(root / "src", target)


def program_violation(root, area, bracket, target):
    if bracket == "<":
        return None
    first = target.split("/")[0]
    if first == PUBLIC:
        return missing(root / "include", target)
    if first in LEVELS:
        return f'{area} may not include "{target}": only public headers and its own'
    return missing(root / area, target)


def missing(folder, target):
    return None if (folder / target).is_file() else f'"{target}" is not in {folder.name}/'


def violation(root, path, bracket, target):
    area, *rest = path.relative_to(root).parts
    if area == "include":
        return public_violation(root, bracket, target)
    if area == "cli":
        return program_violation(root, "cli", bracket, target)
    if area == "python":
        return program_violation(root, "python/src", bracket, target)
    if rest[0] not in LEVELS:
        return f"scripts/check_includes.py does not know the place of src/{rest[0]}"
    return source_violation(root, rest[0], bracket, target)


def check(root):
    """Returns one line of text for each violation."""
    found = []
    for area in ("include", "src", "cli", "python/src"):
        for path in sorted((root / area).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                why = match and violation(root, path, *match.groups())
                if why:
                    found.append(f"{path.relative_to(root)}:{number}: {why}")
    return found


def main():
    found = check(Path(__file__).resolve().parent.parent)
    print("\n".join(found) if found else "Includes point downwards only.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
