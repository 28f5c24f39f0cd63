"""The study of samples over the band: what is trained, and what a small one must show."""

from __future__ import annotations

import pytest

from svae_core.records import RequestError, Settings
from svae_core.studies.band_study import BASELINE_SIGMA2, plan, study

SMALL = Settings(
    dataset="clusters",
    dataset_options=(("points", 300),),
    clusters=5,
    latent_dim=3,
    hidden=24,
    epochs=60,
    device="cpu",
)


def test_every_edge_and_every_baseline_is_trained_under_every_seed() -> None:
    runs = plan(SMALL, (0.1, 0.5), 3)
    assert len(set(runs)) == len(runs) == 3 * (2 + len(BASELINE_SIGMA2))
    assert {settings.band for settings in runs if settings.method == "spherical"} == {
        (0.0, 0.1),
        (0.0, 0.5),
    }


def test_a_wider_band_loses_more_and_a_collapsed_model_covers_nothing() -> None:
    told: list[float] = []
    found = study(SMALL, (0.1, 0.8), 2, told.append)
    narrow, wide = ([s for s in found.samplings if s.edge == edge] for edge in (0.1, 0.8))
    collapsed = [s for s in found.samplings if s.method == "baseline" and s.sigma2 == 1.0]
    assert len(narrow) == len(wide) == len(collapsed) == 2
    assert max(s.loss for s in narrow) < min(s.loss for s in wide) < found.delta
    assert max(s.coverage for s in collapsed) < 0.02
    assert max(s.kl for s in collapsed) < 0.05 < min(s.kl for s in wide)
    assert min(s.coverage for s in narrow) > 0.2
    assert found.best.coverage > 0.9
    assert told == sorted(told) and told[-1] == 1.0


def test_an_empty_band_is_refused_in_words() -> None:
    from dataclasses import replace

    with pytest.raises(RequestError, match="empty"):
        study(replace(SMALL, clusters=1, collapse_loss="between"), (0.1,), 1)
