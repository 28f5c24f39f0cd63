"""Datasets, one file each: a name, a docstring, a frozen `Config` and one function `load`.

A dataset file has

* a docstring in three parts, blank lines between: the title on screen, what the data are and what
  was done to them, and the source;
* `LICENCE`, the terms of the data in a few words;
* `Config`, a frozen dataclass, possibly empty, whose fields are made by
  `records.option(default, help, low=, high=)`;
* `load(config, seed) -> Dataset`: float32 points [n, d], one row per point, and where the data have
  them integer labels from 0 with a name for each. The same config and seed give the same points.
  No network; a dataset that needs it says so and raises RequestError with one sentence.

Heavy imports (scikit-learn, mlxtend) belong inside `load`: the web server scans this folder and
must stay light. Sampling, checks and the fingerprint are done here for all datasets.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from svae_core.config.home import own_plugins
from svae_core.config.plugins import Plugins, configure, find, scan
from svae_core.geometry.row_blocks import rows_of
from svae_core.records import Dataset, Options, RequestError, Settings

__path__ += own_plugins("datasets")
#: Name of a dataset that is an array in this process's memory.
IN_MEMORY = "array"
_held: dict[str, list[Dataset]] = {}  # by fingerprint


def scan_datasets() -> Plugins:
    """All datasets by name, including files added while the program runs."""
    return scan("svae_core.datasets", "load")


def load_dataset(settings: Settings) -> Dataset:
    """The dataset of these settings: loaded, checked, sampled and fingerprinted.

    `data_seed` seeds both the generator of synthetic data and the sample of `n_points` points.
    """
    if settings.dataset == IN_MEMORY:
        return settle(_held_for(settings), settings.n_points, settings.data_seed)
    plugin = find("svae_core.datasets", "load", settings.dataset)
    config = configure(plugin, settings.dataset_options)
    dataset = plugin.module.load(config, settings.data_seed)
    return settle(dataset, settings.n_points, settings.data_seed)


@contextmanager
def held(points: np.ndarray) -> Iterator[tuple[str, Options]]:
    """Register an array [n, d] in memory as a dataset; yields its name and options for Settings.

    It is no plug-in, since it exists only within this context.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    name = fingerprint(points)
    entry = Dataset(name=IN_MEMORY, title="an array", points=points)
    _held.setdefault(name, []).append(entry)
    try:
        yield IN_MEMORY, (("fingerprint", name),)
    finally:
        _held[name].remove(entry)


def _held_for(settings: Settings) -> Dataset:
    name = str(dict(settings.dataset_options).get("fingerprint", ""))
    if not _held.get(name):
        raise RequestError(
            f"The data were an array in memory (fingerprint {name[:16]}), which is not here; fit "
            "it again."
        )
    return _held[name][-1]


def settle(dataset: Dataset, n_points: int, seed: int) -> Dataset:
    """A checked dataset: all values finite, sampled to `n_points` points, with its fingerprint."""
    _refuse_non_finite(dataset)
    sampled = _sample(dataset, n_points, seed)
    return dataclasses.replace(sampled, fingerprint=fingerprint(sampled.points))


def fingerprint(points: np.ndarray) -> str:
    """First 16 hexadecimal digits of the SHA-256 of float32 points [n, d] and their shape.

    Bytes are little-endian and row by row, so the fingerprint is the same on every machine.
    """
    digest = hashlib.sha256()
    for _, block in rows_of(points):
        digest.update(np.ascontiguousarray(block, dtype="<f4").tobytes())
    digest.update(str(points.shape).encode())
    return digest.hexdigest()[:16]


def _refuse_non_finite(dataset: Dataset) -> None:
    for rows, block in rows_of(dataset.points):  # data may be larger than memory
        bad = ~np.isfinite(block)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            _refuse(dataset, rows.start + int(row), int(column))


def _refuse(dataset: Dataset, row: int, column: int) -> None:
    value = dataset.points[row, column]
    feature = f" ({dataset.feature_names[column]})" if dataset.feature_names else ""
    raise RequestError(
        f"Dataset {dataset.name} holds the value {value} in row {row + 1}, column {column + 1}"
        f"{feature}, counted from 1; replace it by a finite number or leave that row out."
    )


def _sample(dataset: Dataset, n_points: int, seed: int) -> Dataset:
    """A seeded sample in the order of the data; smaller samples are subsets of larger ones."""
    n = len(dataset.points)
    if n_points > n:
        raise RequestError(
            f"--n-points is {n_points}, but dataset {dataset.name} has {n} points; "
            f"ask for at most {n}, or for 0 to use all."
        )
    if n_points in (0, n):
        return dataset
    return dataset.only(np.sort(np.random.default_rng(seed).permutation(n)[:n_points]))
