"""Floors against exact rate-distortion functions, dense grids, closed forms, and their own laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from svae_core.certificate import kernel_modes
from svae_core.certificate.floors import (
    cluster_entropy,
    covariance_spectrum,
    floor_curves,
    floors_along,
    floors_at,
)
from svae_core.geometry import row_blocks
from svae_core.records import FloorCurves

RADII = (0.8, 1.2)
GRID = 4e-3  # share of a floor that the grid of λ may lose

few = settings(max_examples=12)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, eq=False)
class Case:
    """Points on the shell with what floor_curves has to be told of them."""

    points: np.ndarray
    centroids: np.ndarray
    sizes: np.ndarray
    within: float
    total: float

    def delta(self, radii: tuple[float, float]) -> float:
        mean_norm = np.linalg.norm(self.points.mean(axis=0, dtype=np.float64))
        return self.total + float((np.clip(mean_norm, *radii) - mean_norm) ** 2)

    def curves(self, radii: tuple[float, float] = RADII) -> FloorCurves:
        spectrum = covariance_spectrum(self.points)
        return floor_curves(
            self.points,
            self.centroids,
            self.sizes,
            radii,
            self.delta(radii),
            self.within,
            spectrum,
        )


def quantised(points: np.ndarray, centroids: np.ndarray) -> Case:
    """A case whose clusters are the cells of given centroids."""
    exact = points.astype(np.float64)
    gaps = ((exact[:, None] - centroids) ** 2).sum(axis=-1)
    sizes = np.bincount(gaps.argmin(axis=1), minlength=len(centroids))
    within = float(gaps.min(axis=1).mean())
    return Case(points, centroids, sizes, within, float(exact.var(axis=0).sum()))


def on_shell(directions: np.ndarray, share: np.ndarray) -> np.ndarray:
    lengths = RADII[0] + (RADII[1] - RADII[0]) * share
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * lengths[:, None]


def random_case(seed: int, most: int = 40, dimensions: tuple[int, int] = (2, 6)) -> Case:
    """A few clumps of random tightness in random directions, some points far out."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, most + 1), rng.integers(dimensions[0], dimensions[1] + 1)
    clumps = rng.normal(size=(rng.integers(1, 4), d))
    spread = 10.0 ** rng.uniform(-1.5, 0.5)
    directions = clumps[rng.integers(len(clumps), size=n)] + spread * rng.normal(size=(n, d))
    points = on_shell(directions, rng.random(n))
    return quantised(points, points[: rng.integers(1, n + 1)])


def polygon(corners: int) -> Case:
    angles = 2 * np.pi * np.arange(corners) / corners
    return quantised(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.zeros((1, 2)))


@pytest.fixture(scope="module")
def digits() -> Case:
    pixels = load_digits().data
    centred = pixels - pixels.mean(axis=0)
    norms = np.linalg.norm(centred, axis=1)
    share = (norms - norms.min()) / (norms.max() - norms.min())
    points = on_shell(centred, share).astype(np.float32)
    fitted = KMeans(10, n_init=10, random_state=0).fit(points)
    return quantised(points, fitted.cluster_centers_.astype(np.float64))


@pytest.fixture(scope="module")
def digits_curves(digits: Case) -> FloorCurves:
    return digits.curves()


# ---------------------------------------------------------------------------------- oracles


def test_digits_agree_with_the_prototype(digits: Case, digits_curves: FloorCurves) -> None:
    assert digits.within == pytest.approx(0.512, rel=0.01)
    assert digits.total == pytest.approx(0.948, rel=0.01)
    assert digits_curves.delta == pytest.approx(1.578, rel=0.01)
    assert digits_curves.eigenvalues[0] == pytest.approx(0.141, rel=0.01)
    assert digits_curves.bound == pytest.approx(4 * 1.2**2, rel=1e-6)
    found = floors_at(digits_curves, 0.730)
    assert found.elementary == pytest.approx(0.064, rel=0.03)
    assert found.proved == pytest.approx(0.501, rel=0.03)
    assert found.tight == pytest.approx(0.914, rel=0.03)
    heights = -0.730 * digits_curves.lambdas - digits_curves.tight
    assert digits_curves.lambdas[heights.argmax()] == pytest.approx(2.2, rel=0.15)


