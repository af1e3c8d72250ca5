"""pack --lossy and what is said of its archives."""

import hashlib
import json
import random
import re
import struct

import pytest
from conftest import assert_error, read_safetensors, write_safetensors
from test_json import check


@pytest.fixture
def pair(pair):
    """The weights of `tune` are many steps from those of `base`."""
    shard = pair[1] / "model.safetensors"
    tensors = read_safetensors(shard)
    dtype, shape, data = tensors["weight"]
    generator = random.Random(1)
    values = [value + generator.randrange(-20, 21)
              for value in struct.unpack(f"<{len(data) // 2}H", data)]
    tensors["weight"] = dtype, shape, struct.pack(f"<{len(values)}H", *values)
    write_safetensors(shard, tensors)
    return pair


@pytest.fixture
def lossy(run, pair, tmp_path):
    outcome = run("pack", "--lossy", "--size", "3000", "base", "tune", "-o", "tune.fd")
    assert (outcome.code, outcome.out) == (0, "")
    assert 2900 <= (tmp_path / "tune.fd").stat().st_size <= 3000
    return outcome.err


def test_pack_says_lossy(lossy):
    assert re.search(r"^packed LOSSY \(1 tensor inexact: 'finedelta inspect' has the errors\), "
                     r"3 files, ", lossy, re.MULTILINE)


def test_unpack_and_verify_say_lossy(run, lossy, tmp_path):
    outcome = run("verify", "tune.fd", "--base", "base")
    assert outcome.code == 0
    assert "verified LOSSY (not the fine-tune itself) 'tune.fd'; 3 files" in outcome.err
    outcome = run("verify", "tune.fd")
    assert "verified LOSSY (not the fine-tune itself) 'tune.fd'; only" in outcome.err
    outcome = run("unpack", "base", "tune.fd", "-o", "out", "--sha256")
    assert outcome.code == 0
    assert "unpacked LOSSY (not the fine-tune itself) 3 files" in outcome.err
    packed = read_safetensors(tmp_path / "tune" / "model.safetensors")
    out = read_safetensors(tmp_path / "out" / "model.safetensors")
    assert out["bias"] == packed["bias"]
    assert out["weight"][:2] == packed["weight"][:2]
    assert out["weight"] != packed["weight"]


def test_inspect_says_how_far(run, lossy):
    outcome = run("inspect", "tune.fd")
    assert outcome.code == 0
    assert re.search(r"^LOSSY     1 of 2 tensors inexact; relative error of the delta: "
                     r"median [0-9.]+, largest [0-9.]+$", outcome.out, re.MULTILINE)
    assert re.search(r"^LOSSY TENSOR +RANK +BITS/WEIGHT +RELATIVE ERROR +LARGEST +COSINE +ENERGY "
                     r"+SIGNS +ZEROS\nweight +[0-9]+ +", outcome.out, re.MULTILINE)


def test_json(run, lossy, tmp_path):
    result = json.loads(run("inspect", "--json", "tune.fd").out)
    assert result["lossy"] is True and result["format_version"] == 2
    weight, bias = sorted(result["tensors"], key=lambda tensor: -tensor["elements"])
    check(weight["error"], "inspect: tensors[].error")
    assert bias["error"] is None and bias["rank"] == 0 and weight["rank"] > 0
    shard = next(file for file in result["files"] if file["kind"] == "shard")
    content = (tmp_path / "tune" / "model.safetensors").read_bytes()
    assert shard["original_sha256"] == hashlib.sha256(content).hexdigest() != shard["sha256"]
    for words in (["verify", "tune.fd", "--base", "base"], ["unpack", "base", "tune.fd", "-o", "o"]):
        assert json.loads(run(*words, "--json").out)["lossy"] is True
    packed = json.loads(run("pack", "--lossy", "--bits", "2.5", "--json", "base", "tune", "-o",
                            "b.fd").out)
    assert packed["lossy"] is True and packed["lossy_tensors"] == 1


def test_an_exact_archive_is_not_lossy(run, archive):
    assert "LOSSY" not in run("inspect", "tune.fd").out
    result = json.loads(run("inspect", "--json", "tune.fd").out)
    assert result["lossy"] is False
    assert all(file["original_sha256"] is None for file in result["files"])
    assert all(tensor["error"] is None for tensor in result["tensors"])


@pytest.mark.parametrize("words, message", [
    (["--lossy"], "--lossy needs exactly one of --bits, --size, --ratio and --max-error"),
    (["--lossy", "--bits", "1", "--ratio", "3"],
     "--lossy needs exactly one of --bits, --size, --ratio and --max-error"),
    (["--bits", "1"], "--bits, --size, --ratio and --max-error need --lossy: what comes back then is not the "
                      "fine-tune"),
    (["--lossy", "--bits", "-1"], "--bits '-1' is not a number above 0 such as 0.5"),
    (["--lossy", "--bits", "1e"], "--bits '1e' is not a number above 0 such as 0.5"),
    (["--lossy", "--ratio", "nan"], "--ratio 'nan' is not a number above 0 such as 0.5"),
    (["--lossy", "--max-error", "small"],
     "--max-error 'small' is not a number above 0 such as 0.5"),
    (["--lossy", "--size", "0"], "--size '0' is not a size such as 50MB"),
    (["--lossy", "--size", "much"], "--size 'much' is not a size such as 50MB"),
])
def test_wrong_targets(run, pair, words, message, tmp_path):
    outcome = run("pack", *words, "base", "tune", "-o", "x.fd")
    assert_error(outcome, 2)
    assert f"{message}; see 'finedelta pack --help'" in outcome.err
    assert not (tmp_path / "x.fd").exists()


