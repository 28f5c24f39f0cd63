"""A training loop of somebody's own as a run to watch, from the monitor's two lines in it.

    watched = Monitored(monitor);  watched.run;  watched.follow(question, step)

The data are shown as the model gets them, moved by their mean: a map onto a shell that keeps all
distances. Losses, δ and gauge are the monitor's own numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from svae_core.certificate.arrays import numbers
from svae_core.certificate.diagnostics import active_units, structure, variance_of_means
from svae_core.certificate.posteriors import gaussian_posteriors
from svae_core.datasets import fingerprint
from svae_core.geometry.kmeans import cluster
from svae_core.geometry.region import feasible_region
from svae_core.geometry.row_blocks import center_of
from svae_core.geometry.shell import shell_view, view_basis
from svae_core.integrations.pytorch import CollapseMonitor, FeasibleBand, Look
from svae_core.latent.following import Passage, follow_through
from svae_core.latent.results import Follow, Followed
from svae_core.notebook.watched_run import WatchedRun
from svae_core.records import (
    Certificate,
    Clusters,
    Dataset,
    FeasibleRegion,
    Frame,
    PreparedData,
    RequestError,
    Settings,
    Shell,
)

#: Points on the stage, at most: of each moment, all of them travel to the browser.
MOST_POINTS = 800
#: Moments after which only every second reading is shown, then every fourth, and so on.
MOST_MOMENTS = 400
#: Bytes of the weights that are kept for clicks on earlier moments.
_KEPT_BYTES = 2**26
_SAMPLES = 8  # reconstructions kept in a frame
_METHOD = "baseline"  # whose colours a model of somebody's own has

Weights = list[dict[str, Tensor]]


class Monitored:
    """What a CollapseMonitor saw, as a run; each of its readings is a moment."""

    def __init__(
        self,
        monitor: CollapseMonitor,
        *,
        band: FeasibleBand | None = None,
        labels: Any = None,
        image: tuple[int, int] | None = None,
        steps: int = 0,
        name: str = "model",
    ) -> None:
        """`band`: that the loop's penalty holds. `labels`: classes of the points, to colour them.

        `image`: height and width, where a point is one. `steps`: of the whole loop, if known.
        """
        self.monitor, self._band, self._steps = monitor, band, steps
        count = len(monitor.viewed)
        self._shown = np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int)
        mean, _ = monitor.encode(monitor.viewed[:2])
        dataset = self._dataset(labels, image or _image_of(monitor.shape))
        settings = Settings(
            dataset=dataset.name,
            clusters=monitor.clusters,
            method=_METHOD,
            latent_dim=mean.shape[1],
            beta=monitor.beta,
            sigma2=monitor.sigma2,
            band=band.region.band if band else Settings().band,
        )
        self.prepared = _prepared(monitor, dataset, settings, band)
        self.run = WatchedRun(self.prepared, (settings,), (name,), banded=band is not None)
        self._every, self._readings = 1, 0
        self._kept: list[tuple[int, Weights]] = []
        self._keep_every = 1
        self._on_news: list[Callable[[], object]] = []
        monitor.listen(self._hear)

    def listen(self, on_news: Callable[[], object]) -> None:
        """Call `on_news` after every moment, in the thread of the loop."""
        self._on_news.append(on_news)

    def follow(self, question: Follow, step: int) -> Followed:
        """A point on its way through the model of that step, or of the last kept one before it."""
        moments = self.run.moments
        newest = moments[-1][0].step if moments else 0
        kept = [(at, weights) for at, weights in self._kept if at <= step]
        if step >= newest or not kept:
            return self._through(newest, question)
        at, weights = kept[-1]
        with _weights(self.monitor.models, weights):
            return self._through(at, question)

    def _through(self, step: int, question: Follow) -> Followed:
        monitor, center = self.monitor, self.prepared.shell.center.astype(np.float32)
        noise = monitor.view_noise(self.prepared.settings.latent_dim)[self._shown]
        passage = Passage(
            self.prepared,
            encode=lambda points: gaussian_posteriors(*monitor.encode(points + center)),
            decode=lambda z: monitor.decode(z) - center,
            noise=noise,
        )
        return follow_through(step, (passage,), question)

    # ------------------------------------------------------------------------- listening

    def _hear(self, news: Look | Certificate) -> None:
        if isinstance(news, Certificate):
            self.run.finish((news,))
        else:
            self._readings += 1
            if len(self.run.moments) >= MOST_MOMENTS * self._every:
                self._every *= 2
            last = self.run.moments[-1][0].step if self.run.moments else -1
            if (self._readings - 1) % self._every or news.reading.step <= last:
                return
            self.run.add((self._frame(news),))
            self._keep_weights(news.reading.step)
        for tell in self._on_news:
            tell()

    def _frame(self, look: Look) -> Frame:
        reading, shown = look.reading, self._shown
        answers = look.answers[shown] - self.prepared.shell.center.astype(np.float32)
        spreads, region = variance_of_means(look.mean), self.prepared.region
        return Frame(
            method=_METHOD,
            step=reading.step,
            epoch=0,
            steps=max(self._steps, reading.step),
            loss=reading.loss,
            delta=reading.delta,
            lo=region.lo if self._band else math.nan,
            hi=region.hi if self._band else math.nan,
            kl=reading.kl,
            kl_per_dim=np.array(reading.kl_per_dim, np.float32),
            active=active_units(spreads, len(reading.kl_per_dim)),
            structure=structure(spreads, look.variance.mean(axis=0, dtype=np.float64)),
            latent_mean=look.mean[shown].astype(np.float32),
            shell_view=shell_view(answers, self.prepared.view_basis),
            samples=answers[:_SAMPLES].copy(),
            sentence=reading.sentence,
        )

    def _keep_weights(self, step: int) -> None:
        """Keep a copy of the weights, every one at first; as many as fit."""
        if len(self.run.moments) % self._keep_every or not self.monitor.models:
            return
        weights = [
            {name: value.detach().to("cpu", copy=True) for name, value in _tensors(model)}
            for model in self.monitor.models
        ]
        self._kept.append((step, weights))
        size = sum(value.nbytes for each in weights for value in each.values())
        if len(self._kept) * size > _KEPT_BYTES and len(self._kept) > 1:
            self._kept, self._keep_every = self._kept[::2], 2 * self._keep_every

    def _dataset(self, labels: Any, image: tuple[int, int] | None) -> Dataset:
        points = self.monitor.viewed[self._shown]
        if image is not None and image[0] * image[1] != points.shape[1]:
            raise RequestError(
                f"image is {image}, which has {image[0] * image[1]} pixels, but a point has "
                f"{points.shape[1]} numbers."
            )
        names: tuple[str, ...] = ()
        found = None
        if labels is not None:
            given = numbers_or_words(labels)
            if len(given) != self.monitor.count:
                raise RequestError(
                    f"labels has {len(given)} entries, but must have one for each of the "
                    f"{self.monitor.count} points of X."
                )
            classes, found = np.unique(given, return_inverse=True)
            found = found[self.monitor.viewed_rows][self._shown]
            names = tuple(map(_class_name, classes))
        return Dataset(
            name="yours",
            title="your data",
            points=points,
            labels=found,
            label_names=names,
            image_shape=image,
            fingerprint=fingerprint(points),
        )


def numbers_or_words(labels: Any) -> np.ndarray:
    """Labels [n] as an array; tensors and frames as well as lists of words."""
    try:
        return numbers(labels, "labels").ravel()
    except RequestError:
        return np.asarray(labels).ravel()


def _class_name(label: Any) -> str:
    """Whole numbers without the decimals that `numbers` gave them."""
    return str(int(label)) if isinstance(label, np.floating) and label.is_integer() else str(label)


def _image_of(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of points [1, h, w] or [h, w], which are images."""
    inner = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    return (int(inner[0]), int(inner[1])) if len(inner) == 2 else None


