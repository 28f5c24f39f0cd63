"""From held-out points to the population they were drawn from: how many nats pass on new data.

The other floors speak of the N points at hand. Let n held-out points be drawn independently from a
population, and λ be fixed before they were seen. With E over the population and E_n over the points

    sup_y (E e^{−λ‖x−y‖²} − E_n e^{−λ‖x−y‖²}) ≤ ‖μ − μ_n‖,    μ = E φ(x),

in the Hilbert space with ⟨φ(x), φ(y)⟩ = e^{−λ‖x−y‖²}, where ‖φ‖ = 1. There E‖μ − μ_n‖² =
(1 − ‖μ‖²)/n ≤ 1/n, and a point replaced moves ‖μ − μ_n‖ by at most ‖φ(x) − φ(x')‖/n ≤ √2/n, the
kernel being positive; so by McDiarmid's inequality, with probability at least 1 − η,

    ‖μ − μ_n‖ ≤ ε = (1 + √ln(1/η))/√n,    whatever the dimension, and

    I(x; x̂) ≥ −λD⁺ − log(e^{A_n(λ)} + ε),    A_n(λ) = log max_y E_n e^{−λ‖x−y‖²},

x from the population, D⁺ an upper limit of its loss. Any upper bound on A_n will do: the proved one
is taken. For L values of λ, η is divided by L. Since ε competes with e^{A}, thousands of points are
needed; with fewer, the number that would do is told instead of a floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.bernstein import bernstein_margin
from svae_core.config.shares import at_least
from svae_core.records import FloorCurves

_CANDIDATES = 9  # values of λ that compete …
_SPREAD = 4.0  # … from the training points' best divided by this to its multiple by this
_LARGEST = 1e9  # points: beyond that, more are no remedy


@dataclass(frozen=True)
class PopulationFloor:
    """Nats that pass on new points of the population, or how many more points would tell."""

    nats: float  # 0 where nothing is proved
    more_points: int  # about so many more would prove something; 0 where it is, or none would

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.nats > 0:
            return f"On new points of the same kind at least {at_least(self.nats)} nats pass."
        if self.more_points:
            return f"A floor for the population needs about {self.more_points:,} more points."
        return "At this loss no number of points gives a floor for the population."


def candidate_lambdas(training: FloorCurves, loss: float) -> np.ndarray:
    """Values of λ [l] around the best one of the *training* points at a loss D.

    They know nothing of the held-out points, as the floor requires.
    """
    best = training.lambdas[(-loss * training.lambdas - training.proved).argmax()]
    return np.asarray(best * np.geomspace(1 / _SPREAD, _SPREAD, _CANDIDATES))


def population_floor(
    losses: np.ndarray,
    bound: float,
    held_out: FloorCurves,
    lambdas: np.ndarray,
    error: float = 0.01,
) -> PopulationFloor:
    """The floor for the population of n held-out points, with probability at least 1 − `error`.

    losses [n]: of each held-out point, the mean over its draws of the squared error of projected
    answers; bound: M, no squared error of any point of the population is larger (points of the
    population must lie in the domain, as those mapped onto the shell do); held_out: the floors of
    the same points; lambdas: `candidate_lambdas`. Half of `error` goes to the loss, half to A.
    """
    n = len(losses)
    exponents = _exponents(held_out, lambdas)
    mean, spread = float(losses.mean()), float(losses.var(ddof=1)) if n > 1 else math.inf

    def floor(count: float) -> float:
        chance = error / 2
        limit = mean + bernstein_margin(spread, max(int(count), 2), bound, chance)
        excess = (1 + math.sqrt(math.log(len(lambdas) / chance))) / math.sqrt(count)
        return float((-lambdas * limit - np.log(np.exp(exponents) + excess)).max())

    found = floor(n) if n > 1 else -math.inf
    if found > 0:
        return PopulationFloor(found, 0)
    low, high = float(n), float(n)
    while floor(high) <= 0:
        low, high = high, 2 * high
        if high > _LARGEST:
            return PopulationFloor(0.0, 0)
    while high > 1.01 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if floor(middle) > 0 else (middle, high)
    return PopulationFloor(0.0, _rounded(high - n))


def _exponents(curves: FloorCurves, lambdas: np.ndarray) -> np.ndarray:
    """Upper bounds on A_n at any λ [l]: chords, A being convex with A(0) = 0, and falling."""
    knots = np.concatenate([[0.0], curves.lambdas])
    return np.asarray(np.interp(lambdas, knots, np.concatenate([[0.0], curves.proved])))


def _rounded(count: float) -> int:
    """Two figures, upwards."""
    unit = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 1)
    return math.ceil(count / unit) * unit
