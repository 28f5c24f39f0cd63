"""Sample quality and diversity: what must come out where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svae_core.latent.sample_quality import Diversity, diversity, nearest
from svae_core.records import RequestError

RNG = np.random.default_rng(0)
MODES = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 40.0], [40.0, 40.0]])


def _cloud(modes: np.ndarray, each: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(modes), each, modes.shape[1]))
    return (modes[:, None] + noise).reshape(-1, modes.shape[1])


@given(st.integers(0, 10_000), st.integers(8, 60), st.integers(1, 12))
def test_identical_sets_are_perfect(seed: int, n: int, d: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    found = diversity(points, points.copy())
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    # Of its k neighbours each sample is in the ball of about k points, and in its own.
    assert found.density >= 1.0


@given(st.integers(0, 10_000), st.integers(8, 40))
def test_disjoint_sets_have_nothing_in_common(seed: int, n: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    assert diversity(points, points + 1e4) == Diversity(0.0, 0.0, 0.0, 0.0)


def test_two_samples_of_one_distribution_are_nearly_perfect() -> None:
    found = diversity(_cloud(MODES, 200, 1), _cloud(MODES, 200, 2))
    assert found.precision > 0.9 and found.recall > 0.9
    # Naeem et al., lemma 2: for equal distributions E coverage = 1 − Π (n−i)/(2n−i) ≈ 1 − 2^−k.
    assert found.coverage == pytest.approx(1 - 0.5**5, abs=0.03)
    assert found.density == pytest.approx(1.0, abs=0.05)


def test_dropping_a_mode_costs_diversity_and_not_quality() -> None:
    data = _cloud(MODES, 200, 1)
    whole, part = diversity(data, _cloud(MODES, 150, 2)), diversity(data, _cloud(MODES[:2], 300, 2))
    assert part.recall == pytest.approx(whole.recall / 2, abs=0.05)
    assert part.coverage == pytest.approx(whole.coverage / 2, abs=0.05)
    assert part.precision == pytest.approx(whole.precision, abs=0.05)
    assert part.density == pytest.approx(whole.density, abs=0.1)


def test_one_answer_for_everything_covers_next_to_nothing() -> None:
    """What a collapsed decoder gives: one point; in the middle of a mode it is even realistic."""
    data = _cloud(MODES, 200, 1)
    found = diversity(data, np.repeat(data[:1], 500, axis=0))
    assert found.precision == 1.0
    assert found.coverage < 0.03 and found.recall < 0.01


def test_noise_over_the_samples_costs_quality() -> None:
    data, samples = _cloud(MODES, 200, 1), _cloud(MODES, 200, 2)
    noisy = diversity(data, samples + 8 * RNG.normal(size=samples.shape))
    assert noisy.precision < 0.5 < diversity(data, samples).precision
    assert noisy.density < 0.2


@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_scale_and_order_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    data, samples = rng.normal(size=(40, 4)), 0.5 * rng.normal(size=(30, 4))
    found = diversity(data, samples)
    moved = diversity(rng.permutation(data) * scale, rng.permutation(samples) * scale)
    for name, value in vars(found).items():
        assert getattr(moved, name) == pytest.approx(value, abs=1e-9), name


def test_it_agrees_with_counting_one_by_one() -> None:
    data, samples = RNG.normal(size=(25, 3)), 1.3 * RNG.normal(size=(20, 3))

    def radius(points: np.ndarray, row: int, k: int) -> float:
        return float(np.sort(np.linalg.norm(points - points[row], axis=1))[k])

    gaps = np.array([[np.linalg.norm(s - x) for x in data] for s in samples])
    narrow = np.array([radius(data, row, 3) for row in range(25)])
    wide = np.array([radius(data, row, 5) for row in range(25)])
    own = np.array([radius(samples, row, 3) for row in range(20)])
    found = diversity(data, samples)
    assert found.precision == (gaps <= narrow).any(axis=1).mean()
    assert found.recall == (gaps <= own[:, None]).any(axis=0).mean()
    assert found.density == pytest.approx((gaps <= wide).sum() / (5 * 20))
    assert found.coverage == (gaps <= wide).any(axis=0).mean()


def test_too_few_points_are_refused_in_words() -> None:
    with pytest.raises(RequestError, match="There are 5 samples"):
        diversity(RNG.normal(size=(30, 2)), RNG.normal(size=(5, 2)))
    with pytest.raises(RequestError, match="data points"):
        diversity(RNG.normal(size=(3, 2)), RNG.normal(size=(50, 2)))


def test_nearest_is_the_nearest() -> None:
    data, points = RNG.normal(size=(50, 5)), RNG.normal(size=(9, 5))
    rows, gaps = nearest(data, points)
    table = np.linalg.norm(points[:, None] - data, axis=2)
    np.testing.assert_array_equal(rows, table.argmin(axis=1))
    np.testing.assert_allclose(gaps, table.min(axis=1), rtol=1e-6)
