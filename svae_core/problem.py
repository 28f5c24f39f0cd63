"""The composition dataset -> shell -> clusters -> region: all that is fixed before training.

Every stage is cached by the settings it depends on, so changing the band is instant and members of
a batch share their arrays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from svae_core.certificate.arrays import underflow_is_zero
from svae_core.certificate.certify import Reference
from svae_core.certificate.information_floors import covariance_spectrum, floor_curves, water_level
from svae_core.certificate.kernel_floors import Progress, sharpen
from svae_core.certificate.prefix_spectrum import prefix_edge
from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.config.limits import check_data, check_preparation
from svae_core.config.settings import DATA_FIELDS, check_settings, settings_key
from svae_core.datasets import load_dataset
from svae_core.geometry.kmeans import cluster, nearest, squared_distances, total_variance
from svae_core.geometry.region import applicable_definition, collapse_losses, feasible_region
from svae_core.geometry.row_blocks import center_of
from svae_core.geometry.shell import fit_shell, shell_view, view_basis
from svae_core.methods import method_for
from svae_core.records import (
    Clusters,
    Dataset,
    FeasibleRegion,
    FloorCurves,
    PreparedData,
    Problem,
    RequestError,
    Settings,
    Shell,
)

Made = TypeVar("Made")
# Viewed points, at most, and their coordinates in total, to keep live evaluation fast.
_VIEW_POINTS = 2_000
_VIEW_NUMBERS = 2**18


def prepared_data(settings: Settings) -> PreparedData:
    """Data, shell, clusters and band for these settings.

    Raises RequestError, one sentence, if the settings or the data are invalid. An empty band is no
    error here: `region.empty` and `region.explanation` report it.
    """
    method_for(check_settings(settings))  # report a wrong method before loading the data
    dataset, shell, eigenvalues = _on_shell(_data_only(settings, clusters=0))
    clusters = _clusters(_data_only(settings))
    region = region_of(shell, clusters, settings)
    index, basis, view_points = _view(_data_only(settings, clusters=0))
    return PreparedData(
        settings=settings,
        dataset=dataset,
        shell=shell,
        clusters=clusters,
        region=region,
        eigenvalues=eigenvalues,
        lambda_max=float(eigenvalues[0]),
        water_level=_water_level(eigenvalues, region),
        view_index=index,
        view_basis=basis,
        view_points=view_points,
        prefix_edge=_prefix_edge(_data_only(settings, clusters=0), settings.arch)
        if settings.arch in AUTOREGRESSIVE
        else None,
    )


@underflow_is_zero
def prepare(settings: Settings) -> Problem:
    """The prepared data and the floors for the method's decoder; raises as `prepared_data` does."""
    prepared = prepared_data(settings)
    floors = _floors(_data_only(settings), method_for(settings).projected)
    parts = {item.name: getattr(prepared, item.name) for item in dataclasses.fields(PreparedData)}
    return Problem(**parts, floors=floors)


def sharpened(problem: Problem, progress: Progress | None = None) -> Problem:
    """The same problem with the kernel bounds in its proved floor: some seconds, once per data.

    `progress` is called with what is done and what there is to do.
    """
    key = _data_only(problem.settings), method_for(problem.settings).projected
    if key not in _SHARPENED:
        while len(_SHARPENED) >= 16:
            _SHARPENED.pop(next(iter(_SHARPENED)))
        _SHARPENED[key] = sharpen(problem.floors, problem.shell.points, progress=progress)
    return dataclasses.replace(problem, floors=_SHARPENED[key])


#: Sharpened curves by the data they depend on: kept like all stages, whoever followed the work.
_SHARPENED: dict[tuple[Settings, bool], FloorCurves] = {}


def with_band(problem: Problem, settings: Settings) -> Problem:
    """The same problem under another band or collapse loss (data fields must agree); instant."""
    region = region_of(problem.shell, problem.clusters, settings)
    return dataclasses.replace(
        problem,
        settings=settings,
        region=region,
        water_level=_water_level(problem.eigenvalues, region),
    )


def only(prepared: PreparedData, rows: np.ndarray) -> PreparedData:
    """The same with some of the points alone, for those who need no more of them."""
    return dataclasses.replace(
        prepared,
        dataset=prepared.dataset.only(rows),
        shell=dataclasses.replace(prepared.shell, points=prepared.shell.points[rows]),
        clusters=dataclasses.replace(prepared.clusters, labels=prepared.clusters.labels[rows]),
        view_index=np.arange(len(rows)),
    )


