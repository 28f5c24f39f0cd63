"""Several arrays of an NPZ file that is not trusted, read in a process of their own.

read_arrays(path, "mine.npz") -> {"points": …, "z": …}
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from svae_core.own_data.array_bundle import INDEX
from svae_core.own_data.formats import Progress
from svae_core.own_data.reader_process import ARRAYS, read_apart


def read_arrays(
    path: Path, name: str, tell: Progress = lambda share: None, only: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file by name; with `only`, those whose small letters are in it.

    RequestError, one sentence, for what is no NPZ of numbers or text, or is too large.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        read_apart(path, name, folder, tell, ",".join(only), ARRAYS)
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {
            key: np.load(folder / file, allow_pickle=False) for file, key in sorted(index.items())
        }
