"""Anyone's model behind a closed door: it gets copies, and its answers are checked copies.

    box = BlackBox(reconstruct, points, seed);  box.draw() -> answers [n, d] in the points' order

Every call gets a copy of the points in an order permuted anew, and the answer is copied before
the next call, so that a model which works in place, reuses its output, answers by row number or
reads other rows gains nothing by it. Two draws are compared before any loss is measured: a model
that does not sample is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from svae_core.certificate.arrays import LARGEST, numbers
from svae_core.records import RequestError

#: Draws that differ by less than this share of δ in mean square did not come from sampling.
_HARDLY = 1e-6
#: Posteriors of the same points in two orders agree to this share of their scale (root mean square)
_SAME = 0.02


class BlackBox:
    """Draws of anyone's sampled reconstructions, aligned with the points."""

    def __init__(self, reconstruct: Callable[[np.ndarray], Any], points: np.ndarray, seed: int):
        self._reconstruct = reconstruct
        self._points = points
        self._orders = np.random.default_rng([seed, 41])
        self._last = np.empty(0)
        self._limit = 0.0  # mean square difference of draws that hardly differ

    def draw(self) -> np.ndarray:
        """One draw of the answers [n, d], float64; refused where it repeats the draw before it."""
        found = self._in_order(self._new_order())
        if self._limit and _mean_square(found - self._last) < self._limit:
            raise _decoded_means()
        self._last = found
        return found

    def check_sampling(self, delta: float) -> None:
        """Refuse a model whose answers do not vary from call to call; constant ones may.

        The same noise in every call, as of a seed set inside the model, gives equal answers to
        equal batches, but others as soon as the rows are permuted; decoded means do not even
        change then. Raises RequestError.
        """
        order = self._new_order()
        first, again = self._in_order(order), self._in_order(order)
        other = self._last = self.draw()
        limit = _HARDLY * delta
        if _mean_square(first - first.mean(axis=0)) <= limit:
            return  # a constant: the decoder ignores z, and that is for the verdict to say
        self._limit = limit
        if _mean_square(first - other) < limit:
            raise _decoded_means()
        if _mean_square(first - again) < limit:
            raise RequestError(
                "The model gave the same reconstructions to the same batch twice, but others when "
                "its rows were permuted, so its noise goes by row number (a random seed is fixed "
                "inside it) or its answers are stored; let it draw new noise in every call."
            )

    def _new_order(self) -> np.ndarray:
        return self._orders.permutation(len(self._points))

    def _in_order(self, order: np.ndarray) -> np.ndarray:
        given = self._points[order]  # indexing by an array copies
        answers = numbers(self._reconstruct(given), "The reconstructions")
        if answers.shape != self._points.shape:
            raise RequestError(
                f"The reconstructions have shape {answers.shape}, but the points have shape "
                f"{self._points.shape}; they must agree."
            )
        aligned = np.empty(answers.shape, np.float64)
        aligned[order] = answers
        _check_answers(aligned)
        return aligned


def _decoded_means() -> RequestError:
    return RequestError(
        "The model gave the same reconstructions twice, so it decodes posterior means, or one "
        "fixed noise for all rows; let it sample z ~ q(z|x) anew for each row, since only a "
        "sampled loss excludes collapse."
    )


def answered_posterior(
    posterior: Callable[[np.ndarray], Any], points: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance [n, k] float64 of each point's posterior, as the model answers.

    Asked twice, in two orders: a posterior that belongs to rows, to the rest of the batch, or to
    chance, and not to its point, is refused, since its KL would be that of something else.
    """
    orders = np.random.default_rng([seed, 43])
    found = []
    for _ in range(2):
        order = orders.permutation(len(points))
        parts = _posterior_parts(posterior(points[order]), len(points))
        aligned = [np.empty_like(part) for part in parts]
        for target, part in zip(aligned, parts, strict=True):
            target[order] = part
        found.append(aligned)
    (mean, log_variance), (mean_again, log_variance_again) = found
    deviation = np.exp(0.5 * np.clip(log_variance, -700, 700))
    scale = _mean_square(mean - mean.mean(axis=0)) + _mean_square(deviation)
    moved = _mean_square(mean - mean_again) > _SAME**2 * scale
    if moved or _mean_square(log_variance - log_variance_again) > _SAME * mean.shape[1]:
        raise RequestError(
            "The posterior of a point is another one when the rows are permuted or asked again, so "
            "it does not follow the points; give it as a fixed function of each row."
        )
    return mean, log_variance


def _posterior_parts(answer: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        mean, log_variance = answer
    except (TypeError, ValueError) as error:
        raise RequestError(
            "The posterior must give two arrays, (mean, log variance), each (points, latent "
            "dimensions)."
        ) from error
    mean = numbers(mean, "The posterior means").astype(np.float64)
    log_variance = numbers(log_variance, "The posterior log-variances").astype(np.float64)
    if mean.ndim != 2 or mean.shape != log_variance.shape or len(mean) != n or not mean.shape[1]:
        raise RequestError(
            f"The posterior gave shapes {mean.shape} and {log_variance.shape}; mean and log "
            f"variance must both be ({n}, latent dimensions)."
        )
    for what, part in ("means", mean), ("log-variances", log_variance):
        if not (np.abs(part) <= LARGEST).all():
            raise RequestError(f"The posterior's {what} are not all finite numbers.")
    return mean, log_variance


def _check_answers(answers: np.ndarray) -> None:
    if not np.isfinite(answers).all():
        row, column = np.argwhere(~np.isfinite(answers))[0]
        raise RequestError(
            f"The reconstruction of point {row + 1} is not a finite number in column {column + 1}, "
            "so there is no loss to certify; look there for a division by zero or an overflow."
        )
    if np.abs(answers).max() > 1e150:
        raise RequestError(
            "The reconstructions reach beyond 1e150, where squares overflow; that is no answer to "
            "these points."
        )


def _mean_square(gaps: np.ndarray) -> float:
    """Summed over columns, mean over rows."""
    return float(np.einsum("nd,nd->n", gaps, gaps).mean())
