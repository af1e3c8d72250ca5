"""Adapters are applied as PEFT does: the base's weight plus B A, of an embedding (B A)^T, each times
alpha / r; modules to save and biases replace the base's."""

import json
import re

import numpy as np
import pytest
from conftest import assert_error, read_safetensors, write_safetensors

PREFIX = "base_model.model."
ROWS, COLUMNS, RANK = 96, 64, 4
MATRICES = {"model.layers.0.q_proj.weight": (ROWS, COLUMNS),
            "model.layers.0.down_proj.weight": (COLUMNS, ROWS),
            "model.embed_tokens.weight": (200, COLUMNS),
            "lm_head.weight": (200, COLUMNS)}
CONFIG = {"architectures": ["TinyForCausalLM"], "tie_word_embeddings": False}


def to_bf16(values):
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")


def from_bf16(bits):
    return (bits.astype("<u4") << 16).view("<f4")


ENCODE = {"F32": lambda values: values.astype("<f4").tobytes(),
          "F16": lambda values: values.astype("<f2").tobytes(),
          "BF16": lambda values: to_bf16(values).tobytes()}
DECODE = {"F32": lambda data: np.frombuffer(data, "<f4"),
          "F16": lambda data: np.frombuffer(data, "<f2").astype("<f4"),
          "BF16": lambda data: from_bf16(np.frombuffer(data, "<u2"))}


def write_model(folder, tensors, dtype, config=CONFIG):
    folder.mkdir()
    write_safetensors(folder / "model.safetensors",
                      {name: (dtype, list(values.shape), ENCODE[dtype](values))
                       for name, values in tensors.items()})
    (folder / "config.json").write_text(json.dumps(config))


def read_values(path):
    return {name: DECODE[dtype](data).reshape(shape)
            for name, (dtype, shape, data) in read_safetensors(path).items()}


def rank_of(config, module):
    """As PEFT finds it: the first pattern that matches."""
    for pattern, rank in config["rank_pattern"].items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            assert config["alpha_pattern"][pattern] == rank
            return rank
    assert config["lora_alpha"] == config["r"]
    return config["r"]


def apply(base, folder):
    """The base's tensors with the adapter in `folder` merged into them."""
    config = json.loads((folder / "adapter_config.json").read_text())
    adapter = read_values(folder / "adapter_model.safetensors")
    assert (config["peft_type"], config["use_rslora"], config["use_dora"]) == ("LORA", False, False)
    merged = dict(base)
    used = set()
    for module in config["target_modules"]:
        names = [f"{PREFIX}{module}.{part}" for part in ("lora_A.weight", "lora_B.weight")]
        embedding = [f"{PREFIX}{module}.lora_embedding_{part}" for part in "AB"]
        is_embedding = embedding[0] in adapter
        a, b = (adapter[name] for name in (embedding if is_embedding else names))
        used.update(embedding if is_embedding else names)
        assert len(a) == b.shape[1] == rank_of(config, module)
        product = b.astype("f8") @ a.astype("f8")
        merged[f"{module}.weight"] = base[f"{module}.weight"] + (product.T if is_embedding else product)
    for name in set(adapter) - used:
        module, leaf = name.removeprefix(PREFIX).rsplit(".", 1)
        if module.endswith(".base_layer"):
            assert config["bias"] == "all"
            module = module.removesuffix(".base_layer")
        else:
            assert module in config["modules_to_save"]
        merged[f"{module}.{leaf}"] = adapter[name]
    return merged


def squares(tensors, others):
    return sum(np.sum(np.square(tensors[name].astype("f8") - others[name])) for name in MATRICES)


@pytest.fixture
def models(tmp_path):
    """models(DTYPE, full=...): writes `base` and `tune`, where each matrix gained a product of RANK
    or, `full`, anything; a norm changed too. Returns the values of both."""

    def make(dtype, full=False, config=CONFIG):
        generator = np.random.default_rng(1)
        base = {name: generator.normal(0, 0.02, shape) for name, shape in MATRICES.items()}
        base["model.norm.weight"] = generator.normal(1, 0.1, COLUMNS)
        tune = {}
        for name, values in base.items():
            shape = values.shape
            if len(shape) == 1 or full:
                tune[name] = values + generator.normal(0, 0.002, shape)
            else:
                left, right = (generator.normal(0, 1, (side, RANK)) for side in shape)
                tune[name] = values + 0.003 * left @ right.T
        write_model(tmp_path / "base", base, dtype, config)
        # Merged as trainers do it: onto the base's stored values.
        stored = read_values(tmp_path / "base" / "model.safetensors")
        write_model(tmp_path / "tune", {name: stored[name] + (tune[name] - base[name])
                                        for name in base}, dtype, config)
        return stored, read_values(tmp_path / "tune" / "model.safetensors")

    return make


