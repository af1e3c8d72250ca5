"""What `diff` prints, and the exit codes by which scripts tell what it found."""

import re
import struct

from conftest import assert_error, make_model, read_tree, write_safetensors


def bf16(*values):
    return struct.pack(f"<{len(values)}H", *(struct.unpack("<I", struct.pack("<f", value))[0] >> 16
                                             for value in values))


def write(folder, **tensors):
    make_model(folder, tensors)


def test_equal_models(run, pair):
    outcome = run("diff", "base", "base")
    assert outcome.code == 0
    assert outcome.err == "comparing 'base'\n"
    assert outcome.out == "identical: 2 tensors and 1 other file\n"


def test_a_table_of_what_changed(run, tmp_path):
    write(tmp_path / "base", a=("BF16", [2, 2], bf16(1, 2, 3, 4)), b=("BF16", [2], bf16(1, 2)),
          n=("I8", [2], b"xy"))
    write(tmp_path / "tune", a=("BF16", [2, 2], bf16(1, 2, 3, 5)), b=("BF16", [2], bf16(1, 2)),
          n=("I8", [2], b"xz"))
    before = read_tree(tmp_path)
    outcome = run("diff", "base", "tune")
    assert outcome.code == 3
    assert outcome.err == "comparing 'tune'\n"
    assert outcome.out == (
        "TENSOR  DTYPE  SHAPE   CHANGED  RELATIVE NORM    COSINE  STEPS\n"
        "a       BF16   [2, 2]  25.00 %       1.83e-01  0.993999  █     ▃\n"
        "n       I8     [2]     50.00 %              -         -\n"
        "\n"
        "tensors: 2 of 3 differ, 25.00 % of the elements compared; relative norm 1.69e-01; "
        "other files: 0 of 1 differ\n")
    assert read_tree(tmp_path) == before


def test_equal_tensors_on_demand(run, pair):
    lines = run("diff", "base", "tune", "--equal").out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["TENSOR", "weight", "bias"]
    assert re.fullmatch(r"bias    BF16   \[64\]       +0 % +0  1\.000000  █", lines[2])
    assert "bias" not in run("diff", "base", "tune").out


def test_ranks_on_demand(run, tmp_path):
    write(tmp_path / "base", a=("BF16", [2, 2], bf16(0, 0, 0, 0)))
    write(tmp_path / "tune", a=("BF16", [2, 2], bf16(1, 0, 0, 1)))
    titles, row = run("diff", "base", "tune", "--rank").out.splitlines()[:2]
    assert titles.split()[-3:] == ["COSINE", "RANK", "STEPS"]
    assert row.split()[6:9] == ["-", "-", "2.0"]


def test_digits_where_blocks_may_not_be_shown(run, pair):
    plain = run("diff", "base", "tune", env={"LANG": "C"})
    assert plain.code == 3
    assert plain.out.isascii()
    assert re.search(r"^weight .* 82$", plain.out, re.MULTILINE)
    for variables in ({"LC_ALL": "C.UTF-8", "LANG": "C"}, {"LC_CTYPE": "de_DE.utf8", "LANG": "C"}):
        assert re.search(r"^weight .* █▂$", run("diff", "base", "tune", env=variables).out,
                         re.MULTILINE)


def test_what_is_not_compared(run, tmp_path):
    write(tmp_path / "base", a=("BF16", [2, 1], bf16(1, 2)), b=("BF16", [1], bf16(1)),
          c=("BF16", [2], bf16(1, 2)), d=("BF16", [2], bf16(1, 2)))
    write(tmp_path / "tune", a=("BF16", [1, 2], bf16(1, 2)), b=("F16", [1], bf16(1)),
          c=("BF16", [3], bf16(1, 2, 3)), e=("BF16", [], bf16(1)))
    outcome = run("diff", "base", "tune")
    assert outcome.code == 3
    compared, rest, summary = outcome.out.split("\n\n")
    assert compared.splitlines()[1].startswith("c       BF16   [2] -> [3]      0 %")
    assert [re.split("  +", line) for line in rest.splitlines()] == [
        ["NOT COMPARED", "DTYPE", "SHAPE", "WHY"],
        ["a", "BF16", "[1, 2]", "other shape: base has BF16 [2, 1]"],
        ["b", "F16", "[1]", "other dtype: base has BF16 [1]"],
        ["e", "BF16", "[]", "only in fine-tune"],
        ["d", "BF16", "[2]", "only in base"]]
    assert summary.startswith("tensors: 5 of 5 differ, 0 % of the elements compared")


def test_files(run, pair):
    outcome = run("diff", "-q", "base", "tune")
    assert outcome.err == ""
    assert "FILE                STATUS\nnotes/training.txt  only in fine-tune\n" in outcome.out
    assert outcome.out.endswith("; other files: 1 of 2 differ\n")
    (pair[1] / "notes" / "training.txt").unlink()
    (pair[1] / "model.safetensors").write_bytes((pair[0] / "model.safetensors").read_bytes())
    assert run("diff", "base", "tune").code == 0
    (pair[1] / "config.json").write_text("{}")
    assert run("diff", "base", "tune").code == 3


def test_numbers_that_are_not_finite(run, tmp_path):
    inf, nan = float("inf"), float("nan")
    write(tmp_path / "base", a=("BF16", [3], bf16(1, nan, inf)))
    write(tmp_path / "tune", a=("BF16", [3], bf16(1, nan, nan)))
    assert run("diff", "base", "tune").out.endswith(
        "; the base has 1 NaN and 1 infinity; the fine-tune has 2 NaNs and 0 infinities\n")


def test_names_that_only_gained_a_prefix(run, tmp_path):
    write_safetensors(tmp_path / "a", {"x.y": ("I8", [1], b"a"), "x.z": ("I8", [1], b"b")})
    write_safetensors(tmp_path / "b", {"m.x.y": ("I8", [1], b"a"), "m.x.z": ("I8", [1], b"b")})
    outcome = run("diff", "a", "b")
    assert outcome.code == 3
    assert outcome.out == ("tensors: 0 of 2 differ, 0 % of the elements compared; relative norm -; "
                           "2 renamed\n")


def test_a_model_that_is_missing(run, pair):
    outcome = run("diff", "base", "missing")
    assert_error(outcome, 1)


def test_a_damaged_model(run, pair):
    (pair[0] / "model.safetensors").write_bytes(b"short")
    assert_error(run("diff", "base", "tune"), 13)


def test_an_archive_is_no_model(run, pair, archive):
    outcome = run("diff", "base", "tune.fd")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == ("finedelta: 'tune.fd' is an archive, not a model: 'finedelta unpack' gives "
                           "the model back; see 'finedelta diff --help'\n")
