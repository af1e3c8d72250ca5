"""Whether PEFT loads what `finedelta lora` writes: for small random models of several kinds, the base
with the adapter must say what the fine-tune says, before the adapter is merged and after.

    python bench/quality/peft_check.py build/release/finedelta

Needs torch, transformers and peft, so it is no part of the ordinary tests."""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen2Config

SMALL = {"vocab_size": 200, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4}
MODELS = {
    "llama": LlamaConfig(**SMALL, num_key_value_heads=2, tie_word_embeddings=False),
    "llama, tied": LlamaConfig(**SMALL, num_key_value_heads=2, tie_word_embeddings=True),
    "qwen2, with biases": Qwen2Config(**SMALL, num_key_value_heads=2, tie_word_embeddings=False),
    "qwen2, tied": Qwen2Config(**SMALL, num_key_value_heads=2, tie_word_embeddings=True),
    "gpt2, transposed and tied": GPT2Config(vocab_size=200, n_embd=64, n_layer=2, n_head=4,
                                            n_positions=64),
}
# Tables of more rows.
RESIZED = ("llama", "llama, tied")


def change(model, rank):
    """A product of low rank for every matrix, and a little for everything else."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                rows, columns = parameter.shape
                gain = torch.randn(rows, rank) @ torch.randn(rank, columns)
                parameter += gain * 0.1 / rank**0.5
            else:
                parameter += torch.randn_like(parameter) * 0.1


def logits(model):
    with torch.no_grad():
        return model.eval()(torch.arange(48)[None]).logits


def load(folder, rows=None):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if rows is not None:
        model.resize_token_embeddings(rows)
    return model


def untie(model):
    """PEFT would merge into the shared weight twice."""
    output = model.get_output_embeddings()
    if output.weight is model.get_input_embeddings().weight:
        output.weight = torch.nn.Parameter(output.weight.detach().clone())
        model.config.tie_word_embeddings = False
    return model


def check(program, config, folder, rows=None):
    """The largest difference of the logits, before and after merging, in those of base and tune."""
    base, tune, adapter = folder / "base", folder / "tune", folder / "adapter"
    AutoModelForCausalLM.from_config(config).save_pretrained(base)
    tuned = load(base, rows)
    change(tuned, 4)
    tuned.save_pretrained(tune)
    subprocess.run([program, "lora", base, tune, "-o", adapter, "-q"], check=True)
    wanted = logits(load(tune))
    scale = (logits(load(base, rows)) - wanted).abs().max()
    model = PeftModel.from_pretrained(load(base, rows), adapter)
    before = (logits(model) - wanted).abs().max() / scale
    model = PeftModel.from_pretrained(untie(load(base, rows)), adapter)
    after = (logits(model.merge_and_unload()) - wanted).abs().max() / scale
    return before.item(), after.item()


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    failed = False
    cases = [(name, config, None) for name, config in MODELS.items()]
    cases += [(f"{name}, tokens added", MODELS[name], 208) for name in RESIZED]
    for name, config, rows in cases:
        with tempfile.TemporaryDirectory() as folder:
            before, after = check(Path(sys.argv[1]).resolve(), config, Path(folder), rows)
        good = max(before, after) < 1e-4
        failed |= not good
        print(f"{'ok    ' if good else 'FAILED'} {name}: {before:.1e} before merging, "
              f"{after:.1e} after")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