def references(problem: Problem) -> tuple[Reference, Reference | None]:
    """The references that a model is evaluated against: training points and held-out points.

    Each has its own δ and floors, sharpened if those of the problem are; the second is None if no
    points are held out.
    """
    settings, shell = problem.settings, problem.shell
    projected = method_for(settings).projected
    definition = applicable_definition(settings.collapse_loss, projected)
    training = Reference(
        points=shell.points,
        delta=problem.region.deltas[definition],
        definition=definition,
        floors=problem.floors,
        centroids=problem.clusters.centroids,
        radii=(shell.r_min, shell.r_max) if projected else None,
        dataset=problem.dataset.name,
        fingerprint=problem.dataset.fingerprint,
    )
    if len(shell.held_out) == 0:
        return training, None
    deltas, curves = _held_out(_data_only(settings), projected, problem.floors.kernel_part > 0)
    return training, dataclasses.replace(
        training, points=shell.held_out, delta=deltas[definition], floors=curves
    )


def region_of(shell: Shell, clusters: Clusters, settings: Settings) -> FeasibleRegion:
    """The feasible region of clustered shell points under these settings."""
    return feasible_region(
        within=clusters.within,
        total=clusters.total,
        mean_norm=_mean_norm(shell),
        r_min=shell.r_min,
        r_max=shell.r_max,
        collapse_loss=settings.collapse_loss,
        band=settings.band,
        lower_edge=settings.lower_edge,
    )


@lru_cache(maxsize=4)  # a band that is dragged asks for it each time
def _mean_norm(shell: Shell) -> float:
    return float(np.linalg.norm(center_of(shell.points)))


def _data_only(settings: Settings, clusters: int | None = None) -> Settings:
    """Default settings but for the data fields: the key under which stages are kept."""
    kept = {name: getattr(settings, name) for name in DATA_FIELDS}
    if clusters is not None:
        kept["clusters"] = clusters
    return Settings(**kept)


def share(folder: str) -> None:
    """Take from this folder what other processes have prepared, and leave there what this one has.

    The folder must be its server's own: what lies there is unpickled.
    """
    global _shared
    _shared = Path(folder)


_shared: Path | None = None
_MOST_SHARED = 64  # files; the oldest go first


def _check_time(points: np.ndarray, clusters: int = 0) -> None:
    """RequestError where a server would be kept busy too long; on one's own machine all may ask."""
    if _shared is not None:
        n, d = points.shape
        check_preparation(n, d, clusters)


def _once(part: str, settings: Settings, make: Callable[[], Made]) -> Made:
    """A part of the preparation, made by whichever process needs it first; the same bit for bit."""
    if _shared is None:
        return make()
    key = hashlib.sha256(settings_key(settings).encode()).hexdigest()[:32]
    path = _shared / f"{part}-{key}.pickle"
    with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
        made: Made = pickle.loads(path.read_bytes())
        return made
    made = make()
    with contextlib.suppress(OSError):  # without the folder, each process makes its own
        part_of_it = path.with_suffix(f".{os.getpid()}")
        part_of_it.write_bytes(pickle.dumps(made))
        part_of_it.replace(path)
        kept = sorted(_shared.glob("*.pickle"), key=lambda one: one.stat().st_mtime)
        for old in kept[:-_MOST_SHARED]:
            old.unlink(missing_ok=True)
    return made


@lru_cache(maxsize=4)
def _on_shell(settings: Settings) -> tuple[Dataset, Shell, np.ndarray]:
    loaded = load_dataset(settings)
    check_data(*loaded.points.shape)
    dataset, held_out = _split(loaded, settings)
    _check_time(dataset.points)
    shell = fit_shell(dataset.points, settings.r_min, settings.r_max, settings.radial_map, held_out)
    spectrum = _once("spectrum", settings, lambda: covariance_spectrum(shell.points))
    return dataset, shell, spectrum


def _split(dataset: Dataset, settings: Settings) -> tuple[Dataset, np.ndarray]:
    """The training part and the held-out points of a seeded split."""
    n = len(dataset.points)
    if settings.held_out == 0:
        return dataset, dataset.points[:0]
    count = round(settings.held_out * n)
    if count < 2 or n - count < 2:
        raise RequestError(
            f"--held-out is {settings.held_out:g}, which leaves {n - count} points for training "
            f"and {count} out of it; both parts need at least two."
        )
    order = np.random.default_rng([settings.data_seed, 29]).permutation(n)
    return dataset.only(np.sort(order[count:])), dataset.points[np.sort(order[:count])]


