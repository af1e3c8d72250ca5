"""The objects of --json have the keys that docs/json.md lists, in its order."""

import json
import re
from pathlib import Path

import pytest
from conftest import make_model, read_safetensors, write_safetensors

DOCUMENT = Path(__file__).parents[2] / "docs" / "json.md"


def documented_keys():
    keys = {}
    section = None
    for line in DOCUMENT.read_text().splitlines():
        if heading := re.fullmatch(r"##+ (.+)", line):
            section = keys.setdefault(heading[1], [])
        elif row := re.match(r"\| `(\w+)` \|", line):
            section.append(row[1])
    return keys


KEYS = documented_keys()


def report(run, *words, code=0):
    outcome = run(*words, "--json")
    assert (outcome.code, outcome.err) == (code, "")
    assert outcome.out.endswith("}\n") and outcome.out.count("\n") == 1
    return json.loads(outcome.out)


def check(report, section):
    assert list(report) == KEYS[section]


def without(report, *keys):
    return {key: value for key, value in report.items() if key not in keys}


def file_bytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_every_section_is_documented():
    assert list(KEYS) == [
        "error", "error: error", "pack", "unpack", "verify", "inspect", "inspect: bases[]",
        "inspect: files[]", "inspect: tensors[]", "inspect: tensors[].coders[]",
        "inspect: tensors[].error", "plan", "plan: tensors[]", "extract", "lora", "lora: tensors[]",
        "diff", "diff: tensors[]", "diff: tensors[].floats", "diff: tensors[].effective_rank",
        "diff: files[]"]


def test_pack(run, pair, tmp_path):
    result = report(run, "pack", "base", "tune", "-o", "x.fd")
    check(result, "pack")
    size = (tmp_path / "x.fd").stat().st_size
    total = file_bytes(pair[1])
    assert result.pop("seconds") >= 0
    assert result.pop("ratio") == pytest.approx(total / size)
    assert result == {
        "archive": "x.fd", "files": 3, "input_bytes": total, "weight_bytes": 2 * (8192 + 64),
        "archive_bytes": size, "tensors": 2, "matched_tensors": 2, "needed_bases": 1, "lossy": False,
        "lossy_tensors": 0, "progressive": False, "second_layer_bytes": 0, "notes": []}


def test_unpack(run, pair, archive):
    result = report(run, "unpack", "base", "tune.fd", "-o", "out")
    check(result, "unpack")
    assert without(result, "seconds", "bases") == {
        "output": "out", "files": 3, "bytes": file_bytes(pair[1]), "sha256_checked": False,
        "lossy": False, "notes": []}
    assert len(result["bases"]) == 1
    result = report(run, "unpack", "base", "tune.fd", "-o", "out2", "--sha256")
    assert result["sha256_checked"] is True


def test_verify(run, pair, archive):
    result = report(run, "verify", "tune.fd")
    check(result, "verify")
    assert result["chunks"] >= 1
    assert without(result, "seconds", "chunks") == {
        "archive": "tune.fd", "archive_bytes": archive.stat().st_size, "lossy": False,
        "rebuilt": False, "files": 0, "bytes": 0, "bases": [], "notes": []}
    result = report(run, "verify", "tune.fd", "--base", "base")
    check(result, "verify")
    assert (result["rebuilt"], result["files"], result["bytes"]) == (True, 3, file_bytes(pair[1]))


def test_inspect(run, pair, archive):
    result = report(run, "inspect", "tune.fd")
    check(result, "inspect")
    for part in ("bases", "files", "tensors"):
        for item in result[part]:
            check(item, f"inspect: {part}[]")
    for tensor in result["tensors"]:
        for use in tensor["coders"]:
            check(use, "inspect: tensors[].coders[]")
    assert result["archive_bytes"] == archive.stat().st_size
    assert result["input_bytes"] == file_bytes(pair[1])
    assert [file["path"] for file in result["files"]] == [
        "config.json", "model.safetensors", "notes/training.txt"]
    assert [(base["name"], base["revision"]) for base in result["bases"]] == [(None, None)]
    weight, bias = result["tensors"]
    assert (weight["name"], weight["dtype"], weight["shape"]) == ("weight", "BF16", [128, 64])
    assert (bias["name"], bias["match"], bias["base_tensor"], bias["base"]) == (
        "bias", "same", "bias", 0)
    assert weight["bits_per_weight"] == pytest.approx(weight["stored_bytes"] * 8 / 8192)


