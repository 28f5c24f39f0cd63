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
    """Print both sets of coefficients with their largest relative errors."""
    t = np.cos(np.linspace(0, np.pi, 4001)) * np.log(2) / 2
    t = t[np.abs(t) > 1e-4]
    rest = (np.expm1(t) - t) / t**2
    print("exp", *fit(np.stack([t**i for i in range(5)], 1), rest, t**2 / np.exp(t)))
    x = np.maximum(np.cos(np.linspace(0, np.pi / 2, 4001)) * 0.7, 1e-3).astype(np.longdouble)
    u = (x * x).astype(np.float64)
    rest = ((np.tanh(x) / x - 1) / (x * x)).astype(np.float64)
    print("tanh", *fit(np.stack([u**i for i in range(6)], 1), rest, u))


if __name__ == "__main__":
    main()
