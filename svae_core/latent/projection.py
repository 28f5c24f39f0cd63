"""Two-dimensional maps of latent means: PCA and live UMAP, each aligned with the previous map.

The live UMAP (see `umap_algorithm`) continues from the previous map with a step size proportional
to the latents' change of shape since then, so latents that do not move, or are only rotated or
scaled, leave the map unchanged. UMAP draws a structured-looking map even of pure noise, so below
structure g = 0.05 no map is drawn and the sentence gives the reason.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace

import numpy as np

from svae_core.latent import umap_algorithm
from svae_core.latent.umap_algorithm import NEIGHBOURS
from svae_core.records import Moment

#: Below this structure g (see certificate.diagnostics) latents are posterior noise.
NO_STRUCTURE = 0.05
_DIVERGED = "No map: training diverged, latents were no finite numbers"
_FIRST_EPOCHS = 200
_NEXT_EPOCHS = 100
# UMAP's step size is the latents' change of shape times (flat + beyond × the fraction of their
# variance outside the plane of two principal components). Latents near a plane need small steps to
# be followed; larger ones would only make the map jitter. Below the smallest step the map is kept,
# and the change accumulates until it exceeds it. Chosen on seeds 1 and 2 (benchmarks/umap.md).
_FLAT_STEP = 0.1
_BEYOND_STEP = 0.4
_SMALLEST_STEP = 0.009
_compiled = threading.Event()  # set in the one process that draws maps by UMAP


@dataclass(frozen=True, eq=False)
class Layout:
    """A 2-D map of latent means at one step, with the latents that the next map continues from."""

    coordinates: np.ndarray  # [v, 2] float32; empty [0, 2] if there is no map
    kind: str  # pca | umap | none
    step: int  # of the frame it was computed from
    sentence: str
    # [v, k] that the coordinates were computed from; older than `step` if the map was kept.
    latent_mean: np.ndarray


def pca_layout(latent_mean: np.ndarray, step: int, previous: Layout | None = None) -> Layout:
    """The two leading principal components of latent means [v, k], aligned with `previous`."""
    if not np.isfinite(latent_mean).all():
        return _no_map(latent_mean, step, _DIVERGED)
    coordinates = _aligned(_principal(latent_mean), previous)
    return Layout(coordinates, "pca", step, f"PCA, computed at step {step}.", latent_mean)


def pca_layouts(moment: Moment, previous: tuple[Layout, ...] = ()) -> tuple[Layout, ...]:
    """The map by PCA of each member of a moment that has its latents."""
    before = previous or (None,) * len(moment)
    return tuple(
        pca_layout(frame.latent_mean, frame.step, last)
        for frame, last in zip(moment, before, strict=True)
    )


def umap_layout(
    latent_mean: np.ndarray, structure: float, step: int, previous: Layout | None = None
) -> Layout:
    """UMAP of latent means [v, k], continued from the previous map.

    `structure` is g of the frame. The layout has kind "none" and no coordinates if g is below 0.05,
    if there are too few points, or if the latents are not finite.
    """
    if not (np.isfinite(latent_mean).all() and math.isfinite(structure)):
        return _no_map(latent_mean, step, _DIVERGED)
    if len(latent_mean) <= NEIGHBOURS:
        few = f"{len(latent_mean)} points are too few for UMAP, which needs {NEIGHBOURS + 1}"
        return _no_map(latent_mean, step, few)
    if structure < NO_STRUCTURE:
        none = f"No structure above posterior noise (g = {structure:.2f})"
        return _no_map(latent_mean, step, none)
    sentence = f"UMAP, computed at step {step}."
    if previous is None or previous.kind != "umap":
        start = _spread(_principal(latent_mean))
        found = _optimise(start, latent_mean, _FIRST_EPOCHS, 1.0)
        return Layout(_aligned(found, previous), "umap", step, sentence, latent_mean)
    plane = _FLAT_STEP + _BEYOND_STEP * _beyond_plane(latent_mean)
    rate = min(1.0, plane * shape_change(latent_mean, previous.latent_mean))
    if rate < _SMALLEST_STEP:
        return replace(previous, step=step, sentence=sentence)
    found = _optimise(previous.coordinates.copy(), latent_mean, _NEXT_EPOCHS, rate)
    return Layout(_aligned(found, previous), "umap", step, sentence, latent_mean)


def _no_map(latent_mean: np.ndarray, step: int, why: str) -> Layout:
    nowhere = np.empty((0, 2), np.float32)
    return Layout(nowhere, "none", step, f"{why} at step {step}.", latent_mean)


def layout(
    latent_mean: np.ndarray, structure: float, step: int, previous: Layout | None = None
) -> Layout:
    """The map by UMAP where this process is warm, else by PCA."""
    if _compiled.is_set():
        return umap_layout(latent_mean, structure, step, previous)
    return pca_layout(latent_mean, step, previous)


def warm_up() -> None:
    """Make this process draw maps by UMAP from now on. CannotCompile where it cannot."""
    umap_algorithm.compiled()
    _compiled.set()


def procrustes(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """`moving` [v, 2] translated and rotated (or reflected) to `fixed` by least squares."""
    from scipy.linalg import orthogonal_procrustes

    center, goal = moving.mean(axis=0), fixed.mean(axis=0)
    turn, _ = orthogonal_procrustes(moving - center, fixed - goal)
    return np.asarray((moving - center) @ turn + goal)


def _aligned(coordinates: np.ndarray, previous: Layout | None) -> np.ndarray:
    if previous is not None and previous.coordinates.shape == coordinates.shape:
        coordinates = procrustes(coordinates.astype(np.float64), previous.coordinates)
    return np.ascontiguousarray(coordinates, dtype=np.float32)


def _principal(latent_mean: np.ndarray) -> np.ndarray:
    centred = latent_mean.astype(np.float64) - latent_mean.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    top = vectors[:, ::-1][:, :2]
    top = top * np.where(top[np.abs(top).argmax(axis=0), np.arange(top.shape[1])] < 0, -1, 1)
    coordinates = centred @ top
    if coordinates.shape[1] < 2:  # one latent dimension: the map is a line
        coordinates = np.column_stack([coordinates, np.zeros(len(coordinates))])
    return coordinates


def _spread(coordinates: np.ndarray) -> np.ndarray:
    """Coordinates scaled to the extent that UMAP expects of an initial layout, about 10."""
    size = np.abs(coordinates).max()
    return (coordinates * (5.0 / max(size, 1e-12))).astype(np.float32)


def shape_change(now: np.ndarray, before: np.ndarray) -> float:
    """The Procrustes distance of latents [v, k] from earlier ones: 0 for equal shape, at most 1.

    It is what remains after the best translation, rotation and scaling: the square root of the
    disparity of scipy.spatial, which takes long to import. A saved map has no latents; then the
    distance is 1.
    """
    from scipy.linalg import orthogonal_procrustes

    if before.shape != now.shape:
        return 1.0
    if min(np.ptp(now, axis=0).max(), np.ptp(before, axis=0).max()) == 0:
        return 0.0  # all latents of one of them are equal: they have no shape
    one, other = _unit_shape(now), _unit_shape(before)
    turn, scale = orthogonal_procrustes(one, other)
    return float(np.linalg.norm(scale * one @ turn - other))


def _unit_shape(latent_mean: np.ndarray) -> np.ndarray:
    centred = latent_mean - latent_mean.mean(axis=0, dtype=np.float64)
    return centred / np.linalg.norm(centred)


def _beyond_plane(latent_mean: np.ndarray) -> float:
    """The fraction of the latents' variance outside their two leading principal components."""
    centred = latent_mean - latent_mean.mean(axis=0, dtype=np.float64)
    variances = np.linalg.eigvalsh(centred.T @ centred)
    return float(variances[:-2].sum() / max(variances.sum(), 1e-300))


def _optimise(start: np.ndarray, latent_mean: np.ndarray, epochs: int, rate: float) -> np.ndarray:
    graph = umap_algorithm.fuzzy_graph(*umap_algorithm.nearest(latent_mean))
    return umap_algorithm.lay_out(start, *graph, epochs, rate)
