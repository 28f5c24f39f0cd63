"""What holds plain numbers is read, everything else is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest
import scipy.sparse
import torch
from adversaries import POINTS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from svae_core import certify
from svae_core.certificate.arrays import numbers
from svae_core.records import RequestError


class Polars:
    """A frame as polars has it: types that know whether they are numeric, and no index."""

    def __init__(self, values: np.ndarray, numeric: bool = True) -> None:
        kind = SimpleNamespace(is_numeric=lambda: numeric)
        self.columns = [f"column_{i}" for i in range(values.shape[1])]
        self.dtypes = [kind] * values.shape[1]
        self._values = values

    def to_numpy(self) -> np.ndarray:
        return self._values


class Jax:
    """An array of another library that NumPy can read, bfloat16 by way of its interface."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self._values, dtype)


READ = {
    "float32": lambda x: x,
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.astype(np.float16),
    "lists": lambda x: x.tolist(),
    "Fortran order": np.asfortranarray,
    "negative strides": lambda x: x[::-1][::-1],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "torch": torch.from_numpy,
    "torch with gradients": lambda x: torch.from_numpy(x).requires_grad_(),
    "torch, transposed": lambda x: torch.from_numpy(x.T.copy()).T,
    "bfloat16": lambda x: torch.from_numpy(x).bfloat16(),
    "half": lambda x: torch.from_numpy(x).half(),
    "pandas": pandas.DataFrame,
    "pandas, nullable": lambda x: pandas.DataFrame(x).convert_dtypes(),
    "polars": Polars,
    "another library": Jax,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_numbers_are_read_from_whatever_holds_them(name: str) -> None:
    kept = POINTS.copy()
    held = READ[name](kept)
    found = numbers(held, "The points")
    rounding = 0.01 if name == "bfloat16" else 1e-3
    np.testing.assert_allclose(found, POINTS, rtol=rounding, atol=1e-4)
    assert found.dtype in (np.float32, np.float64) and found.flags.c_contiguous
    found[:] = 0.0  # its own memory
    np.testing.assert_array_equal(kept, POINTS)
    rng = np.random.default_rng(0)
    verdict = certify(lambda x: x + rng.normal(0, 0.3, x.shape), held, clusters=3, draws=8).verdict
    assert verdict == "certified"


@pytest.mark.slow
def test_a_memory_map_is_read_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "points.npy"
    np.save(path, POINTS)
    before = path.read_bytes()
    mapped = np.load(path, mmap_mode="r+")
    rng = np.random.default_rng(0)

    def spoil(x: np.ndarray) -> np.ndarray:
        answer = x + rng.normal(0, 0.3, x.shape)
        x[:] = 0.0
        return answer

    assert certify(spoil, mapped, clusters=3, draws=8).verdict == "certified"
    mapped.flush()
    assert path.read_bytes() == before


DATES = np.array(["2020-01-01", "2021-01-01"], "datetime64[D]")
REFUSED = {
    "a sparse matrix": (scipy.sparse.csr_matrix(POINTS), ".toarray()"),
    "a sparse array": (scipy.sparse.csr_array(POINTS), ".toarray()"),
    "AnnData": (SimpleNamespace(X=POINTS, obs=0, var=0), ".toarray()"),
    "a sparse tensor": (torch.from_numpy(POINTS).to_sparse(), ".to_dense()"),
    "a masked array": (np.ma.masked_array(POINTS, POINTS > 0), "masked array"),
    "rows under masks": ([np.ma.masked_array([1.0, 9.0], [0, 1])] * 3, "masked array"),
    "dates": (np.tile(DATES[:, None], 3), "dates"),
    "time differences": (np.tile((DATES - DATES[0])[:, None], 3), "time differences"),
    "complex numbers": (POINTS * 1j, "complex"),
    "a complex tensor": (torch.from_numpy(POINTS) * 1j, "complex"),
    "objects": (POINTS.astype(object), "Python objects"),
    "text": (POINTS.astype(str), "text"),
    "rows of unequal length": ([[1.0], [1.0, 2.0]], "rows of numbers of equal length"),
    "named fields": (np.zeros(5, [("a", float)]), "named fields"),
    "a frame with dates": (pandas.DataFrame({"day": DATES, "x": [1.0, 2.0]}), "column 'day'"),
    "a frame with text": (pandas.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}), "column 'y'"),
    "a polars frame of text": (Polars(POINTS, numeric=False), "column 'column_0'"),
    "a gap in a frame": (pandas.DataFrame({"x": [1.0, None], "y": [1.0, 2.0]}), "row 2, column 1"),
    "values near overflow": (POINTS * 1e30, "overflows"),
    "infinities": (np.where(POINTS > 3, np.inf, POINTS), "not a finite number"),
    "one row": (POINTS[:1], "at least two rows"),
    "a vector": (POINTS[0], "shape"),
    "equal points": (np.ones((5, 3)), "identical"),
    "equal points far away": (np.full((5, 3), 1e9), "identical"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_loss_is_refused_in_one_sentence(name: str) -> None:
    value, words = REFUSED[name]
    with pytest.raises(RequestError) as refusal:
        certify(lambda x: x, value)
    sentence = str(refusal.value)
    assert words in sentence and sentence.startswith(("The points", "All points"))
    assert sentence.endswith(".") and "\n" not in sentence and "--" not in sentence


@given(
    arrays.arrays(
        st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_]),
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=4),
    )
)
def test_numbers_are_exact_for_every_real_type(values: np.ndarray) -> None:
    found = numbers(values, "The points")
    assert not np.shares_memory(found, values)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, values.astype(np.float64))


@pytest.mark.parametrize("clusters", [-1, -5, 2.5])
def test_requests_are_refused_in_the_library_s_words(clusters: float) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(RequestError, match=f"^clusters is {clusters}"):
        certify(lambda x: x + rng.normal(size=x.shape), POINTS, clusters=clusters)
