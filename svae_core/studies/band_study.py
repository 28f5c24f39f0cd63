"""Sample quality against the width of the band, with conventional VAEs for comparison.

    study(settings, edges, seeds) -> BandStudy;  short_study(settings) -> BandStudy

The paper (arXiv 2603.10935 v4) does not say how the band affects samples. Spherical VAEs are
trained over the upper edge b. Samples g(z), z ~ N(0, I), as many as there are points, are compared
with the points; and so are sampled reconstructions g(z), z ~ q(z|x), which may be good where
samples are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from svae_core.datasets import load_dataset
from svae_core.geometry.region import require_band
from svae_core.latent.results import (
    SHORT_EDGES,
    SHORT_EPOCHS,
    SHORT_POINTS,
    SHORT_SEEDS,
    BandStudy,
    Sampling,
)
from svae_core.latent.sample_quality import diversity
from svae_core.nets.networks import stream
from svae_core.problem import prepared_data
from svae_core.records import PreparedData, Settings, State
from svae_core.studies.job import TrainedPart
from svae_core.training.evaluate import Model, decode, encode
from svae_core.training.loop import chunk_size, models

#: σ² of the conventional VAEs: the common default, which collapses, and one that does not.
BASELINE_SIGMA2 = (1.0, 0.05)


@final
@dataclass(frozen=True, eq=False)
class _Part(TrainedPart):
    """Runs trained as one batch, whose samples are then measured."""

    def measure(self, solo: State) -> tuple[Sampling, ...]:
        """The measures of one run."""
        return (_sampling(models(solo)[0], solo.settings[0]),)


def plan(settings: Settings, edges: tuple[float, ...], seeds: int) -> tuple[Settings, ...]:
    """The runs of a study: every edge and every conventional VAE with every seed."""
    runs = []
    for seed in range(seeds):
        plain = dataclasses.replace(settings, method_options=(), changes=(), seed=seed)
        for edge in edges:
            runs.append(dataclasses.replace(plain, method="spherical", band=(0.0, edge)))
        for sigma2 in BASELINE_SIGMA2:
            runs.append(dataclasses.replace(plain, method="baseline", sigma2=sigma2))
    return tuple(runs)


def study(
    settings: Settings,
    edges: tuple[float, ...],
    seeds: int,
    tell: Callable[[float], None] = lambda share: None,
) -> BandStudy:
    """Train all runs and measure their samples; `tell` is called with the fraction done.

    Raises RequestError if the band is empty.
    """
    prepared = prepared_data(dataclasses.replace(settings, method="spherical", method_options=()))
    region = require_band(prepared.region)
    runs = plan(settings, edges, seeds)
    samplings: list[Sampling] = []
    size = chunk_size(settings)
    for start in range(0, len(runs), size):
        part = _Part(runs[start : start + size])
        while not part.done:
            part = part.advance(1.0)
            tell((start + part.progress * part.runs) / len(runs))
        samplings += part.rows
    return BandStudy(
        title=prepared.dataset.title,
        n_points=len(prepared.shell.points),
        epochs=settings.epochs,
        within=region.within,
        total=region.total,
        delta=region.delta,
        samplings=tuple(samplings),
        best=_best(prepared),
    )


def short_study(settings: Settings) -> BandStudy:
    """A study with fewer points, epochs and seeds, which takes about half a minute."""
    count = len(load_dataset(settings).points)
    short = dataclasses.replace(
        settings,
        n_points=SHORT_POINTS if count > SHORT_POINTS else settings.n_points,
        epochs=min(settings.epochs, SHORT_EPOCHS),
    )
    return study(short, SHORT_EDGES, SHORT_SEEDS)


@torch.no_grad()
def _sampling(model: Model, settings: Settings) -> Sampling:
    points = model.prepared.shell.points
    posteriors = encode(model, points)
    noise, drawn = (
        torch.randn(posteriors.mean.shape, generator=stream(settings.seed, 0, purpose)).numpy()
        for purpose in ("study", "prior")
    )
    outputs = decode(model, posteriors.draw(noise))
    found = diversity(points, decode(model, drawn))
    return Sampling(
        method=settings.method,
        edge=settings.band[1] if settings.method == "spherical" else float("nan"),
        sigma2=settings.sigma2,
        seed=settings.seed,
        loss=float(((outputs - points) ** 2).sum(axis=1, dtype=np.float64).mean()),
        kl=float(posteriors.kl.sum(axis=1, dtype=np.float64).mean()),
        **vars(found),
        reconstructed=diversity(points, outputs).coverage,
    )


def _best(prepared: PreparedData) -> Sampling:
    """The scores that perfect samples would reach: one half of the data against the other."""
    points = prepared.shell.points
    order = np.random.default_rng(0).permutation(len(points))
    half = len(points) // 2
    found = diversity(points[order[:half]], points[order[half:]])
    return Sampling(
        method="data",
        edge=float("nan"),
        sigma2=float("nan"),
        seed=0,
        loss=0.0,
        kl=float("nan"),
        **vars(found),
        reconstructed=float("nan"),
    )
