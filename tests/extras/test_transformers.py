"""Archives loaded by transformers."""

import json

import pytest
import torch
import transformers

import finedelta
from models import read_tree

CLASSES = {"llama": transformers.LlamaForCausalLM, "bert": transformers.BertForMaskedLM}
AUTO_CLASSES = {"llama": transformers.AutoModelForCausalLM, "bert": transformers.AutoModelForMaskedLM}


@pytest.mark.parametrize("sharding", [{}, {"max_shard_size": "20KB"}], ids=["one file", "shards"])
@pytest.mark.parametrize("name", CLASSES)
def test_the_model_is_the_fine_tune(trained, tmp_path, assert_same_model, name, sharding):
    base, tune = trained(name, **sharding)
    assert (len(list(tune.glob("*.safetensors"))) > 1) == bool(sharding)
    finedelta.pack(base, tune, tmp_path / "a.fd")
    expected = CLASSES[name].from_pretrained(tune)
    assert_same_model(finedelta.transformers.from_pretrained(tmp_path / "a.fd", base), expected)
    folder = finedelta.materialize(tmp_path / "a.fd", base)
    assert read_tree(folder) == read_tree(tune)
    assert_same_model(AUTO_CLASSES[name].from_pretrained(folder), expected)
    assert not all(torch.equal(a, b) for a, b in zip(
        expected.parameters(), CLASSES[name].from_pretrained(base).parameters()))


@pytest.fixture
def llama(trained, tmp_path):
    """An archive and its base."""
    base, tune = trained("llama")
    finedelta.pack(base, tune, tmp_path / "a.fd")
    return tmp_path / "a.fd", base


def test_the_class_is_chosen(llama):
    chosen = finedelta.transformers.from_pretrained(*llama, auto_class="AutoModel")
    assert type(chosen) is transformers.LlamaModel
    with pytest.raises(finedelta.UsageError, match="transformers 5.* has no class 'AutoModelForNothing'"):
        finedelta.transformers.from_pretrained(*llama, auto_class="AutoModelForNothing")


@pytest.mark.parametrize("architectures", [None, [], ["MyOwnModel"]])
def test_without_a_class_of_transformers_it_is_automodel(trained, tmp_path, architectures):
    base, tune = trained("llama")
    config = json.loads((tune / "config.json").read_text())
    (tune / "config.json").write_text(json.dumps({**config, "architectures": architectures}))
    finedelta.pack(base, tune, tmp_path / "a.fd")
    assert type(finedelta.transformers.from_pretrained(tmp_path / "a.fd", base)) is transformers.LlamaModel


def test_other_arguments_go_to_transformers(llama, tmp_path):
    model, info = finedelta.transformers.from_pretrained(
        *llama, cache=tmp_path / "mine", dtype=torch.float64, output_loading_info=True)
    assert model.dtype == torch.float64 and not info["missing_keys"]
    assert model.name_or_path.startswith(str(tmp_path / "mine"))


def test_a_lossy_layer(trained, tmp_path, assert_same_model):
    base, tune = trained("llama")
    finedelta.pack(base, tune, tmp_path / "a.fd", max_error=0.9, progressive=True)
    finedelta.unpack(tmp_path / "a.fd", tmp_path / "near", base=base, layers=1)
    assert_same_model(finedelta.transformers.from_pretrained(tmp_path / "a.fd", base, layers=1),
                      transformers.LlamaForCausalLM.from_pretrained(tmp_path / "near"))
    assert_same_model(finedelta.transformers.from_pretrained(tmp_path / "a.fd", base),
                      transformers.LlamaForCausalLM.from_pretrained(tune))