def make(run, *words):
    outcome = run("lora", "base", "tune", "-o", "adapter", "--json", "-q", *words)
    assert outcome.code == 0, outcome
    return json.loads(outcome.out)


# Half a unit in the last place of the fine-tune's largest values, a little of that of the factors.
@pytest.mark.parametrize("dtype, allowed", [("F32", 1e-6), ("F16", 1e-4), ("BF16", 1e-3)])
def test_a_merged_adapter_is_found_again(run, models, tmp_path, dtype, allowed):
    base, tune = models(dtype)
    result = make(run)
    assert (result["modules"], result["saved_modules"], result["left_out"]) == (4, 1, 0)
    assert {tensor["rank"] for tensor in result["tensors"] if tensor["stored"] == "factors"} == {RANK}
    assert result["energy_kept"] > 0.999
    merged = apply(base, tmp_path / "adapter")
    for name, values in tune.items():
        assert np.abs(merged[name] - values).max() < allowed, name
    assert {dtype for dtype, _, _ in read_safetensors(
        tmp_path / "adapter" / "adapter_model.safetensors").values()} == {dtype}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["rank_pattern"], config["task_type"]) == (RANK, {}, "CAUSAL_LM")
    assert config["base_model_name_or_path"] == "base"
    assert config["modules_to_save"] == ["model.norm"]


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("share", [0.2, 0.7, 0.9])
def test_an_energy_is_reached_as_reported(run, models, tmp_path, dtype, share):
    base, tune = models(dtype, full=True)
    result = make(run, "--energy", str(share))
    merged = apply(base, tmp_path / "adapter")
    kept = 1 - squares(tune, merged) / squares(tune, base)
    assert share <= kept < share + 0.02
    assert result["energy_kept"] == pytest.approx(kept, abs=1e-5)
    for tensor in result["tensors"]:
        if tensor["stored"] == "factors":
            name = tensor["name"]
            error = np.linalg.norm(tune[name] - merged[name]) / np.linalg.norm(tune[name] - base[name])
            assert tensor["relative_error"] == pytest.approx(error, abs=1e-3)


@pytest.mark.parametrize("size", [4000, 20_000, 50_000])
def test_a_size_is_met_from_below(run, models, tmp_path, size):
    models("BF16", full=True)
    result = make(run, "--size", str(size))
    written = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size
    assert result["adapter_bytes"] == written <= size
    # What the smallest direction takes, in a matrix that has others or in one that has none.
    assert written > size - 2 * (ROWS + COLUMNS) - 300


def test_ranks_follow_what_is_gained(run, models, tmp_path):
    base, tune = models("F32", full=True)
    name = "model.layers.0.q_proj.weight"
    tune = {**base, name: base[name] + 100 * (tune[name] - base[name]), "lm_head.weight":
            tune["lm_head.weight"]}
    (tmp_path / "tune" / "model.safetensors").unlink()
    (tmp_path / "tune" / "config.json").unlink()
    (tmp_path / "tune").rmdir()
    write_model(tmp_path / "tune", tune, "F32")
    result = make(run, "--energy", "0.5")
    assert [tensor["name"] for tensor in result["tensors"] if tensor["rank"] > 0] == [name]
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["target_modules"] == ["model.layers.0.q_proj"]


def test_a_largest_rank(run, models, tmp_path):
    models("BF16", full=True)
    result = make(run, "--max-rank", "5")
    assert {tensor["rank"] for tensor in result["tensors"] if tensor["stored"] == "factors"} == {5}


