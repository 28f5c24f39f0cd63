"""Collapse losses and the band."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.geometry.region import (
    applicable_definition,
    collapse_losses,
    describe_target,
    feasible_region,
    lower_excess,
    penalty_weight,
    require_band,
    target,
)
from svae_core.records import RequestError


def region(within=0.5, total=1.0, mean_norm=0.1, loss="shell", band=(0.0, 0.5)):
    return feasible_region(
        within=within,
        total=total,
        mean_norm=mean_norm,
        r_min=0.8,
        r_max=1.2,
        collapse_loss=loss,
        band=band,
        lower_edge=True,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 3))
def test_shell_loss_is_the_best_constant_on_the_shell(seed, dim):
    """Against brute force: random shell points, none of which may do better."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(30, dim)) + rng.normal(size=dim)
    data *= rng.uniform(0.8, 1.2, size=(30, 1)) / np.linalg.norm(data, axis=1, keepdims=True)
    mean = data.mean(axis=0)
    total = ((data - mean) ** 2).sum(axis=1).mean()
    losses = collapse_losses(total / 2, total, float(np.linalg.norm(mean)), 0.8, 1.2)
    tried = rng.normal(size=(4000, dim))
    tried *= rng.uniform(0.8, 1.2, size=(4000, 1)) / np.linalg.norm(tried, axis=1, keepdims=True)
    tried[0] = mean / np.linalg.norm(mean) * np.clip(np.linalg.norm(mean), 0.8, 1.2)
    brute = ((data[:, None] - tried) ** 2).sum(axis=2).mean(axis=0)
    assert brute.min() >= losses["shell"] - 1e-9
    assert brute[0] == pytest.approx(losses["shell"])
    assert losses["between"] <= losses["free"] <= losses["shell"]


@given(
    st.floats(0, 0.99), st.floats(0.001, 1), st.floats(0, 0.98), st.sampled_from(["shell", "free"])
)
def test_the_band_lies_between_w_and_delta(within, extra, a, loss):
    b = (a + 1) / 2
    found = region(within=within, total=within + extra, loss=loss, band=(a, b))
    assert found.within <= found.lo < found.hi < found.delta
    for error in (0.0, 0.01, 10.0):
        aim = target(found.lo, found.hi, found.delta - found.within, error)
        assert found.lo < aim < found.hi


def test_an_empty_band_is_named_and_explained():
    found = region(within=0.512, total=0.948, loss="between")
    assert found.empty and math.isnan(found.lo) and math.isnan(found.hi)
    assert "The band is empty" in found.explanation and "0.512" in found.explanation
    with pytest.raises(RequestError, match="empty"):
        require_band(found)
    assert region(within=1.0, total=1.0, loss="free").empty  # one cluster
    assert not region(within=0.4, total=1.0, loss="between").empty


def test_the_shell_definition_needs_a_projected_decoder():
    assert applicable_definition("shell", projected=True) == "shell"
    assert applicable_definition("shell", projected=False) == "free"
    assert applicable_definition("between", projected=False) == "between"


def test_the_weight_follows_beta_and_the_water_level():
    assert penalty_weight(2.0, 0.05) == pytest.approx(4 * 2.0 / 0.1)


@given(st.floats(1e-4, 1e4), st.floats(1e-4, 10), st.floats(1e-6, 1e4), st.floats(0, 100))
def test_the_lower_edge_outweighs_the_likelihood(beta, level, sigma2, strength):
    """w_lo = w + excess = κ·max(β/(2θ), 1/(2σ²)), and nothing is added where σ²β ≥ θ."""
    lower = penalty_weight(beta, level, strength) + lower_excess(beta, level, sigma2, strength)
    expected = strength * max(beta / (2 * level), 1 / (2 * sigma2))
    assert lower == pytest.approx(expected, rel=1e-9)
    if beta * sigma2 >= level * (1 + 1e-9):
        assert lower_excess(beta, level, sigma2, strength) == 0.0


def test_where_a_run_aims_is_said_with_its_reason():
    found = region(within=0.4, total=1.0, loss="free", band=(0.0, 0.5))
    assert "0.018 inside the upper edge 0.700: 3 % of the way" in describe_target(found, 0.001)
    assert "aims at a loss of 0.600, 0.100 inside" in describe_target(found, 0.05)
    assert "two standard errors" in describe_target(found, 0.05)
    assert "half the band" in describe_target(found, 5.0)
    assert describe_target(region(within=1.0, total=1.0, loss="free"), 0.1) == ""
