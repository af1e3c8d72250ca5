"""Measures reconstructed weights of the tinyllama family by what the model then predicts.

float32 on the CPU, one thread: run several processes to use several cores.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from metrics import Window, compare, log_softmax, summary
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from weights import State, read_state

WINDOW = 256  # tokens, as the family was trained; windows do not overlap
BATCH = 8  # windows
# The text of the domain that each was trained on comes first.
TEXTS = {"sft": ["a"], "sft-strong": ["a"], "sft-b": ["b", "a"], "lora-merged": ["b", "a"]}


def weights_file(pairs_dir: Path | str, name: str) -> Path:
    return Path(pairs_dir) / "tinyllama" / name / "model.safetensors"


class Evaluator:
    """Compares models with one fine-tune, on the first `tokens` tokens of eval/TEXT-eval.txt.

    `pairs_dir` is the folder of real pairs; `text` is "a" or "b", by default the fine-tune's own.
    """

    def __init__(
        self, pairs_dir: Path | str, fine_tune: str, text: str | None = None, tokens: int = 8192
    ) -> None:
        torch.set_num_threads(1)
        file = weights_file(pairs_dir, fine_tune)
        text_file = file.parents[1] / "eval" / f"{text or TEXTS[fine_tune][0]}-eval.txt"
        self._tokens = read_tokens(file.parent, text_file, tokens)
        config = AutoConfig.from_pretrained(file.parent)
        self._model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        # float32 halves what is kept; of a model and itself it makes a KL below 1e-9 instead of 0.
        self._reference = [
            log_softmax(logits).astype(np.float32) for logits in self._logits(read_state(file))
        ]

    def measure(self, state: State) -> dict[str, float]:
        """`kl` and its standard error `kl_error` (nats a token), `same_top1` (a share), `ppl`."""
        windows: list[Window] = [
            compare(reference, logits, tokens)
            for reference, logits, tokens in zip(
                self._reference, self._logits(state), self._tokens, strict=True
            )
        ]
        return summary(windows)

    def _logits(self, state: State) -> Iterator[np.ndarray]:
        """Logits of one window after the other, of the model with these weights."""
        self._model.load_state_dict({name: torch.from_numpy(w) for name, w in state.items()})
        for batch in torch.from_numpy(self._tokens).split(BATCH):
            with torch.inference_mode():
                logits = self._model(input_ids=batch, use_cache=False).logits
            yield from logits.numpy()


def read_tokens(model: Path, text: Path, count: int) -> np.ndarray:
    """The first `count` tokens of a text, [window, position]."""
    # Says that the text is longer than the model's context; it is cut into windows.
    logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokens = tokenizer(text.read_text("utf-8"), add_special_tokens=False)["input_ids"]
    if count % WINDOW or len(tokens) < count:
        raise ValueError(f"{text} has {len(tokens)} tokens; {count} in windows of {WINDOW} are wanted")
    return np.array(tokens[:count]).reshape(-1, WINDOW)
