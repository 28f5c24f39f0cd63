"""When will a dead dimension come alive, and which dies next? The residual spectrum of a model.

With A the active dimensions, a dead one stays dead iff βσ² ≥ Λ*, the largest value over functions h
of x with E h² = 1 and χ of z_A with E‖χ‖² = 1 of

    (E (x − f(z_A))ᵀ χ(z_A) h(x))²     f: the decoder, with the dead dimensions drawn from the prior

(arXiv 2610.11257): with nothing active Λ* = λ_max, and for a linear VAE it is the largest
eigenvalue that is not active. It holds at this background; moving βσ² moves the background, so it
is exact for linear nets alone. In others it is a first guess and never claimed: on digits a birth
that it put at .066 came at .045, since the dimensions alive took over what a further one would have
said. `svae_core.clinic.moved_copies` tries it out.

What is computed (derived here): h is restricted to few features of x, orthogonal to the active
dimensions' means. A second dimension that repeats an active one has an edge too, c²/λ_a in a linear
VAE, which is often the largest; but it is below c at every c, so that it never comes alive. χ is
restricted to constants, where a new dimension adds its own direction of x to what the others say;
χ linear in z_A gives a second opinion. Latents are drawn twice and the products crossed, so that
their noise is not squared.

A death is where the dimension would come alive again if it were dead: Λ* without it. For a linear
VAE it is also βσ²/s_a with s_a the mean posterior variance. The estimate is their geometric mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from svae_core.records import Forecast

#: A dimension with a mean KL above this, nats, is alive. arXiv 2610.11257 takes .001, but noise of
#: training alone reaches .003 (tests/benchmarks/forecast.md).
ALIVE = 0.01
_ROWS = 2000  # points used at most
_DRAWS = 4  # of latents of every point, for each of two sides
_DIRECTIONS = 64  # principal components that answers are compared in, at most …
_FEATURES = 30  # … and those that are features of x
_CODES = 8  # active dimensions that χ may depend on
_AGREE = 0.1  # estimates that differ by more are not resolved

Decode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ResidualEdge:
    """An estimate of Λ* and what others there are."""

    edge: float
    others: tuple[float, ...]  # by half of the points, the other half, more features of x and of z

    @property
    def resolved(self) -> bool:
        """Whether all estimates agree to a tenth."""
        return all(abs(other - self.edge) <= _AGREE * self.edge for other in self.others)

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest estimate."""
        found = (self.edge, *self.others)
        return min(found), max(found)


def forecast(
    points: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    decode: Decode,
    beta_sigma2: float,
    seed: int = 0,
    linear: bool = False,
) -> Forecast:
    """The next birth and death, from points [n, d] and their posteriors' moments [n, k].

    `decode`: from latents [n, k] to answers [n, d]. `linear`: of linear nets; edges of others are
    not resolved. Of more than 2,000 points a sample is used.
    """
    c = beta_sigma2
    kl = 0.5 * (mean**2 + variance - 1 - np.log(variance)).mean(axis=0)
    active, dead = np.flatnonzero(kl > ALIVE), np.flatnonzero(kl <= ALIVE)
    state = _TrainedState(points, mean, variance, decode, seed)
    birth = state.edge(active)
    death, dying = _next_death(state, active, c)
    # A dead dimension whose edge is above c would be alive, had the state settled.
    settled = birth.edge < c or not len(dead)
    found = Forecast(
        beta_sigma2=c,
        active=tuple(map(int, active)),
        latent_dim=mean.shape[1],
        birth_below=birth.edge,
        birth_resolved=linear and birth.resolved and settled,
        birth_range=birth.range,
        birth_dimension=int(dead[0]) if len(dead) else None,
        death_above=death.edge,
        death_resolved=linear and death.resolved and len(active) > 0,
        death_range=death.range,
        death_dimension=dying,
        directions=int((state.eigenvalues > c).sum()),
    )
    return replace(found, sentence=_sentence(found), latents=_latents(found))