def test_other_modules_are_stored_whole(run, models, tmp_path):
    """Biases beside factors; a resized table; a convolution; nothing of what is equal."""
    base, tune = models("BF16")
    rows = np.zeros((8, COLUMNS), "f4")
    extra = {"model.layers.0.q_proj.bias": np.ones(ROWS), "model.conv.weight": np.ones((4, 4, 3)),
             "model.conv.bias": np.ones(4), "model.other.weight": np.ones((8, 8))}
    changed = {name: 2 * values for name, values in extra.items() if name != "model.other.weight"}
    changed["model.conv.bias"] = extra["model.conv.bias"]
    for folder, tensors in (("b2", {**base, **extra}), ("t2", {
            **tune, **extra, **changed,
            "model.embed_tokens.weight": np.vstack([tune["model.embed_tokens.weight"], rows])})):
        write_model(tmp_path / folder, tensors, "BF16")
    outcome = run("lora", "b2", "t2", "-o", "adapter")
    assert outcome.code == 0, outcome
    assert ("note: 'model.embed_tokens.weight' is stored whole, as its shape is not the base's: give "
            "the base's module 208 rows (resize_token_embeddings) before the adapter is loaded\n"
            ) in outcome.err
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["modules_to_save"] == ["model.conv", "model.embed_tokens", "model.norm"]
    assert config["bias"] == "all"
    assert "model.other" not in config["target_modules"]
    merged = apply({**base, **extra}, tmp_path / "adapter")
    wanted = read_values(tmp_path / "t2" / "model.safetensors")
    assert list(merged) == list(wanted)
    for name, values in wanted.items():
        assert np.abs(merged[name] - values).max() < 1e-3, name


def test_a_tied_output_layer_gets_the_same_factors(run, tmp_path):
    generator = np.random.default_rng(1)
    base = {"model.embed_tokens.weight": generator.normal(0, 0.02, (200, COLUMNS))}
    gain = generator.normal(0, 0.1, (200, RANK)) @ generator.normal(0, 0.1, (RANK, COLUMNS))
    config = {**CONFIG, "tie_word_embeddings": True}
    write_model(tmp_path / "base", base, "F32", config)
    write_model(tmp_path / "tune", {name: values + gain for name, values in base.items()}, "F32",
                config)
    outcome = run("lora", "base", "tune", "-o", "adapter")
    assert outcome.code == 0
    assert "note: 'lm_head' is tied to 'model.embed_tokens'" in outcome.err
    adapter = read_values(tmp_path / "adapter" / "adapter_model.safetensors")
    products = [adapter[f"{PREFIX}lm_head.lora_B.weight"] @ adapter[f"{PREFIX}lm_head.lora_A.weight"],
                (adapter[f"{PREFIX}model.embed_tokens.lora_embedding_B"]
                 @ adapter[f"{PREFIX}model.embed_tokens.lora_embedding_A"]).T]
    for product in products:
        assert np.abs(product - gain).max() < 1e-5


def test_a_residual_has_the_rest(run, models, tmp_path):
    models("BF16")
    result = make(run, "--plus-residual")
    archive = tmp_path / "adapter" / "residual.fd"
    assert result["residual_bytes"] == archive.stat().st_size
    assert run("unpack", "base", "adapter/residual.fd", "-o", "back").code == 0
    assert ((tmp_path / "back" / "model.safetensors").read_bytes()
            == (tmp_path / "tune" / "model.safetensors").read_bytes())


def test_from_an_archive(run, models, tmp_path):
    base, tune = models("BF16")
    assert run("pack", "-q", "base", "tune", "-o", "tune.fd").code == 0
    for folder in ("base", "tune"):
        (tmp_path / folder).rename(tmp_path / f"away-{folder}")
    outcome = run("lora", "--from-archive", "tune.fd", "-o", "adapter")
    assert outcome.code == 0
    assert "note: the adapter holds the archive's factors alone" in outcome.err
    merged = apply(base, tmp_path / "adapter")
    for name in MATRICES:
        assert np.abs(merged[name] - tune[name]).max() < 1e-3, name
    assert np.array_equal(merged["model.norm.weight"], base["model.norm.weight"])


def test_an_archive_without_factors(run, pair, archive, tmp_path):
    outcome = run("lora", "--from-archive", "tune.fd", "-o", "adapter")
    assert_error(outcome, 2)
    assert "holds no factors of low rank" in outcome.err
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize("words, message", [
    (["--energy", "0.99999"], r"--energy 0\.99999 can't be reached: an adapter can keep 0\.9\d+"),
    (["--size", "100"], r"--size 100 is too small: the smallest adapter has \d+ bytes"),
])
def test_budgets_that_can_not_be_met(run, models, tmp_path, words, message):
    models("BF16")
    outcome = run("lora", "-q", "base", "tune", "-o", "adapter", *words)
    assert_error(outcome, 2)
    assert re.fullmatch(f"finedelta: {message}\n", outcome.err), outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "tune"]
