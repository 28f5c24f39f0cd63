"""The model-specific floor: how many nats this model's own answers carry, with confidence.

For any critic f(x, x̂) Donsker-Varadhan gives

    I(x; x̂) ≥ E f(x, x̂) − E_x̂ log E_x' e^{f(x', x̂)},

x' drawn anew from the points. The floors of `information_floors` bound the last term by its
largest value over all y; here it is a mean over the model's own answers. E_x' runs over all
points, so it is exact, and only x̂ is sampled. With f = −λ min(‖x − x̂‖², c) each answer gives
one value

    v = f(x, x̂) − log E_x' e^{f(x', x̂)},    −λc ≤ v ≤ log N,

for f lies in [−λc, 0], and x itself is one of the x'. The mean of v *is* the right side, so its
lower confidence limit is a floor: the loss and the logarithm are bounded jointly. c keeps the range
of v small, which is what a limit without a normal approximation costs; f is a critic for every c,
so nothing else is lost. λ and c are chosen on one draw and evaluated on the others.

Losses are squared errors summed over coordinates; information is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.bernstein import bernstein_lower
from svae_core.certificate.confidence import few_draws_margin, independent_sample

#: Multiplications and exponentials that all answers may cost: answers · N · (d + 32).
BUDGET = 1.2e10
#: At most so many answers are evaluated where points are few …
_MOST = 65_536
#: … and at least so many where they are many.
_FEWEST = 2_048
_CHOOSERS = 64  # answers at least that λ and c are chosen on …
_CHOICE = 500_000  # … and distances at most, beyond these
_CAPS = (1.0, 3.0, 6.0)  # λc − log N that compete
_BLOCK = 2_000_000  # numbers that a block of answers against all points holds


@dataclass(frozen=True)
class SpecificFloor:
    """A lower confidence limit on I(x; x̂) and what it was taken from."""

    nats: float  # the limit, 0 where it is negative
    answers: int  # evaluated, each against all points
    lam: float
    cap: float  # c: squared errors count as at most this


def specific_floor(
    points: np.ndarray,
    answers: Iterable[np.ndarray],
    lambdas: np.ndarray,
    error: float = 0.01,
    seed: int = 0,
) -> SpecificFloor:
    """A floor on I(x; x̂), nats, that holds with probability at least 1 − `error`.

    points [n, d]; `answers` gives draws [n, d], row i an answer to point i; `lambdas` [l] to choose
    from. ValueError where no draw is left after those that choose: the first, or as many as make 64
    answers. See `SpecificMeter` for the conditions.
    """
    meter = SpecificMeter(points, lambdas, seed)
    for draw in answers:
        meter.add(draw)
    return meter.floor(error)


class SpecificMeter:
    """Takes draws of answers one by one and gives the floor in the end.

    Draws must be independent of each other, and rows within a draw; where rows show noise in common
    the draws' means are the sample (`confidence.independent_sample`), which takes many draws to say
    anything. Any function of the answers may be given in their place (their projection on a ball,
    say): by data processing its floor is one of theirs.

    The first draw (or few, until 64 answers) chooses λ and c. Of few points whole draws are
    evaluated, a number of them fixed beforehand, so that whoever goes on drawing for another reason
    does not choose the sample. Of many points, answers to a stratified random sample: the unit
    interval holds the points as equal cells, and answer t belongs to a point drawn uniformly from
    [t/m, (t+1)/m); so all are independent and their mean is unbiased. Neighbours, which may fall on
    the same point, are of different draws.
    """

    def __init__(self, points: np.ndarray, lambdas: np.ndarray, seed: int = 0) -> None:
        n, d = points.shape
        self._source = _Source.of(points)
        self._lambdas = lambdas
        self._rng = np.random.default_rng([seed, 67])
        self._critic: tuple[float, float] | None = None
        self._first: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        affordable = max(_FEWEST, int(BUDGET / (n * (d + 32))))
        whole = min(affordable // n, max(1, -(-_MOST // n) - 1))
        rows = np.arange(n)
        self._left = [rows] * whole if whole else _strata(n, affordable, self._rng)

    def add(self, answers: np.ndarray) -> None:
        """One more draw [n, d], row i an answer to point i."""
        n = len(self._source.points)
        if self._critic is None:
            self._first.append(answers)
            if n * len(self._first) >= _CHOOSERS:
                self._choose()
        elif self._left:
            rows = self._left.pop(0)
            self._values.append(self._source.values(rows, answers[rows], *self._critic))

    def _choose(self) -> None:
        rows = np.tile(np.arange(len(self._source.points)), len(self._first))
        some = self._rng.permutation(len(rows))[: max(_CHOOSERS, _CHOICE // rows[-1])]
        answers = np.concatenate(self._first)[some]
        self._critic = _best_critic(self._source, rows[some], answers, self._lambdas)
        self._first.clear()

    def floor(self, error: float = 0.01, shared_noise: bool = False) -> SpecificFloor:
        """The floor with its limit: `bernstein_lower`, values independent but not of one law.

        `shared_noise`: rows of a draw are known to share noise, which need not show in the few
        draws that are evaluated of many points.
        """
        if self._critic is None or not self._values:
            raise ValueError("a model-specific floor needs more draws: the first ones choose λ")
        lam, cap = self._critic
        n = len(self._source.points)
        nearest = math.inf
        if all(len(values) == n for values in self._values):
            table = np.stack(self._values)
            nearest = float(table.mean()) - few_draws_margin(table, error)
            sample = table.mean(axis=1) if shared_noise else independent_sample(table).ravel()
        elif self._left or shared_noise:
            sample = np.empty(0)  # half of a stratified sample is none, nor are rows of one draw
        else:
            sample = np.concatenate(self._values)
        limit = min(nearest, bernstein_lower(sample, -lam * cap, math.log(n), error))
        return SpecificFloor(max(limit, 0.0), sum(map(len, self._values)), lam, cap)


@dataclass(frozen=True, eq=False)
class _Source:
    """The points, as the sum over all of them wants them."""

    points: np.ndarray  # [n, d] float32, from their mean
    center: np.ndarray  # [d]
    squares: np.ndarray  # [n] float32

    @classmethod
    def of(cls, points: np.ndarray) -> _Source:
        """Far from the origin float32 loses digits, so points are measured from their mean."""
        center = points.mean(axis=0, dtype=np.float64)
        moved = (points - center).astype(np.float32)
        return cls(moved, center, np.einsum("ij,ij->i", moved, moved))

    def gaps(self, answers: np.ndarray) -> np.ndarray:
        """Squared distances of answers [p, d] (from the mean) to all points, [p, n] float32."""
        cross = answers @ self.points.T
        cross *= -2
        cross += self.squares
        cross += np.einsum("ij,ij->i", answers, answers)[:, None]
        return np.asarray(np.maximum(cross, 0, out=cross))

    def values(self, rows: np.ndarray, answers: np.ndarray, lam: float, cap: float) -> np.ndarray:
        """v of answers [p, d] to the points of these rows [p], in nats: [p]."""
        found = np.empty(len(rows))
        size = max(1, _BLOCK // len(self.points))
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            found[block] = _values(self.gaps(self.placed(answers[block])), rows[block], lam, cap)
        return found

    def placed(self, answers: np.ndarray) -> np.ndarray:
        """Answers from the points' mean, in float32, no farther out than float32 can square."""
        return np.clip(answers - self.center, -1e15, 1e15).astype(np.float32)


