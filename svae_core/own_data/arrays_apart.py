"""Several arrays by name of a file that is not trusted, read in a process of their own.

read_arrays(path, "mine.npz") -> {"points": …, "z": …}
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from svae_core.own_data.array_bundle import INDEX
from svae_core.own_data.formats import Progress
from svae_core.own_data.reader_process import ARRAYS, read_apart


def read_arrays(
    path: Path, name: str, tell: Progress = lambda share: None, only: Iterable[Iterable[str]] = ()
) -> dict[str, np.ndarray | None]:
    """The arrays of an NPZ, HDF5, MATLAB or safetensors file by name.

    With `only`, names that mean the same in small letters, those arrays are read, of each the
    outermost; others are None. One array with two names is one object.
    RequestError, one sentence, for what holds no arrays of numbers or text, or is too large.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        read_apart(path, name, folder, tell, ";".join(map(",".join, only)), ARRAYS)
        return arrays_in(folder)


def arrays_in(folder: Path) -> dict[str, np.ndarray | None]:
    """The arrays that `write_arrays` wrote into a folder, and the names of others."""
    about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    files = {
        file: np.load(folder / file, allow_pickle=False) for file in {*about["arrays"].values()}
    }
    arrays = {key: files[file] for key, file in about["arrays"].items()}
    return {**dict.fromkeys(about["others"]), **arrays}
