"""The verb `validate`: its command line, and the parts that measurements are made of."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy

import finedelta
from finedelta.validate import command
from finedelta.validate.measured.accuracy import ChangedBits
from finedelta.validate.measured.sample import take_sample
from finedelta.validate.measured.scaling import PROJECTED_BYTES, Measured, fit
from finedelta.validate.models.checkpoint import (
    first_rows,
    kind_of,
    layer_of,
    pairs_of,
    tensors_of,
    write_copy,
)
from finedelta.validate.models.shapes import LAYOUTS, Layout, Tensor


@pytest.fixture
def tiny(monkeypatch):
    shard = (Tensor("embed", (60, 40), "embedding"), Tensor("h.0.attn.q", (70, 50), "attention"))
    monkeypatch.setitem(LAYOUTS, "gpt2-124m", lambda: Layout("F32", {"model_type": "tiny"}, (shard,)))


def test_synthetic_models_are_called_so(tiny, tmp_path, capsys):
    output = tmp_path / "report"
    words = ["--synthetic", "gpt2-124m", "--training", "full-sft", "--training", "rl", "-o", str(output)]
    assert command.main([*words, "--rounds", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads((output / "report.json").read_text())
    assert [pair["is_synthetic"] for pair in json.loads(out)["pairs"]] == [True, True]
    assert json.loads(out)["scaling"]["pair"] == "SYNTHETIC gpt2-124m → full-sft"
    assert "SYNTHETIC gpt2-124m → rl: with an error\n" in err
    claim = json.loads(out)["report"]["sections"][4]["blocks"][0]["rows"][0]
    assert claim[1] == {"holds": None, "text": "can't be told: SYNTHETIC"}
    for name in ("report.md", "report.html"):
        assert (output / name).read_text().count("SYNTHETIC") >= 2
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: -o/--output"),
        (["-o", "r"], "a base and a fine-tune are needed"),
        (["base", "-o", "r"], "a base and a fine-tune are needed"),
        (["base", "tune", "--synthetic", "gpt2-124m", "-o", "r"], "--synthetic makes models itself"),
        (["base", "tune", "--training", "rl", "-o", "r"], "--training is for --synthetic"),
        (["base", "tune", "--rounds", "0", "-o", "r"], "argument --rounds: '0' is not a number from 1 to 100"),
        (["base", "tune", "--sample", "1X", "-o", "r"], "argument --sample: '1X' is not a size"),
        (["base", "tune", "--sampl", "1M", "-o", "r"], "unrecognized arguments: --sampl"),
        (["base", "tune", "-o", "there"], "exists; --force replaces it"),
        (["base", "tune", "-o", "there", "--force"], "is no report of ours, so it is not replaced"),
        (["base", "tune", "-o", "missing/r"], "can't be written"),
        (["base", "tune", "-o", "tune/r"], "lies inside the model"),
    ],
)
def test_usage(words, message, pair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert command.main([*words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert message in err and err.startswith("finedelta: ") and err.count("\n") == 1
    assert json.loads(out)["error"]["message"] in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "there" / "mine").read_text() == "mine"


def test_a_model_that_is_not_there(pair, tmp_path, capsys):
    assert command.main([str(pair[0]), "no/such-model", "-o", str(tmp_path / "r")]) == 1
    assert "no/such-model" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_an_older_report_is_kept_until_the_new_one_is_there(trained, tmp_path, capsys):
    output = tmp_path / "r"
    output.mkdir()
    (output / "report.md").write_text("older")
    assert command.main([str(trained[0]), str(tmp_path / "none"), "-o", str(output), "--force"]) == 1
    assert (output / "report.md").read_text() == "older"
    words = [*map(str, trained), "-o", str(output), "--force", "-q", "--rounds", "1"]
    assert command.main(words) == 0
    assert (output / "report.md").read_text().startswith("# finedelta")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind(number, code, trained, tmp_path):
    output = tmp_path / "out" / "r"
    output.parent.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "finedelta", "validate", *map(str, trained), "-o", output],
        stderr=subprocess.PIPE, text=True)
    assert "what was changed" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    assert process.wait(60) == code
    assert process.stderr.read().splitlines()[-1] in ("finedelta: interrupted", "finedelta: terminated")
    assert os.listdir(output.parent) == []


def test_help_has_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "EXAMPLES" in text and "EXIT STATUS" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("name", "kind", "layer"),
    [
        ("model.layers.3.self_attn.q_proj.weight", "attention", ("model.layers.", 3)),
        ("model.layers.31.mlp.down_proj.weight", "mlp", ("model.layers.", 31)),
        ("model.layers.3.input_layernorm.weight", "norm", ("model.layers.", 3)),
        ("model.embed_tokens.weight", "embedding", None),
        ("lm_head.weight", "embedding", None),
        ("h.11.attn.c_attn.bias", "bias", ("h.", 11)),
        ("h.11.ln_1.bias", "norm", ("h.", 11)),
        ("wte.weight", "embedding", None),
        ("encoder.layer.5.attention.output.LayerNorm.weight", "norm", ("encoder.layer.", 5)),
        ("encoder.layer.5.attention.output.dense.weight", "attention", ("encoder.layer.", 5)),
        ("encoder.layer.5.output.dense.weight", "mlp", ("encoder.layer.", 5)),
        ("encoder.layer.5.intermediate.dense.weight", "mlp", ("encoder.layer.", 5)),
        ("conv.weight", "other", None),
        ("0.conv.weight", "other", ("", 0)),
    ],
)
def test_kinds_and_layers_follow_from_names(name, kind, layer):
    assert (kind_of(name), layer_of(name)) == (kind, layer)


def test_cut_models_are_the_first_rows(trained, tmp_path):
    base, tune = trained
    cut = [first_rows(tensor, 0.25) for _, tensor in pairs_of(base, tune)]
    write_copy(cut, tmp_path / "cut.safetensors")
    for name, stored in tensors_of(tmp_path / "cut.safetensors").items():
        whole = tensors_of(tune)[name]
        assert stored.shape == (64, 192) and whole.shape == (256, 192)
        assert stored.read().tobytes() == whole.read()[: stored.size].tobytes()
    finedelta.pack(None, tmp_path / "cut.safetensors", tmp_path / "cut.fd")


def test_a_sample_has_a_share_of_every_tensor(tmp_path):
    tensors = {"a": np.zeros((1 << 20), np.float32), "b": np.ones((1 << 22), np.float32),
               "c": np.ones(5, np.float32), "ids": np.ones(1 << 20, np.int32), "none": np.ones(0, np.float32)}
    for name in ("base", "tune"):
        safetensors.numpy.save_file(tensors, tmp_path / name)
    whole = take_sample(tmp_path / "base", tmp_path / "tune", 1 << 40)
    assert whole.size == whole.of_size == 4 * ((1 << 20) + (1 << 22) + 5)
    part = take_sample(tmp_path / "base", tmp_path / "tune", 1 << 23)
    assert part.of_size == whole.size
    sizes = {each.tensor.name: each.size for each in part.parts}
    assert sizes == {"a": 2 << 20, "b": 6 << 20, "c": 20}
    (small,) = [each for each in part.parts if each.tensor.name == "c"]
    assert small.read().tolist() == [1, 1, 1, 1, 1] and small.pieces() == [(0, 20)]
    (large,) = [each for each in part.parts if each.tensor.name == "a"]
    assert large.pieces() == [(begin << 18, (begin + 1) << 18) for begin in range(8)]


def test_a_fit_finds_a_line():
    line = [Measured(size, 0.5 + size / 2e8, 0) for size in (10**8, 10**9, 3 * 10**9)]
    found = fit(line)
    assert found.start == pytest.approx(0.5) and found.rate == pytest.approx(2e8)
    assert found.relative_error < 1e-9
    assert found.projected_seconds == pytest.approx(0.5 + PROJECTED_BYTES / 2e8)
    assert found.projected_error < 1e-6 * found.projected_seconds


def test_the_error_of_a_fit_is_that_of_what_it_was_made_from():
    """Of many lines with noise, two thirds of what would be measured is within one deviation."""
    generator = np.random.default_rng(1)
    within = 0
    for _ in range(300):
        sizes = np.linspace(1e9, 13e9, 12)
        seconds = (1 + sizes / 2e8) * (1 + generator.normal(0, 0.05, len(sizes)))
        found = fit([Measured(int(size), float(second), 0) for size, second in zip(sizes, seconds, strict=True)])
        there = (1 + PROJECTED_BYTES / 2e8) * (1 + generator.normal(0, 0.05))
        within += abs(found.projected_seconds - there) < found.projected_error
    assert 0.6 < within / 300 < 0.75


@pytest.mark.parametrize("seconds", [(0.03, 0.02, 0.03), (0.03, 0.02, 0.01), (0.02, 0.02, 0.02)])
def test_time_that_does_not_grow_is_not_projected(seconds):
    sizes = (10**5, 2 * 10**5, 4 * 10**5)
    assert fit([Measured(size, second, 0) for size, second in zip(sizes, seconds, strict=True)]) is None
    assert fit([Measured(10**5, second, 0) for second in seconds]) is None


def test_bits_that_are_other_ones_as_often_as_not():
    bits = ChangedBits("BF16", 1000, 100, 0, (0,) * 8, (52, 49, 47, 30, 10, 5, 1))
    assert bits.noise_bits == 3
    assert ChangedBits("BF16", 1000, 0, 0, (0,) * 8, (0,) * 7).noise_bits == 0
