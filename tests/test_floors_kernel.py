"""The kernel bounds against dense eigenvalues, long series, exact rates and closed forms."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, logsumexp
from support.effort import effort
from support.floor_cases import (
    RADII,
    Case,
    achievable,
    on_shell,
    polygon,
    quantised,
    random_case,
    shell_alphabet,
)

from svae_core.certificate import kernel_floors
from svae_core.certificate.certify import reference
from svae_core.certificate.degree_weights import DegreeWeights, choose_weights, degree_for
from svae_core.certificate.eigenvalue_bounds import ScaledMatrix, collatz_wielandt, deflated_bound
from svae_core.certificate.information_floors import floors_along, floors_at
from svae_core.certificate.kernel_floors import how_proved, radial_factor, sharpen
from svae_core.problem import prepare
from svae_core.records import FloorCurves, Settings

BALL = (0.0, 1.2)
few = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def sharp(case: Case, radii: tuple[float, float] = RADII) -> FloorCurves:
    return sharpen(case.curves(radii), case.points)


def inner_products(points: np.ndarray) -> np.ndarray:
    exact = points.astype(np.float64)
    return exact @ exact.T


# -------------------------------------------------------------------- largest eigenvalues


@few
@given(seeds, st.integers(1, 60))
def test_collatz_wielandt_is_never_below_the_dense_eigenvalue(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.random((n, n)) ** rng.integers(1, 8)
    kernel = (root @ root.T).astype(np.float32)
    exact = np.linalg.eigvalsh(kernel.astype(np.float64))[-1]
    for start in (np.ones(n), rng.random(n) + 1e-3):
        bound, vector = collatz_wielandt(kernel, start)
        assert exact * (1 - 1e-12) <= bound <= exact * 1.01
        assert (vector > 0).all()


def test_collatz_wielandt_holds_for_entries_that_underflowed() -> None:
    """All entries may be larger by the absolute allowance: the ones matrix has λ_max = n."""
    assert collatz_wielandt(np.zeros((5, 5), np.float32), np.ones(5), absolute=1.0)[0] >= 5.0


@few
@given(seeds, st.integers(1, 60), st.integers(1, 12), st.floats(-6, 0))
def test_deflated_bound_is_never_below_the_dense_eigenvalue(
    seed: int, n: int, width: int, decay: float
) -> None:
    """Whatever the subspace: a poor one (no steps) and one that has converged."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(n, n)))
    values = np.exp(decay * rng.random(n)) * rng.choice([1, 1, -0.5], n)
    table = ((turn * values) @ turn.T).astype(np.float32)
    scale = 10.0 ** rng.uniform(-1, 1, n)
    matrix = ScaledMatrix((table + table.T) / 2, scale)
    dense = scale[:, None] * matrix.table.astype(np.float64) * scale
    exact = np.linalg.eigvalsh(dense)[-1]
    for steps in (0, 3):
        bound, basis = deflated_bound(matrix, rng.normal(size=(n, min(width, n))), steps)
        assert bound >= exact - 1e-12 * np.abs(dense).max()
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-10)


def test_deflated_bound_is_sharp_where_the_rest_is_small_and_adds_the_error() -> None:
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(200, 200)))
    values = np.concatenate([[3.0, 2.9, 1.0], np.full(197, 0.05)])
    table = ((turn * values) @ turn.T).astype(np.float32)
    matrix = ScaledMatrix((table + table.T) / 2, np.ones(200))
    bound, _ = deflated_bound(matrix, rng.normal(size=(200, 6)), steps=20)
    assert bound == pytest.approx(3.0, rel=1e-5)
    wide, _ = deflated_bound(dataclasses.replace(matrix, error=0.5), rng.normal(size=(200, 6)), 20)
    assert wide == pytest.approx(3.5, rel=1e-5)


# --------------------------------------------------------------------- series and radius


