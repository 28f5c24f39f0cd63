"""Laws of the certificate without a decoder: its floor is one, and a Bayes head reaches I(c;z)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from svae_core import certify_encoder
from svae_core.clinic.witness import witness
from svae_core.config.fields import RequestError
from svae_core.distributions.simplex_code import code_of, corners

RNG = np.random.default_rng(0)
CENTRES = 6 * np.eye(4)
LABELS = np.arange(400) % 4
POINTS = CENTRES[LABELS] + RNG.standard_normal((400, 4))


def noisy(scale: float, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """q(z|x) = N(scale·x, I)."""
    rng = np.random.default_rng(seed)
    return lambda x: scale * x + rng.standard_normal(x.shape)


def information(mean: np.ndarray, draws: int = 4) -> tuple[float, float]:
    """I(x;z) of N(mean, I) over these points by the aggregate posterior, and its error."""
    rng, terms = np.random.default_rng(9), []
    for _ in range(draws):
        z = mean + rng.standard_normal(mean.shape)
        gaps = -0.5 * ((z[:, None] - mean[None]) ** 2).sum(-1)
        terms.append(np.diag(gaps) - np.log(np.exp(gaps).mean(1)))
    found = np.concatenate(terms)
    return float(found.mean()), float(found.std() / np.sqrt(len(found)))


def binary_information(a: float) -> float:
    """I(c;z) of z = ±a + N(0, 1), both signs equally likely."""

    def density(z: float) -> float:
        p = 0.5 * (np.exp(-0.5 * (z - a) ** 2) + np.exp(-0.5 * (z + a) ** 2)) / np.sqrt(2 * np.pi)
        return float(-p * np.log(p))

    entropy, _ = integrate.quad(density, -a - 12, a + 12, limit=200)
    return entropy - 0.5 * np.log(2 * np.pi * np.e)


@pytest.mark.parametrize("a", [0.3, 1.0, 2.0])
def test_a_bayes_head_reaches_the_closed_form_of_two_clusters(a: float) -> None:
    points = np.repeat([[-1.0], [1.0]], 4000, axis=0)
    rng = np.random.default_rng(1)

    def head(z: np.ndarray) -> np.ndarray:
        right = 1 / (1 + np.exp(-2 * a * z[:, 0]))
        return np.column_stack([1 - right, right])

    found = certify_encoder(
        lambda x: a * x + rng.standard_normal(x.shape),
        points,
        labels=points[:, 0] > 0,
        head=head,
    )
    exact = binary_information(a)
    # The mixture with the uniform answer costs up to .01 nats of its own.
    assert found.estimate == pytest.approx(exact, rel=0.02, abs=0.01)
    assert found.nats <= exact + 0.01 and found.nats <= found.estimate


@pytest.mark.slow
@settings(max_examples=6)
@given(st.floats(0.0, 1.0), st.integers(0, 1000))
def test_it_never_exceeds_the_information(scale: float, seed: int) -> None:
    found = certify_encoder(noisy(scale, seed), POINTS, LABELS, seed=seed)
    exact, error = information(scale * POINTS)
    assert found.nats <= exact + 4 * error + 1e-9
    assert found.nats <= found.entropy


@pytest.mark.slow
def test_discrete_codes() -> None:
    """A codebook that merges two of four classes passes ln 4 − ½ ln 2 nats, and loses none more."""
    merged = np.array([0, 1, 2, 2])
    nearest = lambda x: ((x[:, None] - CENTRES[None]) ** 2).sum(-1).argmin(1)  # noqa: E731
    found = certify_encoder(
        lambda x: np.eye(3)[merged[nearest(x)]], POINTS, LABELS, deterministic=True
    )
    exact = np.log(4) - 0.5 * np.log(2)
    assert exact - 0.2 < found.nats <= exact + 1e-9
    np.testing.assert_allclose(found.confusion[2, 2:], 0.5, atol=0.06)
    assert found.lost == ()


@pytest.mark.slow
def test_a_dead_encoder_and_a_lost_class_are_named() -> None:
    rng = np.random.default_rng(0)
    dead = certify_encoder(lambda x: rng.standard_normal((len(x), 3)), POINTS, LABELS)
    assert dead.nats == 0 and dead.sentence.startswith("Not certified")
    # Class 3 gets the latents of any class.
    said = certify_encoder(
        lambda x: np.where(x[:, 3:] > 3, rng.permutation(x), x) + rng.standard_normal(x.shape),
        POINTS,
        LABELS,
    )
    assert said.class_nats[3] == said.class_nats.min() and said.nats > 0.3


@pytest.mark.slow
def test_an_encoder_cannot_gain_by_row_numbers() -> None:
    rng = np.random.default_rng(0)
    held: dict[int, np.ndarray] = {}

    def by_row(x: np.ndarray) -> np.ndarray:
        codes = held.setdefault(len(x), np.arange(len(x))[:, None] * 1.0)
        return codes + rng.standard_normal((len(x), 1))

    ordered = np.sort(LABELS)
    assert certify_encoder(by_row, POINTS[np.argsort(LABELS)], ordered).nats == 0


def test_what_cannot_be_certified_is_refused() -> None:
    with pytest.raises(RequestError, match="gives means and no samples"):
        certify_encoder(lambda x: x, POINTS)
    with pytest.raises(RequestError, match="one row for each"):
        certify_encoder(lambda x: x[:-1], POINTS)
    with pytest.raises(RequestError, match="give one label for each"):
        certify_encoder(noisy(1.0), POINTS, LABELS[:-1])
    with pytest.raises(RequestError, match="clusters is -1, but must be a whole number"):
        certify_encoder(noisy(1.0), POINTS, clusters=-1)
    with pytest.raises(RequestError, match="lists of different lengths"):
        certify_encoder(noisy(1.0), POINTS, [[1], [1, 2]])
    with pytest.raises(RequestError, match="masked array"):
        certify_encoder(noisy(1.0), POINTS, np.ma.masked_equal(LABELS, 1))


def test_a_simplex_code_gives_the_teacher_back() -> None:
    teacher = RNG.dirichlet(np.ones(5), size=50)
    vertices = corners(5)
    np.testing.assert_allclose(vertices @ vertices.T, 1.25 * np.eye(5) - 0.25, atol=1e-12)
    logits = code_of(np.log(teacher), vertices, 1.0) @ vertices.T
    answers = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(answers, teacher, atol=1e-12)


def test_the_mean_says_all_where_samples_say_nothing() -> None:
    logits = -0.5 * ((POINTS[:, None] - CENTRES[None]) ** 2).sum(-1) / 3
    teacher = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    small = witness(teacher, 0.01)
    assert small.by_mean > 0.9 * small.teacher > 1.0
    assert small.by_samples < 0.03 and small.information < 0.03
    large = witness(teacher, 1.0)
    assert large.by_samples <= large.information + 0.1 and large.information > 0.5
