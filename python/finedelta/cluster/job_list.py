"""Jobs as JSON lines or as a list, refused as a whole before anything runs if one of them makes no sense."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import MISSING, fields
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar, get_args, get_type_hints

from finedelta.cluster.jobs import Job, PackJob, UnpackJob, VerifyJob, name_of
from finedelta.cluster.records import ENDING
from finedelta.errors import UsageError

AnyJob = TypeVar("AnyJob", PackJob, UnpackJob, VerifyJob)

Jobs = str | PathLike[str] | Iterable[AnyJob]
"""The path of a file of JSON lines, or the jobs themselves."""


def all_jobs(kind: type[AnyJob], jobs: Jobs[AnyJob]) -> list[AnyJob]:
    """Raises `UsageError`, which says where, for whatever can't be meant."""
    placed = (
        _read(kind, Path(jobs))
        if isinstance(jobs, (str, PathLike))
        else [(f"job {number}", job) for number, job in enumerate(jobs, 1)]
    )
    for where, job in placed:
        if not isinstance(job, kind):
            raise UsageError(f"{where}: not a {kind.__name__}")
        _check_fields(where, job)
    _check_names(placed)
    return [job for _, job in placed]


def _read(kind: type[AnyJob], path: Path) -> list[tuple[str, AnyJob]]:
    placed = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    where = f"{path}:{number}"
                    placed.append((where, _parse(kind, where, line)))
    except OSError as error:
        raise UsageError(f"can't read the jobs in '{path}': {error.strerror}") from error
    return placed


def _parse(kind: type[AnyJob], where: str, line: bytes) -> AnyJob:
    try:
        given = json.loads(line, object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    except ValueError as error:
        raise UsageError(f"{where}: not a line of JSON: {error}") from error
    if not isinstance(given, dict):
        raise UsageError(f"{where}: not a JSON object")
    known = {field.name for field in fields(kind)}
    for key in given:
        if key not in known:
            raise UsageError(f"{where}: unknown key '{key}' (known are {', '.join(sorted(known))})")
    for field in fields(kind):
        if field.default is MISSING and field.name not in given:
            raise UsageError(f"{where}: the key '{field.name}' is missing")
    return kind(**given)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValueError("a key occurs twice")
    return given


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _check_fields(where: str, job: Job) -> None:
    for name, hint in _hints(type(job)).items():
        value = getattr(job, name)
        if not _fits(value, get_args(hint) or (hint,)):
            raise UsageError(f"{where}: '{name}' can't be {value!r}")


_known_hints: dict[type[Job], dict[str, Any]] = {}


def _hints(kind: type[Job]) -> dict[str, Any]:
    # Worked out once: it takes longer than all else that is done for a line.
    if kind not in _known_hints:
        hints = get_type_hints(kind)
        _known_hints[kind] = {field.name: hints[field.name] for field in fields(kind)}
    return _known_hints[kind]


def _fits(value: object, kinds: tuple[object, ...]) -> bool:
    if isinstance(value, list):
        return list[str] in kinds and all(type(item) is str for item in value)
    # True is no number, but 2 is one where 2.0 is.
    return type(value) in kinds or (type(value) is int and float in kinds)


def _check_names(placed: list[tuple[str, AnyJob]]) -> None:
    places: dict[str, str] = {}
    for where, job in placed:
        name = name_of(job)
        _check_name(where, name)
        if name in places:
            raise UsageError(f"{where}: the name '{name}' is that of {places[name]} too")
        places[name] = where
    for name, where in places.items():
        for parent in map(str, PurePosixPath(name).parents):
            if parent in places:
                raise UsageError(
                    f"{where}: '{name}' would lie inside '{parent}', the output of {places[parent]}"
                )


def _check_name(where: str, name: str) -> None:
    path = PurePosixPath(name)
    if str(path) != name or not path.name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise UsageError(f"{where}: the name '{name}' is not a plain path inside OUT")
    if name.endswith(ENDING):
        raise UsageError(f"{where}: the name '{name}' ends like that of a record")
