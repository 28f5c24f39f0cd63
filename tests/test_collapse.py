"""Measuring collapse, and the counter-example that makes sampling necessary."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.certificate.diagnostics import (
    COLLAPSED_KL,
    COLLAPSED_TOTAL_KL,
    Measurement,
    active_units,
    information_and_error,
    mutual_information,
    structure,
    variance_of_means,
    verdict,
)
from svae_core.certificate.losses import Losses, measure_losses
from svae_core.distributions.gaussian import gaussian_kl, log_density, sample
from svae_core.records import Floors


def information(mean, log_variance, seed=0):
    noise = np.random.default_rng(seed).normal(size=mean.shape)
    z = sample(mean, log_variance, noise)
    return mutual_information(
        z, lambda rows, block: log_density(rows, mean[block], log_variance[block]), len(mean)
    )


def measurement(loss=0.5, margin=0.01, delta=1.0, kl=(1.0, 0.0), **changed):
    parts = {
        "given": loss,
        "projected": loss,
        "limit": loss + margin,
        "draws": 16,
        "shared_noise": False,
        "unfinished": False,
        "first": np.empty(0),
    }
    return Measurement(
        losses=Losses(**parts | changed),
        n_points=1234,
        delta=delta,
        definition="shell",
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

    def draw():
        return decode(sample(mean, log_variance, rng.normal(size=x.shape)))

    delta = 1.0 + (1.0 - np.linalg.norm(x.mean(axis=0))) ** 2 - np.linalg.norm(x.mean(axis=0)) ** 2
    found = measure_losses(draw, x, (1.0, 1.0), delta, draws=8)
    assert found.given == pytest.approx(delta, rel=0.01)
    kl = tuple(gaussian_kl(mean, log_variance).mean(axis=0))
    assert sum(kl) == pytest.approx(epsilon**2 / 2)
    name, _ = verdict(measurement(found.given, found.limit - found.projected, delta, kl))
    assert name == "collapsed"


def test_active_units_by_the_variance_of_means():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(5000, 3)) * np.array([1.0, 0.05, 0.2])
    np.testing.assert_array_equal(active_units(variance_of_means(means)), [True, False, True])


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


@pytest.mark.slow
def test_information_over_many_points_uses_them_all_in_the_aggregate():
    """Above 5,000 points queries are a subset, but the ceiling is still log n."""
    mean = np.arange(6_000.0)[:, None] * 50
    assert information(mean, np.zeros_like(mean)) == pytest.approx(math.log(6_000), abs=1e-9)


def test_information_over_many_points_is_the_same_in_any_order():
    """Every other point is at ±8, clear of the rest: I = ½ log 2 + ½ log 4 nats."""
    mean = np.zeros((10_000, 1))
    mean[::2, 0] = 8 * np.random.default_rng(0).choice([-1, 1], 5_000)
    for order in (np.arange(10_000), np.random.default_rng(1).permutation(10_000)):
        found = information(mean[order], np.zeros_like(mean))
        assert found == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4), abs=0.025)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 80), st.integers(1, 4), st.integers(0, 10_000))
def test_information_never_exceeds_log_n(n, k, seed):
    rng = np.random.default_rng(seed)
    mean, log_variance = rng.normal(size=(n, k)) * 3, rng.normal(size=(n, k))
    assert information(mean, log_variance, seed) <= math.log(n) + 1e-9


def test_structure_is_nought_for_noise_and_near_one_for_clear_means():
    rng = np.random.default_rng(0)
    assert structure(variance_of_means(np.zeros((50, 4))), np.ones(4)) == 0.0
    assert structure(variance_of_means(rng.normal(size=(500, 4))), np.full(4, 0.02)) > 0.95


def test_the_error_of_the_information_is_that_of_its_repetitions():
    """Points fixed, latents drawn anew: the deviation over draws is at most the stated error."""
    rng = np.random.default_rng(6)
    mean, log_variance = rng.normal(size=(300, 2)) * 2, np.zeros((300, 2))

    def density(rows, block):
        return log_density(rows, mean[block], log_variance[block])

    found = np.array(
        [
            information_and_error(
                sample(mean, log_variance, rng.normal(size=mean.shape)), density, 300
            )
            for _ in range(100)
        ]
    )
    assert 0.5 * found[:, 1].mean() < found[:, 0].std() < 1.2 * found[:, 1].mean()


def test_verdicts_and_their_sentences():
    assert verdict(measurement())[0] == "certified"
    assert "excludes total collapse" in verdict(measurement())[1]
    assert verdict(measurement(loss=0.995))[0] == "not certified"  # the margin reaches δ
    low = COLLAPSED_KL * 0.9
    assert verdict(measurement(loss=1.0, kl=(low, low)))[0] == "collapsed"
    assert verdict(measurement(loss=0.5, kl=(low,) * 512))[0] == "certified"  # 4.6 nats in all
    assert verdict(measurement(loss=float("nan")))[0] == "not certified"
    assert "diverged" in verdict(measurement(loss=float("nan")))[1]


def test_collapsed_is_said_of_all_dimensions_together():
    many = (COLLAPSED_KL * 0.9,) * 6  # each carries nothing, all carry .054
    assert verdict(measurement(loss=1.0, kl=many))[0] == "not certified"
    one = (COLLAPSED_TOTAL_KL * 0.9,)
    assert verdict(measurement(loss=1.0, kl=one))[0] == "collapsed"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"loss": 1.0},
        {"loss": 1.0, "kl": (0.001,)},
        {"loss": 0.995},
        {"loss": 0.995, "shared_noise": True},
        {"kl": ()},
        {"loss": 1.0, "kl": ()},
        {"projected": 0.4, "limit": 0.42},
    ],
)
def test_every_sentence_has_its_confidence_and_its_points(changed):
    _, sentence = verdict(measurement(**changed))
    assert "with 99 % confidence, for these 1,234 points" in sentence
    assert sentence.endswith(".") and sentence.count(". ") == 0
    assert ("answers as given" in sentence) == (changed.get("kl") == ())
    assert ("needs more draws" in sentence) == (changed.get("loss") == 0.995)
    assert ("projected" in sentence) == ("projected" in changed)
