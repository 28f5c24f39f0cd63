"""How many nats a reconstruction loss guarantees: lower bounds on I(x; x̂), hence on the mean KL.

KL ≥ I(x; z) ≥ I(x; x̂), so whatever information distortion D needs is a floor under the KL.
Donsker-Varadhan with f = −λd bounds KL(p(x|x̂) ‖ p(x)) at each x̂; averaged over x̂, for all λ > 0

    I(x; x̂) ≥ −λD − A(λ),    A(λ) = max_y log E exp(−λ‖x − y‖²),    y over the decoder's outputs,

and any upper bound on A in its place is sound. A does not depend on D: it is tabulated once on a
grid of λ (`floor_curves`), and a floor at any D is a maximum over that table (`floors_at`).

Domain. A projected decoder puts y on the shell, r_lo = r_min. For a free decoder take r_lo = 0,
the ball that holds the data: projecting onto a convex set never raises the distance to its
members, so x̂' = P(x̂) has D' ≤ D and, being a function of x̂, I(x; x̂) ≥ I(x; x̂') ≥ floor(D') ≥
floor(D), floors being decreasing.

Losses are squared errors summed over coordinates and averaged over points; information is in nats.
All of it is derived here: arXiv 2603.10935 v4 gives the band of losses, this its price in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, rel_entr

from svae_core.certificate.kernel_modes import SOUGHT_IN, Source, tight_exponents
from svae_core.geometry.row_blocks import blocks, center_of
from svae_core.records import FloorCurves, Floors

#: A cell of log ρ on which a radial maximum is bounded, at most.
WIDEST_CELL = 2e-3
#: Between neighbours on the λ grid. A floor λs − Cλ² loses at most (log 1.04 / 2)² = 0.04 % to it,
#: and one at a kink of A, where one mode overtakes another, up to about 0.4 % (seen in tests).
LAMBDA_RATIO = 1.04

# ------------------------------------------------------------------------ simple formulas


def bernoulli_kl(p: ArrayLike, q: ArrayLike) -> np.ndarray:
    """kl(p‖q) = p log(p/q) + (1−p) log((1−p)/(1−q)) in nats, elementwise; may be infinite."""
    p, q = np.asarray(p, float), np.asarray(q, float)
    return np.asarray(rel_entr(p, q) + rel_entr(1 - p, 1 - q))


def elementary_floor(loss: ArrayLike, delta: float, bound: float) -> np.ndarray:
    """kl(D/M ‖ δ/M) nats at losses D < δ (`delta`), else 0; needs ‖x − y‖² ≤ M (`bound`).

    Toss a coin that shows heads with probability ‖x − x̂‖²/M: that is D/M over all, but at least
    δ/M where x̂ is independent of x. By data processing I(x; x̂) is no less than the coin's kl.
    """
    loss = np.asarray(loss, float)
    if delta <= 0:
        return np.zeros_like(loss)
    return bernoulli_kl(np.minimum(loss, delta) / bound, delta / bound)


def cluster_entropy(sizes: ArrayLike) -> float:
    """H(cluster) = −Σ p log p of cluster sizes [k], in nats: the rate that reaches the loss W."""
    counts = np.asarray(sizes, float)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def cluster_certificate(
    correct: int, n: int, largest_share: float, confidence: float = 0.99
) -> float:
    """A floor on I(x; x̂), nats, from how often x̂ falls in the cluster of its own x.

    For `correct` of n sampled reconstructions the nearest centroid is that of x. With c and ĉ the
    two clusters, I(x; x̂) ≥ I(c; ĉ), and P(ĉ = c) ≤ `largest_share` were they independent; hence
    I ≥ kl(acc ‖ largest share) for any lower limit acc above that share. acc is Clopper-Pearson's,
    one-sided (a Beta quantile); it also holds for draws of unequal chances (Hoeffding 1956).
    """
    if correct <= 0:
        return 0.0
    accuracy = betaincinv(correct, n - correct + 1, 1 - confidence)
    return float(bernoulli_kl(accuracy, largest_share)) if accuracy > largest_share else 0.0


# --------------------------------------------------------------- covariance, water-filling


def covariance_spectrum(points: np.ndarray) -> np.ndarray:
    """Eigenvalues [d] of the population covariance (divided by n) of points [n, d], decreasing."""
    n, d = points.shape
    center = center_of(points)
    found = np.linalg.eigvalsh(_mean_outer(points, np.ones(n), center))[::-1]
    return np.maximum(np.pad(found, (0, d - len(found))), 0.0)


def water_level(eigenvalues: np.ndarray, loss: float) -> float:
    """θ with Σ_i min(θ, λ_i) = D (`loss`); λ_max where D ≥ Σ_i λ_i. Unit: squared error."""
    return float(_water_levels(eigenvalues, loss))


def gaussian_rate(eigenvalues: np.ndarray, loss: ArrayLike) -> np.ndarray:
    """R(D) = Σ_i ½ log⁺(λ_i/θ), nats, of a Gaussian of this spectrum [d] (reverse water-filling).

    θ is the water level at D, and dR/dD = −1/(2θ). Same shape as `loss`. For other data of the same
    covariance it is an upper bound on R(D): a reference, not a floor.
    """
    level = _water_levels(eigenvalues, loss)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = np.where(eigenvalues > level, np.log(eigenvalues / level), 0.0)
    return np.asarray(0.5 * gains.sum(axis=-1))


def _water_levels(eigenvalues: np.ndarray, losses: ArrayLike) -> np.ndarray:
    """Σ_i min(θ, λ_i) is piecewise linear in θ with knots at the λ_i, so its inverse is exact."""
    knots = np.concatenate([[0.0], np.sort(eigenvalues)])
    above = len(eigenvalues) - np.arange(len(knots))
    return np.asarray(np.interp(np.asarray(losses, float), knots.cumsum() + above * knots, knots))


def _mean_outer(points: np.ndarray, weights: np.ndarray, center: np.ndarray) -> np.ndarray:
    """E w (x−c)(x−c)ᵀ in float64, [d, d]; for n < d the [n, n] Gram matrix of the same spectrum."""
    n, d = points.shape
    total, roots = np.zeros((min(n, d),) * 2), np.sqrt(weights)[:, None]
    for cut in blocks(max(n, d), min(n, d)):
        if n < d:
            part = ((points[:, cut] - center[cut]) * roots).T
        else:
            part = (points[cut] - center) * roots[cut]
        total += part.T @ part
    return total / n


# --------------------------------------------------------------------------------- curves


def floor_curves(
    points: np.ndarray,
    centroids: np.ndarray,
    cluster_sizes: np.ndarray,
    radii: tuple[float, float],
    delta: float,
    within: float,
    eigenvalues: np.ndarray,
    seed: int = 0,
) -> FloorCurves:
    """Tabulate A(λ): all that the floors of these data share, at every distortion.

    points [n, d]; centroids [k, d], cluster_sizes [k] and `within` (W) of K-means; radii (r_lo,
    r_hi) of decoder outputs, (r_min, r_max) projected or (0, r_max) free; delta: the least mean
    squared error of a constant output with such a radius; eigenvalues [d] of the covariance.
    M = (R + r_hi)² with R = max‖x‖ bounds every squared distance (4 r_max² on the shell). `seed`
    draws the points from which modes are sought, where there are too many to start from all.
    """
    squares = np.einsum("ij,ij->i", points, points, dtype=np.float64)
    longest = math.sqrt(squares.max())
    low, high = radii
    if low == 0:
        high = max(high, longest)  # the ball has to hold the data
    bound = (longest + high) ** 2
    lambdas = _lambda_grid(delta, within, bound, eigenvalues)
    narrow = points.astype(np.float32 if points.size > 50_000 else np.float64, copy=False)
    source = Source(narrow, squares.astype(narrow.dtype), (low, high), max(delta, 1e-9 * bound))
    return FloorCurves(
        radii=(low, high),
        bound=bound,
        delta=delta,
        lambdas=lambdas,
        proved=_proved_exponents(points, squares, lambdas, (low, high), delta),
        tight=tight_exponents(source, centroids, lambdas, seed),
        sought_in=min(len(points), SOUGHT_IN),
        eigenvalues=eigenvalues,
        within=within,
        cluster_entropy=cluster_entropy(cluster_sizes),
        log_n=math.log(len(points)),
    )


def how_sought(curves: FloorCurves) -> str:
    """One sentence where modes were sought in a sample of the points; empty where in all."""
    count = round(math.exp(curves.log_n))
    if curves.sought_in in (0, count):
        return ""
    return (
        f"The tight floor's modes were sought in a seeded sample of {curves.sought_in:,} of "
        f"{count:,} points and evaluated on all; the proved floor is of all."
    )


def floors_along(curves: FloorCurves, losses: ArrayLike) -> dict[str, np.ndarray]:
    """The floors at losses [m], nats: elementary, proved, tight, and water_filling, each [m].

    max over the table of −λD − A(λ), but 0 where that is negative, for information never is, and
    0 from D = δ on, which a constant output reaches.
    """
    losses = np.asarray(losses, float)
    lines = np.multiply.outer(-losses, curves.lambdas)
    useful = losses < curves.delta
    return {
        "elementary": elementary_floor(losses, curves.delta, curves.bound),
        "proved": np.where(useful, np.maximum((lines - curves.proved).max(axis=-1), 0.0), 0.0),
        "tight": np.where(useful, np.maximum((lines - curves.tight).max(axis=-1), 0.0), 0.0),
        "water_filling": gaussian_rate(curves.eigenvalues, losses),
    }


def floors_at(curves: FloorCurves, loss: float) -> Floors:
    """The three floors at one loss D, in nats."""
    found = floors_along(curves, loss)
    return Floors(float(found["elementary"]), float(found["proved"]), float(found["tight"]))


def _lambda_grid(delta: float, within: float, bound: float, eigenvalues: np.ndarray) -> np.ndarray:
    """A geometric grid of λ [l], from floors at losses just below δ down to losses of about W/4.

    Near λ = 0 a floor is λ(δ−D) − Cλ² + …, C about M²/8: the first λ serves δ−D = 1e-4 δ. Gaussian
    data of this spectrum reach D at λ = 1/(2θ), clustered data earlier: go to twice that at W/4.
    λR² stays below 1e5, where float32 distances are still good to a per cent of a kernel's width.
    """
    delta = max(delta, 1e-9 * bound)
    target = max(min(within, 0.25 * delta) / 4, 1e-5 * delta)
    first = 1e-4 * delta / bound**2
    last = 1 / max(water_level(eigenvalues, target), bound / 4e5)
    steps = math.ceil(math.log(max(last, 1e3 / bound) / first) / math.log(LAMBDA_RATIO))
    return np.asarray(first * LAMBDA_RATIO ** np.arange(steps + 1))


# ------------------------------------------------------------------------ proved exponent


def _proved_exponents(
    points: np.ndarray,
    squares: np.ndarray,
    lambdas: np.ndarray,
    radii: tuple[float, float],
    delta: float,
) -> np.ndarray:
    """An upper bound on A(λ) [l] without a search over y; squares [n] are ‖x‖².

    For y = ρv, ‖v‖ = 1, s = ⟨x, v⟩/R ∈ [−1, 1], w = exp(−λ‖x‖²), τ = 2λRρ:
    exp(τs) ≤ 1 + τs + s²(e^τ − 1 − τ), as (e^u − 1 − u)/u² increases with u. With a = E w,
    b = ‖E w x‖, e = λ_max(E w x xᵀ):  A(λ) ≤ max_ρ −λρ² + log[a + (b/R)τ + (e/R²)(e^τ − 1 − τ)].

    a and b are exact at each λ; e comes from an exact symmetric solver at some. log e is convex in
    λ, being a maximum over v of log E w⟨x, v⟩², so chords are upper bounds between them; and with
    w scaled to 1 at the shortest x it falls, so the last value is one beyond. A chord is too high
    by at most an eighth of (its length · the spread of ‖x‖²)².
    """
    longest, shortest = math.sqrt(squares.max()), squares.min()
    excess, origin = squares - shortest, np.zeros(points.shape[1])
    mass, drift = _weighted_means(points, excess, lambdas)
    first = max(1, int(np.searchsorted(lambdas * squares.std(), 0.1)))
    knots = [0, *range(first, len(lambdas), 5)]
    log_tops: list[float] = []
    best = -math.inf
    for at in knots:
        top = np.linalg.eigvalsh(_mean_outer(points, np.exp(-lambdas[at] * excess), origin))[-1]
        # Where one point lies at the origin all other weights may underflow: any bound will do.
        log_tops.append(math.log(max(top, 1e-300)))
        terms = np.array([[mass[at], drift[at] / longest, top / longest**2]])
        peak = _elementary_peaks(lambdas[[at]], terms, longest, radii, delta)[0]
        here = shortest * lambdas[at] - peak
        best = max(best, here)
        if here < 0.9 * best:  # past the peak of the floor at D = 0: larger λ serve no D
            break
    tops = np.exp(np.interp(lambdas, lambdas[knots[: len(log_tops)]], log_tops))
    terms = np.stack([mass, drift / longest, tops / longest**2], axis=1)
    return _elementary_peaks(lambdas, terms, longest, radii, delta) - lambdas * shortest


def _weighted_means(
    points: np.ndarray, excess: np.ndarray, lambdas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """E w and ‖E w x‖, both [l], for w = exp(−λ · excess), excess [n] ≥ 0."""
    n, d = points.shape
    mass, moment = np.zeros(len(lambdas)), np.zeros((len(lambdas), d))
    for rows in blocks(n, max(d, len(lambdas))):
        weights = np.exp(np.multiply.outer(-lambdas, excess[rows]))
        mass += weights.sum(axis=1)
        moment += weights @ points[rows].astype(np.float64)
    return mass / n, np.linalg.norm(moment, axis=1) / n


def _elementary_peaks(
    lambdas: np.ndarray,
    terms: np.ndarray,
    longest: float,
    radii: tuple[float, float],
    delta: float,
) -> np.ndarray:
    """max over ρ in radii of −λρ² + log[a + cτ + k(e^τ − 1 − τ)], τ = 2λRρ, never too low, [l].

    lambdas [l]; terms [l, 3] = (a, c, k), all ≥ 0. Cells are so narrow that they add less than
    1e-4 λδ (for all but a tiny δ).
    """
    a, c, k = terms.T[:, :, None]

    def growth(rho: np.ndarray) -> np.ndarray:
        tau = np.multiply.outer(2 * longest * lambdas, rho)
        fade = np.exp(-tau)  # e^τ, factored out of log[…], would overflow
        return np.asarray(tau + np.log((a + c * tau) * fade + k * (1 - (1 + tau) * fade)))

    high = radii[1]
    width = min(WIDEST_CELL, math.sqrt(1e-4 * max(delta, 1e-6 * high**2)) / high)
    return radial_maximum(lambdas, growth, radii, width)


def radial_maximum(
    lambdas: np.ndarray,
    growth: Callable[[np.ndarray], np.ndarray],
    radii: tuple[float, float],
    width: float = WIDEST_CELL,
) -> np.ndarray:
    """max over ρ in radii of φ(ρ) = −λρ² + growth(ρ), never too low, [l]; lambdas [l].

    `growth(ρ [r]) -> [l, r]`: the logarithm of a power series in ρ with coefficients ≥ 0, which is
    convex in u = log ρ. Hence φ_uu ≥ −4λρ², and on a cell of width h in u that ends at ρ₂, φ is at
    most its larger end value plus 4λρ₂²·h²/8; `width` is the largest h. Below the first cell, near
    ρ = 0, −λρ² ≤ 0 and growth, which grows, are each taken at their better end.
    """
    low, high = radii
    first = max(low, 1e-4 * high)
    cells = min(max(1, math.ceil(math.log(high / first) / width)), 10_000)
    rho = np.geomspace(first, high, cells + 1)
    width = math.log(high / first) / cells
    grown = growth(rho)
    slack = 0.5 * (rho * math.exp(width) * width) ** 2
    inside = grown + np.multiply.outer(lambdas, slack - rho**2)
    return np.maximum(inside.max(axis=1), grown[:, 0] - lambdas * low**2)
