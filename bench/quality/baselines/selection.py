"""Which elements of a delta are largest."""

import numpy as np
from pair import Pair

TIE = np.float32(1e-3)  # relative; below the half step of a bf16 number


def largest(values: np.ndarray, share: float) -> np.ndarray:
    """A mask of the share of `values`, [group, element], that is largest in each group; never of zeros.

    Differences of bf16 numbers are often equal: which of these are taken is left to chance.
    """
    chance = np.random.Generator(np.random.PCG64(1)).random(values.shape, np.float32)
    magnitudes = np.abs(values) * (1 + TIE * chance)
    count = max(1, round(share * values.shape[1]))
    limit = np.partition(magnitudes, -count, axis=1)[:, -count, None]
    return (magnitudes >= limit) & (magnitudes > 0)


def select(pair: Pair, share: float, among: str) -> np.ndarray:
    """A mask of the largest of all matrices together ("model"), of each matrix, or of each row."""
    if among == "model":
        return largest(pair.delta[None], share)[0]
    mask = np.empty(pair.delta.size, bool)
    for span in pair.spans:
        groups = pair.matrix(span)
        mask[span.place] = largest(groups if among == "row" else groups.reshape(1, -1), share).ravel()
    return mask
