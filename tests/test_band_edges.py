"""The lower edge of the band under a small σ², and runs that were saved under the first rule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.slopes import slopes_of

from svae_core.config.settings import settings_from_dict, settings_to_dict
from svae_core.methods import method_for
from svae_core.problem import prepared_data
from svae_core.records import Budget, RequestError, Settings
from svae_core.runs import folder as run
from svae_core.runs.manifest import ABOUT
from svae_core.training import loop

WINE = Settings(dataset="wine", clusters=3, sigma2=1e-3, epochs=150, device="cpu")


def ended(settings: Settings) -> tuple[float, float, float]:
    """lo, the measured loss, hi."""
    state = loop.advance(loop.begin((settings,)), Budget(frames=False)).state
    (found,) = loop.certify(state)
    return found.lo, found.loss, found.hi


@pytest.mark.slow
def test_wine_ends_inside_the_band_at_a_small_variance() -> None:
    lo, loss, hi = ended(WINE)
    # The likelihood pulls down all the way to lo, and no penalty pushes up inside the band.
    assert lo <= loss <= lo + 0.5 * (hi - lo)
    _, before, _ = ended(replace(WINE, penalty_rule=1))
    assert before < lo  # what the first rule let happen


def test_the_penalty_is_flat_inside_the_band() -> None:
    settings = replace(WINE, epochs=1)
    method, prepared = method_for(settings), prepared_data(settings)
    fixed = method.constants(prepared, settings)
    assert fixed["lower_weight"] > fixed["weight"]
    half = 1 / (2 * settings.sigma2)
    weight, lower, upper = fixed["weight"], fixed["lower"], fixed["upper"]
    slopes = (
        (0.9 * lower, half - fixed["lower_weight"]),
        ((lower + upper) / 2, half),
        (1.1 * upper, half + weight),
    )
    for loss, slope in slopes:
        found = slopes_of(method, fixed, loss=loss, sigma2=settings.sigma2)
        assert found.by_loss + found.by_distortion == pytest.approx(slope, rel=1e-5)


def test_nothing_changes_bit_for_bit_where_the_likelihood_is_the_gentler() -> None:
    quick = replace(WINE, epochs=3)
    level = prepared_data(quick).water_level
    for sigma2, same in ((2 * level, True), (level / 2, False)):
        runs = [
            loop.advance(loop.begin((replace(quick, sigma2=sigma2, penalty_rule=rule),))).state
            for rule in (1, 2)
        ]
        equal = np.array_equal(runs[0].parameters, runs[1].parameters)
        assert equal if same else prepared_data(quick).region.lower_edge


def test_runs_saved_before_keep_the_first_rule(tmp_path: Path) -> None:
    """Saved settings that name no rule are of the first; a resumed run goes on as it began."""
    old = replace(WINE, penalty_rule=1, epochs=4)
    whole = loop.advance(loop.begin((old,))).state
    half = loop.advance(loop.begin((old,)), Budget(steps=3)).state
    run.save(half, (), folder=tmp_path / "run")
    about = json.loads((tmp_path / "run" / ABOUT).read_text())
    for member in about["members"]:
        del member["penalty_rule"]
    (tmp_path / "run" / ABOUT).write_text(json.dumps(about))
    again = run.load(tmp_path / "run")
    assert again.state.settings[0].penalty_rule == 1
    resumed = loop.advance(again.state).state
    assert np.array_equal(resumed.parameters, whole.parameters)


def test_new_runs_have_the_new_rule_and_name_it() -> None:
    plain = settings_to_dict(WINE)
    assert plain["penalty_rule"] == 2 and settings_from_dict(plain) == WINE
    with pytest.raises(RequestError, match="penalty rule is 3"):
        settings_from_dict(plain | {"penalty_rule": 3})