def achievable(points: np.ndarray, alphabet: np.ndarray, lam: float) -> tuple[float, float]:
    """Distortion and information of Blahut-Arimoto's channel to an alphabet at slope −λ.

    However few the iterations and however coarse the alphabet, the channel exists: information ≥
    R(distortion). With enough of both the two are nearly equal.
    """
    distances = ((points[:, None] - alphabet) ** 2).sum(axis=-1)
    kernel = np.exp(-lam * (distances - distances.min(axis=1, keepdims=True)))
    output = np.full(len(alphabet), 1 / len(alphabet))
    for _ in range(400):
        channel = kernel * output
        channel /= channel.sum(axis=1, keepdims=True)
        output = channel.mean(axis=0)
    ratio = np.log(np.maximum(channel, 1e-300) / np.maximum(output, 1e-300))
    information = float((channel * ratio).sum(axis=1).mean())
    return float((channel * distances).sum(axis=1).mean()), information


def shell_alphabet(points: np.ndarray, radii: tuple[float, float] = RADII) -> np.ndarray:
    """A fine grid of admissible outputs in the plane or in space, and the points themselves."""
    if points.shape[1] == 2:
        angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:  # a Fibonacci lattice on the sphere
        height = 1 - 2 * (np.arange(600) + 0.5) / 600
        angles = np.pi * (1 + 5**0.5) * np.arange(600)
        flat = np.sqrt(1 - height**2)
        directions = np.stack([flat * np.cos(angles), flat * np.sin(angles), height], axis=1)
    lengths = np.linspace(*radii, 5)
    return np.concatenate([*(length * directions for length in lengths), points])


@few
@given(seeds, st.sampled_from([RADII, (0.0, 1.2)]))
def test_floors_stay_below_the_exact_rate(seed: int, radii: tuple[float, float]) -> None:
    case = random_case(seed, most=8, dimensions=(2, 3))
    curves = case.curves(radii)
    for lam in np.array([0.3, 1, 3, 10]) / max(case.total, 0.1):
        loss, information = achievable(case.points, shell_alphabet(case.points, radii), lam)
        found = floors_at(curves, loss)
        assert max(found.elementary, found.proved, found.tight) <= information + 1e-6


@pytest.mark.parametrize("corners", [2, 3, 5, 8])
def test_tight_floor_is_exact_where_points_are_alike(corners: int) -> None:
    """Where symmetry moves any point to any other, the tight floor is the rate-distortion function.

    (The dual of R(D) weighs points by α(x); by convexity and symmetry constant weights are best.)
    """
    case = polygon(corners)
    curves = case.curves()
    for lam in (0.7, 2.0, 6.0):
        loss, information = achievable(case.points, shell_alphabet(case.points), lam)
        assert floors_at(curves, loss).tight == pytest.approx(information, rel=2e-2)
        assert floors_at(curves, loss).tight <= information + 1e-9


def test_two_opposite_points_in_closed_form() -> None:
    """A fair bit: R(D) = log 2 − h(D/4), which is also the elementary floor, M = 4 and δ = 2."""
    case = polygon(2)
    curves = case.curves((1.0, 1.0))
    losses = np.linspace(0.05, 1.9, 30)
    p = losses / 4
    exact = np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p)
    found = floors_along(curves, losses)
    np.testing.assert_allclose(found["elementary"], exact, rtol=1e-9)
    np.testing.assert_allclose(found["tight"], exact, rtol=GRID)
    assert np.all(found["tight"] <= exact + 1e-12)


@few
@given(seeds, st.sampled_from([RADII, (0.0, 1.2)]))
def test_modes_agree_with_a_polar_grid(seed: int, radii: tuple[float, float]) -> None:
    case = random_case(seed, most=60, dimensions=(2, 2))
    curves = case.curves(radii)
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    lengths = np.linspace(*radii, 25)[:, None]
    grid = np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], axis=-1).reshape(-1, 2)
    distances = ((grid[:, None] - case.points) ** 2).sum(axis=-1)
    for at in np.searchsorted(curves.lambdas, [0.05, 0.5, 1.5, 4.0, 12.0]):
        lam = curves.lambdas[at]
        best = np.log(np.exp(-lam * distances).mean(axis=1).max())
        step = max(np.diff(lengths[:2, 0])[0], 1.2 * angles[1]) / 2
        assert curves.tight[at] >= best - 1e-5
        assert curves.tight[at] <= best + 2 * step**2 * (lam + 2 * lam**2)  # ½|∂²|·2·step²


def test_no_higher_mode_is_found_from_more_starts(digits: Case, digits_curves: FloorCurves) -> None:
    """Plain mean-shift in float64 from every sixth digit."""
    points = digits.points.astype(np.float64)
    for at in np.searchsorted(digits_curves.lambdas, [1.2, 3.5, 12.0]):
        lam, y = digits_curves.lambdas[at], points[::6]
        for _ in range(40):
            exponents = -lam * ((y**2).sum(1)[:, None] + (points**2).sum(1) - 2 * y @ points.T)
            weights = np.exp(exponents)
            y = weights @ points / weights.sum(axis=1, keepdims=True)
            norms = np.linalg.norm(y, axis=1, keepdims=True)
            y *= np.clip(norms, *RADII) / norms
        assert np.log(weights.mean(axis=1)).max() <= digits_curves.tight[at] + 1e-5


