"""The model-specific floor, its limits and the population floor against channels known exactly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pytest

from svae_core.certificate import specific_floor as specific
from svae_core.certificate.bernstein import bernstein_lower
from svae_core.certificate.certify import certify
from svae_core.certificate.html import certificate_page
from svae_core.certificate.information_floors import covariance_spectrum, floor_curves
from svae_core.certificate.population_floor import (
    PopulationFloor,
    candidate_lambdas,
    population_floor,
)
from svae_core.certificate.specific_floor import SpecificMeter, specific_floor
from svae_core.records import Budget, FloorCurves, Floors, Settings
from svae_core.training import loop

LAMBDAS = np.geomspace(0.05, 60, 100)


class Channel:
    """Points that are answered with points: x̂ = x_j with probability Q[i, j]; all exact."""

    def __init__(self, points: np.ndarray, chances: np.ndarray) -> None:
        self.points, self.chances = points, chances
        output = chances.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(chances > 0, chances * np.log(chances / output), 0.0)
        self.information = max(0.0, float(terms.sum(axis=1).mean()))

    def draws(self, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        steps = self.chances.cumsum(axis=1)
        for _ in range(count):
            chosen = (rng.random((len(steps), 1)) > steps).sum(axis=1)
            yield self.points[np.minimum(chosen, len(steps) - 1)]


def random_channel(rng: np.random.Generator) -> Channel:
    """Near points are likelier answers, to a random degree; or answers know nothing of points."""
    n, d = rng.integers(5, 40), rng.integers(1, 6)
    points = rng.normal(size=(n, d))
    gaps = ((points[:, None] - points) ** 2).sum(axis=-1)
    weights = np.exp(-rng.choice([0, 0.3, 1, 4]) * gaps) * rng.gamma(0.5, size=n)
    return Channel(points, weights / weights.sum(axis=1, keepdims=True))


@pytest.mark.slow
def test_never_above_the_information_of_a_hundred_channels() -> None:
    """Each limit may fail once in a hundred, and in fact hardly ever does."""
    rng = np.random.default_rng(1)
    above = 0
    for _ in range(100):
        channel = random_channel(rng)
        found = specific_floor(channel.points, channel.draws(40, rng), LAMBDAS)
        assert 0 <= found.nats <= math.log(len(channel.points))
        above += found.nats > channel.information
    assert above <= 1


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 40])
def test_limit_holds_where_the_floor_is_the_information_itself(rows: int) -> None:
    """A bit through a symmetric channel, where f = −λ‖x − x̂‖² is the best of all critics: the

    mean of v is I(x; x̂) = log 2 − h(p), so the limit alone keeps the floor below it.
    """
    p, rng = 0.1, np.random.default_rng(2)
    points = np.tile([[1.0], [-1.0]], (rows // 2, 1))
    gaps = (points != points.T).astype(float)
    chances = np.where(gaps > 0, p, 1 - p) / (rows / 2)
    channel = Channel(points, chances)
    exact = math.log(2) + p * math.log(p) + (1 - p) * math.log(1 - p)
    assert channel.information == pytest.approx(exact)
    found = [
        specific_floor(points, channel.draws(80, rng), LAMBDAS, error=0.1).nats for _ in range(200)
    ]
    assert np.mean(np.array(found) > exact) <= 0.1
    many = specific_floor(points, channel.draws(6000, rng), LAMBDAS)
    assert many.nats == pytest.approx(exact, abs=0.1)


def test_answers_that_know_nothing_or_all() -> None:
    rng = np.random.default_rng(3)
    points = 10 * np.eye(50)
    nothing = Channel(points, np.full((50, 50), 0.02))
    assert specific_floor(points, nothing.draws(40, rng), LAMBDAS).nats == 0.0
    everything = specific_floor(points, (points for _ in range(400)), LAMBDAS)
    assert everything.nats == pytest.approx(math.log(50), abs=0.05)
    assert everything.nats <= math.log(50)


def test_rare_wild_answers_cost_little_and_origin_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    channel = random_channel(rng)
    draws = list(channel.draws(400, rng))
    plain = specific_floor(channel.points, draws, LAMBDAS)
    far = specific_floor(channel.points + 1e6, [draw + 1e6 for draw in draws], LAMBDAS)
    assert far.nats == pytest.approx(plain.nats, abs=1e-2)
    for draw in draws[20::50]:
        draw[0] = 1e30
    wild = specific_floor(channel.points, draws, LAMBDAS)
    assert plain.nats - 0.1 <= wild.nats <= plain.nats + 1e-3


def test_rows_that_share_noise_are_not_taken_for_a_large_sample() -> None:
    """All rows right or all wrong together: eleven draws say nothing of the mean."""
    rng = np.random.default_rng(5)
    points = 5 * np.eye(400)
    draws = [points if rng.random() < 0.7 else np.roll(points, 1, axis=0) for _ in range(12)]
    assert specific_floor(points, draws, LAMBDAS).nats == 0.0


def test_one_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="more draws"):
        specific_floor(np.eye(70), [np.eye(70)], LAMBDAS)
    with pytest.raises(ValueError, match="more draws"):
        specific_floor(np.eye(4), [np.eye(4)] * 16, LAMBDAS)
    with pytest.raises(ValueError, match="more draws"):
        specific_floor(np.eye(4), [], LAMBDAS)


def test_the_number_of_draws_is_fixed_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specific, "_MOST", 500)
    rng = np.random.default_rng(6)
    channel = Channel(np.eye(100), np.full((100, 100), 0.01))
    meter = SpecificMeter(channel.points, LAMBDAS)
    for draw in channel.draws(20, rng):
        meter.add(draw)
    assert meter.floor().answers == 400  # five draws make 500 answers; the first one chose


@pytest.mark.slow
def test_many_points_are_answered_by_strata_of_two_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of answers is told, no row comes twice in a draw, and each is equally likely."""
    counts, rng = np.zeros(70), np.random.default_rng(7)
    for _ in range(4000):
        pair = specific._strata(70, 30, rng)
        assert all(len(set(rows)) == len(rows) for rows in pair)
        np.add.at(counts, np.concatenate(pair), 1)
    assert np.all(np.abs(counts - 4000 * 30 / 70) < 6 * math.sqrt(4000 * 30 / 70))
    monkeypatch.setattr(specific, "_FEWEST", 1500)
    monkeypatch.setattr(specific, "BUDGET", 1.0)
    points = np.kron(np.eye(4), np.ones((600, 1)))
    found = specific_floor(points, [points] * 5, 5 * LAMBDAS)
    assert found.answers == 1500
    assert 1.2 < found.nats <= math.log(4)
    half = SpecificMeter(points, LAMBDAS)
    for draw in [points] * 2:
        half.add(draw)
    assert half.floor().nats == 0.0  # half of the strata are no sample