def _best_critic(
    source: _Source, rows: np.ndarray, answers: np.ndarray, lambdas: np.ndarray
) -> tuple[float, float]:
    """The λ and c with the largest mean of v on these answers [p, d] to these rows [p]."""
    log_n = math.log(len(source.points))
    fine = np.geomspace(lambdas[0], lambdas[-1], 200)
    gaps = source.gaps(source.placed(answers))

    def leader(critics: list[tuple[float, float]]) -> tuple[float, float]:
        means = [float(_values(gaps, rows, *critic).mean()) for critic in critics]
        return critics[int(np.argmax(means))]

    lam, _ = leader([(float(lam), (log_n + 3) / float(lam)) for lam in fine[::4]])
    near = fine[(fine > lam / 1.6) & (fine < lam * 1.6)].tolist()
    return leader([(lam, (log_n + extra) / lam) for lam in near for extra in _CAPS])


def _values(gaps: np.ndarray, rows: np.ndarray, lam: float, cap: float) -> np.ndarray:
    """v [p] from squared distances [p, n] of answers to all points, theirs being `rows` [p].

    Both terms are made of the same rounded distances: these define a critic that differs from the
    one written above by rounding, and the inequality holds for every critic. exp in float32 and its
    mean are right to 1e-6, which is taken off.
    """
    critic = np.minimum(gaps, np.float32(cap)) * np.float32(-lam)
    own = critic[np.arange(len(critic)), rows].astype(np.float64)
    found = own - np.log(np.exp(critic).mean(axis=1, dtype=np.float64)) - 1e-6
    return np.asarray(np.clip(found, -lam * cap, math.log(gaps.shape[1])))


def _strata(n: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows of one point in each of `count` ≤ n strata, alternately for one of two draws."""
    places = (np.arange(count) + rng.random(count)) / count
    rows = np.minimum((places * n).astype(int), n - 1)
    return [rows[::2], rows[1::2]]