def steps_of(dataset: Dataset, dim: int) -> tuple[int, int]:
    """A point's steps and the coordinates of each: symbols, rows of an image, or coordinates."""
    if dataset.symbols:
        return dim // len(dataset.symbols), len(dataset.symbols)
    return dataset.image_shape or (dim, 1)


def off_shell(prepared: PreparedData, outputs: np.ndarray) -> np.ndarray:
    """Decoder outputs [n, d] in the data's units, by the centre and one factor for all points.

    The exact inverse would stretch the central output of a collapsed decoder to the norm of a
    point; with one factor it is the mean, which is what that decoder outputs.
    """
    return np.asarray(prepared.shell.center + _factor(prepared) * outputs)


@lru_cache(maxsize=4)
def _factor(prepared: PreparedData) -> float:
    """The ratio of the mean norm of the data to the mean radius on the shell, over all points."""
    norms = np.linalg.norm(prepared.dataset.points - prepared.shell.center, axis=1).mean()
    return float(norms / np.linalg.norm(prepared.shell.points, axis=1).mean())


@lru_cache(maxsize=8)
def _prefix_edge(settings: Settings, arch: str) -> float:
    dataset, shell, _ = _on_shell(settings)
    d = shell.points.shape[1]
    # Its couplings are between coordinates, those of one step as well.
    steps = (d, 1) if arch == "autoregressive" else steps_of(dataset, d)
    return _once(
        f"prefix-{steps[1]}",
        settings,
        lambda: prefix_edge(shell.points, steps, settings.data_seed),
    )


@lru_cache(maxsize=4)
def _view(settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the viewed points, directions of the 3-D view, and the points in it."""
    _, shell, _ = _on_shell(settings)
    index = _view_index(len(shell.points), shell.points.shape[1], settings.data_seed)
    basis = view_basis(shell.points)
    return index, basis, shell_view(shell.points[index], basis)


@lru_cache(maxsize=16)
def _clusters(settings: Settings) -> Clusters:
    _, shell, _ = _on_shell(_data_only(settings, clusters=0))
    _check_time(shell.points, settings.clusters)
    return _once(
        "clusters",
        settings,
        lambda: cluster(shell.points, settings.clusters, settings.data_seed),
    )


@lru_cache(maxsize=16)
def _floors(settings: Settings, projected: bool) -> FloorCurves:
    """Floors for decoder outputs on the shell or, without projection, in the ball r ≤ r_max."""
    _, shell, eigenvalues = _on_shell(_data_only(settings, clusters=0))
    clusters = _clusters(settings)
    losses = _losses(shell.points, clusters.within, clusters.total, shell)
    return _once(
        f"floors-{projected}",
        settings,
        lambda: floor_curves(
            points=shell.points,
            centroids=clusters.centroids,
            cluster_sizes=clusters.sizes,
            radii=(shell.r_min if projected else 0.0, shell.r_max),
            delta=losses["shell" if projected else "free"],
            within=clusters.within,
            eigenvalues=eigenvalues,
        ),
    )


@lru_cache(maxsize=4)
def _held_out(
    settings: Settings, projected: bool, sharp: bool
) -> tuple[dict[str, float], FloorCurves]:
    """Collapse losses and floors of the held-out points, with the clusters of training."""
    _, shell, _ = _on_shell(_data_only(settings, clusters=0))
    points, centroids = shell.held_out, _clusters(settings).centroids
    labels = nearest(points, centroids)
    within = float(squared_distances(points, labels, centroids).mean())
    total = total_variance(points, center_of(points))
    losses = _losses(points, within, total, shell)
    curves = floor_curves(
        points=points,
        centroids=centroids,
        cluster_sizes=np.bincount(labels, minlength=len(centroids)),
        radii=(shell.r_min if projected else 0.0, shell.r_max),
        delta=losses["shell" if projected else "free"],
        within=within,
        eigenvalues=covariance_spectrum(points),
    )
    return losses, sharpen(curves, points) if sharp else curves


def _losses(points: np.ndarray, within: float, total: float, shell: Shell) -> dict[str, float]:
    mean_norm = float(np.linalg.norm(center_of(points)))
    return collapse_losses(within, total, mean_norm, shell.r_min, shell.r_max)


def _water_level(eigenvalues: np.ndarray, region: FeasibleRegion) -> float:
    if region.empty or region.hi >= region.total:
        return float(eigenvalues[0])
    return water_level(eigenvalues, region.hi)


def _view_index(n: int, d: int, seed: int) -> np.ndarray:
    count = min(n, _VIEW_POINTS, max(512, _VIEW_NUMBERS // d))
    if count == n:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 17]).choice(n, count, replace=False))
