"""How far the predictions of one model are from another's, from the logits of both. Natural logarithms."""

from dataclasses import dataclass

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities that the last axis of `logits` stands for, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Window:
    """One window of text: means over its positions."""

    kl: float  # KL(reference || model), nats for each token, at every position
    same_top1: float  # the share of positions at which both find the same token most likely
    loss: float  # -log of the model's probability of each token but the first, nats


def compare(reference: np.ndarray, logits: np.ndarray, tokens: np.ndarray) -> Window:
    """`reference` are log-probabilities and `logits` the model's, [position, token], for `tokens`."""
    model = log_softmax(logits)
    kl = (np.exp(reference, dtype=np.float64) * (reference - model)).sum(axis=-1)
    same = reference.argmax(axis=-1) == model.argmax(axis=-1)
    loss = -np.take_along_axis(model[:-1], tokens[1:, None], axis=-1)
    return Window(float(kl.mean()), float(same.mean()), float(loss.mean()))


def summary(windows: list[Window]) -> dict[str, float]:
    """Means over windows of equal length; the error is the standard error of the mean KL."""
    kl = np.array([window.kl for window in windows])
    return {
        "kl": float(kl.mean()),
        "kl_error": float(kl.std(ddof=1) / np.sqrt(len(kl))),
        "same_top1": float(np.mean([window.same_top1 for window in windows])),
        "ppl": float(np.exp(np.mean([window.loss for window in windows]))),
    }