def residual_edge(
    points: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    decode: Decode,
    active: np.ndarray,
    seed: int = 0,
) -> ResidualEdge:
    """Λ* of points [n, d] with these dimensions active, whatever others of [n, k] encode."""
    return _TrainedState(points, mean, variance, decode, seed).edge(active)


class _TrainedState:
    """Points, their posteriors and a decoder, of which several edges are sought."""

    def __init__(
        self,
        points: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
        decode: Decode,
        seed: int,
    ) -> None:
        rng = np.random.default_rng([seed, 83])
        rows = rng.permutation(len(points))[:_ROWS]
        x = points[rows].astype(np.float64)
        self.center = x.mean(axis=0)
        values, vectors = np.linalg.eigh((x - self.center).T @ (x - self.center) / len(x))
        self.eigenvalues = values[::-1]
        kept = self.eigenvalues > 1e-9 * self.eigenvalues[0]
        self.directions = vectors[:, ::-1][:, kept][:, :_DIRECTIONS]
        self.x = (x - self.center) @ self.directions
        self.mean = mean[rows].astype(np.float64)
        self.variance = variance[rows].astype(np.float64)
        self.decode = decode
        self.seed = seed

    def edge(self, active: np.ndarray) -> ResidualEdge:
        """Λ* with these dimensions active and all others drawn from the prior."""
        rng = np.random.default_rng([self.seed, 84])
        n, codes = len(self.x), self.mean[:, active]
        plain, both = self._features(codes)
        p = plain.shape[1]
        lower = self._code_scale(active[:_CODES])
        first = np.arange(n) < n // 2  # rows were permuted
        shape = self.x.shape[1], both.shape[1]
        sums = np.zeros((2, 2, *shape))  # side, half, direction, feature: of constant χ
        turned = np.zeros((2, len(lower), shape[0], p))  # side, code, …: of χ linear in z_A
        for draw in range(2 * _DRAWS):
            z = rng.standard_normal(self.mean.shape)
            z[:, active] = codes + np.sqrt(self.variance[:, active]) * z[:, active]
            answers = self.decode(z.astype(np.float32)).astype(np.float64)
            residual = self.x - (answers - self.center) @ self.directions
            for half, rows in enumerate((first, ~first)):
                sums[draw % 2, half] += residual[rows].T @ both[rows] / _DRAWS
            if len(lower):
                chi = (z - self.mean.mean(axis=0))[:, active[:_CODES]] @ lower.T
                for code in range(len(lower)):
                    turned[draw % 2, code] += (residual * chi[:, [code]]).T @ plain / _DRAWS
        whole = sums.sum(axis=1)
        tall = np.concatenate([whole[:, None, :, :p], turned], axis=1).reshape(2, -1, p)
        return ResidualEdge(
            _top(whole[:, :, :p], plain),
            (
                _top(sums[:, 0, :, :p], plain[first]),
                _top(sums[:, 1, :, :p], plain[~first]),
                _top(whole, both),
                _top(tall, plain),
            ),
        )

    def _features(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Principal components [n, p], and these with their squares [n, 2p], without codes."""
        components = self.x[:, :_FEATURES] / self.x[:, :_FEATURES].std(axis=0)
        both = np.hstack([components, (components**2 - 1) / np.sqrt(2)])
        basis, _ = np.linalg.qr(np.hstack([np.ones((len(codes), 1)), codes]))
        both -= basis @ (basis.T @ both)
        return both[:, : components.shape[1]], both

    def _code_scale(self, active: np.ndarray) -> np.ndarray:
        """The matrix [a, a] that gives sampled codes covariance 1."""
        spread = np.cov(self.mean[:, active].T, bias=True).reshape(len(active), len(active))
        return np.linalg.inv(
            np.linalg.cholesky(spread + np.diag(self.variance[:, active].mean(axis=0)))
        )


def _top(sums: np.ndarray, features: np.ndarray) -> float:
    """The top eigenvalue of G^−½ B₁ᵀB₂ G^−½, of sums n·B_i [2, ·, p] over rows and G of features.

    B_i is the covariance of residuals and features by the draws of one side. 0 where the codes take
    all of the features, so that there is nothing left to say, and where noise alone is below it.
    """
    n = len(features)
    if not np.isfinite(sums).all():
        return float("nan")  # of a model that has diverged
    values, vectors = np.linalg.eigh(features.T @ features / n)
    kept = values > 1e-6  # features had variance 1 before the codes were taken out
    if not kept.any():
        return 0.0
    white = vectors[:, kept] / np.sqrt(values[kept])
    product = (sums[0] @ white).T @ (sums[1] @ white) / n**2
    return max(0.0, float(np.linalg.eigvalsh((product + product.T) / 2)[-1]))


def _next_death(
    state: _TrainedState, active: np.ndarray, c: float
) -> tuple[ResidualEdge, int | None]:
    """The lowest edge of the two active dimensions that carry least, and its dimension."""
    by_variance = c / state.variance[:, active].mean(axis=0)
    found: tuple[ResidualEdge, int | None] = ResidualEdge(float("inf"), ()), None
    for at in by_variance.argsort()[:2]:
        without = state.edge(np.delete(active, at))
        edge = float(np.sqrt(max(without.edge, 0.0) * by_variance[at]))
        if edge < found[0].edge:
            halves = without.others[:2]
            others = float(by_variance[at]), without.edge, *halves
            found = ResidualEdge(edge, others), int(active[at])
    return found


def _sentence(found: Forecast) -> str:
    """How many live, and what is next; what is not resolved is called a guess."""
    said = [f"{len(found.active)} of {found.latent_dim} dimensions alive"]
    if found.birth_dimension is None:
        who = "one more than there are would live"
    elif found.birth_below > found.beta_sigma2:
        who = f"dimension {found.birth_dimension + 1} should be coming alive already, as it does"
    else:
        who = f"dimension {found.birth_dimension + 1} would come alive"
    birth = f"{who} below βσ² = {found.birth_below:.2g}"
    if found.birth_below == 0:
        birth = "a further dimension would have nothing to say"
    said.append(birth + _doubt(found.birth_resolved, found.birth_range))
    if found.death_dimension is not None:
        which, where = found.death_dimension + 1, f"βσ² = {found.death_above:.2g}"
        death = f"the next to die is {which}, near {where}"
        if found.death_above < found.beta_sigma2:
            death = f"dimension {which} should be dying already, as it does above {where}"
        said.append(death + _doubt(found.death_resolved, found.death_range))
    return "; ".join(said) + "."


def _doubt(resolved: bool, found: tuple[float, float]) -> str:
    """How far estimates lie apart, where the edge is not claimed."""
    if resolved:
        return ""
    low, high = f"{max(found[0], 0.0):.2g}", f"{found[1]:.2g}"
    return " (not resolved: a guess" + (f", from {low} to {high})" if low != high else ")")


def _latents(found: Forecast) -> str:
    """How many latent dimensions are needed at this βσ²: by the data, and by this model."""
    c, alive = found.beta_sigma2, len(found.active)
    dimensions = "1 dimension" if found.directions == 1 else f"{found.directions} dimensions"
    if found.directions > found.latent_dim:
        every = f"all {found.latent_dim} dimensions" if found.latent_dim > 1 else "its 1 dimension"
        dimensions = f"{every} ({found.directions} could live)"
    told = f"At βσ² = {c:.3g} a linear VAE keeps {dimensions} and this model"
    told += f" keeps {alive} of {found.latent_dim}"
    if found.birth_range[0] <= c <= found.birth_range[1]:
        return f"{told}; whether one more would live is not resolved."
    return f"{told}; one more would {'live' if found.birth_below > c else 'stay dead'}."
