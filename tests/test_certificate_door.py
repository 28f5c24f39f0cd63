"""Nobody gets a certificate that is not true: adversaries are refused or not certified.

Each test here fails on a certificate that trusts the model with the caller's own array, with a
fixed order of rows or with a normal margin.
"""

from __future__ import annotations

import dataclasses
from itertools import chain, cycle, pairwise

import numpy as np
import pytest
import torch
from adversaries import ADVERSARIES, POINTS, Case
from honest_models import HONEST

from svae_core import certify
from svae_core.certificate import specific_floor
from svae_core.certificate.certify import measure, reference
from svae_core.records import Certificate, RequestError


def outcome(case: Case) -> Certificate | RequestError:
    """A certificate, or the sentence of its refusal."""
    reconstruct, posterior = case.make(np.random.default_rng(7))
    try:
        return certify(
            reconstruct, POINTS.copy(), posterior=posterior, clusters=3, draws=case.draws
        )
    except RequestError as refusal:
        return refusal


@pytest.mark.slow
@pytest.mark.parametrize("case", ADVERSARIES, ids=lambda case: case.name)
def test_an_adversary_is_refused_or_not_certified(case: Case) -> None:
    torch.manual_seed(0)
    found = outcome(case)
    if case.refused:
        assert isinstance(found, ValueError), found
        assert case.refused in str(found)
        assert str(found).endswith(".") and ". " not in str(found)
    else:
        assert isinstance(found, Certificate), found
        assert found.verdict in ("not certified", "collapsed")


@pytest.mark.slow
@pytest.mark.parametrize("case", HONEST, ids=lambda case: case.name)
def test_an_honest_model_is_certified(case: Case) -> None:
    torch.manual_seed(0)
    found = outcome(case)
    assert isinstance(found, Certificate), found
    assert found.verdict == "certified"
    assert found.loss_limit < found.delta


@pytest.mark.slow
def test_the_caller_s_points_are_left_as_they_were() -> None:
    points = POINTS.copy()
    torch_points = torch.from_numpy(points.copy())
    rng = np.random.default_rng(0)

    def spoil(x: np.ndarray) -> np.ndarray:
        answer = x + rng.normal(0, 0.3, x.shape)
        x[:] = 1e9
        return answer

    assert certify(spoil, points, clusters=3).verdict == "certified"
    assert certify(spoil, torch_points, clusters=3).verdict == "certified"
    np.testing.assert_array_equal(points, POINTS)
    np.testing.assert_array_equal(torch_points.numpy(), POINTS)


