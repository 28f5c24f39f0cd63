"""Laws of the forecast: the residual spectrum of exact linear states, and when it is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from svae_core.__main__ import main
from svae_core.certificate import residual_spectrum
from svae_core.certificate.residual_spectrum import forecast, residual_edge
from svae_core.clinic import moved_copies
from svae_core.records import Budget, Settings
from svae_core.training import loop

SPECTRUM = np.array([1.6, 1.25, 1, 0.85, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.06, 0.03])
C = 0.2
K = 8


def linear_state(
    n: int, active: int, seed: int, c: float = C
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Points whose covariance is the spectrum, and a linear VAE's best state with so many alive."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, len(SPECTRUM))) * np.sqrt(SPECTRUM)
    lam = SPECTRUM[:active]
    mean = np.zeros((n, K))
    mean[:, :active] = x[:, :active] * np.sqrt(lam - c) / lam
    variance = np.ones((n, K))
    variance[:, :active] = c / lam
    weights = np.zeros((K, len(SPECTRUM)))
    weights[range(active), range(active)] = np.sqrt(lam - c)
    return x, mean, variance, lambda z: z @ weights


@pytest.mark.parametrize(("n", "within"), [(4000, 0.02), (1000, 0.05)])
@pytest.mark.parametrize("active", [1, 2, 3, 4])
def test_the_next_birth_of_a_linear_state(active: int, n: int, within: float) -> None:
    """As a ratio to the largest dead eigenvalue of the points that were used."""
    ratios = []
    for seed in range(4):
        x, *rest = linear_state(n, active, seed)
        found = residual_edge(x, *rest, np.arange(active), seed)
        used = x[np.random.default_rng([seed, 83]).permutation(n)[:2000], active:]
        ratios.append(found.edge / np.linalg.eigvalsh(np.cov(used.T, bias=True))[-1])
    assert np.mean(ratios) == pytest.approx(1, abs=within)


def test_a_second_dimension_for_an_active_direction_is_no_birth() -> None:
    """At c = .6 dimension 5 repeats itself with c²/λ = .51, above the next dead one's .5."""
    x, *rest = linear_state(2000, 5, 0, c=0.6)
    assert residual_edge(x, *rest, np.arange(5)).edge == pytest.approx(0.5, rel=0.06)


def test_with_nothing_active_it_is_the_largest_eigenvalue() -> None:
    x, *rest = linear_state(1000, 0, 0)
    found = residual_edge(x, *rest, np.arange(0))
    exact = np.linalg.eigvalsh(np.cov(x.T, bias=True))[-1]
    assert found.edge == pytest.approx(exact, rel=0.01) and found.resolved


def test_the_next_death_of_a_linear_state() -> None:
    x, *rest = linear_state(2000, 3, 1)
    found = forecast(x, *rest, C, linear=True)
    assert found.active == (0, 1, 2) and found.birth_dimension == 3 and found.directions == 8
    assert found.death_dimension == 2 and found.death_above == pytest.approx(SPECTRUM[2], rel=0.05)
    assert "3 of 8 dimensions alive" in found.sentence and "next to die is 3" in found.sentence


def test_edges_are_claimed_of_linear_nets_alone() -> None:
    state = linear_state(2000, 3, 1, c=0.9)
    assert forecast(*state, 0.9, linear=True).birth_resolved
    guess = forecast(*state, 0.9)
    assert not guess.birth_resolved and not guess.death_resolved
    assert guess.sentence.count("(not resolved: a guess, from") == 2
    # A dead dimension whose edge is above βσ² is about to come alive: nothing has settled.
    assert not forecast(*state, 0.8, linear=True).birth_resolved


def test_a_collapsed_state_has_nothing_to_lose() -> None:
    x, *rest = linear_state(800, 0, 0)
    found = forecast(x, *rest, 1.9, linear=True)
    assert found.active == () and found.death_dimension is None and found.death_above == np.inf
    assert found.birth_below == pytest.approx(SPECTRUM[0], rel=0.15) and not found.death_resolved
    assert f"1 would come alive below βσ² = {found.birth_below:.2g}" in found.sentence


def test_edges_that_were_passed_are_called_so() -> None:
    """A model that has not settled: its next birth lies above βσ², or its next death below."""
    x, *rest = linear_state(2000, 3, 0)
    assert "should be coming alive already, as it does below" in forecast(x, *rest, 0.2).sentence
    passed = dataclasses.replace(forecast(x, *rest, C), death_above=C / 2)
    assert "3 should be dying already, as it does above" in residual_spectrum._sentence(passed)


