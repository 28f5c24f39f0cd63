"""What samples is not refused, however few its points or narrow its posterior; what stops, is.

And what a posterior lets through is I(x; z), of which a large KL may have none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from svae_core import certify, certify_encoder
from svae_core.certificate.confidence import few_draws_margin, rows_share_noise
from svae_core.certificate.losses import measure_losses
from svae_core.certificate.sampling import usual_scale
from svae_core.clinic.examination import diagnose_arrays
from svae_core.records import RequestError

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(300, 4))
LABELS = RNG.integers(0, 4, len(POINTS))
Model = Callable[[np.ndarray], np.ndarray]


def noisy(x: np.ndarray, noise: float = 0.3) -> np.ndarray:
    return x + RNG.normal(0, noise, x.shape)


def after(calls: int, first: Model, then: Model) -> Model:
    """A model that counts its calls."""
    made = iter(range(10**9))
    return lambda x: first(x) if next(made) < calls else then(x)


@pytest.mark.parametrize("first", [np.zeros_like, noisy], ids=["constant", "sampled"])
def test_a_model_that_decodes_means_once_it_was_checked_is_refused(first: Model) -> None:
    with pytest.raises(RequestError, match="decodes posterior means"):
        certify(after(3, first, lambda x: 0.9 * x), POINTS, clusters=3, draws=16)
    with pytest.raises(RequestError, match="gives means and no samples"):
        certify_encoder(after(3, first, lambda x: 0.9 * x), POINTS, clusters=3)


def test_an_encoder_whose_noise_goes_by_row_number_is_refused() -> None:
    with pytest.raises(RequestError, match="noise goes by row number"):
        certify_encoder(lambda x: x + np.random.default_rng(0).normal(size=x.shape), POINTS)


def test_a_head_cannot_gain_by_row_numbers() -> None:
    """A dead encoder, and a head that keeps the held-out points' classes in their order."""
    held = np.sort(np.random.default_rng([0, 71]).permutation(len(POINTS))[len(POINTS) // 2 :])
    kept = np.eye(4)[LABELS[held]]
    dead = certify_encoder(
        lambda x: RNG.normal(size=(len(x), 2)), POINTS, LABELS, head=lambda z: kept
    )
    assert dead.nats == 0 and dead.estimate < 0.1


def code(x: np.ndarray) -> np.ndarray:
    """One of two answers, wrong once in a hundred: two draws of few points are mostly the same."""
    right = RNG.random((len(x), 1)) > 0.01
    return np.where(right, np.sign(x), -np.sign(x))


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("model", [code, lambda x: noisy(x, 0.01)], ids=["code", "noise"])
def test_few_points_may_look_alike_by_chance(n: int, model: Model) -> None:
    points = np.linspace(-1, 1, n)[:, None] + 0.01
    assert certify(model, points, clusters=1, draws=1000).verdict == "certified"


@pytest.mark.slow
def test_a_narrow_posterior_is_no_mean() -> None:
    """Linear, βσ² = 1e-8: two draws are nearer together than a millionth of δ."""
    points = np.zeros((300, 4))
    points[:, 0] = POINTS[:, 0]
    posterior = points[:, :1], np.full((300, 1), np.log(1e-8))

    def reconstruct(x: np.ndarray) -> np.ndarray:
        return x + np.eye(1, 4) * RNG.normal(0, 1e-4, (len(x), 1))

    found = certify(
        reconstruct, points, posterior=lambda x: (x[:, :1], np.full((len(x), 1), np.log(1e-8)))
    )
    assert found.verdict == "certified" and found.kl > 9
    drawn = np.stack([reconstruct(points) for _ in range(8)])
    seen = diagnose_arrays(
        points, reconstructions=drawn, mean=posterior[0], log_variance=posterior[1], clusters=3
    )
    assert seen.certificate is not None and not seen.findings


def test_draws_of_a_narrow_unknown_posterior_are_no_means() -> None:
    """z tells each of 300 points apart, with noise of a ten-thousandth of its spread."""
    z = np.arange(300.0)[:, None] + 0.01 * RNG.normal(size=(4, 300, 1))
    assert not diagnose_arrays(POINTS, z=z, labels=LABELS).findings
    assert "are the same" in diagnose_arrays(POINTS, z=np.stack([z[0]] * 4)).findings[0]


@pytest.mark.slow
def test_a_point_far_out_makes_no_mean_of_a_sample() -> None:
    points = POINTS.copy()
    points[7] = 1e4
    assert usual_scale(points) == pytest.approx(4, rel=0.2)
    assert usual_scale(np.eye(300, 4)[:, :1]) > 0  # all but one are the same
    certify(noisy, points, clusters=3, draws=16)
    drawn = np.stack([noisy(points) for _ in range(4)])
    assert not diagnose_arrays(points, reconstructions=drawn, clusters=3).findings


def test_a_kl_without_information_lets_nothing_through() -> None:
    """All posteriors are N(3, 1): 18 nats of KL, none of I(x; z), whatever the answers are."""

    def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full_like(x, 3.0), np.zeros_like(x)

    with pytest.raises(RequestError, match="I\\(x; z\\) of the posterior is 0 nats"):
        certify(noisy, POINTS, posterior=posterior, clusters=3, draws=16)
    mean, log_variance = posterior(POINTS)
    drawn = np.stack([noisy(POINTS) for _ in range(8)])
    seen = diagnose_arrays(
        POINTS, reconstructions=drawn, mean=mean, log_variance=log_variance, clusters=3
    )
    assert seen.verdict == "collapsed" and any(
        "not sampled from it" in one for one in seen.findings
    )
    z = 3 + np.sign(POINTS[:, :1]) * np.abs(RNG.normal(size=(4, 300, 1)))  # noise knows the class
    seen = diagnose_arrays(
        POINTS,
        z=z,
        mean=mean[:, :1],
        log_variance=log_variance[:, :1],
        labels=POINTS[:, 0] > 0,
    )
    assert any("z was not sampled from it" in one for one in seen.findings)


def test_limits_of_few_draws_leave_what_shared_noise_may_do() -> None:
    """Four draws, whose rows share some noise, not so much that it shows in them."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, size=(20_000, 2))
    scales = 0.3 * np.array([0.993, 0.999, 1.001, 1.007])[:, None, None]
    drawn = points + scales * rng.normal(size=(4, *points.shape))
    losses = np.square(drawn - points).sum(axis=2)
    answers = iter(drawn)
    found = measure_losses(lambda: next(answers), points, (0.0, 1.5), 0.6, draws=4)
    assert not found.shared_noise and not rows_share_noise(losses)
    # Projected answers vary a little less. Of single values alone it is 0.0029.
    assert found.limit - found.projected > 0.8 * few_draws_margin(losses) > 0.0032


def test_a_nearly_constant_model_must_sample_too() -> None:
    """A thousandth of the points, without noise: its loss is .2 % below δ, and nothing samples."""
    with pytest.raises(RequestError, match="decodes posterior means"):
        certify(lambda x: 9e-4 * x, POINTS, clusters=3, draws=16)
