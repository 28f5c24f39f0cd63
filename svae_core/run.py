"""A run on disk: settings, resumable state and certificate; nothing in it is ever unpickled.

    RUN/settings.json  state.safetensors  certificate.json

Runs live in the user's data folder, or where the environment variable SVAE_HOME says.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.records import (
    Certificate,
    RequestError,
    Settings,
    State,
    settings_from_dict,
    settings_to_dict,
    to_json,
)

#: Of the files of a run; a newer one is refused rather than misread.
SCHEMA = 1
_STATE = ("parameters", "first_moment", "second_moment")


@dataclass(frozen=True, eq=False)
class SavedRun:
    """What a run's folder holds."""

    folder: Path
    settings: Settings
    state: State
    certificate: dict[str, Any] | None  # as written, in JSON's terms


def home() -> Path:
    """The folder that runs are saved in."""
    import platformdirs

    chosen = os.environ.get("SVAE_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("svae-explorer"))


def save(state: State, certificate: Certificate | None, folder: Path | None = None) -> Path:
    """Write a one-member state as a run; returns its folder.

    The folder appears whole or not at all. Raises RequestError where it cannot be written.
    """
    from safetensors.numpy import save_file

    (settings,) = state.settings
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = f"{stamp}-{settings.dataset}-{settings.method}-{secrets.token_hex(3)}"
    folder = folder or home() / name
    part = folder.with_name(f".{folder.name}.part")
    arrays = {key: np.ascontiguousarray(getattr(state, key)) for key in _STATE}
    arrays |= {f"memory.{key}": np.ascontiguousarray(v) for key, v in state.memory.items()}
    arrays["step"] = np.array([state.step])
    try:
        part.mkdir(parents=True)
        about = {"schema": SCHEMA, "settings": settings_to_dict(settings)}
        (part / "settings.json").write_text(json.dumps(about, indent=1))
        save_file(arrays, part / "state.safetensors")
        if certificate is not None:
            text = json.dumps(to_json(certificate), indent=1, ensure_ascii=False)
            (part / "certificate.json").write_text(text, encoding="utf-8")
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RequestError(
            f"The run cannot be saved in {folder}: {error.strerror}; choose another folder with "
            "SVAE_HOME."
        ) from error
    return folder


def load(folder: Path) -> SavedRun:
    """Read a run's folder; RequestError, one sentence, where it is not one or is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        about = json.loads((folder / "settings.json").read_text())
        if about["schema"] > SCHEMA:
            raise RequestError(
                f"{folder} was written by a newer version (schema {about['schema']}, known is "
                f"{SCHEMA}); update this program."
            )
        settings = settings_from_dict(about["settings"])
        arrays = load_file(folder / "state.safetensors")
        memory = {
            key.removeprefix("memory."): value
            for key, value in arrays.items()
            if key.startswith("memory.")
        }
        state = State(
            settings=(settings,),
            step=int(arrays["step"][0]),
            parameters=arrays["parameters"],
            first_moment=arrays["first_moment"],
            second_moment=arrays["second_moment"],
            memory=memory,
        )
        certificate = folder / "certificate.json"
        signed = json.loads(certificate.read_text("utf-8")) if certificate.exists() else None
    except FileNotFoundError as error:
        raise RequestError(
            f"{folder} is not a saved run: it has no {Path(str(error.filename)).name}."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"The run in {folder} is damaged ({error}).") from error
    return SavedRun(folder, settings, state, signed)