@few
@given(seeds, st.floats(0.1, 8))
def test_series_and_tails_bound_the_endless_series(seed: int, lam: float) -> None:
    logs = np.random.default_rng(seed).normal(size=degree_for(lam, 1.44) + 1)
    weight = DegreeWeights(lam, logs)
    long = np.concatenate([logs, np.full(300, logs[-1])])
    m = np.arange(len(long))
    squares = np.linspace(0.01, 1.44, 9)
    terms = long + np.multiply.outer(np.log(lam * squares), m) - gammaln(m + 1)
    whole = np.exp(logsumexp(terms, axis=1))
    head = np.polynomial.polynomial.polyval(squares, weight.gram_series())
    tail = weight.gram_tail(squares)
    assert np.all(head + tail >= whole * (1 - 1e-12))
    assert np.all(tail <= 1e-3 * whole)
    growth = logsumexp(terms - 2 * long, axis=1)
    found = weight.radial_growth(np.sqrt(squares))
    assert np.all(found >= growth - 1e-12) and np.all(found <= growth + 1e-3)


@few
@given(seeds, st.floats(0.1, 8), st.sampled_from([RADII, BALL, (1.0, 1.0)]))
def test_radial_maximum_is_that_of_a_dense_grid_never_lower(
    seed: int, lam: float, radii: tuple[float, float]
) -> None:
    logs = np.random.default_rng(seed).normal(size=degree_for(lam, 1.44) + 1)
    weight = DegreeWeights(lam, logs)
    rho = np.linspace(max(radii[0], 1e-6), radii[1], 5000)
    exact = float((weight.radial_growth(rho) - lam * rho**2).max())
    found = radial_factor(weight, radii)
    assert exact - 1e-12 <= found <= exact + 1e-5 * lam + 1e-7


def test_weights_that_are_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="cut before"):
        DegreeWeights(20.0, np.zeros(3)).radial_growth(np.array([1.2]))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_floors_do_not_depend_on_the_unit_of_the_data(scale: float) -> None:
    """Data in metres or micrometres: the series overflowed below a thousandth."""
    points = random_case(3).points.astype(np.float64)
    plain, moved = reference(points).floors, reference(points * scale).floors
    assert moved.lambdas * scale**2 == pytest.approx(plain.lambdas, rel=1e-6)
    half = floors_at(plain, plain.delta / 2), floors_at(moved, moved.delta / 2)
    assert half[1].proved == pytest.approx(half[0].proved, rel=0.05) and half[0].proved > 0


@pytest.mark.slow
@few
@given(seeds, st.sampled_from([RADII, BALL]))
def test_bound_is_the_formula_by_dense_eigenvalues_never_lower(
    seed: int, radii: tuple[float, float]
) -> None:
    """One λ at a time, the same weights: a long series, a dense solver, a dense grid of radii."""
    case = random_case(seed)
    points = case.points.astype(np.float64)
    gram, squares = inner_products(points), (points**2).sum(axis=1)
    lambdas = np.array([0.5, 2.0, 5.0])
    parts = list(kernel_floors._parts(points, 0))
    weights = choose_weights(points, lambdas, radii, 0)
    count = kernel_floors._Count(None, 0)
    found = kernel_floors._weighted_exponents(parts, weights, radii, len(points), count)
    plain = kernel_floors._plain_exponents(parts, lambdas, len(points), count)
    for at, lam in enumerate(lambdas):
        series = weights[at].gram_series()
        root = np.exp(-0.5 * lam * squares)
        kernel = np.outer(root, root) * np.polynomial.polynomial.polyval(gram, series)
        top = np.linalg.eigvalsh(kernel / len(points))[-1]
        exact = np.log(top) + radial_factor(weights[at], radii)
        assert exact - 1e-12 <= found[at] <= exact + 0.02
        gaps = squares[:, None] + squares - 2 * gram
        exact = np.log(np.linalg.eigvalsh(np.exp(-0.5 * lam * gaps) / len(points))[-1])
        assert exact - 1e-12 <= plain[at] <= exact + 1e-2


