"""Exports of a trained model: embeddings and reconstructions as tables, weights as named arrays.

    embeddings(model) -> Sheet;  reconstructions(model) -> Sheet;  write(sheet, path)
    weights(model) -> bytes

Tables are written as CSV (in which no cell can run as a formula), Parquet or NPZ.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svae_core import __version__
from svae_core.config.settings import settings_to_dict
from svae_core.config.writable import write_file
from svae_core.distributions.gaussian import array
from svae_core.geometry.shell import shell_map
from svae_core.nets.networks import stream
from svae_core.own_data.names import inert
from svae_core.records import RequestError
from svae_core.training.evaluate import Model, decode, encode

_FORMATS = (".csv", ".parquet", ".npz")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table with one row per point, and the points' class labels if the data have any."""

    names: tuple[str, ...]  # of the columns
    values: np.ndarray  # [n, columns] float32
    labels: tuple[str, ...] = ()  # [n], or none


def embeddings(model: Model) -> Sheet:
    """Posterior means and variances of the training points."""
    posteriors = encode(model, model.prepared.shell.points)
    count = range(1, posteriors.mean.shape[1] + 1)
    spread = range(1, posteriors.variance.shape[1] + 1)
    return Sheet(
        names=(*(f"mean {i}" for i in count), *(f"variance {i}" for i in spread)),
        values=np.concatenate([posteriors.mean, posteriors.variance], axis=1).astype(np.float32),
        labels=_labels(model),
    )


def reconstructions(model: Model) -> Sheet:
    """A sampled reconstruction of each training point, in the units of the data.

    For standardised columns the units are standard deviations. Outputs off the shell (of a decoder
    that is not projected) are clamped to the shell first.
    """
    prepared = model.prepared
    posteriors = encode(model, prepared.shell.points)
    d = prepared.shell.points.shape[1]
    noise = array(_normal(prepared.settings.seed, posteriors.noise_shape))
    answers = shell_map(prepared.shell).inverse_transform(decode(model, posteriors.draw(noise)))
    names = prepared.dataset.feature_names or tuple(f"coordinate {i + 1}" for i in range(d))
    return Sheet(names, answers.astype(np.float32), _labels(model))


def weights(model: Model) -> bytes:
    """Weights and biases by layer, as safetensors; its metadata hold the settings.

    An affine layer computes `x @ weight + bias`, [b, fan_in] to [b, fan_out]; for other layers see
    `nets.architectures`.
    """
    from safetensors.numpy import save

    nets = model.networks
    found = {
        name: array(value[0]).reshape(-1) if name.endswith(".bias") else array(value[0])
        for name, value in nets.named().items()
    }
    if nets.extra.numel():
        found["method"] = array(nets.extra[0])
    about = {
        "settings": json.dumps(settings_to_dict(model.prepared.settings)),
        "fingerprint": model.prepared.dataset.fingerprint,
        "version": __version__,
    }
    arrays = {name: np.ascontiguousarray(value) for name, value in found.items()}
    return bytes(save({name: value for name, value in arrays.items() if value.size}, about))


def write(sheet: Sheet, path: Path) -> None:
    """Write a table in the format of the file's suffix; RequestError if it is not supported."""
    check_format(path)
    makers = {".csv": _as_csv, ".parquet": _as_parquet, ".npz": _as_npz}
    write_file(path, makers[path.suffix](sheet))


def check_format(path: Path) -> None:
    """RequestError if no format of tables has this file's suffix."""
    if path.suffix not in _FORMATS:
        raise RequestError(f"{path} should end in one of: {', '.join(_FORMATS)}.")


def _normal(seed: int, shape: tuple[int, ...]):  # type: ignore[no-untyped-def]
    import torch

    return torch.randn(shape, generator=stream(seed, 0, "export"))


def _labels(model: Model) -> tuple[str, ...]:
    dataset = model.prepared.dataset
    if dataset.labels is None:
        return ()
    return tuple(dataset.label_names[label] for label in dataset.labels.tolist())


def _as_csv(sheet: Sheet) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["point", *(["label"] if sheet.labels else [])]
    writer.writerow([*head, *(inert(name) for name in sheet.names)])
    for row, values in enumerate(sheet.values):
        label = [inert(sheet.labels[row])] if sheet.labels else []
        # Nine significant digits determine every float32.
        writer.writerow([row + 1, *label, *(f"{value:.9g}" for value in values.tolist())])
    return out.getvalue().encode("utf-8")


def _as_parquet(sheet: Sheet) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns = [pa.array(range(1, len(sheet.values) + 1))]
    names = ["point"]
    if sheet.labels:
        columns.append(pa.array(sheet.labels))
        names.append("label")
    columns += [pa.array(sheet.values[:, index]) for index in range(sheet.values.shape[1])]
    out = io.BytesIO()
    parquet.write_table(pa.table(columns, names=[*names, *sheet.names]), out)
    return out.getvalue()


def _as_npz(sheet: Sheet) -> bytes:
    out = io.BytesIO()
    words: dict[str, Any] = {"labels": np.array(sheet.labels)} if sheet.labels else {}
    np.savez_compressed(out, points=sheet.values, names=np.array(sheet.names), **words)
    return out.getvalue()
