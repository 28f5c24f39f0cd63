"""Floors keep their laws: order, convexity, invariance, and no quantiser below them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.floor_cases import (
    GRID,
    RADII,
    Case,
    curves_of_digits,
    digits_on_the_shell,
    few,
    on_shell,
    quantised,
    random_case,
    seeds,
)

from svae_core.certificate import kernel_modes
from svae_core.certificate.information_floors import (
    cluster_entropy,
    covariance_spectrum,
    floors_along,
    floors_at,
)
from svae_core.geometry import row_blocks
from svae_core.records import FloorCurves


@pytest.fixture(scope="module")
def digits() -> Case:
    return digits_on_the_shell()


@pytest.fixture(scope="module")
def digits_curves() -> FloorCurves:
    return curves_of_digits()


@pytest.mark.slow
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


@pytest.mark.slow
@few
@given(seeds)
def test_no_quantiser_beats_the_floors(seed: int) -> None:
    """Sending only the cluster costs H(cluster) nats at most, and reaches the quantiser's loss."""
    case = random_case(seed, most=200)
    free = floors_at(case.curves((0.0, 1.2)), case.within)
    entropy = cluster_entropy(case.sizes)
    assert max(free.elementary, free.proved, free.tight) <= entropy + 1e-9


@pytest.mark.slow
@few
@given(seeds)
def test_a_larger_domain_lowers_every_floor(seed: int) -> None:
    case = random_case(seed)
    shell, free = case.curves(), case.curves((0.0, 1.2))
    losses = np.linspace(0.02, 1, 30) * shell.delta
    ours, theirs = floors_along(shell, losses), floors_along(free, losses)
    for kind in ("elementary", "proved", "tight"):
        assert np.all(theirs[kind] <= ours[kind] * (1 + GRID) + 1e-6), kind


@pytest.mark.slow
@few
@given(seeds)
def test_exponent_is_convex_so_no_mode_is_lost_between_lambdas(seed: int) -> None:
    """A maximum of log-mean-exponentials is convex in λ; a mode lost at one λ leaves a dent."""
    curves = random_case(seed, most=300).curves()
    wide = curves.lambdas * curves.delta > 1e-3  # below, rounding is all there is to see
    slopes = np.diff(curves.tight[wide]) / np.diff(curves.lambdas[wide])
    assert np.all(np.diff(slopes) >= -1e-5 * curves.delta)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_grid_reaches_losses_well_below_the_quantiser(digits: Case) -> None:
    """At D = W/4 the best λ is inside the grid, for loose and for very tight clusters."""
    rng = np.random.default_rng(5)
    clumps = np.repeat(rng.normal(size=(4, 5)), 60, axis=0)
    tight = on_shell(clumps + 0.01 * rng.normal(size=clumps.shape), rng.random(240) * 0.02)
    for case in (digits, quantised(tight, tight[::60])):
        curves = case.curves()
        heights = -case.within / 4 * curves.lambdas - curves.tight
        assert heights.argmax() < len(heights) - 1


@pytest.mark.slow
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