# -------------------------------------------------------------------------------- oracles


@pytest.mark.slow
@pytest.mark.parametrize("block", range(effort(2, 10)))
def test_never_above_the_numerical_floor_nor_the_exact_rate(block: int) -> None:
    """Two hundred small random cases, alternately on the shell and in the ball."""
    for seed in range(20 * block, 20 * block + 20):
        radii = RADII if seed % 2 else BALL
        case = random_case(seed, most=8, dimensions=(2, 3))
        curves = sharp(case, radii)
        assert np.all(curves.proved >= curves.tight - 1e-12)
        for lam in np.array([0.5, 2, 6]) / max(case.total, 0.1):
            loss, information = achievable(case.points, shell_alphabet(case.points, radii), lam)
            found = floors_at(curves, loss)
            assert found.proved <= found.tight + 1e-9
            assert found.proved <= information + 1e-6


@pytest.mark.slow
def test_well_separated_clusters_are_exact() -> None:
    """C alike, far clusters: the plain kernel matrix is a circulant of them, so its top eigenvalue

    is (1 + (C − 1)e^{−λΔ/2})/C, Δ the squared gap; at large λ the floor at D → 0 is log C = R(0).
    """
    corners, copies = 12, 7
    points = np.repeat(np.eye(corners), copies, axis=0)
    case = quantised(points, np.eye(corners))
    curves = sharp(case, BALL)
    wide = curves.lambdas > 3
    exact = np.log((1 + (corners - 1) * np.exp(-curves.lambdas)) / corners)[wide]
    assert np.all(curves.proved[wide] <= exact + 2e-2)
    assert floors_at(curves, 1e-4).proved == pytest.approx(math.log(corners), rel=2e-3)
    assert floors_at(curves, 1e-4).proved <= math.log(corners)


def test_two_opposite_points_in_closed_form() -> None:
    """A fair bit on the unit circle: R(D) = log 2 − h(D/4)."""
    case = polygon(2)
    curves = sharp(case, (1.0, 1.0))
    losses = np.linspace(0.05, 1.9, 30)
    p = losses / 4
    exact = np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p)
    found = floors_along(curves, losses)["proved"]
    assert np.all(found <= exact + 1e-12)
    np.testing.assert_allclose(found, exact, rtol=4e-3)


def test_weights_by_degree_beat_the_plain_kernel_on_the_shell() -> None:
    """The four corners of a square on the unit circle, λ = 1: A is known, both bounds are above.

    A(1) = log ¼ Σ_j e^{−2 + 2cos(θ − jπ/2)} at its best θ; the plain kernel is a circulant.
    """
    points = polygon(4).points
    parts = list(kernel_floors._parts(points, 0))
    count, lam = kernel_floors._Count(None, 0), np.array([1.0])
    plain = kernel_floors._plain_exponents(parts, lam, 4, count)[0]
    weights = choose_weights(points, lam, (1.0, 1.0), 0)
    found = kernel_floors._weighted_exponents(parts, weights, (1.0, 1.0), 4, count)[0]
    angles = np.linspace(0, np.pi / 2, 400)[:, None] - np.arange(4) * np.pi / 2
    exact = np.log(np.exp(-2 + 2 * np.cos(angles)).mean(axis=1).max())
    assert plain == pytest.approx(np.log((1 + 2 * np.exp(-1) + np.exp(-2)) / 4), abs=1e-3)
    assert exact - 1e-12 <= found < plain - 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "clusters", "method", "shares", "least"),
    [
        ("wine", 3, "spherical", (0.1, 0.25, 0.5), (0.50, 0.33, 0.14)),
        ("digits", 10, "spherical", (0.1, 0.25, 0.5), (0.93, 0.60, 0.24)),
        ("digits", 300, "baseline", (0.05,), (2.4,)),
    ],
)
def test_proved_floors_come_near_the_numerical_ones(
    dataset: str,
    clusters: int,
    method: str,
    shares: tuple[float, ...],
    least: tuple[float, ...],
) -> None:
    problem = prepare(Settings(dataset=dataset, clusters=clusters, method=method))
    curves = sharpen(problem.floors, problem.shell.points)
    within = problem.clusters.within
    for share, nats in zip(shares, least, strict=True):
        found = floors_at(curves, within + share * (curves.delta - within))
        assert nats <= found.proved <= found.tight


