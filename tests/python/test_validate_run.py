"""The verb `validate`: what it measures is true, and what it writes is whole or not there."""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import finedelta
from finedelta.validate import command
from finedelta.validate.measured import edge_cases
from finedelta.validate.measured.program import run_program, try_program
from finedelta.validate.page.document import Table, Verdict

ROOT = Path(__file__).parents[2]


def write_model(folder, tensors):
    folder.mkdir()
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text('{"model_type": "tiny"}')


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A base, a fine-tune of which every weight moved, and one of which few did."""
    folder = tmp_path_factory.mktemp("models")
    generator = np.random.default_rng(1)
    shapes = {"embed.weight": (300, 64), "h.0.attn.weight": (64, 64), "h.0.mlp.weight": (64, 256),
              "h.1.attn.weight": (64, 64), "h.1.norm.weight": (64,)}
    base = {name: generator.normal(0, 0.02, shape).astype(np.float32) for name, shape in shapes.items()}
    tuned = {name: tensor + generator.normal(0, 4e-4, tensor.shape).astype(np.float32)
             for name, tensor in base.items()}
    nudged = {name: tensor.copy() for name, tensor in base.items()}
    nudged["h.1.attn.weight"][3, 5] *= 2
    for name, tensors in (("base", base), ("tuned", tuned), ("nudged", nudged)):
        write_model(folder / name, tensors)
    return folder


@pytest.fixture(scope="module")
def run(models, tmp_path_factory):
    """The folder of a report of both fine-tunes, and the document that it shows."""
    output = tmp_path_factory.mktemp("reports") / "report"
    words = [str(models / "base"), str(models / "tuned"), "--pair", str(models / "base"), str(models / "nudged")]
    made = []
    with pytest.MonkeyPatch.context() as patch:
        original = command.document
        patch.setattr(command, "document", lambda results: made.append(original(results)) or made[0])
        assert command.main([*words, "-o", str(output), "-q", "--rounds", "1"]) == 0
    return output, made[0]


@pytest.fixture(scope="module")
def report(run):
    return run[0]


@pytest.fixture(scope="module")
def results(report):
    return json.loads((report / "report.json").read_text())


def test_what_is_written(report):
    assert {path.name for path in report.iterdir()} == {"report.html", "report.md", "report.json"}
    assert [path.name for path in report.parent.iterdir()] == ["report"]
    text = (report / "report.md").read_text()
    for title in ("1. Test environment", "2. Compression", "3. Performance", "4. Accuracy", "5. Claims",
                  "6. Extrapolation to 70 B parameters", "7. Recommendations, limitations, edge cases"):
        assert text.count(f"## {title}\n") == 1
        assert f"{title}</h2>" in (report / "report.html").read_text()
    assert "SYNTHETIC" not in text


def test_sizes_are_those_of_archives(models, results, tmp_path):
    for pair, tune in zip(results["pairs"], ("tuned", "nudged"), strict=True):
        assert pair["name"] == f"base → {tune}"
        packed = finedelta.pack(models / "base", models / tune, tmp_path / f"{tune}.fd")
        sizes = pair["compression"]
        assert sizes["levels"][-1] | {"seconds": 0, "peak_bytes": 0} == {
            "level": 3, "archive_bytes": packed.archive_bytes, "seconds": 0, "peak_bytes": 0}
        assert sizes["fine_tune_bytes"] == packed.input_bytes
        assert sum(kind["before"] for kind in sizes["kinds"]) == packed.input_bytes
        assert sum(kind["after"] for kind in sizes["kinds"]) == packed.archive_bytes


def test_files_are_hashed_as_they_came_out(models, results):
    for pair, tune in zip(results["pairs"], ("tuned", "nudged"), strict=True):
        for file in pair["accuracy"]["restored"]["files"]:
            wanted = hashlib.sha256((models / tune / file["path"]).read_bytes()).hexdigest()
            assert file["sha256"] == file["restored_sha256"] == wanted


def test_what_changed_is_counted(results):
    tuned, nudged = (pair["accuracy"] for pair in results["pairs"])
    assert nudged["all"]["changed"] == 1
    assert nudged["cells"]["1"]["attention"]["changed"] == 1
    assert nudged["cells"]["0"]["attention"]["changed"] == 0
    assert tuned["all"]["changed"] > 0.98 * tuned["all"]["weights"]
    assert tuned["all"]["delta_norm"] / tuned["all"]["base_norm"] == pytest.approx(0.02, rel=0.05)
    assert list(tuned["cells"]) == ["-", "0", "1"]
    (bits,) = nudged["bits"]
    # Twice as much is another exponent, and nothing else.
    assert bits["sign"] == sum(bits["mantissa"]) == 0 and sum(bits["exponent"]) >= 1


def test_errors_are_those_of_what_comes_out(models, results, tmp_path):
    lossy = results["pairs"][0]["compression"]["lossy"][0]
    assert lossy["savings"] == 0.9 and lossy["archive_bytes"]
    run_program("pack", "--lossy", "--ratio", "10", models / "base", models / "tuned", "-o", tmp_path / "a.fd")
    finedelta.unpack(tmp_path / "a.fd", tmp_path / "near", base=models / "base")
    wanted, found, base = (
        np.concatenate([tensor.ravel() for _, tensor in sorted(safetensors.numpy.load_file(
            folder / "model.safetensors").items())]).astype(np.float64)
        for folder in (models / "tuned", tmp_path / "near", models / "base"))
    assert lossy["relative_error"] == pytest.approx(
        np.linalg.norm(found - wanted) / np.linalg.norm(wanted - base))
    assert lossy["error_of_weights"] == pytest.approx(
        np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    assert lossy["largest_error"] == pytest.approx(np.abs(found - wanted).max())


def test_every_way_is_timed(results):
    for pair in results["pairs"]:
        speed = pair["speed"]
        ways = {(each["way"], each["threads"]) for each in speed["in_memory"]}
        threads = {1, len(os.sched_getaffinity(0))}
        assert len(ways) == 3 * len(threads) and {count for _, count in ways} == threads
        assert all(seconds > 0 for each in speed["in_memory"] for seconds in each["times"].values())
        assert speed["sample_bytes"] == speed["sampled_of_bytes"] == pair["compression"]["weights"] * 4
        assert {each["way"] for each in pair["end_to_end"]} == {way for way, _ in ways}


def test_mishaps_end_as_documented(results):
    for pair in results["pairs"]:
        for tried in pair["edge_cases"]:
            assert tried["as_documented"] == tried["tries"] > 0


def test_a_mishap_that_does_not_end_as_documented_is_told(models, tmp_path, monkeypatch):
    archive = tmp_path / "a.fd"
    finedelta.pack(models / "base", models / "tuned", archive)
    before = archive.read_bytes()
    # A program that finds nothing wrong.
    monkeypatch.setattr(edge_cases, "try_program", lambda verb, *words: try_program("inspect", archive))
    diff = finedelta.diff(models / "base", models / "tuned")
    tried = edge_cases.try_edge_cases(models / "base", models / "tuned", archive, tmp_path, diff)
    assert {each.case for each in tried if each.as_documented} <= {"the archive's last byte missing"}
    assert archive.read_bytes() == before


def test_tests_that_the_report_names_exist(results):
    named = {each["test"] for pair in results["pairs"] for each in pair["edge_cases"]}
    named |= {each.test for each in edge_cases.COVERED}
    for each in named:
        path, name = each.split(": ")
        assert name in (ROOT / path).read_text(), each


def test_every_table_is_filled(run):
    made = run[1]
    blocks = [block for section in made.sections for block in section.blocks]
    tables = [block if isinstance(block, Table) else block.table()
              for block in blocks if isinstance(block, Table) or hasattr(block, "table")]
    assert len(tables) > 25
    for table in tables:
        assert table.rows, table.caption
        assert all(len(row) == len(table.head) for row in table.rows), table.caption
        if table.head[0] == "fine-tune":
            assert {"base → tuned", "base → nudged"} <= {row[0] for row in table.rows}, table.caption
    claims = made.summary[0]
    assert [row[0].split(",")[0] for row in claims.rows] == [
        "90-96 % compression on fine-tunes", "10-20x faster native", "10-20x faster native",
        "works on 7B models", "production ready"]
    assert all(isinstance(row[1], Verdict) and any(map(str.isdigit, row[2])) for row in claims.rows)
    assert claims.rows[0][1].holds is False and claims.rows[3][1].holds is None


def test_the_json_has_all_that_the_page_shows(run, results):
    made, shown = run[1], results["report"]
    assert [section["title"] for section in shown["sections"]] == [section.title for section in made.sections]
    for section, wanted in zip(shown["sections"], made.sections, strict=True):
        assert len(section["blocks"]) == len(wanted.blocks)
    claim = shown["sections"][4]["blocks"][0]["rows"][0]
    assert claim[1]["holds"] is False and claim[1]["text"].startswith("holds for ")


def test_no_model_is_changed(models, results):
    base = safetensors.numpy.load_file(models / "base" / "model.safetensors")
    nudged = safetensors.numpy.load_file(models / "nudged" / "model.safetensors")
    assert sum(int((base[name] != nudged[name]).sum()) for name in base) == 1


ODD = {
    "equal": ({"w": np.ones((8, 64), np.float32)},) * 2,
    "only more": ({"w": np.ones((8, 64), np.float32)},
                  {"w": np.ones((8, 64), np.float32), "more": np.ones((3, 64), np.float32)}),
    "nothing in common": ({"w": np.ones((8, 64), np.float16)}, {"w": np.ones((8, 64), np.float32)}),
    "no floats": ({"w": np.arange(900), "d": np.ones(5)}, {"w": np.arange(900) + 1, "d": np.zeros(5)}),
    "scalars and nothing": ({"s": np.array(1, np.float32), "n": np.ones((0, 3), np.float32)},
                            {"s": np.array(2, np.float32), "n": np.ones((0, 3), np.float32)}),
    "no tensors": ({}, {}),
    "not finite": ({"w": np.linspace(-1, 1, 4096, dtype=np.float32)},
                   {"w": np.concatenate([np.full(96, np.nan), np.full(100, np.inf), np.ones(3900)]).astype(np.float32)}),
    "odd names": ({"<b>|`x`": np.ones(70, np.float32), "a\nb": np.ones(70, np.float32)},
                  {"<b>|`x`": np.zeros(70, np.float32), "a\nb": np.ones(70, np.float32)}),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ODD)
def test_odd_models(name, tmp_path):
    for folder, tensors in zip(("base", "tune"), ODD[name], strict=True):
        write_model(tmp_path / folder, tensors)
    words = [str(tmp_path / "base"), str(tmp_path / "tune"), "-o", str(tmp_path / "report")]
    assert command.main([*words, "-q", "--rounds", "1"]) == 0
    results = json.loads((tmp_path / "report" / "report.json").read_text())
    (pair,) = results["pairs"]
    assert all(file["sha256"] == file["restored_sha256"] for file in pair["accuracy"]["restored"]["files"])
    assert all(tried["as_documented"] == tried["tries"] for tried in pair["edge_cases"])
    assert (pair["speed"] is None) == (name in ("nothing in common", "no floats", "no tensors"))
    text = (tmp_path / "report" / "report.md").read_text()
    assert not re.search(r"\b(nan|inf|None|e[+]\d\d)\b|± -", text)
    if name == "not finite":
        rounded = next(each for each in pair["speed"]["stored"] if "int8" in each["way"])
        assert rounded["bytes"] < 4096 and 0 < rounded["relative_error"] < 0.1


def test_folders_of_one_model_may_have_the_same_names(tmp_path):
    """As text encoders of one model have."""
    for name, number in (("base", 1), ("tune", 2)):
        (tmp_path / name).mkdir()
        for part in ("first", "second"):
            write_model(tmp_path / name / part, {"w": np.full((8, 64), number, np.float32)})
    words = [str(tmp_path / "base"), str(tmp_path / "tune"), "-o", str(tmp_path / "report")]
    assert command.main([*words, "-q", "--rounds", "1"]) == 0
    (pair,) = json.loads((tmp_path / "report" / "report.json").read_text())["pairs"]
    assert pair["speed"]["sample_bytes"] == 2 * 8 * 64 * 4


def test_pairs_of_one_name_are_told_apart(models, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ck").symlink_to(models / "nudged")
    words = [str(models / "base"), str(tmp_path / "one" / "ck"), str(tmp_path / "two" / "ck")]
    assert command.main([*words, "-o", str(tmp_path / "report"), "-q", "--rounds", "1"]) == 0
    results = json.loads((tmp_path / "report" / "report.json").read_text())
    assert len({pair["name"] for pair in results["pairs"]}) == 2