@pytest.mark.slow
def test_every_call_has_another_order_and_a_posterior_too() -> None:
    rng, seen, asked = np.random.default_rng(0), [], []

    def reconstruct(x: np.ndarray) -> np.ndarray:
        seen.append(x.copy())
        return x + rng.normal(0, 0.3, x.shape)

    def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(x.copy())
        return 3 * x, np.full(x.shape, -2.0)

    certify(reconstruct, POINTS, posterior=posterior, clusters=3, draws=8)
    assert len(seen) == 11 and len(asked) == 2
    np.testing.assert_array_equal(seen[0], seen[1])  # once, to tell a fixed seed
    for calls in (seen[1:], asked):
        for one, other in pairwise(calls):
            assert not np.array_equal(one, other)
        for one in calls:
            np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(POINTS, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("offset", [1e6, -3e8])
def test_points_far_from_the_origin_lose_no_accuracy(offset: float) -> None:
    points = POINTS.astype(np.float64)

    def ask(shift: float) -> Certificate:
        rng = np.random.default_rng(2)
        return certify(lambda x: x + rng.normal(0, 0.3, x.shape), points + shift, clusters=3)

    near, far = ask(0.0), ask(offset)
    assert far.verdict == near.verdict == "certified"
    assert far.delta == pytest.approx(near.delta, rel=1e-6)
    assert far.loss == pytest.approx(near.loss, rel=1e-6)
    assert far.floors.proved == pytest.approx(near.floors.proved, rel=1e-3)


@pytest.mark.slow
def test_huge_rare_errors_are_reported_and_harmless() -> None:
    """D is above δ, D′ is not: the projected answers, a function of them, carry the nats."""
    rng = np.random.default_rng(3)

    def reconstruct(x: np.ndarray) -> np.ndarray:
        answer = x + rng.normal(0, 0.3, x.shape)
        answer[rng.random(len(x)) < 1e-3] += 1e4
        return answer

    found = certify(reconstruct, POINTS, clusters=3)
    assert found.verdict == "certified"
    assert found.loss > found.delta > found.loss_limit > found.loss_projected
    assert "projected" in found.sentence


@pytest.mark.slow
def test_more_draws_are_made_where_the_answer_is_open() -> None:
    """D′ = 0.9993 δ: nearer than the first margin, wider than the last."""
    rng = np.random.default_rng(4)

    def seldom(x: np.ndarray) -> np.ndarray:
        return np.where(rng.random((len(x), 1)) < 7e-4, x, x.mean(axis=0))

    found = certify(seldom, POINTS, clusters=3)
    assert found.verdict == "certified" and found.draws > -(-65_536 // len(POINTS))
    few = certify(seldom, POINTS, clusters=3, draws=300)
    assert few.verdict == "not certified" and few.draws == 300
    assert "needs more draws" in few.sentence


@pytest.mark.slow
def test_far_log_variances_leak_no_warnings(recwarn: pytest.WarningsRecorder) -> None:
    rng = np.random.default_rng(5)

    def reconstruct(x: np.ndarray) -> np.ndarray:
        return x + rng.normal(0, 0.3, x.shape)

    def lost(x: np.ndarray) -> np.ndarray:
        return rng.normal(0, 0.3, x.shape)  # as nothing passes through posteriors of variance e⁶⁰

    for level in (-1000.0, -60.0, 60.0):
        found = certify(
            reconstruct if level < 0 else lost,
            POINTS,
            posterior=lambda x, level=level: (x, np.full(x.shape, level, np.float32)),
            clusters=3,
            draws=8,
        )
        assert np.isfinite(found.kl) and np.isfinite(found.mutual_information)
        assert found.mutual_information <= found.mi_ceiling + 1e-9
        if level < 0:
            assert found.mutual_information == pytest.approx(found.mi_ceiling)
    with pytest.raises(RequestError, match="log-variances reach 1000"):
        certify(reconstruct, POINTS, posterior=lambda x: (x, np.full(x.shape, 1000.0)), draws=8)
    assert not [str(item.message) for item in recwarn if item.category is RuntimeWarning]


@pytest.mark.slow
def test_the_information_has_its_error() -> None:
    rng = np.random.default_rng(6)
    found = certify(
        lambda x: x + rng.normal(0, 0.3, x.shape),
        POINTS,
        posterior=lambda x: (x, np.zeros(x.shape)),
        clusters=3,
        draws=8,
    )
    assert 0.01 < found.mutual_information_error < 1.0


@pytest.mark.slow
def test_noise_shared_by_rows_proves_nothing_of_clusters_and_widens_the_margin() -> None:
    rng = np.random.default_rng(8)
    shared = certify(lambda x: x + rng.normal(0, 0.3, (1, x.shape[1])), POINTS, clusters=3)
    own = certify(lambda x: x + rng.normal(0, 0.3, x.shape), POINTS, clusters=3)
    assert shared.cluster_floor == 0.0 < own.cluster_floor
    assert shared.loss_margin > 3 * own.loss_margin


@pytest.mark.slow
@pytest.mark.parametrize("whole", [0, 2])
def test_noise_shared_by_rows_proves_nothing_by_the_few_draws_that_many_points_allow(
    whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of all calls fail; a quarter of certificates would see none that does."""
    monkeypatch.setattr(specific_floor, "BUDGET", 1.0)
    monkeypatch.setattr(specific_floor, "_FEWEST", len(POINTS) * whole or len(POINTS) // 2)
    against = dataclasses.replace(reference(POINTS, None, 3), population_lambdas=np.array([1.0]))
    works = chain([True] * 5, cycle([False, True]))
    rng = np.random.default_rng(9)

    def draw() -> np.ndarray:
        return next(works) * against.points + rng.normal(0, 0.01, against.points.shape)

    found = measure(against, draw, draws=60)
    assert found.floors.specific == 0.0 and found.floors.population is None
