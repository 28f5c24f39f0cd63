"""A fitted estimator in a folder: a run, and beside it what was learned of the data, not the data.

write(folder, state, certificate, prepared, own, about)
state, certificate, prepared, own, about = read(folder)
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.own_data.damage import reason_of
from svae_core.records import Certificate, PreparedData, RequestError, State
from svae_core.runs import folder as run
from svae_core.runs.data_without_points import Arrays, pack, unpack
from svae_core.runs.manifest import DAMAGE, DamagedRun, NewerRun

_FILE = "estimator.safetensors"
_OWN = "method/"  # begins the names of the method's own arrays


def write(
    folder: Path,
    state: State,
    certificate: Certificate,
    prepared: PreparedData,
    own: Arrays,
    about: dict[str, Any],
) -> None:
    """Write it, with the method's own arrays, into a folder that is new, empty, or that of another
    one, which is replaced.

    RequestError where there are other files in it.
    """
    from safetensors.numpy import save_file

    _check_free(folder)
    none = np.zeros_like(state.parameters)  # the format of saved runs requires moments
    whole = dataclasses.replace(state, first_moment=none, second_moment=none)
    run.save(whole, (certificate,), folder=folder)
    arrays, words = pack(prepared)
    arrays |= {_OWN + name: np.ascontiguousarray(value) for name, value in own.items()}
    save_file(arrays, folder / _FILE, {"about": json.dumps({**about, "ground": words})})


def read(folder: Path) -> tuple[State, Certificate, PreparedData, Arrays, dict[str, Any]]:
    """What was written; RequestError, one sentence, where it is none, or damaged."""
    from safetensors import SafetensorError, safe_open

    if not (folder / _FILE).is_file():
        raise RequestError(
            f"{folder} holds no saved SphericalVAE: it has no {_FILE}; give the folder that `save` "
            "wrote."
        )
    try:
        saved = run.load(folder)
        with safe_open(folder / _FILE, "numpy") as file:
            about = json.loads(file.metadata()["about"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        (certificate,) = saved.certificates
        own = {name.removeprefix(_OWN): arrays[name] for name in arrays if name.startswith(_OWN)}
        return saved.state, certificate, unpack(arrays, about["ground"]), own, about
    except DamagedRun as error:
        raise damaged(folder, error.reason) from error
    except SafetensorError as error:
        raise damaged(folder, f"{_FILE} is cut short, or no such file") from error
    except NewerRun:
        raise
    except DAMAGE as error:
        raise damaged(folder, f"{_FILE}: {reason_of(error)}") from error


def damaged(folder: Path, reason: str) -> RequestError:
    """The sentence on a model that cannot be read."""
    return RequestError(
        f"The SphericalVAE in {folder} is damaged ({reason}); restore its folder from a copy, or "
        "fit and save it again."
    )


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
