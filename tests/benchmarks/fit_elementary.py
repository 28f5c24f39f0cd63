"""The coefficients of svae_core/training/native/elementary.py, fitted anew.

    PYTHONPATH=. python tests/benchmarks/fit_elementary.py

Minimax by least squares whose weights grow where the error is largest (Lawson), in float64.
"""

from __future__ import annotations

import numpy as np

ROUNDS = 200


def fit(powers: np.ndarray, wanted: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients of the columns of `powers`, and the largest error times `scale`."""
    weight = np.ones_like(wanted)
    for _ in range(ROUNDS):
        root = np.sqrt(weight) * scale + 1e-12
        found = np.linalg.lstsq(powers * root[:, None], wanted * root, rcond=None)[0]
        error = np.abs(powers @ found - wanted) * scale
        weight = weight * (error / error.max()) + 1e-12
        weight /= weight.sum()
    return found, float(error.max())


def main() -> None:
    """Print the coefficients of exp, from which tanh follows, with their largest relative error."""
    t = np.cos(np.linspace(0, np.pi, 4001)) * np.log(2) / 2
    t = t[np.abs(t) > 1e-4]
    rest = (np.expm1(t) - t) / t**2
    print("exp", *fit(np.stack([t**i for i in range(5)], 1), rest, t**2 / np.exp(t)))


if __name__ == "__main__":
    main()
