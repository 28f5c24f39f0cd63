"""A model's arrays by name in files of every kind that holds such; and what is no such file."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.linear_arrays import linear_model

from svae_core.__main__ import main
from svae_core.clinic.array_files import arrays_of_file
from svae_core.clinic.examination import examine
from svae_core.clinic.model_arrays import NAMES as KNOWN
from svae_core.clinic.model_arrays import model_arrays
from svae_core.own_data.array_bundle import write_arrays
from svae_core.own_data.arrays_apart import arrays_in, read_arrays
from svae_core.records import RequestError

N, C = 60, 0.2
CLASSES = np.arange(N) % 3
MODEL = {**linear_model(N, C), "labels": CLASSES.astype(float), "beta_sigma2": np.float64(C)}
#: As other code calls them.
NAMES = {"points": "x", "mean": "mu", "log_variance": "logvar", "reconstructions": "recon"}
RENAMED = {NAMES.get(name, name): array for name, array in MODEL.items()}


def npz(path: Path, arrays: dict[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def npz_in_gzip(path: Path, arrays: dict[str, Any]) -> None:
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    path.write_bytes(gzip.compress(packed.getvalue()))


def hdf5(path: Path, arrays: dict[str, Any]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def hdf5_in_a_group(path: Path, arrays: dict[str, Any]) -> None:
    hdf5(path, {f"run 3/{name}": array for name, array in arrays.items()})


def matlab_5(path: Path, arrays: dict[str, Any]) -> None:
    from scipy import io

    words = np.array([f"kind {label}" for label in CLASSES], object)
    io.savemat(path, {**arrays, "labels": words} if "labels" in arrays else arrays)


def matlab_73(path: Path, arrays: dict[str, Any]) -> None:
    """As MATLAB's -v7.3 does: every array on its side, a number as 1 × 1, a user block before."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            turned = array.T if array.ndim > 1 else np.reshape(array, (1, -1))
            file.create_dataset(name, data=turned).attrs["MATLAB_class"] = np.bytes_("double")


def sparse_groups(path: Path, arrays: dict[str, Any], matlab: bool = False) -> None:
    """All matrices as HDF5 keeps sparse ones: a group of three vectors each."""
    import h5py
    from scipy import sparse

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if array.ndim != 2:
                file.create_dataset(name, data=array)
                continue
            matrix = sparse.csc_matrix(array)
            group = file.create_group(name)
            names = ("data", "ir", "jc") if matlab else ("data", "indices", "indptr")
            parts = (matrix.data, matrix.indices, matrix.indptr)
            group.update(dict(zip(names, parts, strict=True)))
            if matlab:
                group.attrs["MATLAB_sparse"] = np.uint64(len(array))
            else:
                group.attrs.update({"encoding-type": "csc_matrix", "shape": array.shape})


def sparse_groups_of_matlab(path: Path, arrays: dict[str, Any]) -> None:
    sparse_groups(path, arrays, matlab=True)


def sparse_matlab_5(path: Path, arrays: dict[str, Any]) -> None:
    from scipy import io, sparse

    matrices = {name: sparse.csc_matrix(one) for name, one in arrays.items() if one.ndim == 2}
    io.savemat(path, arrays | matrices)


def safetensors(path: Path, arrays: dict[str, Any]) -> None:
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


WRITERS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    **{"m.npz": npz, "m.npz.gz": npz_in_gzip, "m.h5": hdf5, "g.hdf5": hdf5_in_a_group},
    **{"five.mat": matlab_5, "seven.mat": matlab_73, "m.safetensors": safetensors},
    **{"sparse.h5": sparse_groups, "s7.mat": sparse_groups_of_matlab, "s5.mat": sparse_matlab_5},
}


def held(path: Path) -> dict[str, np.ndarray | None]:
    """The arrays of a file as the reader's process writes them, read in this one."""
    folder = path.parent / "read"
    folder.mkdir(exist_ok=True)
    asked = ";".join(map(",".join, KNOWN.values()))
    write_arrays(path, path.name, folder, lambda share: None, asked)
    return arrays_in(folder)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("named", [MODEL, RENAMED], ids=["own names", "other code's"])
