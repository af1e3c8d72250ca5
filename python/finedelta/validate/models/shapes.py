"""Tensors of well-known models: names, shapes, and what kind of tensor each is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from finedelta.validate.models.checkpoint import Kind


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    kind: Kind


@dataclass(frozen=True)
class Layout:
    """The tensors of a checkpoint, in order of its shards."""

    dtype: Literal["F32", "F16"]
    config: dict[str, object]
    shards: tuple[tuple[Tensor, ...], ...]

    def tensors(self) -> Iterator[Tensor]:
        for shard in self.shards:
            yield from shard


def _gpt2_block(layer: int, width: int) -> Iterator[Tensor]:
    prefix = f"h.{layer}."
    for norm in ("ln_1", "ln_2"):
        yield Tensor(f"{prefix}{norm}.weight", (width,), "norm")
        yield Tensor(f"{prefix}{norm}.bias", (width,), "bias")
    matrices: list[tuple[str, int, int, Kind]] = [
        ("attn.c_attn", width, 3 * width, "attention"),
        ("attn.c_proj", width, width, "attention"),
        ("mlp.c_fc", width, 4 * width, "mlp"),
        ("mlp.c_proj", 4 * width, width, "mlp"),
    ]
    # Stored as (inputs, outputs), as GPT-2's are.
    for name, inputs, outputs, kind in matrices:
        yield Tensor(f"{prefix}{name}.weight", (inputs, outputs), kind)
        yield Tensor(f"{prefix}{name}.bias", (outputs,), "bias")


def _gpt2_124m() -> Layout:
    width, layers = 768, 12
    tensors = [
        Tensor("wte.weight", (50257, width), "embedding"),
        Tensor("wpe.weight", (1024, width), "embedding"),
    ]
    for layer in range(layers):
        tensors += _gpt2_block(layer, width)
    tensors += [Tensor("ln_f.weight", (width,), "norm"), Tensor("ln_f.bias", (width,), "bias")]
    config: dict[str, object] = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_embd": width,
        "n_head": 12,
        "n_layer": layers,
        "vocab_size": 50257,
    }
    return Layout("F32", config, (tuple(tensors),))


def _llama_block(layer: int, width: int, inner: int) -> Iterator[Tensor]:
    prefix = f"model.layers.{layer}."
    yield Tensor(f"{prefix}input_layernorm.weight", (width,), "norm")
    for name in ("gate_proj", "up_proj"):
        yield Tensor(f"{prefix}mlp.{name}.weight", (inner, width), "mlp")
    yield Tensor(f"{prefix}mlp.down_proj.weight", (width, inner), "mlp")
    yield Tensor(f"{prefix}post_attention_layernorm.weight", (width,), "norm")
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        yield Tensor(f"{prefix}self_attn.{name}.weight", (width, width), "attention")


def _llama_2_7b() -> Layout:
    width, inner, layers, words = 4096, 11008, 32, 32000
    first = [Tensor("model.embed_tokens.weight", (words, width), "embedding")]
    second: list[Tensor] = []
    for layer in range(layers):
        # Where the published checkpoint's first shard of 10 GB is full.
        (first if layer < 24 else second).extend(_llama_block(layer, width, inner))
    second += [
        Tensor("model.norm.weight", (width,), "norm"),
        Tensor("lm_head.weight", (words, width), "embedding"),
    ]
    config: dict[str, object] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_attention_heads": 32,
        "num_hidden_layers": layers,
        "torch_dtype": "float16",
        "vocab_size": words,
    }
    return Layout("F16", config, (tuple(first), tuple(second)))


LAYOUTS = {"gpt2-124m": _gpt2_124m, "llama-2-7b": _llama_2_7b}
"""Makers of layouts by the names that `--synthetic` takes."""
