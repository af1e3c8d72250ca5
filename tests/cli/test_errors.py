"""Exit codes of what goes wrong, and that nothing is left behind."""

import resource

import pytest
from conftest import assert_error, make_model, random_bf16, read_tree


@pytest.mark.parametrize("words", [
    ["pack", "base", "tune", "-o", "there"],
    ["extract", "base", "tune.fd", "bias", "-o", "there"],
])
def test_an_existing_output_is_kept(run, pair, archive, tmp_path, words):
    there = tmp_path / "there"
    there.write_text("mine")
    assert_error(run(*words), 2)
    assert there.read_text() == "mine"
    outcome = run(*words, "--force")
    assert outcome.code == 0, outcome.err
    assert there.read_bytes() != b"mine"


def test_an_existing_folder_is_kept(run, pair, archive, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("mine")
    assert_error(run("unpack", "base", "tune.fd", "-o", "out"), 2)
    assert read_tree(out) == {"mine": b"mine"}
    assert run("unpack", "base", "tune.fd", "-o", "out", "--force").code == 0
    assert read_tree(out) == read_tree(tmp_path / "tune")


def test_a_file_is_not_replaced_by_a_folder(run, pair, archive, tmp_path):
    there = tmp_path / "there"
    there.write_text("mine")
    assert_error(run("unpack", "base", "tune.fd", "-o", "there", "--force"), 2)
    assert there.read_text() == "mine"


@pytest.mark.parametrize("words", [
    ["unpack", "other", "tune.fd", "-o", "out"],
    ["verify", "tune.fd", "--base", "other"],
    ["extract", "other", "tune.fd", "bias", "-o", "out"],
])
def test_wrong_base(run, pair, archive, tmp_path, words):
    make_model(tmp_path / "other", {"weight": ("BF16", [128, 64], random_bf16(7, 8192)),
                                    "bias": ("BF16", [64], random_bf16(8, 64))})
    assert_error(run(*words), 12)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_a_flipped_bit(run, pair, archive, place):
    content = bytearray(archive.read_bytes())
    content[round(place * (len(content) - 1))] ^= 4
    archive.write_bytes(content)
    assert_error(run("verify", "tune.fd"), 13)


def test_a_flipped_bit_stops_unpack(run, pair, archive, tmp_path):
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    before = read_tree(tmp_path)
    assert_error(run("unpack", "base", "tune.fd", "-o", "out"), 13)
    assert read_tree(tmp_path) == before


@pytest.mark.parametrize("words", [
    ["pack", "missing", "tune", "-o", "x.fd"],
    ["pack", "base", "missing", "-o", "x.fd"],
    ["pack", "org/missing", "tune", "-o", "x.fd"],
    ["plan", "missing", "tune"],
    ["unpack", "missing", "tune.fd", "-o", "out"],
    ["unpack", "base", "missing.fd", "-o", "out"],
    ["verify", "missing.fd"],
    ["verify", "tune.fd", "--base", "missing"],
    ["inspect", "missing.fd"],
    ["extract", "missing", "tune.fd", "weight", "-o", "x.safetensors"],
])
def test_missing(run, pair, archive, tmp_path, words):
    before = read_tree(tmp_path)
    assert_error(run(*words), 1)
    assert read_tree(tmp_path) == before


@pytest.mark.parametrize("words", [
    ["pack", "base", "tune", "-o", "tune/x.fd"],
    ["pack", "base", "tune", "-o", "base/x.fd"],
    ["unpack", "base", "tune.fd", "-o", "base/out"],
])
def test_output_inside_an_input(run, pair, archive, tmp_path, words):
    before = read_tree(tmp_path)
    assert_error(run(*words), 2)
    assert read_tree(tmp_path) == before


def test_file_size_limit(run, pair, tmp_path):
    make_model(tmp_path / "noise", {"w": ("BF16", [65536], random_bf16(9, 65536))})
    before = read_tree(tmp_path)
    outcome = run("pack", "--no-base", "noise", "-o", "x.fd",
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    assert_error(outcome, 14)
    assert read_tree(tmp_path) == before
