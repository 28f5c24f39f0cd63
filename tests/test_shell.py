"""The shell map: a bijection with an exact inverse, and honest about its edge cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from svae_core.geometry.dominant_rows_columns import describe_dominance
from svae_core.geometry.row_blocks import geometric_median_of
from svae_core.geometry.shell import ShellMap, fit_shell, shell_view, view_basis
from svae_core.records import RequestError

TABLES = hnp.arrays(
    np.float64,
    st.tuples(st.integers(3, 40), st.integers(1, 8)),
    elements=st.floats(-100, 100, width=32),
)


def fitted(points, radial_map):
    try:
        return ShellMap(0.8, 1.2, radial_map).fit(points)
    except RequestError as error:
        assert "identical" in str(error)
        assert np.ptp(points, axis=0).max() < 1e-6
        return None


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    TABLES, st.sampled_from(["linear", "rank", "robust"]), st.sampled_from([np.float32, np.float64])
)
def test_training_points_come_back(points, radial_map, dtype):
    points = points.astype(dtype)
    shell = fitted(points, radial_map)
    if shell is None:
        return
    on_shell = shell.transform(points)
    assert on_shell.dtype == dtype
    scale = max(shell.norms_.max(), np.abs(points).max())
    error = np.abs(shell.inverse_transform(on_shell) - points).max() / scale
    assert error < 1e-6


@settings(max_examples=100, deadline=None)
@given(TABLES, st.sampled_from(["linear", "rank", "robust"]))
def test_radii_lie_in_the_shell_and_keep_the_order_of_norms(points, radial_map):
    shell = fitted(points, radial_map)
    if shell is None:
        return
    radii = np.linalg.norm(shell.transform(points), axis=1)
    assert radii.min() >= 0.8 - 1e-9 and radii.max() <= 1.2 + 1e-9
    order = np.argsort(shell.norms_, kind="stable")
    assert (np.diff(radii[order]) >= -1e-9).all()


@pytest.mark.parametrize("radial_map", ["linear", "rank", "robust"])
def test_new_points_in_range_come_back_too(radial_map):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 6))
    shell = ShellMap(0.8, 1.2, radial_map).fit(points)
    new = rng.normal(size=(300, 6))
    norms = np.linalg.norm(new - shell.center_, axis=1)
    inside = (norms > shell.norms_.min()) & (norms < shell.norms_.max())
    back = shell.inverse_transform(shell.transform(new))
    assert np.abs(back[inside] - new[inside]).max() < 1e-9
    assert shell.clamped(new) == np.count_nonzero(~inside)


def test_a_point_beyond_the_range_is_clamped_to_its_edge():
    points = np.random.default_rng(0).normal(size=(50, 3))
    shell = ShellMap().fit(points)
    far = shell.center_ + np.array([[1000.0, 0, 0]])
    assert shell.clamped(far) == 1
    assert np.linalg.norm(shell.transform(far)) == pytest.approx(1.2)


def test_the_centre_gets_a_fixed_direction_and_comes_back():
    points = np.array([[1.0, 0], [-1.0, 0], [0, 2.0], [0, -2.0], [0, 0]])
    record = fit_shell(points, 0.8, 1.2, "linear")
    assert record.directionless == 1
    np.testing.assert_allclose(record.points[4], [0.8, 0.0])
    assert record.round_trip_error < 1e-6


def test_equal_norms_get_one_radius():
    points = np.array([[1.0, 0], [-1.0, 0], [0, 1.0], [0, -1.0]])
    record = fit_shell(points, 0.8, 1.2, "linear")
    np.testing.assert_allclose(np.linalg.norm(record.points, axis=1), 1.0, rtol=1e-6)
    assert record.round_trip_error < 1e-6


def test_outliers_squeeze_the_linear_map_but_not_the_rank_map():
    points = np.random.default_rng(1).normal(size=(500, 4))
    points[0] *= 100
    radii = {
        name: np.linalg.norm(fit_shell(points, 0.8, 1.2, name).points, axis=1)
        for name in ("linear", "rank")
    }
    assert np.ptp(np.delete(radii["linear"], 0)) < 0.02
    assert np.ptp(np.delete(radii["rank"], 0)) > 0.39


def test_bad_values_are_named_by_row_and_column():
    points = np.ones((4, 3)) * np.arange(4)[:, None]
    points[2, 1] = np.nan
    with pytest.raises(RequestError, match="row 3, column 2"):
        ShellMap().fit(points)
    with pytest.raises(RequestError, match="identical"):
        ShellMap().fit(np.ones((5, 2)))
    with pytest.raises(RequestError, match="two rows"):
        ShellMap().fit(np.ones((1, 2)))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_the_view_keeps_radii_and_has_orthonormal_directions(dim, seed):
    points = np.random.default_rng(seed).normal(size=(60, dim)).astype(np.float32)
    basis = view_basis(points)
    rank = min(dim, 3)
    np.testing.assert_allclose((basis.T @ basis)[:rank, :rank], np.eye(rank), atol=1e-9)
    view = shell_view(points, basis)
    np.testing.assert_allclose(
        np.linalg.norm(view, axis=1), np.linalg.norm(points, axis=1), rtol=1e-4
    )


def test_one_row_moves_the_mean_and_leaves_the_robust_map_where_it_is():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 5))
    far = points.copy()
    far[17] *= 1e4
    moved = {}
    for name in ("rank", "robust"):
        before, after = fitted(points, name), fitted(far, name)
        others = np.delete(points, 17, axis=0)
        moved[name] = np.abs(before.transform(others) - after.transform(others)).max()
    assert moved["rank"] > 0.5
    assert moved["robust"] < 0.05


def test_the_geometric_median_has_the_least_sum_of_distances():
    points = np.random.default_rng(1).normal(size=(200, 3)) ** 3

    def total(center):
        return np.linalg.norm(points - center, axis=1).sum()

    center = geometric_median_of(points)
    for step in 0.01 * np.vstack([np.eye(3), -np.eye(3)]):
        assert total(center) < total(center + step)
    assert np.allclose(geometric_median_of(points * 7 + 3), center * 7 + 3, atol=1e-3)


def test_the_geometric_median_of_mostly_one_point_is_that_point():
    points = np.vstack([np.zeros((30, 2)), np.ones((3, 2))])
    assert np.abs(geometric_median_of(points)).max() < 1e-9


def test_a_row_or_a_column_with_nearly_all_of_the_variance_is_named():
    points = np.random.default_rng(2).normal(size=(200, 4))
    quiet = fit_shell(points, 0.8, 1.2, "linear").dominance
    assert describe_dominance(quiet, (), 200, 4) == ""
    row = points.copy()
    row[17] *= 1e4
    found = fit_shell(row, 0.8, 1.2, "robust").dominance
    assert (found.row, found.row_share > 0.999) == (17, True)
    assert "One row, number 18" in describe_dominance(found, (), 200, 4)
    column = points * [1, 1, 100, 1]
    found = fit_shell(column, 0.8, 1.2, "linear").dominance
    share = column.var(axis=0)[2] / column.var(axis=0).sum()
    assert (found.column, found.column_share) == (2, pytest.approx(share, rel=1e-6))
    said = describe_dominance(found, ("a", "b", "weight", "d"), 200, 4)
    assert said.startswith("One column, weight, holds 100 %")
