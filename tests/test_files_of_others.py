"""Files as other programs write them: honest ones are read as they are, links out of none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.own_tables import table_of

from svae_core.clinic.array_files import arrays_of_file
from svae_core.clinic.model_arrays import NAMES, model_arrays
from svae_core.own_data import array_bundle
from svae_core.own_data.arrays_apart import arrays_in
from svae_core.records import RequestError

N, K = 40, 2
_RNG = np.random.default_rng(3)
MODEL = {
    "x": _RNG.normal(size=(N, 5)).astype(np.float32),
    "mu": _RNG.normal(size=(N, K)).astype(np.float32),
    "logvar": np.full((N, K), -1.0, np.float32),
}


# ------------------------------------------------------------------ HDF5


def _hdf5(path: Path, write: Callable[[Any], Any], arrays: dict[str, Any] | None = None) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in (MODEL if arrays is None else arrays).items():
            file[name] = array
        write(file)
    return path


def _sparse_group(file: Any, name: str, data: Any) -> None:
    group = file.create_group(name)
    group.attrs.update({"encoding-type": "csr_matrix", "shape": (N, 1)})
    group["indices"], group["indptr"] = np.zeros(N, int), np.arange(N + 1)
    group["data"] = data


def _secret(tmp_path: Path) -> Any:
    import h5py

    _hdf5(tmp_path / "secret.h5", lambda file: None, {"data": np.arange(1.0, N + 1)})
    return h5py.ExternalLink(str(tmp_path / "secret.h5"), "data")


@pytest.mark.slow
def test_a_sparse_matrix_does_not_lead_into_other_files(tmp_path: Path) -> None:
    link = _secret(tmp_path)
    path = _hdf5(tmp_path / "m.h5", lambda file: _sparse_group(file, "labels", link))
    found = arrays_of_file(path, path.name)
    assert found.labels is None and "labels/data" in found.others
    alone = _hdf5(tmp_path / "a.h5", lambda file: _sparse_group(file, "points", link), {})
    with pytest.raises(RequestError, match=r"points/indptr \(41\), and none of them looks like"):
        table_of(alone)


@pytest.mark.slow
def test_a_soft_link_does_not_lead_out_by_another_link(tmp_path: Path) -> None:
    import h5py

    _secret(tmp_path)

    def write(file: Any) -> None:
        file["way"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
        _sparse_group(file, "labels", h5py.SoftLink("/way/data"))

    path = _hdf5(tmp_path / "m.h5", write)
    assert arrays_of_file(path, path.name).labels is None


def test_anndata_does_not_lead_into_other_files(tmp_path: Path) -> None:
    link = _secret(tmp_path)

    def write(file: Any) -> None:
        file.attrs["encoding-type"] = "anndata"
        file["X"] = link

    path = _hdf5(tmp_path / "a.h5ad", write, {})
    with pytest.raises(RequestError, match=r"^a\.h5ad: The data set X lies in another file"):
        table_of(path)


def test_a_file_of_10x_does_not_lead_into_other_files(tmp_path: Path) -> None:
    link = _secret(tmp_path)

    def write(file: Any) -> None:
        group = file.create_group("matrix")
        group.update({"indices": np.zeros(N, int), "indptr": np.arange(N + 1)})
        group.update({"shape": [1, N], "barcodes": np.array([b"A"] * N), "data": link})

    path = _hdf5(tmp_path / "t.h5", write, {})
    with pytest.raises(RequestError, match=r"^t\.h5: The data set matrix/data lies in another"):
        table_of(path)


def _group_for_numbers(file: Any) -> None:
    _sparse_group(file, "other", np.ones(N))
    del file["other/data"]
    file.create_group("other/data")


def _group_for_columns(file: Any) -> None:
    group = file.create_group("other")
    group.attrs["MATLAB_sparse"] = np.uint64(N)
    group.update({"data": np.ones(N), "ir": np.zeros(N, int)})
    group.create_group("jc")


def _dangling(file: Any) -> None:
    import h5py

    _sparse_group(file, "other", h5py.SoftLink("/nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize("write", [_group_for_numbers, _group_for_columns, _dangling])
def test_a_group_that_is_almost_a_sparse_matrix_is_none(
    write: Callable[[Any], None], tmp_path: Path
) -> None:
    path = _hdf5(tmp_path / "m.h5", write)
    np.testing.assert_array_equal(arrays_of_file(path, path.name).points, MODEL["x"])
    assert table_of(path).rows == N


@pytest.mark.slow
def test_an_array_far_down_in_groups_keeps_its_name(tmp_path: Path) -> None:
    place = "experiment_2026_11_03_beta_4_seed_17/validation_split_held_out/outputs_of_the_encoder"
    deep = {f"{place}/{name}": array for name, array in MODEL.items()}
    found = arrays_of_file(_hdf5(tmp_path / "m.h5", lambda file: None, deep), "m.h5")
    np.testing.assert_array_equal(found.mean, MODEL["mu"])
    twice = {f"{side}_{place}/x": MODEL["x"] for side in ("left", "right")}
    with pytest.raises(RequestError, match=r"outputs_of_the_encoder/x are all names of points"):
        arrays_of_file(_hdf5(tmp_path / "t.h5", lambda file: None, twice), "t.h5")


@pytest.mark.slow
def test_links_within_a_file_are_other_names(tmp_path: Path) -> None:
    import h5py

    def write(file: Any) -> None:
        file.update(
            {"x": MODEL["x"], "runs/3/sigma": MODEL["logvar"], "runs/3/middle": MODEL["mu"]}
        )
        file["latest"] = h5py.SoftLink("runs//3/")
        file["runs/way"] = h5py.SoftLink("./../latest")  # ".." is no other name to HDF5
        file["mean"] = h5py.SoftLink("/latest/middle")
        file["mu"] = h5py.SoftLink("mean")
        file["logvar"] = h5py.SoftLink("latest/sigma")
        _sparse_group(file, "runs/3/kinds", np.arange(1.0, N + 1))
        file["labels"] = h5py.SoftLink("latest/kinds")

    found = arrays_of_file(_hdf5(tmp_path / "m.h5", write, {}), "m.h5")
    np.testing.assert_array_equal(found.mean, MODEL["mu"])
    np.testing.assert_array_equal(found.log_variance, MODEL["logvar"])
    assert found.labels is not None and len(set(found.labels)) == N
    assert found.others == ("runs/way",), "which leads nowhere; all else is read"


def _far_around(file: Any) -> str:
    import h5py

    file["step 0"] = h5py.SoftLink("/")
    for step in range(1, 30):  # each way is twice as long as the one before
        file[f"step {step}"] = h5py.SoftLink(f"step {step - 1}/step {step - 1}")
    return "step 29/x"


def _out_of_the_file(file: Any) -> str:
    import h5py

    file["way"] = h5py.ExternalLink(file.filename.replace("m.h5", "secret.h5"), "/")
    return "/way/data"


@pytest.mark.slow
@pytest.mark.parametrize(
    "lead",
    [lambda file: "/none", lambda file: "mean", lambda file: "x/y", _far_around, _out_of_the_file],
)
def test_a_link_that_leads_out_or_nowhere_is_called_so(
    lead: Callable[[Any], str], tmp_path: Path
) -> None:
    import h5py

    _secret(tmp_path)

    def write(file: Any) -> None:
        del file["mu"]
        file["mean"] = h5py.SoftLink(lead(file))

    path = _hdf5(tmp_path / "m.h5", write)
    with pytest.raises(
        RequestError, match=r"array mean is a link that leads out of the file or no"
    ):
        arrays_of_file(path, path.name)


def test_an_array_that_nobody_can_read_far_down_refuses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _hdf5(tmp_path / "m.h5", lambda file: None, MODEL | {"old/mu": "u", "old/x": np.ones(9)})
    monkeypatch.setattr(array_bundle, "CELLS", sum(array.size for array in MODEL.values()))
    folder = tmp_path / "read"
    folder.mkdir()
    asked = ";".join(map(",".join, NAMES.values()))
    array_bundle.write_arrays(path, path.name, folder, lambda share: None, asked)
    found = model_arrays(arrays_in(folder))
    np.testing.assert_array_equal(found.mean, MODEL["mu"])
    assert found.others == ("old/mu", "old/x")


def test_two_names_that_look_alike_are_two(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", **MODEL, **{"x ": MODEL["x"] + 1})
    with pytest.raises(RequestError, match="are all names of points"):
        arrays_of_file(tmp_path / "m.npz", "m.npz")


@pytest.mark.slow
def test_what_has_no_shape_is_called_empty_and_not_damaged(tmp_path: Path) -> None:
    import h5py

    def write(file: Any) -> None:
        file["labels"] = h5py.Empty("S3")

    path = _hdf5(tmp_path / "m.h5", write)
    with pytest.raises(RequestError, match=r"There are 0 labels, but 40 points"):
        arrays_of_file(path, path.name)
    far = _hdf5(
        tmp_path / "f.h5",
        lambda file: (
            file.create_dataset("z", (0, 2**60), "f4", maxshape=(None, 2**60), chunks=True) and None
        ),
    )
    with pytest.raises(RequestError, match=r"The array z is empty"):
        arrays_of_file(far, far.name)


# ------------------------------------------------------------------ MATLAB


def _matlab_73(path: Path, name: str, stored: np.ndarray, **attributes: Any) -> Path:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for key, array in MODEL.items():
            file.create_dataset(key, data=array.T).attrs["MATLAB_class"] = np.bytes_("single")
        file.create_dataset(name, data=stored).attrs.update(attributes)
    return path


@pytest.mark.slow
def test_letters_of_matlab_are_no_numbers(tmp_path: Path) -> None:
    """Version 7.3 keeps a text as the codes of its letters, "1" as 49."""
    char = {"MATLAB_class": np.bytes_("char")}
    path = _matlab_73(tmp_path / "m.mat", "beta_sigma2", np.array([[49]], "u2"), **char)
    with pytest.raises(RequestError, match=r"beta_sigma2 holds letters \(char\)"):
        arrays_of_file(path, path.name)
    letters = np.full((9, 100), 97, "u2")
    table = table_of(_matlab_73(tmp_path / "t.mat", "about", letters, **char))
    assert (table.rows, len(table.columns)) == (N, 5)
    assert "about (letters (char))" in " ".join(table.notes)


@pytest.mark.slow
def test_an_empty_matrix_of_matlab_is_not_its_sizes(tmp_path: Path) -> None:
    empty = {"MATLAB_class": np.bytes_("double"), "MATLAB_empty": np.uint8(1)}
    path = _matlab_73(tmp_path / "m.mat", "labels", np.array([N, 0], "u8"), **empty)
    with pytest.raises(RequestError, match=r"There are 0 labels, but 40 points"):
        arrays_of_file(path, path.name)
    assert "labels" not in " ".join(table_of(path).notes)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["4", "5"])
def test_complex_matrices_of_matlab_do_not_lose_a_part(version: str, tmp_path: Path) -> None:
    from scipy import io as scipy_io

    scipy_io.savemat(tmp_path / "m.mat", {**MODEL, "z": MODEL["mu"] + 1j}, format=version)
    with pytest.raises(RequestError, match=r"The array z holds complex numbers"):
        arrays_of_file(tmp_path / "m.mat", "m.mat")


@pytest.mark.slow
def test_a_sparse_logical_matrix_of_matlab_is_read(tmp_path: Path) -> None:
    from scipy import io as scipy_io
    from scipy import sparse

    scipy_io.savemat(tmp_path / "m.mat", {**MODEL, "x": sparse.csc_matrix(MODEL["x"] > 0)})
    found = arrays_of_file(tmp_path / "m.mat", "m.mat")
    np.testing.assert_array_equal(found.points, MODEL["x"] > 0)
