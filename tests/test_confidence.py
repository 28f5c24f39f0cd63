"""Limits on means of bounded values: they hold as often as they say, and are tight."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from svae_core.certificate.confidence import (
    few_draws_margin,
    independent_sample,
    lower_limit,
    rows_share_noise,
    upper_limit,
)

TRIALS = 1000
#: More false limits than this among 1,000 have a probability below 1e-4 if 1 % is true.
MOST = int(binom.ppf(1 - 1e-4, TRIALS, 0.01))


def laws(name: str, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Values in [0, 1] and the mean of their rows' means; rows differ in law."""
    rows = np.linspace(0.5, 1.5, shape[1])
    if name == "beta":
        return rng.beta(rows, 3.0, shape), float((rows / (rows + 3)).mean())
    if name == "two-valued":
        return (rng.random(shape) < 0.2 * rows).astype(float), 0.2
    if name == "rare":
        return np.where(rng.random(shape) < 2e-3 * rows, 1.0, 0.1), 0.1 + 0.9 * 2e-3
    assert name == "one row bad"
    values = rng.random(shape) * 0.1
    values[:, 0] = rng.random(shape[0]) < 0.5
    return values, float((0.5 + 0.05 * (shape[1] - 1)) / shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["beta", "two-valued", "rare", "one row bad"])
@pytest.mark.parametrize("shape", [(40, 1), (16, 30)])
def test_limits_are_passed_no_more_often_than_they_say(name, shape):
    rng = np.random.default_rng(sum(map(ord, name)))
    above = below = 0
    for _ in range(TRIALS):
        values, mean = laws(name, rng, shape)
        above += upper_limit(values, 0.0, 1.0) < mean
        below += lower_limit(values, 0.0, 1.0) > mean
    assert above <= MOST and below <= MOST


@pytest.mark.slow
def test_a_limit_may_be_read_at_every_draw():
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(300):
        values = (rng.random((60, 4)) < 0.3).astype(float)
        false += any(
            upper_limit(values[:stop], 0.0, 1.0, 0.05, (8, 16, 32, 64)) < 0.3
            for stop in range(2, 61, 2)
        )
    assert false <= binom.ppf(1 - 1e-4, 300, 0.05)


def test_rows_that_differ_cost_nothing():
    """The margin is that of the noise, not of the differences between rows; near the best known."""
    rng = np.random.default_rng(2)
    rows = rng.random(500)
    values = np.clip(rows + rng.normal(0, 0.05, (130, 500)), 0, 1)
    margin = upper_limit(values, 0.0, 1.0) - values.mean()
    noise = math.sqrt(values.var(axis=0, ddof=1).mean() * 2 * math.log(100) / values.size)
    assert 0.8 * noise < margin < 1.35 * noise
    bernstein = math.sqrt(2 * values.var() * math.log(200) / values.size)
    assert margin < 0.5 * (bernstein + 7 * math.log(200) / (3 * values.size))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 9),
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32 - 1),
)
def test_limits_lie_in_the_bounds_and_move_with_the_values(draws, rows, low, width, seed):
    unit = np.random.default_rng(seed).random((draws, rows)) ** 3
    values = np.clip(low + width * unit, low, low + width)
    upper = upper_limit(values, low, low + width)
    lower = lower_limit(values, low, low + width)
    assert low <= lower <= low + width and low <= upper <= low + width
    assert upper == pytest.approx(low + width * upper_limit(unit, 0.0, 1.0), abs=1e-6 * width)
    assert lower == -upper_limit(-values, -low - width, -low)
    # Bets on the last draw were fixed before it, so larger values there raise every limit.
    values[-1] += (low + width - values[-1]) / 2
    assert upper_limit(values, low, low + width) >= upper - 1e-8 * width


def test_constant_values_have_a_margin_of_the_bound_over_their_number():
    values = np.full((100, 100), 0.25)
    assert 0 < upper_limit(values, 0.0, 1.0) - 0.25 < 10 * math.log(100) / values.size


@pytest.mark.slow
def test_shared_noise_is_seen_and_independent_noise_is_not():
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(200):
        values = rng.lognormal(0, 1.5, (30, 50))
        wrong += rows_share_noise(values)
        assert rows_share_noise(0.3 * values + rng.random((30, 1)) * 3)
    assert wrong <= 6
    shared = np.repeat(rng.random((40, 1)), 9, axis=1)
    assert independent_sample(shared).shape == (40, 1)
    assert independent_sample(rng.random((40, 9))).shape == (40, 9)


@pytest.mark.parametrize("draws", [3, 8])
def test_few_draws_keep_the_confidence_where_rows_share_noise(draws: int) -> None:
    """The draws' means vary up to 30 times as much as independent rows would let them.

    Limits on single values alone are passed by 6 % of such draws of 3, which rarely show it.
    """
    rng = np.random.default_rng(5)
    for ratio in (5, 30):
        wrong = 0
        for _ in range(TRIALS):
            shared = 0.08 * math.sqrt((ratio - 1) / 100) * rng.normal(size=(draws, 1))
            values = np.clip(0.5 + 0.08 * rng.normal(size=(draws, 100)) + shared, 0, 1)
            limit = upper_limit(independent_sample(values), 0.0, 1.0)
            wrong += max(limit, values.mean() + few_draws_margin(values)) < 0.5
        assert wrong <= MOST
    assert few_draws_margin(rng.random((16, 9))) == few_draws_margin(rng.random((1, 9))) == 0


def test_rare_errors_of_single_rows_are_not_taken_for_shared_ones():
    rng = np.random.default_rng(4)
    wrong = sum(rows_share_noise(1.0 * (rng.random((60, 200)) < 3e-4)) for _ in range(300))
    assert wrong <= 8


@pytest.mark.parametrize("values", [[[0.5, 1.5]], [[0.5, math.nan]], [0.5], [[]]])
def test_values_that_no_limit_holds_for_are_refused(values):
    with pytest.raises(ValueError, match="limit"):
        upper_limit(np.array(values), 0.0, 1.0)


def test_constant_rows_share_no_noise_though_their_means_are_rounded() -> None:
    assert not rows_share_noise(np.full((399, 50), np.log(50)))