def test_the_same_arrays_come_out_of_every_kind_of_file(
    name: str, named: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / name
    WRITERS[name](path, {**named, "history": np.ones(7)})
    found = model_arrays(held(path))
    for array in ("points", "mean", "log_variance"):
        np.testing.assert_array_equal(getattr(found, array), MODEL[array])
    for array in ("z", "reconstructions"):
        np.testing.assert_array_equal(getattr(found, array), MODEL[array])
    assert found.beta_sigma2 == pytest.approx(C) and found.labels is not None
    assert len(set(zip(found.labels, CLASSES, strict=True))) == 3
    assert {label.removeprefix("kind ") for label in found.labels} == {"0", "1", "2"}
    assert [one.rsplit("/", 1)[-1] for one in found.others] == ["history"]


@pytest.mark.parametrize("name", ["m.npz", "m.h5", "m.safetensors"])
def test_labels_are_as_exact_as_their_file(name: str, tmp_path: Path) -> None:
    ids = 2**60 + CLASSES.astype(np.int64)
    WRITERS[name](tmp_path / name, {**MODEL, "labels": ids})
    found = model_arrays(held(tmp_path / name))
    assert found.labels is not None and found.labels.tolist() == ids.astype(str).tolist()


def test_narrow_numbers_are_read_as_they_are_meant(tmp_path: Path) -> None:
    """bfloat16, which NumPy has no name for, halves and whole numbers."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    points = torch.arange(40.0).reshape(10, 4)
    path = tmp_path / "m.safetensors"
    arrays = {"x": points.bfloat16(), "mu": points[:, :2].half(), "logvar": 0 * points[:, :2].int()}
    save_file({name: array.contiguous() for name, array in arrays.items()}, path)
    found = held(path)
    assert {name: array.dtype.name for name, array in found.items() if array is not None} == {
        **{"x": "float32", "mu": "float32", "logvar": "int32"}
    }
    np.testing.assert_array_equal(found["x"], points.numpy())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m.safetensors", "seven.mat"])
def test_the_command_reads_each_and_says_what_it_left(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = tmp_path / name, tmp_path / "report.html"
    WRITERS[name](path, {**RENAMED, "epochs": np.ones(3)})
    assert main(["diagnose", str(path), "--json", "--page", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "awake" and told["beta_sigma2"] == pytest.approx(C)
    assert any("in epochs: such names are not known" in one for one in told["unknown"])
    assert "epochs" in page.read_text(encoding="utf-8")
    assert main(["diagnose", str(tmp_path / "none.h5")]) == 2
    error = capsys.readouterr().err
    assert "There is no file" in error and "HDF5, MATLAB, NPZ or safetensors" in error


def test_what_lies_further_out_is_meant_where_a_name_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    hdf5(path, {"points": MODEL["points"], "inner/x": MODEL["mean"]})
    np.testing.assert_array_equal(model_arrays(held(path)).points, MODEL["points"])
    hdf5(path, {"train/x": MODEL["points"], "test/x": MODEL["points"]})
    with pytest.raises(RequestError, match="test/x and train/x are all names of points"):
        model_arrays(held(path))


@pytest.mark.slow
def test_names_that_are_wrong_or_missing_are_answered_by_what_the_file_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.safetensors"
    safetensors(path, {"encoder.0.weight": np.ones((4, 3)), "encoder.0.bias": np.ones(3)})
    wrong = r"^m\.safetensors: There are no points among the arrays \(encoder\.0\.bias, "
    with pytest.raises(RequestError, match=wrong + r"[^\n]*name them “points”[^\n]*\.$"):
        arrays_of_file(path, path.name)
    given = {"x": MODEL["points"], "mu": MODEL["mean"], "logstd": MODEL["log_variance"]}
    with pytest.raises(RequestError, match=r"log_variance is missing [^\n]*\(x, mu, logstd\)"):
        model_arrays(given)
    found = examine(model_arrays({"x": MODEL["points"], "recons": MODEL["points"]}), 2)
    assert found.unknown[0].startswith("What is in recons: such names are not known")


def _pickled() -> bytes:
    return pickle.dumps(MODEL)


def _torch() -> bytes:
    torch = pytest.importorskip("torch")
    target = io.BytesIO()
    torch.save({"points": torch.ones(4, 2)}, target)
    return target.getvalue()


def _npy() -> bytes:
    target = io.BytesIO()
    np.save(target, MODEL["points"])
    return target.getvalue()


def _matlab_struct() -> bytes:
    from scipy import io as matlab

    target = io.BytesIO()
    matlab.savemat(target, {"points": {"a": np.ones((4, 2))}})
    return target.getvalue()


def _hdf5(write: Callable[[Any], None]) -> bytes:
    import h5py

    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        write(file)
    return target.getvalue()


def _elsewhere() -> bytes:
    import h5py

    def write(file: Any) -> None:
        file["points"] = h5py.ExternalLink("/etc/passwd", "/")

    return _hdf5(write)


def _anndata() -> bytes:
    def write(file: Any) -> None:
        for name in ("X", "obs", "var"):
            file[name] = np.ones(1)

    return _hdf5(write)


def _sparse() -> bytes:
    from scipy import sparse

    target = io.BytesIO()
    sparse.save_npz(target, sparse.csr_matrix(np.eye(5)))
    return target.getvalue()


def _fp8() -> bytes:
    header = b'{"points":{"dtype":"F8_E4M3","shape":[4,2],"data_offsets":[0,8]}}'
    return len(header).to_bytes(8, "little") + header + bytes(8)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: b"a,b\n1,2\n", r"no file of arrays with names; .*HDF5, MATLAB, NPZ or safetens"),
        (_npy, "no file of arrays with names, but NPY;"),
        (_anndata, "no file of arrays with names, but AnnData;"),
        (_pickled, r"is a pickle, .*never loaded; .*numpy\.savez"),
        (_torch, r"is a PyTorch file, .*never loaded; .*numpy\.savez.*torch\.load"),
        (_matlab_struct, "array points is a struct, but must hold numbers"),
        (_elsewhere, "array points lies in another file"),
        (_sparse, "one sparse matrix of SciPy"),
        (_fp8, "holds F8_E4M3, but must hold real numbers"),
    ],
)
def test_what_is_no_such_file_gets_one_sentence(
    content: Callable[[], bytes], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine"
    path.write_bytes(content())
    with pytest.raises(RequestError, match=rf"^mine: [^\n]*{said}[^\n]*\.$") as refused:
        held(path)
    assert ". " not in str(refused.value)


def test_the_process_apart_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    hdf5(path, RENAMED | {"notes": np.ones(2)})
    read = read_arrays(path, path.name, only=KNOWN.values())
    assert read["notes"] is None and set(read) == {*RENAMED, "notes"}
    for name, array in RENAMED.items():
        np.testing.assert_array_equal(read[name], array)
