"""Floors against exact rate-distortion functions, dense grids, closed forms, and their own laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.floor_cases import (
    GRID,
    RADII,
    Case,
    achievable,
    curves_of_digits,
    digits_on_the_shell,
    few,
    polygon,
    random_case,
    seeds,
    shell_alphabet,
)

from svae_core.certificate.information_floors import floors_along, floors_at
from svae_core.records import FloorCurves


@pytest.fixture(scope="module")
def digits() -> Case:
    return digits_on_the_shell()


@pytest.fixture(scope="module")
def digits_curves() -> FloorCurves:
    return curves_of_digits()


# ---------------------------------------------------------------------------------- oracles


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_proved_exponent_of_digits_is_sharp(digits: Case, digits_curves: FloorCurves) -> None:
    for at in np.searchsorted(digits_curves.lambdas, [0.01, 0.3, 1.0, 2.0]):
        exact = proved_reference(digits.points, digits_curves.lambdas[at], RADII)
        assert 0 <= digits_curves.proved[at] - exact < 1e-3 * digits_curves.lambdas[at]
