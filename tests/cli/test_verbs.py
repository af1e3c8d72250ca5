import re

from conftest import assert_error, read_safetensors, read_tree, write_safetensors


def test_pack_and_unpack(run, pair, tmp_path):
    outcome = run("pack", "base", "tune", "-o", "tune.fd")
    assert (outcome.code, outcome.out) == (0, "")
    first, last = outcome.err.splitlines()
    assert first == "packing 'tune'"
    assert re.fullmatch(
        r"packed 3 files, [0-9.]+ kB into [0-9.]+ kB \([0-9.]+x\), 'tune\.fd'; 2 of 2 tensors "
        r"matched with a base; the archive was not read back: 'finedelta verify' does that", last)

    outcome = run("unpack", "base", "tune.fd", "-o", "out")
    assert (outcome.code, outcome.out) == (0, "")
    first, last = outcome.err.splitlines()
    assert first == "unpacking 'tune.fd'"
    assert re.fullmatch(
        r"unpacked 3 files, [0-9.]+ kB to 'out'; XXH3-128 of every chunk checked", last)
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "tune")


def test_unpack_with_sha256_says_so(run, pair, archive):
    outcome = run("unpack", "base", "tune.fd", "-o", "out", "--sha256")
    assert outcome.code == 0
    assert outcome.err.endswith("XXH3-128 of every chunk and SHA-256 of every file checked\n")


def test_unpack_weights_only(run, pair, archive, tmp_path):
    assert run("unpack", "base", "tune.fd", "-o", "out", "--weights-only").code == 0
    assert read_tree(tmp_path / "out") == {
        "model.safetensors": (tmp_path / "tune" / "model.safetensors").read_bytes()}


def test_one_file(run, pair, tmp_path):
    base, tune = (folder / "model.safetensors" for folder in pair)
    assert run("pack", base, tune, "-o", "tune.fd").code == 0
    assert run("unpack", base, "tune.fd", "-o", "back.safetensors").code == 0
    assert (tmp_path / "back.safetensors").read_bytes() == tune.read_bytes()


def test_levels(run, pair, tmp_path):
    for name, words in {"9": ["--level", "9"], "-9": ["-9"], "3": ["--level=3"], "-3": []}.items():
        assert run("pack", *words, "base", "tune", "-o", f"level{name}").code == 0
        assert run("unpack", "base", f"level{name}", "-o", "out", "--force").code == 0
        assert read_tree(tmp_path / "out") == read_tree(tmp_path / "tune")
    for level in "39":
        one, other = tmp_path / f"level{level}", tmp_path / f"level-{level}"
        assert one.read_bytes() == other.read_bytes()


def test_a_value_that_looks_like_a_level(run, pair, tmp_path):
    assert run("pack", "base", "tune", "-o", "-5").code == 0
    assert run("unpack", "base", "-o", "out", "--", "-5").code == 0
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "tune")


def test_without_a_base(run, pair, tmp_path):
    assert run("pack", "--no-base", "tune", "-o", "tune.fd").code == 0
    assert run("unpack", "tune.fd", "-o", "out").code == 0
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "tune")


def test_verify(run, pair, archive):
    outcome = run("verify", "tune.fd")
    assert (outcome.code, outcome.out) == (0, "")
    assert re.fullmatch(
        r"verifying 'tune\.fd'\n"
        r"verified 'tune\.fd'; only the archive itself was checked, all [0-9.]+ kB with [0-9]+ "
        r"chunks?: add --base BASE to check the rebuild too\n", outcome.err)

    outcome = run("verify", "tune.fd", "--base", "base")
    assert (outcome.code, outcome.out) == (0, "")
    assert re.fullmatch(
        r"verifying 'tune\.fd'\n"
        r"verified 'tune\.fd'; 3 files, [0-9.]+ kB rebuilt in memory: XXH3-128 of every chunk and "
        r"SHA-256 of every file checked\n", outcome.err)


def test_inspect(run, pair, archive):
    outcome = run("inspect", "tune.fd")
    assert (outcome.code, outcome.err) == (0, "")
    head, files, tensors = outcome.out.split("\n\n")
    assert head.startswith("archive   tune.fd, format version ")
    assert re.search(r"^base      \(no name recorded\), 2 tensors used, identity [0-9a-f]{32}$",
                     head, re.MULTILINE)
    assert [line.split()[0] for line in files.splitlines()] == [
        "FILE", "config.json", "model.safetensors", "notes/training.txt"]
    titles, weight, bias = tensors.splitlines()
    assert titles.split() == ["TENSOR", "DTYPE", "SHAPE", "MATCH", "PREDICTOR", "CODER", "STORED",
                              "BITS/WEIGHT"]
    assert re.match(r"weight  BF16   \[128, 64\]  same   base ", weight)
    assert re.match(r"bias    BF16   \[64\]       same   base       identical ", bias)


def test_inspect_escapes_names(run, tmp_path):
    write_safetensors(tmp_path / "odd.safetensors", {"a\x1b[31m\n": ("U8", [2], b"ab")})
    assert run("pack", "-q", "--no-base", "odd.safetensors", "-o", "odd.fd").code == 0
    outcome = run("inspect", "odd.fd")
    assert outcome.code == 0
    assert "a\\x1b[31m\\x0a  U8  " in outcome.out
    assert "\x1b" not in outcome.out


def test_plan(run, pair, tmp_path):
    before = read_tree(tmp_path)
    outcome = run("plan", "base", "tune")
    assert outcome.code == 0
    assert outcome.err == ("planning 'tune'\n"
                           "planned 2 tensors; sizes are estimates from samples, and nothing was "
                           "written\n")
    head, tensors = outcome.out.split("\n\n")
    assert [line.split("  ")[0] for line in head.splitlines()] == ["base", "input", "estimated"]
    titles, weight, bias = tensors.splitlines()
    assert titles.split() == ["TENSOR", "DTYPE", "SHAPE", "MATCH", "PREDICTOR", "SIZE",
                              "ESTIMATED"]
    assert re.match(r"weight  BF16   \[128, 64\]  same   base +16\.4 kB ", weight)
    assert re.match(r"bias    BF16   \[64\]       same   base +128 bytes ", bias)
    assert read_tree(tmp_path) == before


def test_extract(run, pair, archive, tmp_path):
    outcome = run("extract", "base", "tune.fd", "bias", "weight[3:5]", "-o", "x.safetensors")
    assert (outcome.code, outcome.out) == (0, "")
    first, last = outcome.err.splitlines()
    assert first == "extracting from 'tune.fd'"
    assert last.startswith("extracted 2 tensors, 384 bytes to 'x.safetensors'; XXH3-128 of every "
                           "chunk that was read checked (")
    tune = read_safetensors(tmp_path / "tune" / "model.safetensors")
    rows = tune["weight"][2][3 * 128 : 5 * 128]
    assert read_safetensors(tmp_path / "x.safetensors") == {
        "bias": tune["bias"], "weight": ("BF16", [2, 64], rows)}


def test_extract_refuses_an_unknown_name(run, pair, archive, tmp_path):
    assert_error(run("extract", "base", "tune.fd", "nope", "-o", "x.safetensors"), 2)
    assert not (tmp_path / "x.safetensors").exists()
