"""A fitted estimator in a folder: a run, and beside it what was learned of the data, not the data.

write(folder, state, certificate, prepared, about);  saved, prepared, about = read(folder)
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.records import Certificate, PreparedData, RequestError, State
from svae_core.runs import folder as run
from svae_core.runs.data_without_points import pack, unpack

_FILE = "estimator.safetensors"


def write(
    folder: Path,
    state: State,
    certificate: Certificate,
    prepared: PreparedData,
    about: dict[str, Any],
) -> None:
    """Write it into a folder that is new, empty, or that of another one, which is replaced.

    RequestError where there are other files in it.
    """
    from safetensors.numpy import save_file

    _check_free(folder)
    none = np.zeros_like(state.parameters)  # the format of saved runs requires moments
    whole = dataclasses.replace(state, first_moment=none, second_moment=none)
    run.save(whole, (certificate,), folder=folder)
    arrays, words = pack(prepared)
    save_file(arrays, folder / _FILE, {"about": json.dumps({**about, "ground": words})})


def read(folder: Path) -> tuple[State, Certificate, PreparedData, dict[str, Any]]:
    """What was written; RequestError, one sentence, where it is none, or damaged."""
    from safetensors import SafetensorError, safe_open

    saved = run.load(folder)
    try:
        with safe_open(folder / _FILE, "numpy") as file:
            about = json.loads(file.metadata()["about"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        (certificate,) = saved.certificates
        return saved.state, certificate, unpack(arrays, about["ground"]), about
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise no_model(folder) from error


def no_model(folder: Path) -> RequestError:
    """What is said of a folder that holds none."""
    return RequestError(f"{folder} holds no saved SphericalVAE, or a damaged one.")


def _check_free(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RequestError(f"{folder} is a file; name a folder for the model.")
    inside = {path.name for path in folder.iterdir()}
    if inside and _FILE not in inside:
        raise RequestError(
            f"{folder} holds other files ({min(inside)!r} for one) and no saved SphericalVAE; name "
            "a new folder."
        )