def test_inspect_without_a_base(run, pair):
    report(run, "pack", "--no-base", "tune", "-o", "alone.fd")
    result = report(run, "inspect", "alone.fd")
    assert result["bases"] == []
    assert [(tensor["base_tensor"], tensor["base"]) for tensor in result["tensors"]] == [
        (None, None)] * 2


def test_plan(run, pair, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = report(run, "plan", "base", "tune")
    check(result, "plan")
    for tensor in result["tensors"]:
        check(tensor, "plan: tensors[]")
    assert [(tensor["name"], tensor["match"]) for tensor in result["tensors"]] == [
        ("weight", "same"), ("bias", "same")]
    assert result["input_bytes"] == file_bytes(pair[1])
    assert sorted(tmp_path.rglob("*")) == before


def test_extract(run, pair, archive):
    result = report(run, "extract", "base", "tune.fd", "weight[0:2]", "-o", "x.safetensors")
    check(result, "extract")
    assert (result["output"], result["tensors"], result["bytes"]) == ("x.safetensors", 1, 256)


def test_lora(run, pair, tmp_path):
    base, _ = pair
    tensors = read_safetensors(base / "model.safetensors")
    for folder, step in (("b", 0), ("t", 1)):
        weight = bytearray(tensors["weight"][2])
        weight[0] += step
        make_model(tmp_path / folder, {"model.q.weight": ("BF16", [128, 64], bytes(weight))})
    result = report(run, "lora", "b", "t", "-o", "x")
    check(result, "lora")
    for tensor in result["tensors"]:
        check(tensor, "lora: tensors[]")
    assert without(result, "tensors", "seconds", "energy_kept") == {
        "output": "x", "adapter_bytes": (tmp_path / "x" / "adapter_model.safetensors").stat().st_size,
        "residual_bytes": 0, "modules": 1, "saved_modules": 0, "left_out": 0, "largest_rank": 1,
        "notes": []}
    assert result["energy_kept"] == pytest.approx(1, abs=1e-4)


def test_diff(run, pair):
    result = report(run, "diff", "base", "tune", "--rank", code=3)
    check(result, "diff")
    weight, bias = result["tensors"]
    check(weight, "diff: tensors[]")
    check(weight["floats"], "diff: tensors[].floats")
    check(weight["effective_rank"], "diff: tensors[].effective_rank")
    assert result["files"] == [{"path": "notes/training.txt", "status": "only in fine-tune"}]
    check(result["files"][0], "diff: files[]")
    assert (result["identical"], result["changed"], result["equal"]) == (False, 1, 1)
    assert (result["elements"], result["equal_files"]) == (8192 + 64, 1)
    assert (weight["status"], bias["status"]) == ("changed", "equal")
    # Every change is one step.
    assert weight["floats"]["steps"] == [8192 - weight["changed"], weight["changed"]]
    assert result["changed_elements"] == weight["changed"] > 800
    assert weight["changed_share"] == pytest.approx(weight["changed"] / 8192)
    assert weight["floats"]["mantissa_bits"][0] == weight["changed"]
    assert bias["floats"]["cosine"] == pytest.approx(1)
    assert bias["floats"]["steps"] == [64]
    assert bias["effective_rank"] is None


def test_diff_of_what_has_no_numbers(run, tmp_path):
    write_safetensors(tmp_path / "a", {"z": ("F32", [2], bytes(8)), "i": ("I8", [1], b"a")})
    write_safetensors(tmp_path / "b", {"z": ("F32", [2], bytes(8)), "s": ("I8", [], b"a")})
    result = report(run, "diff", "a", "b", code=3)
    z, s, i = result["tensors"]
    assert (z["floats"]["relative_norm"], z["floats"]["cosine"]) == (None, None)
    assert (s["base_tensor"], s["base_dtype"], s["base_shape"], s["shape"]) == (None, None, None, [])
    assert (i["dtype"], i["shape"], i["base_shape"], i["floats"]) == (None, None, [1], None)
    assert result["relative_norm"] is None


def test_quiet_keeps_the_object(run, pair):
    check(report(run, "pack", "-q", "base", "tune", "-o", "x.fd"), "pack")


def test_error(run, pair):
    outcome = run("pack", "--json", "missing", "tune", "-o", "x.fd")
    result = json.loads(outcome.out)
    check(result, "error")
    check(result["error"], "error: error")
    assert (outcome.code, result["error"]["code"]) == (1, 1)
    assert outcome.err == f"finedelta: {result['error']['message']}\n"


def test_names_that_are_not_utf8(run, pair):
    outcome = run("pack", "--json", "base", b"tune\xff", "-o", "x.fd")
    assert (outcome.code, json.loads(outcome.out)["error"]["code"]) == (1, 1)