def proved_reference(
    points: np.ndarray, lam: float, radii: tuple[float, float], cells: int = 4000
) -> float:
    """The formula of the proved floor as it stands, by brute force."""
    x = points.astype(np.float64)
    norms = np.linalg.norm(x, axis=1)
    weights = np.exp(-lam * norms**2)
    moment = (x * weights[:, None]).T @ x / len(x)
    a, b = weights.mean(), np.linalg.norm((x * weights[:, None]).mean(axis=0))
    e, longest = np.linalg.eigvalsh(moment)[-1], norms.max()
    rho = np.linspace(*radii, cells)
    tau = 2 * lam * longest * rho
    series = a + tau * b / longest + e / longest**2 * (np.expm1(tau) - tau)
    return float((-lam * rho**2 + np.log(series)).max())


@few
@given(seeds, st.sampled_from([RADII, (0.0, 1.2)]))
def test_proved_exponent_is_the_formula_never_lower(seed: int, radii: tuple[float, float]) -> None:
    case = random_case(seed)
    curves = case.curves(radii)
    peak = curves.proved.argmin()
    for at in range(0, peak + 1, 5):
        lam = curves.lambdas[at]
        exact = proved_reference(case.points, lam, radii)
        assert curves.proved[at] >= exact - 1e-12
        # 1e-4 λδ from the cells in ρ, and the chords of log e
        assert curves.proved[at] <= exact + 1e-4 * lam * curves.delta + 0.02 * min(1, lam**2)
    beyond = [at for at in range(peak, len(curves.lambdas), 5) if curves.lambdas[at] < 100]
    for at in beyond:
        assert curves.proved[at] >= proved_reference(case.points, curves.lambdas[at], radii) - 1e-9


def test_proved_exponent_of_digits_is_sharp(digits: Case, digits_curves: FloorCurves) -> None:
    for at in np.searchsorted(digits_curves.lambdas, [0.01, 0.3, 1.0, 2.0]):
        exact = proved_reference(digits.points, digits_curves.lambdas[at], RADII)
        assert 0 <= digits_curves.proved[at] - exact < 1e-3 * digits_curves.lambdas[at]


# ------------------------------------------------------------------------------------- laws


@settings(max_examples=25)
@given(seeds, st.sampled_from([RADII, (0.0, 1.2)]))
def test_laws_of_the_floors(seed: int, radii: tuple[float, float]) -> None:
    case = random_case(seed)
    curves = case.curves(radii)
    losses = np.linspace(0.01, 1.0, 60) * curves.delta
    found = floors_along(curves, losses)
    kinds = ("elementary", "proved", "tight")
    for kind in kinds:
        assert np.all(found[kind] >= 0)
        assert np.all(np.diff(found[kind]) <= 0), kind
        assert np.all(found[kind] <= curves.log_n + 1e-9), kind
        beyond = floors_along(curves, curves.delta * np.array([1.0, 1.001, 3.0, 1e6]))
        assert np.all(beyond[kind] == 0)
        near = floors_at(curves, curves.delta * (1 - 1e-3))
        assert getattr(near, kind) > 0, kind
    assert np.all(found["proved"] <= found["tight"] + 1e-9)
    assert np.all(found["elementary"] <= found["tight"] * (1 + GRID) + 1e-9)
    assert np.all(curves.tight <= curves.proved + 1e-12)


@few
@given(seeds)
def test_no_quantiser_beats_the_floors(seed: int) -> None:
    """Sending only the cluster costs H(cluster) nats at most, and reaches the quantiser's loss."""
    case = random_case(seed, most=200)
    free = floors_at(case.curves((0.0, 1.2)), case.within)
    entropy = cluster_entropy(case.sizes)
    assert max(free.elementary, free.proved, free.tight) <= entropy + 1e-9


@few
@given(seeds)
def test_a_larger_domain_lowers_every_floor(seed: int) -> None:
    case = random_case(seed)
    shell, free = case.curves(), case.curves((0.0, 1.2))
    losses = np.linspace(0.02, 1, 30) * shell.delta
    ours, theirs = floors_along(shell, losses), floors_along(free, losses)
    for kind in ("elementary", "proved", "tight"):
        assert np.all(theirs[kind] <= ours[kind] * (1 + GRID) + 1e-6), kind