def _prepared(
    monitor: CollapseMonitor, dataset: Dataset, settings: Settings, band: FeasibleBand | None
) -> PreparedData:
    """The shown points with a map onto a shell that only moves them, and their clusters."""
    projected = monitor.shell is not None
    center = np.zeros(dataset.points.shape[1]) if projected else center_of(dataset.points)
    points = np.ascontiguousarray(dataset.points - center, np.float32)
    norms = np.linalg.norm(points, axis=1)
    low, high = monitor.shell or (float(norms.min()), float(norms.max()))
    clusters = cluster(points, min(settings.clusters, len(points) - 1), settings.data_seed)
    basis = view_basis(points)
    reach = np.array([0.0, 4.0 * max(high, float(norms.max()), 1e-12)])
    return PreparedData(
        settings=settings,
        dataset=dataset,
        shell=Shell(
            r_min=low,
            r_max=high,
            radial_map="linear",
            center=center,
            knot_norms=reach,
            knot_radii=reach,
            points=points,
            directionless=0,
            round_trip_error=0.0,
            held_out=points[:0],
            clamped=0,
        ),
        clusters=clusters,
        region=band.region if band else _no_band(monitor, clusters, center, (low, high)),
        eigenvalues=monitor.eigenvalues,
        lambda_max=float(monitor.eigenvalues[0]),
        water_level=float(monitor.eigenvalues[0]),
        view_index=np.arange(len(points)),
        view_basis=basis,
        view_points=shell_view(points, basis),
    )


def _no_band(
    monitor: CollapseMonitor, clusters: Clusters, center: np.ndarray, radii: tuple[float, float]
) -> FeasibleRegion:
    """The region between W and δ of a loop whose loss no band holds."""
    region = feasible_region(
        within=clusters.within,
        total=clusters.total,
        mean_norm=float(np.linalg.norm(center_of(monitor.viewed - center))),
        r_min=radii[0],
        r_max=radii[1],
        collapse_loss="shell" if monitor.shell else "free",
        band=(0.0, 0.25),
        lower_edge=False,
    )
    told = f"No band holds this loss; the collapse loss δ is {monitor.delta:.3f}."
    return dataclasses.replace(
        region, delta=monitor.delta, lo=math.nan, hi=math.nan, explanation=told
    )


# ------------------------------------------------------------------------------- weights


def _tensors(model: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


@contextlib.contextmanager
def _weights(models: tuple[torch.nn.Module, ...], weights: Weights) -> Iterator[None]:
    """The models with other weights for a while.

    Memory is exchanged, not written: a step of training that is under way finds its own unchanged.
    """
    mine = [(tensor, tensor.data) for model in models for _, tensor in _tensors(model)]
    try:
        for model, kept in zip(models, weights, strict=True):
            for name, tensor in _tensors(model):
                tensor.data = kept[name].to(tensor.device)
        yield
    finally:
        for tensor, data in mine:
            tensor.data = data