@pytest.mark.parametrize("law", ["rare", "two-valued", "of many laws"])
def test_bernstein_limits_hold(law: str) -> None:
    rng = np.random.default_rng(8)
    fails = 0
    for _ in range(300):
        if law == "rare":
            values, mean = 5.0 * (rng.random(500) < 2e-3), 5 * 2e-3
        elif law == "two-valued":
            values, mean = np.where(rng.random(500) < 0.5, 0.0, 5.0), 2.5
        else:
            centres = np.linspace(0, 4, 500)
            values, mean = centres + rng.random(500), float(centres.mean()) + 0.5
        fails += bernstein_lower(values, 0.0, 5.0, 0.05) > mean
    assert fails <= 15


def test_bernstein_limit_of_too_few_values_is_the_bound() -> None:
    assert bernstein_lower(np.array([3.0]), 1.0, 5.0, 0.01) == 1.0


@pytest.mark.slow
def test_certificates_carry_the_model_specific_floor() -> None:
    """Copies of far clusters with noise: the floor is near the entropy and never above it."""
    rng = np.random.default_rng(13)
    points = np.repeat(8 * np.eye(5), 40, axis=0) + 0.1 * rng.normal(size=(200, 5))
    found = certify(lambda x: x + rng.normal(size=x.shape), points, clusters=5, draws=40)
    assert found.floors.specific is not None
    assert 1.3 < found.floors.specific <= found.mi_ceiling
    assert found.floors.specific > found.floors.proved
    assert found.floors.specific_answers == 39 * 200
    assert found.floors.population is None
    page = certificate_page(found)
    assert f"{found.floors.specific:.4f} nats" in page and "99 % confidence" in page
    older = dataclasses.replace(found, floors=Floors(0.1, 0.2, 0.3))
    assert "not measured" in certificate_page(older)


