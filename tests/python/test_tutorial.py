"""docs/python.md does what it says."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_block_runs(tmp_path, monkeypatch):
    for file in (ROOT / "examples" / "demo").glob("*.safetensors"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 8
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
