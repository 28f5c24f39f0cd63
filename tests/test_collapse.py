"""Measuring collapse, and the counter-example that makes sampling necessary."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.certificate.diagnostics import (
    COLLAPSED_KL,
    Measurement,
    active_units,
    loss_margin,
    mutual_information,
    spread,
    structure,
    verdict,
)
from svae_core.distributions.gaussian import gaussian_kl, log_density, sample
from svae_core.records import Floors


def information(mean, log_variance, seed=0):
    noise = np.random.default_rng(seed).normal(size=mean.shape)
    z = sample(mean, log_variance, noise)
    return mutual_information(
        z, lambda rows, block: log_density(rows, mean[block], log_variance[block]), len(mean)
    )


def measurement(loss=0.5, margin=0.01, delta=1.0, kl=(1.0, 0.0)):
    return Measurement(
        loss=loss,
        margin=margin,
        delta=delta,
        definition="shell",
        kl=float(sum(kl)),
        kl_per_dim=kl,
        gauge=2.0,
        floors=Floors(0.1, 0.2, 0.3),
    )


def test_the_mean_reconstruction_counter_example():
    """q = N(εx, I), g(z) = r z/‖z‖: perfect at the mean, collapsed when sampled.

    The exhibit of why every loss here uses sampled latents: the mean's reconstruction error is 0
    for every ε > 0 while KL = ε²/2·‖x‖² vanishes.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 8))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    epsilon = 1e-3
    mean, log_variance = epsilon * x, np.zeros_like(x)

    def decode(z):
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    def loss(z):
        return float(((decode(z) - x) ** 2).sum(axis=1).mean())

    assert loss(mean) == pytest.approx(0.0, abs=1e-12)
    draws = np.array([loss(sample(mean, log_variance, rng.normal(size=x.shape))) for _ in range(8)])
    delta = 1.0 + (1.0 - np.linalg.norm(x.mean(axis=0))) ** 2 - np.linalg.norm(x.mean(axis=0)) ** 2
    assert draws.mean() == pytest.approx(delta, rel=0.01)
    kl = tuple(gaussian_kl(mean, log_variance).mean(axis=0))
    assert sum(kl) == pytest.approx(epsilon**2 / 2)
    name, _ = verdict(measurement(draws.mean(), loss_margin(draws), delta, kl))
    assert name == "collapsed"


def test_active_units_by_the_variance_of_means():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(5000, 3)) * np.array([1.0, 0.05, 0.2])
    np.testing.assert_array_equal(active_units(spread(means)), [True, False, True])


def test_information_of_well_separated_posteriors_is_log_n():
    mean = np.arange(64.0)[:, None] * 50
    assert information(mean, np.zeros_like(mean)) == pytest.approx(math.log(64), abs=1e-9)


def test_information_of_equal_posteriors_is_zero():
    mean = np.ones((600, 3))
    assert information(mean, np.zeros_like(mean)) == pytest.approx(0.0, abs=1e-9)


def test_information_of_a_gaussian_channel():
    """Means N(0, v), noise s: I = ½ log(1 + v/s) for the population."""
    mean = np.random.default_rng(2).normal(size=(4000, 1)) * 2.0
    found = information(mean, np.zeros_like(mean))
    assert found == pytest.approx(0.5 * math.log(1 + 4.0), abs=0.04)
    assert found <= gaussian_kl(mean, np.zeros_like(mean)).mean() + 0.02


def test_information_over_many_points_uses_them_all_in_the_aggregate():
    """Above 5,000 points queries are a subset, but the ceiling is still log n."""
    mean = np.arange(6_000.0)[:, None] * 50
    assert information(mean, np.zeros_like(mean)) == pytest.approx(math.log(6_000), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 80), st.integers(1, 4), st.integers(0, 10_000))
def test_information_never_exceeds_log_n(n, k, seed):
    rng = np.random.default_rng(seed)
    mean, log_variance = rng.normal(size=(n, k)) * 3, rng.normal(size=(n, k))
    assert information(mean, log_variance, seed) <= math.log(n) + 1e-9


def test_structure_is_nought_for_noise_and_near_one_for_clear_means():
    rng = np.random.default_rng(0)
    assert structure(spread(np.zeros((50, 4))), np.ones((50, 4))) == 0.0
    assert structure(spread(rng.normal(size=(500, 4))), np.full((500, 4), 0.02)) > 0.95


def test_the_margin_covers_the_true_mean():
    rng = np.random.default_rng(5)
    covered = [draws.mean() + loss_margin(draws) > 0.0 for draws in rng.normal(size=(4000, 8))]
    assert np.mean(covered) == pytest.approx(0.99, abs=0.006)
    with pytest.raises(ValueError, match="two draws"):
        loss_margin(np.array([1.0]))


def test_verdicts_and_their_sentences():
    assert verdict(measurement())[0] == "certified"
    assert "excludes total collapse" in verdict(measurement())[1]
    assert verdict(measurement(loss=0.995))[0] == "not certified"  # the margin reaches δ
    low = COLLAPSED_KL * 0.9
    assert verdict(measurement(loss=1.0, kl=(low, low)))[0] == "collapsed"
    assert verdict(measurement(loss=0.5, kl=(low,) * 512))[0] == "certified"  # 4.6 nats in all
    assert verdict(measurement(loss=float("nan")))[0] == "not certified"
    assert "diverged" in verdict(measurement(loss=float("nan")))[1]
