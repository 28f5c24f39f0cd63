"""Anyone's model behind a closed door: it gets copies, and its answers are checked copies.

    box = BlackBox(reconstruct, points, seed);  box.draw() -> answers [n, d] in the points' order

Every call gets a copy of the points in an order permuted anew, and the answer is copied before
the next call, so that a model which works in place, reuses its output, answers by row number or
reads other rows gains nothing by it. Draws are compared, before any loss is measured and once all
are made: a model that does not sample is refused (`sampling`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from svae_core.certificate.arrays import LARGEST, numbers
from svae_core.certificate.sampling import ROUNDED, Sampling, mean_square, usual_scale
from svae_core.records import RequestError

#: Draws that differ by less than this share of the points' usual scale, in mean square, did not
#: come from sampling. Where a posterior is known, answers are compared with what it lets through,
#: and only what differs by rounding did not: a posterior may be as narrow as that.
_HARDLY = 1e-6
_MEANS = (
    "The model gave the same reconstructions twice, so it decodes posterior means, or one fixed "
    "noise for all rows; let it sample z ~ q(z|x) anew for each row, since only a sampled loss "
    "excludes collapse."
)
_FIXED = (
    "The model gave the same reconstructions to the same batch twice, but others when its rows "
    "were permuted, so its noise goes by row number (a random seed is fixed inside it) or its "
    "answers are stored; let it draw new noise in every call."
)
#: Posteriors of the same points in two orders agree to this share of their scale (root mean square)
_SAME = 0.02


class BlackBox:
    """Draws of anyone's sampled reconstructions, aligned with the points."""

    def __init__(
        self,
        reconstruct: Callable[[np.ndarray], Any],
        points: np.ndarray,
        seed: int,
        posterior: bool = False,
    ) -> None:
        self._reconstruct = reconstruct
        self._points = points
        orders = np.random.default_rng([seed, 41])
        calls = Sampling(
            self._in_order,
            lambda: orders.permutation(len(points)),
            share=ROUNDED if posterior else _HARDLY,
            scale=usual_scale(points),
            means=_MEANS,
            fixed=_FIXED,
        )
        #: One draw of the answers [n, d], float64.
        self.draw = calls.draw
        #: Refuses a model that does not sample, before it is measured …
        self.check_sampling = calls.check
        #: … and one that stopped doing so meanwhile.
        self.check_drawn = calls.check_drawn

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
    scale = mean_square(mean - mean.mean(axis=0)) + mean_square(deviation)
    moved = mean_square(mean - mean_again) > _SAME**2 * scale
    if moved or mean_square(log_variance - log_variance_again) > _SAME * mean.shape[1]:
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
