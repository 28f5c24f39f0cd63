"""The highest modes of a kernel density of the data over what a decoder may answer.

    A(λ) = max_y log E exp(−λ‖x − y‖²),    y with a norm between two radii

is what the tight floor is made of (`information_floors`). The search is numerical: a missed mode
makes A too low. Of many points a sample is searched; its modes are compared and evaluated on all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from svae_core.geometry.row_blocks import blocks

SOUGHT_IN = 8_192  # points: in more of them, modes are first sought in a sample …
_COMPARED_IN = 131_072  # … and what is found is compared in one of so many
_BLOCK = 4_000_000  # numbers that sums over many points hold at once
_PAIRS = 12_500_000  # pairs of a start and a point that the first look for modes may cost


@dataclass(frozen=True, eq=False)
class Source:
    """The data and the decoder's domain, as the search for modes wants them.

    In float32 a mode is off by about 1e-6, and A, at its maximum, by about the square of that.
    """

    points: np.ndarray  # [n, d], in the dtype of the search
    squares: np.ndarray  # [n], ‖x‖²
    radii: tuple[float, float]
    scale: float  # of a squared distance

    def exponents(self, y: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
        """−λ‖x − y‖² for y [p, d], each at its own λ [p]: [p, n]."""
        cross = y @ self.points.T
        cross *= 2
        cross -= self.squares
        cross -= np.einsum("ij,ij->i", y, y)[:, None]
        cross *= lambdas[:, None].astype(cross.dtype)
        return np.asarray(cross)

    def sample(self, count: int, seed: int) -> Source:
        """So many of the points, drawn by the seed; all of them where there are no more."""
        n = len(self.points)
        if n <= count:
            return self
        rows = np.sort(np.random.default_rng([seed, 43]).choice(n, count, replace=False))
        return replace(self, points=self.points[rows], squares=self.squares[rows])

    def part(self, rows: slice) -> Source:
        """Some of the points."""
        return replace(self, points=self.points[rows], squares=self.squares[rows])

    def clamped(self, y: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """The admissible points nearest to y [p, d]; where y is 0, one along `direction`."""
        norms = np.linalg.norm(y, axis=1, keepdims=True)
        if self.radii[0] > 0:
            y = np.where(norms < 1e-20, direction, y)
            norms = np.linalg.norm(y, axis=1, keepdims=True)
        factors = np.clip(norms, *self.radii) / np.maximum(norms, 1e-20)
        return np.asarray(y * factors, dtype=self.points.dtype)


def tight_exponents(
    source: Source, centroids: np.ndarray, lambdas: np.ndarray, seed: int
) -> np.ndarray:
    """A(λ) = max_y log E exp(−λ‖x − y‖²) at each λ, [l]: numerical, by mean-shift from many starts.

    By Jensen a move from y to y' raises the log-mean by at least λ(Σw‖x−y‖² − Σw‖x−y'‖²), with w
    ∝ exp(−λ‖x−y‖²) summing to 1. The best y' is the admissible point nearest to Σwx, that is Σwx
    with its norm clamped to the radii. So every step is monotone; it ends in a mode, not always in
    the highest. A mode missed would overstate the floor, hence the many starts and the exchange of
    modes between all λ. Of many points a seeded sample is searched. The modes are evaluated in
    float64 on all points.
    """
    first = min(int(np.searchsorted(lambdas, 0.1 / source.scale)), len(lambdas) - 1)
    if len(source.points) > SOUGHT_IN:
        modes, values, owner = _modes_of_many(source, centroids, lambdas, max(1, first), seed)
    else:
        owner = np.arange(len(lambdas))
        pool = _seek_modes(source, centroids, lambdas[first::12], seed)  # below, there is one mode
        modes, values = _settle_modes(source, pool, lambdas)
    y, total, lambdas = modes.astype(np.float64), np.zeros(len(owner)), lambdas[owner]
    # One product of matrices: −λ(‖y‖² + ‖x‖² − 2⟨x, y⟩) − value is linear in (x, ‖x‖², 1).
    rest = -lambdas * (y**2).sum(axis=1) - values
    factors = np.column_stack([2 * lambdas[:, None] * y, -lambdas, rest])
    for rows in blocks(len(source.points), max(y.shape)):
        x = source.points[rows].astype(np.float64)
        terms = factors @ np.column_stack([x, (x**2).sum(axis=1), np.ones(len(x))]).T
        total += np.exp(terms, out=terms).sum(axis=1)
    found = values + np.log(total / len(source.points))
    return found[_best(found, owner, 1)]


def _modes_of_many(
    source: Source, centroids: np.ndarray, lambdas: np.ndarray, first: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modes [p, d], log-means near theirs [p], and which λ each is for, [p], of many points.

    At every 12th λ from `lambdas[first]` on, where there may be many, twelve modes of a small
    sample compete in a large one, and the best four of these on all points: a sample cannot tell
    which of several about equally high ones is the highest. The λ between have two modes each,
    sought from the leaders on both sides.
    """
    every = source
    some, source = source.sample(SOUGHT_IN, seed), source.sample(_COMPARED_IN, seed)
    coarse = lambdas[first::12]
    pool = _seek_modes(some, centroids, coarse, seed)
    low, _ = _settle_modes(some, pool, lambdas[:first])
    pool = np.concatenate([pool, low[-1:], some.clamped(centroids, some.points[:1])])
    table, gaps = _table(some, pool, coarse), _gaps(pool)
    rows, owner = np.array(
        [
            (row, at)
            for at, lam in enumerate(coarse)
            for row in _distinct(table[:, at], gaps, 12, lam)
        ]
    ).T
    y, values = _climb_in_passes(source, pool[rows], coarse[owner], 3)
    rows = _best(values, owner, 4)
    y, values = _climb_in_passes(every, y[rows], coarse[owner[rows]], 1)
    leaders = y[_best(values, owner[rows], 1)]
    high = np.arange(first, len(lambdas))
    before = (high - first) // 12
    after = np.minimum(before + 1, len(coarse) - 1)
    starts = np.concatenate([low, leaders[before], leaders[after]])
    owner = np.concatenate([np.arange(first), high, high])
    y, values = _climb_in_passes(source, starts, lambdas[owner], 2)
    return y, values, owner


