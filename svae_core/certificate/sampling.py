"""Does a model sample? Its answers to the same points, in one call after another.

    calls = Sampling(answer, orders, means="…", fixed="…")
    calls.check(); calls.draw(), …; calls.check_drawn()

`answer(order) -> [n, d]` asks the model for its points in this order and puts the answers in the
order of the points. Draws that repeat each other are of means, or of stored answers; draws that
repeat each other only in the same order have noise that goes by row number. A few may look alike by
chance, where points are few or latents are codes, so no single pair of calls decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from svae_core.records import RequestError

#: Answers whose mean square about their mean is below this share of the points' are one constant.
ROUNDED = 1e-12
#: A model is refused if this many calls are like the first …
_CALLS = 16
#: … or, of few points, as many as make this many rows.
_ROWS = 4_096
_SCALED = 2_000  # points that the usual scale is taken from


class Sampling:
    """Draws of a model, aligned with its points and compared with each other.

    `share`: draws that differ by less than this share of their own spread, or of `scale` where it
    is less, in mean square do not differ. `means`, `fixed`: the sentences of the two refusals.
    """

    def __init__(
        self,
        answer: Callable[[np.ndarray], np.ndarray],
        orders: Callable[[], np.ndarray],
        *,
        share: float,
        scale: float = math.inf,
        means: str,
        fixed: str,
    ) -> None:
        self._answer, self._orders = answer, orders
        self._share, self._scale = share, scale
        self._means, self._fixed = means, fixed
        self._last = np.empty(0)
        self._moves: list[float] = []  # mean squares between draws that follow each other …
        self._spreads: list[float] = []  # … and of the second of them about its mean

    def draw(self) -> np.ndarray:
        """One draw of the answers [n, d], in a new order."""
        found = self._answer(self._orders())
        if self._last.shape == found.shape:
            self._moves.append(mean_square(found - self._last))
            self._spreads.append(_spread(found))
        self._last = found
        return found

    def check(self) -> None:
        """RequestError for a model whose answers do not vary from call to call; constants may.

        The same noise in every call, as of a seed set inside the model, gives equal answers to
        equal batches, but others as soon as the rows are permuted; means do not even change then.
        """
        order = self._orders()
        first = self._answer(order)
        if self._is_constant(_spread(first)):
            return  # nothing of z is seen in it, and that is for the verdict to say
        renewed = self._changes(first, lambda: order)
        if not self._changes(first, self._orders):
            raise RequestError(self._means)
        if not renewed:
            raise RequestError(self._fixed)

    def check_drawn(self) -> None:
        """RequestError if the later half of the draws repeat each other: it stopped sampling."""
        late = slice(len(self._moves) // 2, None)
        moves, spreads = self._moves[late], self._spreads[late]
        if not moves or self._is_constant(max(spreads)):
            return
        if float(np.mean(moves)) <= self._limit(max(spreads)):
            raise RequestError(self._means)

    def _changes(self, first: np.ndarray, orders: Callable[[], np.ndarray]) -> bool:
        limit = self._limit(_spread(first))
        calls = max(_CALLS, -(-_ROWS // len(first)))
        return any(mean_square(self._answer(orders()) - first) > limit for _ in range(calls))

    def _limit(self, spread: float) -> float:
        return self._share * min(self._scale, spread)

    def _is_constant(self, spread: float) -> bool:
        return spread <= (ROUNDED * self._scale if math.isfinite(self._scale) else 0.0)


def usual_scale(points: np.ndarray) -> float:
    """Mean squared distance of points [n, d] from their middle, but for the farthest hundredth.

    A single point far out may make δ so large that noise beside it looks like rounding. From at
    most 2,000 of the points; where nearly all are one point, that of all of these.
    """
    n = len(points)
    rows = np.arange(n)
    if n > _SCALED:
        rows = np.random.default_rng(0).choice(n, _SCALED, replace=False)
    some = points[rows].astype(np.float64)
    gaps = some - np.median(some, axis=0)
    squares = np.sort(np.einsum("nd,nd->n", gaps, gaps))
    near = float(squares[: len(squares) - max(1, len(squares) // 100)].mean())
    return near or float(squares.mean())


def mean_square(gaps: np.ndarray) -> float:
    """Summed over columns, mean over rows."""
    return float(np.einsum("nd,nd->n", gaps, gaps).mean())


def _spread(answers: np.ndarray) -> float:
    return mean_square(answers - answers.mean(axis=0))
