"""tanh and exp of the native code against float64, over all of float32's range that they serve."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from svae_core.training.native.elementary import FAST, exp, tanh


@njit(fastmath=FAST, error_model="numpy")
def tanh_of(values, into):
    for i in range(values.size):
        into[i] = tanh(values[i])


@njit(fastmath=FAST, error_model="numpy")
def exp_of(values, into):
    for i in range(values.size):
        into[i] = exp(values[i])


def in_ulp(found: np.ndarray, wanted: np.ndarray) -> float:
    spacing = np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64)
    return float((np.abs(found - wanted) / spacing).max())


@pytest.mark.slow
def test_tanh_is_right_to_three_units_in_the_last_place() -> None:
    small = np.geomspace(1e-30, 1.0, 200_001)
    given = np.concatenate([small, -small, np.linspace(-12, 12, 1_000_001)]).astype(np.float32)
    found = np.empty_like(given)
    tanh_of(given, found)
    assert in_ulp(found, np.tanh(given.astype(np.float64))) <= 3.0
    assert np.abs(found).max() == 1.0


def test_exp_is_right_to_two_units_in_the_last_place() -> None:
    given = np.linspace(-86.0, 87.0, 1_000_001).astype(np.float32)
    found = np.empty_like(given)
    exp_of(given, found)
    assert in_ulp(found, np.exp(given.astype(np.float64))) <= 2.0


@pytest.mark.parametrize(
    ("given", "wanted"), [(np.nan, np.nan), (np.inf, 1), (-np.inf, -1), (0, 0)]
)
def test_what_is_no_number_is_kept(given: float, wanted: float) -> None:
    found = np.zeros(1, np.float32)
    tanh_of(np.array([given], np.float32), found)
    np.testing.assert_equal(found[0], np.float32(wanted))
