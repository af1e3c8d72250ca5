"""Scales of quantised groups of numbers (a matrix, or each of its rows), one group a row of `values`.

Rounding to few levels loses energy: with the scale of least squares, what comes back leans towards zero,
and the model's predictions towards the base's. The unbiased scale gives back what lies along the original
in full, `<restored, values> = <values, values>`, for a larger error across it.
"""

import numpy as np


def quotient(dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """0 where the divisor is."""
    return np.divide(dividend, divisor, out=np.zeros_like(dividend), where=divisor != 0)


def least_squares(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return quotient((values * codes).sum(axis=1), (codes * codes).sum(axis=1))


def unbiased(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return quotient((values * values).sum(axis=1), (values * codes).sum(axis=1))


SCALES = {"least squares": least_squares, "unbiased": unbiased}