def test_whether_one_more_latent_dimension_would_live() -> None:
    x, mean, variance, decode = linear_state(2000, 3, 0)
    few = mean[:, :3], variance[:, :3], lambda z: decode(np.pad(z, ((0, 0), (0, K - 3))))
    assert "keeps 3 of 3; one more would live" in forecast(x, *few, C).latents
    assert "keeps 3 of 3; one more would stay dead" in forecast(x, *few, 0.95).latents
    assert "a linear VAE keeps all 3 dimensions (8 could live)" in forecast(x, *few, C).latents


def test_few_points_are_not_resolved() -> None:
    x, *rest = linear_state(25, 3, 0)
    assert not residual_edge(x, *rest, np.arange(3)).resolved


@pytest.mark.slow
def test_the_command_forecasts_a_saved_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wine's eigenvalues are .328, .182, …: at βσ² = .25 one dimension lives, until .328."""
    how = "--dataset wine --arch linear --latent-dim 2 --method baseline --sigma2 0.25"
    slow = "--epochs 700 --learning-rate 0.01 --batch-size 178"
    assert main(["train", *how.split(), *slow.split(), "--save", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert main(["forecast", trained["run"], "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer.pop("method") == "baseline" and answer == trained["forecast"]
    assert len(answer["active"]) == 1
    assert answer["death_above"] == pytest.approx(0.3275, rel=0.02)
    assert answer["birth_below"] == pytest.approx(0.182, rel=0.05)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # From 2 at rest: a third from the second copy on, after half of the steps and after all.
        ([[0, 0, 1, 1], [0, 0, 1, 1]], (1.5, True)),
        ([[0, 0, 0, 1], [0, 0, 1, 1]], (1.5, True)),
        ([[0, 0, 0, 0], [0, 0, 1, 1]], (1.5, False)),  # slow: half of the steps did not find it
        ([[0, 1, 1, 1], [0, 0, 0, 1]], (2.5, False)),  # two places apart
        ([[0, 1, 1, 1], [0, 1, 0, 1]], (0.5, False)),  # a copy beyond it disagrees
        ([[0, 1, 0, 1], [0, 1, 1, 1]], (0.5, False)),  # … or did after half of the steps
        ([[0, 0, 0, 0], [0, 0, 0, 0]], (float("nan"), False)),
    ],
)
def test_where_copies_change(changed: list[list[int]], expected: tuple[float, bool]) -> None:
    factor, resolved = moved_copies._edge(np.array(changed))
    assert np.log(factor) / np.log(moved_copies.FACTOR) == pytest.approx(expected[0], nan_ok=True)
    assert resolved == expected[1]


@pytest.mark.slow
def test_copies_of_a_linear_run_find_the_next_eigenvalues() -> None:
    """Of wine .328 and .182, around .22."""
    settings = Settings(
        **{"dataset": "wine", "arch": "linear", "latent_dim": 2, "method": "baseline"},
        **{"sigma2": 0.22, "epochs": 1000, "learning_rate": 0.01, "batch_size": 178, "seed": 1},
    )
    state = loop.advance(loop.begin((settings,)), Budget(frames=False)).state
    tried = moved_copies.try_nearby(state, 1000)
    assert tried.alive == 1 and tried.birth_resolved and tried.death_resolved
    assert tried.birth_below == pytest.approx(0.182, rel=0.1)
    assert tried.death_above == pytest.approx(0.3275, rel=0.1)
    assert "another comes alive below βσ² = 0.1" in tried.sentence
    early = loop.advance(loop.begin((settings,)), Budget(steps=300, frames=False)).state
    unsettled = moved_copies.try_nearby(early, 1000)
    assert not unsettled.birth_resolved and not unsettled.death_resolved
    assert "train it on first" in unsettled.sentence


@pytest.mark.slow
def test_a_loss_with_a_guard_has_no_forecast(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = "--dataset wine --latent-dim 2 --epochs 1 --method spherical --save --json"
    assert main(["train", *how.split()]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["forecast"] is None
    assert main(["forecast", trained["run"]]) == 2
    assert "pick another --method" in capsys.readouterr().err


@pytest.mark.parametrize("d", [1, 2])
def test_where_the_codes_say_all_a_further_dimension_has_nothing_to_say(d: int) -> None:
    """As many dimensions alive as the points have: of linear nets, no birth at any βσ²."""
    x, mean, variance, decode = linear_state(400, d, 0)
    told = forecast(x[:, :d], mean, variance, lambda z: decode(z)[:, :d], C, linear=True)
    assert told.birth_below == 0 and len(told.active) == d
    assert "a further dimension would have nothing to say" in told.sentence
    assert told.latents.endswith("one more would stay dead.")
