"""Whatever holds plain numbers, as a NumPy array of its own; what does not, refused in a sentence.

    numbers(value, "The points") -> float32 or float64 array, a copy

Taken: NumPy arrays and memory maps, nested lists, torch tensors (with or without gradients, on any
device, bfloat16 too), JAX arrays, data frames of pandas and polars. Libraries are recognised by
what their objects can do, so none is imported here.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np

from svae_core.records import RequestError

#: Larger magnitudes overflow when squares of float32 numbers are summed; the squares of points
#: that lie nearer together than the smallest vanish.
LARGEST, SMALLEST = 1e17, 1e-15

#: Decorates what computes exponentials: where a caller has NumPy raise, what is too small is 0.
underflow_is_zero = np.errstate(under="ignore")

_KINDS = {
    "c": "complex numbers, and a loss needs real ones; pass their real part, or both as columns",
    "M": "dates; turn them into numbers first, days since a date for example",
    "m": "time differences; turn them into numbers first, for example by .total_seconds()",
    "O": "Python objects, not numbers; turn them into an array of floats first",
    "U": "text, not numbers; encode it as numbers first",
    "S": "text, not numbers; encode it as numbers first",
}


def numbers(value: Any, what: str) -> np.ndarray:
    """The real numbers in `value` as a new float32 or float64 array that shares no memory with it.

    float32 and anything narrower come as float32, everything else as float64. RequestError, one
    sentence that starts with `what` ("The points"), for sparse matrices, AnnData, masked arrays,
    dates, complex numbers, objects and text.
    """
    _refuse_containers(value, what)
    found = _dense(value, what)
    kind = found.dtype.kind
    if kind in _KINDS:
        raise RequestError(f"{what} hold {_KINDS[kind]}.")
    if kind == "V" and not found.dtype.name.startswith(("bfloat16", "float8")):
        raise RequestError(f"{what} have named fields; stack them as columns of one array.")
    narrow = kind in "fV" and found.dtype.itemsize <= 4
    return np.array(found, np.float32 if narrow else np.float64, order="C", subok=False)


def check_finite(values: np.ndarray, what: str) -> None:
    """RequestError, which names row and column, unless values [n, d] are finite and not huge."""
    with np.errstate(invalid="ignore"):
        good = np.abs(values) <= LARGEST  # false for NaN
    if good.all():
        return
    row, column = np.argwhere(~good)[0]
    value = values[row, column]
    if np.isfinite(value):
        raise RequestError(
            f"{what} have {value:g} in row {row + 1}, column {column + 1}, whose square overflows; "
            "scale the data so that no number is above 1e17."
        )
    raise RequestError(
        f"{what} have {value} in row {row + 1}, column {column + 1}, not a finite number."
    )


def check_varied(values: np.ndarray, what: str) -> None:
    """RequestError unless values [n, d] differ, by enough for the square of a loss."""
    with np.errstate(over="ignore"):
        center = values.mean(axis=0, dtype=np.float64)
    apart = float(np.abs(values - center).max())
    if apart <= 1e-12 * float(np.abs(values).max()):
        raise RequestError(
            f"{what} are all identical, so the best constant has no loss and nothing can be below "
            "it; give at least two different points."
        )
    if apart < SMALLEST:
        raise RequestError(
            f"{what} lie within {apart:.2g} of their mean, and the square of so little vanishes; "
            "multiply the data by a constant."
        )


def check_clusters(clusters: Any) -> None:
    """RequestError unless this is a number of clusters, or 0."""
    if not is_whole(clusters, 0):
        raise RequestError(
            f"clusters is {clusters}, but must be a whole number of 1 or more (0: proposed by "
            "silhouette)."
        )


def is_whole(value: Any, low: int, high: float = math.inf) -> bool:
    """Whether this is a whole number in a range, both ends included."""
    return isinstance(value, Integral) and low <= int(value) <= high


def _refuse_containers(value: Any, what: str) -> None:
    if hasattr(value, "obs") and hasattr(value, "var") and hasattr(value, "X"):
        raise RequestError(
            f"{what} are an AnnData object; pass its matrix, adata.X, or adata.X.toarray() where "
            "that is sparse."
        )
    if hasattr(value, "toarray"):
        raise RequestError(f"{what} are a sparse matrix; pass its dense form, by .toarray().")
    rows = value if isinstance(value, list | tuple) else ()  # which NumPy joins without the mask
    if any(isinstance(one, np.ma.MaskedArray) for one in (value, *rows)):
        raise RequestError(
            f"{what} are a masked array, and what is under a mask has no loss; fill it by "
            ".filled(value) or leave those rows out."
        )


def _dense(value: Any, what: str) -> np.ndarray:
    if hasattr(value, "detach"):  # a torch tensor
        return _of_tensor(value, what)
    if hasattr(value, "columns") and hasattr(value, "to_numpy"):
        return _of_frame(value, what)
    try:
        return np.asarray(value)
    except Exception as error:  # whatever a foreign object's conversion raises
        raise RequestError(
            f"{what} cannot be read as an array ({type(value).__name__}: {error}); pass rows of "
            "numbers of equal length."
        ) from error


def _of_tensor(value: Any, what: str) -> np.ndarray:
    tensor = value.detach().cpu()
    if str(tensor.layout) != "torch.strided":
        raise RequestError(f"{what} are a sparse tensor; pass its dense form, by .to_dense().")
    if str(tensor.dtype).startswith(("torch.bfloat16", "torch.float16", "torch.float8")):
        tensor = tensor.float()
    return np.asarray(tensor.resolve_conj().resolve_neg().numpy())


def _of_frame(frame: Any, what: str) -> np.ndarray:
    """The columns of a pandas or polars frame; refused are those that hold no numbers."""
    kinds = dict(zip(frame.columns, frame.dtypes, strict=True))
    for name, kind in kinds.items():
        numeric = kind.is_numeric() if hasattr(kind, "is_numeric") else kind.kind in "biuf"
        if not numeric:
            raise RequestError(
                f"{what} have a column {str(name)!r} of type {kind}, not of numbers; leave it out "
                "or encode it."
            )
    if not hasattr(frame, "index"):  # polars
        return np.asarray(frame.to_numpy())
    narrow = all(getattr(kind, "itemsize", 8) <= 4 and kind.kind == "f" for kind in kinds.values())
    return np.asarray(frame.to_numpy(np.float32 if narrow else np.float64, na_value=np.nan))
