"""A model's arrays from a file that is not trusted: the door of the command line and of the page.

arrays_of_file(path, "mine.h5") -> ModelArrays
"""

from __future__ import annotations

from pathlib import Path

from svae_core.clinic.model_arrays import NAMES, ModelArrays, model_arrays
from svae_core.own_data.arrays_apart import read_arrays
from svae_core.own_data.formats import listed, of_arrays
from svae_core.records import RequestError


def arrays_of_file(path: Path, name: str, seed: int = 0) -> ModelArrays:
    """The arrays of a file, checked against each other; `name`: as sentences call the file.

    RequestError, one sentence, for what is no such file, or whose arrays do not fit.
    """
    given = read_arrays(path, name, only=NAMES.values())
    try:
        return model_arrays(given, seed)
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from error


def kinds() -> str:
    """The formats that are read, as a phrase."""
    return listed(of_arrays())


def endings() -> tuple[str, ...]:
    """How names of such files end."""
    return tuple(ending for form in of_arrays() for ending in form.endings)