# ------------------------------------------------------------------------------------ laws


@pytest.mark.slow
@few
@given(seeds, st.sampled_from([RADII, BALL]))
def test_sharpening_only_raises_the_proved_floor(seed: int, radii: tuple[float, float]) -> None:
    case = random_case(seed)
    before = case.curves(radii)
    after = sharpen(before, case.points)
    assert after.kernel_part == len(case.points) and sharpen(after, case.points) is after
    assert np.all(after.proved <= before.proved)
    assert np.all(after.proved >= after.tight - 1e-12)
    losses = np.linspace(0.01, 1.2, 40) * after.delta
    found, old = floors_along(after, losses), floors_along(before, losses)
    np.testing.assert_array_equal(found["tight"], old["tight"])
    np.testing.assert_array_equal(found["elementary"], old["elementary"])
    assert np.all(found["proved"] >= old["proved"])
    assert np.all(found["proved"] >= old["elementary"] * (1 - 4e-3) - 1e-9)
    assert np.all(np.diff(found["proved"]) <= 0)


@pytest.mark.slow
def test_parts_weaken_the_bound_and_never_break_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    case = quantised(on_shell(rng.normal(size=(300, 4)), rng.random(300)), np.eye(4))
    whole = sharp(case)
    monkeypatch.setattr(kernel_floors, "_PAIRS", 1)
    monkeypatch.setattr(kernel_floors, "_PART", (40, 80))
    cut = sharp(case)
    assert whole.kernel_part == 300 and cut.kernel_part == 38
    assert "every point is in one" in how_proved(cut) and how_proved(whole) == ""
    assert np.all(cut.proved >= cut.tight - 1e-12)
    losses = np.linspace(0.1, 0.9, 9) * cut.delta
    ours, theirs = floors_along(whole, losses)["proved"], floors_along(cut, losses)["proved"]
    assert np.all(theirs <= ours * 1.02)  # weights are chosen on the first part: not quite a law
    assert np.all(theirs >= 0.6 * ours)


def test_hull_of_bounds_lies_between_a_convex_function_and_them() -> None:
    lambdas = np.geomspace(0.1, 10, 60)
    exact = 1 / (1 + lambdas)
    loose = exact + np.random.default_rng(0).random(60) * (np.arange(60) % 7 > 0)
    found = kernel_floors._convex_hull(lambdas, loose)
    assert np.all(found >= exact - 1e-15) and np.all(found <= loose)
    np.testing.assert_allclose(found[::7], exact[::7])


def test_progress_is_told_from_first_to_last() -> None:
    case = random_case(3)
    told: list[tuple[int, int]] = []
    sharpen(case.curves(), case.points, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))
    assert len({total for _, total in told}) == 1


@pytest.mark.slow
@few
@given(seeds)
def test_points_far_out_and_alike_are_no_trouble(seed: int) -> None:
    """Large numbers, duplicates and a single far point: finite bounds, never below A."""
    rng = np.random.default_rng(seed)
    points = np.repeat(rng.normal(size=(4, 3)), [5, 1, 1, 9], axis=0) * 10.0 ** rng.uniform(-3, 3)
    points -= points.mean(axis=0)
    case = quantised(points, points[:2])
    longest = float(np.linalg.norm(points, axis=1).max())
    curves = sharp(case, (0.0, longest))
    assert np.isfinite(curves.proved).all()
    assert np.all(curves.proved >= curves.tight - 1e-9)