def _best(values: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    """Rows of the `count` largest values of each owner, owners in order; fewer where it has few."""
    order = np.lexsort((-values, owner))
    starts = np.searchsorted(owner[order], owner[order])
    return np.asarray(order[np.arange(len(order)) - starts < count])


def _seek_modes(
    source: Source, centroids: np.ndarray, lambdas: np.ndarray, seed: int
) -> np.ndarray:
    """Modes [p, d] at some λ, sought from the mean, the best centroids and the best points.

    A few steps gather each λ's starts in few places; the best four of these go on.
    """
    n, dtype = len(source.points), source.points.dtype
    sample = np.random.default_rng(seed).permutation(n)[: max(256, _PAIRS // n)]
    middle = np.vstack([source.points.mean(axis=0, dtype=np.float64), centroids]).astype(dtype)
    middle = source.clamped(middle, source.points[:1])
    outer = source.points[sample]
    best_middle = _table(source, middle, lambdas).argsort(axis=0)[-8:].T  # [l, ≤ 8]
    best_outer = _table(source, outer, lambdas).argsort(axis=0)[-8:].T
    starts = np.concatenate(
        [
            np.concatenate([middle[:1], middle[near], outer[far]])
            for near, far in zip(best_middle, best_outer, strict=True)
        ]
    )
    each = len(starts) // len(lambdas)
    y = _climb(source, starts, lambdas.repeat(each), 5)
    values = _log_means(source, y, lambdas.repeat(each))
    kept: list[int] = []
    for at, lam in enumerate(lambdas):
        rows = slice(at * each, (at + 1) * each)
        kept += [rows.start + row for row in _distinct(values[rows], _gaps(y[rows]), 4, lam)]
    own = lambdas.repeat(each)[kept]
    return np.concatenate([middle[:1], _climb(source, y[kept], own, 15)])


def _settle_modes(
    source: Source, pool: np.ndarray, lambdas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The highest modes [l, d] and their log-means [l] at every λ, starting from a pool [p, d].

    Each λ climbs from the best two of the pool; what it finds is then offered to all other λ, until
    no λ gains by an offer.
    """
    modes = np.zeros((len(lambdas), pool.shape[1]), pool.dtype)
    values = np.full(len(lambdas), -np.inf)
    width = lambdas * source.scale
    gain = 1e-6 * np.minimum(1, width) + 4 * np.finfo(pool.dtype).eps * (1 + width)  # or rounding
    for _ in range(10):
        table, gaps = _table(source, pool, lambdas), _gaps(pool)
        offers = [
            (row, at)
            for at, lam in enumerate(lambdas)
            for row in _distinct(table[:, at], gaps, 2, lam)
            if table[row, at] > values[at] + gain[at]
        ]
        if not offers:
            break
        rows, owner = np.array(offers).T
        y = _climb(source, pool[rows], lambdas[owner], 200)
        found = _log_means(source, y, lambdas[owner])
        for row in np.flatnonzero(found > values[owner]):
            if found[row] > values[owner[row]]:
                modes[owner[row]], values[owner[row]] = y[row], found[row]
        changed = np.unique(owner)
        pool = modes[changed[:: 1 + len(changed) // 64]]  # neighbours have much the same modes
    return modes, values


def _climb(source: Source, y: np.ndarray, lambdas: np.ndarray, steps: int) -> np.ndarray:
    """Mean-shift of y [p, d], each at its own λ [p]: where they are after at most so many steps.

    A row rests when the rise still to come, λ‖Δy‖² summed as a geometric series, is below 1e-6 of
    min(1, λ·scale).
    """
    y = y.copy()
    rest = 1e-6 * np.minimum(1 / lambdas, source.scale)
    moving, last = np.arange(len(y)), np.full(len(y), np.inf)
    for _ in range(steps):
        moved = np.empty(len(moving))
        for rows in _blocks(len(moving), len(source.points)):
            at = moving[rows]
            weights = source.exponents(y[at], lambdas[at])
            weights -= weights.max(axis=1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(axis=1, keepdims=True)
            better = source.clamped(weights @ source.points, y[at])
            moved[rows] = ((better - y[at]) ** 2).sum(axis=1)
            y[at] = better
        ratio = np.minimum(moved / last[moving], 0.99)
        last[moving] = moved
        moving = moving[moved / (1 - ratio) > rest[moving]]
        if not len(moving):
            break
    return y


def _climb_in_passes(
    source: Source, y: np.ndarray, lambdas: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean-shift of y [p, d] for so many steps, in one pass over the points each.

    Returns where they are and the log-means [p] of where they were one step before: at most those
    of where they are, and near enough to keep sums of exp(… − log-mean) in range.
    """
    for _ in range(steps):
        peak, mass = np.full(len(y), -np.inf), np.zeros(len(y))
        moment = np.zeros(y.shape)
        for rows in blocks(len(source.points), max(y.shape)):
            weights = source.part(rows).exponents(y, lambdas)
            top = np.maximum(peak, weights.max(axis=1))
            fade = np.exp(peak - top)  # what was summed so far had another peak
            weights -= top[:, None].astype(weights.dtype)
            np.exp(weights, out=weights)
            mass = mass * fade + weights.sum(axis=1, dtype=np.float64)
            moment = moment * fade[:, None] + weights @ source.points[rows]
            peak = top
        y = source.clamped(moment / mass[:, None], y)
    return y, peak + np.log(mass / len(source.points))


def _log_means(source: Source, y: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    """log E exp(−λ‖x − y‖²) for y [p, d], each at its own λ [p]: [p]."""
    found = np.empty(len(y))
    for rows in _blocks(len(y), len(source.points)):
        exponents = source.exponents(y[rows], lambdas[rows])
        peak = exponents.max(axis=1)
        means = np.exp(exponents - peak[:, None]).mean(axis=1, dtype=np.float64)
        found[rows] = peak + np.log(means)
    return found


def _table(source: Source, y: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    """log E exp(−λ‖x − y‖²) of every y [p, d] at every λ [l]: [p, l]."""
    found = np.empty((len(y), len(lambdas)))
    for rows in _blocks(len(y), len(source.points)):
        exponents = source.exponents(y[rows], np.ones(len(y[rows])))
        peak = exponents.max(axis=1)
        exponents -= peak[:, None]
        for column, lam in enumerate(lambdas.astype(exponents.dtype)):
            means = np.exp(lam * exponents).mean(axis=1, dtype=np.float64)
            found[rows, column] = lam * peak + np.log(means)
    return found


def _gaps(y: np.ndarray) -> np.ndarray:
    """Squared distances between the rows of y [p, d]: [p, p]."""
    squares = np.einsum("ij,ij->i", y, y)
    return np.asarray(squares[:, None] + squares - 2 * y @ y.T)


def _distinct(values: np.ndarray, gaps: np.ndarray, keep: int, lam: float) -> list[int]:
    """The best rows by values [p], none within a fraction (gaps [p, p] ≤ 0.1/λ) of a kernel."""
    left, chosen = values.copy(), list[int]()
    while len(chosen) < keep and left.max() > -np.inf:
        chosen.append(int(left.argmax()))
        left[gaps[chosen[-1]] <= 0.1 / lam] = left[chosen[-1]] = -np.inf
    return chosen


def _blocks(count: int, width: int) -> Iterator[slice]:
    """Slices of range(count), as many rows of this width at a time as fit in a block."""
    size = max(1, _BLOCK // width)
    return (slice(start, start + size) for start in range(0, count, size))