@few
@given(seeds)
def test_exponent_is_convex_so_no_mode_is_lost_between_lambdas(seed: int) -> None:
    """A maximum of log-mean-exponentials is convex in λ; a mode lost at one λ leaves a dent."""
    curves = random_case(seed, most=300).curves()
    wide = curves.lambdas * curves.delta > 1e-3  # below, rounding is all there is to see
    slopes = np.diff(curves.tight[wide]) / np.diff(curves.lambdas[wide])
    assert np.all(np.diff(slopes) >= -1e-5 * curves.delta)


@few
@given(seeds)
def test_neither_order_nor_rotation_matters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(seed)
    n, d = case.points.shape
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    turned = quantised(case.points[rng.permutation(n)] @ turn, case.centroids @ turn)
    losses = np.linspace(0.1, 0.99, 12) * case.delta(RADII)
    before, after = floors_along(case.curves(), losses), floors_along(turned.curves(), losses)
    for kind in before:
        np.testing.assert_allclose(after[kind], before[kind], rtol=1e-4, atol=1e-8)


def test_blocks_do_not_change_the_result(digits: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    part = quantised(digits.points[:300], digits.centroids)
    whole, spectrum = part.curves(), covariance_spectrum(part.points)
    monkeypatch.setattr(kernel_modes, "_BLOCK", 5000)
    monkeypatch.setattr(row_blocks, "WHOLE", 0)
    monkeypatch.setattr(row_blocks, "CACHED", 5000)
    np.testing.assert_allclose(covariance_spectrum(part.points), spectrum, rtol=1e-9, atol=1e-15)
    pieces = part.curves()
    np.testing.assert_allclose(pieces.proved, whole.proved, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pieces.tight, whole.tight, rtol=1e-5, atol=1e-9)


def test_few_starts_suffice(
    digits: Case, digits_curves: FloorCurves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large data start from a sample; here 256 of 1797 points find the modes that matter."""
    monkeypatch.setattr(kernel_modes, "_PAIRS", 1)
    losses = np.linspace(digits.within, digits_curves.delta, 20)
    sampled = floors_along(digits.curves(), losses)["tight"]
    expected = floors_along(digits_curves, losses)["tight"]
    np.testing.assert_allclose(sampled, expected, rtol=1e-4, atol=1e-9)


def test_one_loss_is_many_losses(digits: Case, digits_curves: FloorCurves) -> None:
    losses = np.array([0.2, digits.within, 1.1, 2.0])
    along = floors_along(digits_curves, losses)
    assert set(along) == {"elementary", "proved", "tight", "water_filling"}
    for position, loss in enumerate(losses):
        at = floors_at(digits_curves, float(loss))
        assert at.elementary == along["elementary"][position]
        assert at.proved == along["proved"][position]
        assert at.tight == along["tight"][position]


def test_grid_reaches_losses_well_below_the_quantiser(digits: Case) -> None:
    """At D = W/4 the best λ is inside the grid, for loose and for very tight clusters."""
    rng = np.random.default_rng(5)
    clumps = np.repeat(rng.normal(size=(4, 5)), 60, axis=0)
    tight = on_shell(clumps + 0.01 * rng.normal(size=clumps.shape), rng.random(240) * 0.02)
    for case in (digits, quantised(tight, tight[::60])):
        curves = case.curves()
        heights = -case.within / 4 * curves.lambdas - curves.tight
        assert heights.argmax() < len(heights) - 1


# -------------------------------------------------------------------------------- edge cases


def test_identical_points_guarantee_nothing() -> None:
    points = np.tile([[0.6, 0.8, 0.0]], (7, 1)).astype(np.float32)
    found = floors_along(quantised(points, points[:1]).curves(), np.array([0.0, 1e-3, 1.0]))
    for kind in ("elementary", "proved", "tight"):
        assert np.all(found[kind] == 0), kind


def test_as_many_clusters_as_points_and_more_dimensions() -> None:
    rng = np.random.default_rng(3)
    points = on_shell(rng.normal(size=(12, 40)), rng.random(12)).astype(np.float32)
    case = quantised(points, points.astype(np.float64))
    curves = case.curves()
    assert case.within == 0 and curves.cluster_entropy == pytest.approx(np.log(12))
    assert floors_at(curves, 1e-3).tight == pytest.approx(np.log(12), rel=0.02)
    assert floors_at(curves, 1e-3).tight <= np.log(12)


def test_ball_grows_to_hold_the_data() -> None:
    case = random_case(11)
    curves = case.curves((0.0, 0.1))
    longest = np.linalg.norm(case.points, axis=1).max()
    assert curves.radii == (0.0, pytest.approx(longest))
    assert curves.bound == pytest.approx(4 * longest**2)
