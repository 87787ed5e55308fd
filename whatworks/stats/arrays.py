"""The few array types and curves that all statistics share."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_NODES, _weights = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS: Final = _weights / _weights.sum()


def sigmoid(logit: Floats) -> Floats:
    """The probability of a logit; never overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    half = np.tanh(0.5 * logit)
    half += 1.0
    half *= 0.5
    return np.asarray(half)


def expected(logit: Floats, variance: Floats | float) -> tuple[Floats, Floats]:
    """The mean of probabilities whose logits are normal, and how it rises with the mean logit.

    Gauss–Hermite quadrature (Naylor & Smith, Applied Statistics 31, 1982). The closed form of
    MacKay (1992) is good to a percent between 0.1 and 0.9, and a third too high at 0.01: fits to
    rare successes then take their own error for differences between people.

    >>> rate, slope = expected(np.array([0.0, -5.0]), 2.0)
    >>> rate.round(4).tolist(), slope.round(4).tolist()
    ([0.5, 0.0166], [0.182, 0.0154])
    """
    sd = np.sqrt(variance)
    rate, square = np.zeros_like(logit), np.zeros_like(logit)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        p = sigmoid(logit + node * sd)
        rate += weight * p
        p *= p
        square += weight * p
    return rate, rate - square


def sums(index: Ints, weight: Floats, size: int) -> Floats:
    """What `weight` adds up to for each index 0 … size − 1.

    >>> sums(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), 3).tolist()
    [1.0, 0.0, 5.0]
    """
    return np.bincount(index, weights=weight, minlength=size).astype(np.float64, copy=False)


def inverse(matrices: Floats) -> Floats:
    """The inverse of a positive definite matrix, or of each of a stack of them."""
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)