@pytest.mark.slow
def test_trained_models_carry_no_more_than_was_measured_by_other_means() -> None:
    """Ten short runs: never above I(x; z) by the aggregate posterior and three of its errors."""
    for seed in range(10):
        method = ("spherical", "baseline", "sigma_vae")[seed % 3]
        settings = Settings(dataset="wine", clusters=3, method=method, epochs=30, seed=seed)
        state = loop.begin((settings,))
        while not loop.finished(state):
            state = loop.advance(state, Budget(seconds=30, frames=False)).state
        (found,) = loop.certify(state)
        assert found.floors.specific is not None
        error = 3 / math.sqrt(found.n_points)  # log-ratios of single points vary by about a nat
        assert found.floors.specific <= found.mutual_information + error
        assert found.floors.specific <= found.kl


# -------------------------------------------------------------------------------- population


def population_curves(points: np.ndarray) -> FloorCurves:
    delta = float(points.var(axis=0).sum())
    centroids = points[:1].astype(np.float64)
    spectrum = covariance_spectrum(points)
    return floor_curves(
        points, centroids, np.array([len(points)]), (0.0, 1.0), delta, delta / 4, spectrum
    )


def corners(n: int, rng: np.random.Generator) -> np.ndarray:
    """Points of a population that is exactly known: eight corners, equally likely."""
    return np.asarray(np.eye(8)[rng.integers(8, size=n)])


@pytest.mark.slow
def test_population_floor_holds_for_a_population_known_exactly() -> None:
    """Answers are right but for a tenth, another corner: I = log 8 − h(.1) − .1 log 7."""
    rng = np.random.default_rng(9)
    wrong = 0.1
    exact = math.log(8) + 0.9 * math.log(0.9) + wrong * math.log(wrong / 7)
    lambdas = candidate_lambdas(population_curves(corners(500, rng)), 2 * wrong)
    found = []
    for n in (100, 1_000, 8_000):
        points = corners(n, rng)
        losses = 2.0 * (rng.random((n, 8)) < wrong).mean(axis=1)
        found.append(population_floor(losses, 4.0, population_curves(points), lambdas))
    assert found[0].nats == 0.0 and found[0].more_points > 0
    assert 0 < found[1].nats < found[2].nats <= exact
    assert "more points" in found[0].sentence and "nats pass" in found[2].sentence


@pytest.mark.slow
def test_number_of_points_that_is_asked_for_is_about_enough() -> None:
    rng = np.random.default_rng(10)
    lambdas = candidate_lambdas(population_curves(corners(500, rng)), 0.2)

    def measured(n: int) -> PopulationFloor:
        losses = 2.0 * (rng.random((n, 8)) < 0.1).mean(axis=1)
        return population_floor(losses, 4.0, population_curves(corners(n, rng)), lambdas)

    asked = 60 + measured(60).more_points
    assert measured(round(1.5 * asked)).nats > 0
    assert measured(round(0.5 * asked)).nats == 0


def test_no_number_of_points_helps_a_collapsed_model() -> None:
    rng = np.random.default_rng(11)
    points = corners(300, rng)
    curves = population_curves(points)
    found = population_floor(np.full(300, 2.0), 4.0, curves, candidate_lambdas(curves, 0.2))
    assert found == PopulationFloor(0.0, 0) and "no number" in found.sentence


def test_deviation_of_kernel_means_is_within_its_limit() -> None:
    """sup over all y of E k − E_n k, for the corners: y at a corner is the worst in the ball."""
    rng = np.random.default_rng(12)
    n, eta, fails = 200, 0.05, 0
    limit = (1 + math.sqrt(math.log(1 / eta))) / math.sqrt(n)
    exact = np.full(8, (1 + 7 * math.exp(-4)) / 8)
    for _ in range(400):
        shares = corners(n, rng).mean(axis=0)
        empirical = shares + (1 - shares) * math.exp(-4)
        fails += float((exact - empirical).max()) > limit
    assert fails <= 400 * eta
