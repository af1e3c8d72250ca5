"""Tiny models of transformers, and no cache of the user's."""

import os

# The hub is not to be looked for.
os.environ["HF_HUB_OFFLINE"] = "1"

import huggingface_hub
import pytest
import tokenizers
import torch
import transformers


@pytest.fixture(autouse=True)
def no_user_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("FINEDELTA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))


def _llama():
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2)).to(torch.bfloat16)


def _bert():
    return transformers.BertForMaskedLM(transformers.BertConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4))


MODELS = {"llama": _llama, "bert": _bert}

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


def _train(model):
    """One step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(input_ids=TOKENS, labels=TOKENS).loss.backward()
    optimizer.step()


@pytest.fixture
def trained(tmp_path):
    """trained(NAME, ...): the folders of a model and of its fine-tune, saved with these arguments."""

    def make(name, **arguments):
        torch.manual_seed(1)
        model = MODELS[name]()
        model.save_pretrained(tmp_path / "base", **arguments)
        _train(model)
        words = {"[UNK]": 0, **{f"w{i}": i for i in range(1, 64)}}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "[UNK]"))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]").save_pretrained(
            tmp_path / "tune")
        model.save_pretrained(tmp_path / "tune", **arguments)
        return tmp_path / "base", tmp_path / "tune"

    return make


@pytest.fixture
def assert_same_model():
    """Whether two models are of one class and one type, with the same weights and the same outputs."""

    def compare(got, expected):
        assert type(got) is type(expected) and got.dtype == expected.dtype
        ours, theirs = got.state_dict(), expected.state_dict()
        assert list(ours) == list(theirs)
        for name, tensor in theirs.items():
            assert torch.equal(ours[name], tensor), name
        with torch.no_grad():
            assert torch.equal(got(input_ids=TOKENS)[0], expected(input_ids=TOKENS)[0])

    return compare