def test_a_size_that_cant_be_had(run, pair, tmp_path):
    outcome = run("pack", "--lossy", "--size", "100", "base", "tune", "-o", "x.fd")
    assert_error(outcome, 2)
    assert re.search(r"can't have 100 bytes: the smallest has \d+\n$", outcome.err)
    assert not (tmp_path / "x.fd").exists()


def test_max_error(run, pair, tmp_path):
    sizes = []
    for error in ("0.9", "0.6"):
        outcome = run("pack", "--lossy", "--max-error", error, "--force", "base", "tune", "-o", "x.fd")
        assert outcome.code == 0
        sizes.append((tmp_path / "x.fd").stat().st_size)
        tensors = json.loads(run("inspect", "--json", "x.fd").out)["tensors"]
        errors = [tensor["error"]["relative_error"] for tensor in tensors if tensor["error"]]
        assert len(errors) == 1 and 0 < errors[0] <= float(error)
        assert run("verify", "x.fd", "--base", "base").code == 0
    assert sizes[0] < sizes[1]


@pytest.fixture
def progressive(run, pair):
    outcome = run("pack", "--lossy", "--size", "3000", "--progressive", "base", "tune", "-o", "tune.fd")
    assert (outcome.code, outcome.out) == (0, "")
    return outcome.err


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_layers(run, progressive, tmp_path):
    assert re.search(r"^packed in 2 layers, the first LOSSY \(1 tensor inexact\), the second [\d.,]+ \w+, "
                     r"3 files, ", progressive, re.MULTILINE)
    outcome = run("unpack", "base", "tune.fd", "-o", "near", "--layers", "1", "--sha256")
    assert outcome.code == 0
    assert "unpacked LOSSY (not the fine-tune itself) 3 files" in outcome.err
    for options in ([], ["--layers", "2"]):
        outcome = run("unpack", "base", "tune.fd", "-o", "whole", "--sha256", "--force", *options)
        assert outcome.code == 0
        assert "unpacked 3 files" in outcome.err
        assert tree(tmp_path / "whole") == tree(tmp_path / "tune")
    assert tree(tmp_path / "near") != tree(tmp_path / "tune")
    assert "verified 'tune.fd'; 3 files" in run("verify", "tune.fd", "--base", "base").err
    outcome = run("extract", "base", "tune.fd", "weight", "-o", "one.safetensors", "--layers", "1")
    assert "extracted LOSSY (not the fine-tune itself) 1 tensor" in outcome.err
    outcome = run("extract", "base", "tune.fd", "weight", "-o", "two.safetensors")
    assert "extracted 1 tensor" in outcome.err


def test_inspect_tells_the_layers(run, progressive):
    outcome = run("inspect", "tune.fd")
    assert re.search(r"^layer 1   LOSSY: 1 of 2 tensors inexact; relative error of the delta: ", outcome.out,
                     re.MULTILINE)
    assert re.search(r"^layer 2   [\d.,]+ \w+: makes it exact$", outcome.out, re.MULTILINE)
    found = json.loads(run("inspect", "--json", "tune.fd").out)
    check(found, "inspect")
    assert (found["lossy"], found["progressive"]) == (False, True)
    assert found["second_layer_bytes"] == sum(each["second_layer_bytes"] for each in found["tensors"]) > 0
    shards = [file for file in found["files"] if file["kind"] == "shard"]
    assert all(file["first_layer_sha256"] and not file["original_sha256"] for file in shards)


@pytest.mark.parametrize("words, message", [
    (["unpack", "base", "tune.fd", "-o", "x", "--layers", "2"], "'tune.fd' has one layer, not 2"),
    (["unpack", "base", "tune.fd", "-o", "x", "--layers", "3"],
     "--layers '3' is not a number from 1 to 2; see 'finedelta unpack --help'"),
    (["unpack", "base", "tune.fd", "-o", "x", "--layers", "0"],
     "--layers '0' is not a number from 1 to 2; see 'finedelta unpack --help'"),
    (["pack", "--progressive", "base", "tune", "-o", "x"],
     "--progressive needs --lossy, which says what its first layer is; see 'finedelta pack --help'"),
])
def test_wrong_layers(run, lossy, words, message, tmp_path):
    outcome = run(*words)
    assert_error(outcome, 2)
    assert message in outcome.err
    assert not (tmp_path / "x").exists()
