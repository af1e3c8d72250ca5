"""The runs that are disturbed: what to call, what was there before, what shall be there after."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from conftest import PROGRESSIVE, content


@dataclass(frozen=True)
class Action:
    """`output` is made from the files of the fixture `models`; with `force` it replaces an older
    one."""

    verb: str
    inputs: tuple[str, ...]
    result: str  # what the output must equal
    force: bool
    output: str
    options: tuple[str, ...] = ()

    def words(self, models):
        inputs = [models / name for name in self.inputs]
        return [self.verb, "-q", *self.options, *inputs, "-o", self.output,
                *["--force"] * self.force]

    def prepare(self, models, folder):
        """Puts the older output in its place, where there shall be one, and returns it."""
        target = Path(folder) / self.output
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if self.force and Path(models / self.result).is_dir():
            shutil.copytree(models / "base", target)
        elif self.force:
            target.write_bytes(b"an older file")
        return content(target)

    def expected(self, models):
        return content(models / self.result)

    def __str__(self):
        return f"{self.verb} {self.output}{' --force' * self.force}"


ACTIONS = [
    action
    for force in (False, True)
    for action in (
        Action("pack", ("base", "tune"), "folder.fd", force, "x.fd"),
        Action("pack", ("base-matrix.safetensors", "tune-matrix.safetensors"), "progressive.fd",
               force, "layers.fd", PROGRESSIVE),
        Action("unpack", ("base", "folder.fd"), "tune", force, "folder"),
        Action("unpack", ("base.safetensors", "file.fd"), "tune.safetensors", force, "x.safetensors"),
    )
]
