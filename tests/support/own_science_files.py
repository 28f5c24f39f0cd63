"""Files of scientific formats, each written by the format's own library, with what is right."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from support.digit_files import write_xlsx

N = 24
RNG = np.random.default_rng(23)
POINTS = RNG.normal(size=(N, 5)).round(3)
KINDS = [f"kind {i % 3}" for i in range(N)]
COUNTS = RNG.poisson(0.8, size=(N, 30)).astype(np.float64)
GREY = RNG.integers(0, 256, (N, 6, 7), np.uint8)
Right = tuple[np.ndarray, list[str] | None]


# ------------------------------------------------------------------------------- hdf5


def hdf5_in_groups(path: Path) -> Right:
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("run 1/latent")
        group.create_dataset("mu", data=POINTS, chunks=(5, 5), compression="gzip", shuffle=True)
        file["run 1/step"] = 7
        file["classes"] = KINDS
    return POINTS, KINDS


def hdf5_of_pictures(path: Path) -> Right:
    import h5py

    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("images", data=GREY, fletcher32=True)
        file["labels"] = np.arange(N) % 2
    return GREY.reshape(N, -1) / 255, [str(i % 2) for i in range(N)]


def h5ad(kind: str) -> Callable[[Path], Right]:
    def write(path: Path) -> Right:
        import h5py
        from scipy import sparse

        with h5py.File(path, "w") as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            if kind == "dense":
                file["X"] = COUNTS.astype(np.float32)
            else:
                matrix = sparse.csr_matrix(COUNTS.astype(np.float32)).asformat(kind)
                group = file.create_group("X")
                group.attrs.update({"encoding-type": f"{kind}_matrix", "shape": COUNTS.shape})
                for part in ("data", "indices", "indptr"):
                    group[part] = getattr(matrix, part)
            file["obsm/X_pca"] = POINTS
            for frame, names in (("obs", N), ("var", 30)):
                place = file.create_group(frame)
                place.attrs["_index"] = "_index"
                place["_index"] = [f"{frame}{i}" for i in range(names)]
            types = file.create_group("obs/cell_type")
            types.attrs["encoding-type"] = "categorical"
            types["categories"] = [f"kind {i}" for i in range(3)]
            types["codes"] = np.arange(N, dtype=np.int8) % 3
        return COUNTS, KINDS

    return write


def tenx(path: Path) -> Right:
    _tenx(path, np.int32, "gzip")
    return COUNTS, None


def tenx_plain(path: Path) -> Right:
    _tenx(path, np.int64, None)
    return COUNTS, None


def _tenx(path: Path, dtype: type, compression: str | None) -> None:
    import h5py
    from scipy import sparse

    matrix = sparse.csc_matrix(COUNTS.T.astype(dtype))  # genes × cells
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            group.create_dataset(part, data=getattr(matrix, part), compression=compression)
        group["shape"] = matrix.shape
        group["barcodes"] = [f"ACGT{i:04}-1" for i in range(N)]
        group["features/name"] = [f"gene{i}" for i in range(30)]


# ----------------------------------------------------------------------------- matlab


def matlab_with_words(path: Path) -> Right:
    from scipy import io as library

    cells = np.empty((N, 1), object)
    cells[:, 0] = KINDS
    library.savemat(path, {"data": POINTS, "labels": cells}, do_compression=True)
    return POINTS, KINDS


def matlab_sparse(path: Path) -> Right:
    from scipy import io as library
    from scipy import sparse

    library.savemat(path, {"X": sparse.csc_matrix(COUNTS), "note": "text"})
    return COUNTS, None


def matlab_73(path: Path) -> Right:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("features", data=POINTS.T).attrs["MATLAB_class"] = np.bytes_("double")
    return POINTS, None


def matlab_73_sparse(path: Path) -> Right:
    """A sparse matrix, which version 7.3 keeps as a group of three vectors, and labels."""
    import h5py
    from scipy import sparse

    matrix = sparse.csc_matrix(COUNTS)
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("X")
        group.attrs.update({"MATLAB_class": np.bytes_("double"), "MATLAB_sparse": np.uint64(N)})
        group["data"] = matrix.data
        group["ir"], group["jc"] = matrix.indices.astype("u8"), matrix.indptr.astype("u8")
        labels = file.create_dataset("labels", data=np.arange(N, dtype=float)[None] % 3)
        labels.attrs["MATLAB_class"] = np.bytes_("double")
    return COUNTS, [str(i % 3) for i in range(N)]


def mudata(path: Path) -> Right:
    """Cells by several methods: sparse matrices as groups, deeper than in AnnData."""
    import h5py
    from scipy import sparse

    matrix = sparse.csr_matrix(COUNTS)
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "MuData"
        group = file.create_group("mod/rna/X")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": COUNTS.shape})
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        file["mod/prot/X"] = POINTS
    return COUNTS, None


def matrix_market_dense(path: Path) -> Right:
    from scipy import io as library

    library.mmwrite(path, POINTS, precision=16)
    return POINTS, None


def matrix_market_of_10x(path: Path) -> Right:
    from scipy import io as library
    from scipy import sparse

    out = io.BytesIO()
    library.mmwrite(out, sparse.coo_matrix(COUNTS.T.astype(int)), comment="cellranger 7.0")
    path.write_bytes(gzip.compress(out.getvalue()))
    return COUNTS, None


# ---------------------------------------------------------------- of machine learning


def arff_dense(path: Path) -> Right:
    import arff

    attributes: list[tuple[str, object]] = [(f"x{i}", "REAL") for i in range(5)]
    attributes.append(("kind of thing", sorted(set(KINDS))))
    data = [[*row, kind] for row, kind in zip(POINTS.tolist(), KINDS, strict=True)]
    path.write_text(arff.dumps({"relation": "r", "attributes": attributes, "data": data}))
    return POINTS, KINDS


def arff_sparse(path: Path) -> Right:
    import arff

    rows = [{i: float(v) for i, v in enumerate(row) if v} for row in COUNTS[:, :9]]
    attributes = [(f"x{i}", "INTEGER") for i in range(9)]
    whole = [{i: int(v) for i, v in row.items()} for row in rows]
    path.write_text(arff.dumps({"relation": "r", "attributes": attributes, "data": whole}))
    return COUNTS[:, :9], None


def libsvm(zero_based: bool) -> Callable[[Path], Right]:
    def write(path: Path) -> Right:
        from sklearn.datasets import dump_svmlight_file

        dump_svmlight_file(
            POINTS, np.arange(N) % 2 * 2 - 1, str(path), zero_based=zero_based, comment="made"
        )
        return POINTS, [str(i % 2 * 2 - 1) for i in range(N)]

    return write


def excel(path: Path) -> Right:
    rows: list[list[object]] = [["a", "b", "c", "d", "e", "species"]]
    rows += [[*row, kind] for row, kind in zip(POINTS.tolist(), KINDS, strict=True)]
    write_xlsx(path, rows)
    return POINTS, KINDS


def open_document(path: Path) -> Right:
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    table = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
    text = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    kind = "application/vnd.oasis.opendocument.spreadsheet"

    def cell(value: object) -> str:
        if isinstance(value, str):
            return (
                '<table:table-cell office:value-type="string"><text:p>'
                f"{value}</text:p></table:table-cell>"
            )
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    rows = [["a", "b", "c", "d", "e"], *POINTS.tolist()]
    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("mimetype", kind)
        out.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{office}" xmlns:table="{table}" '
            f'xmlns:text="{text}"><office:body><office:spreadsheet><table:table table:name="one">'
            f"{body}</table:table></office:spreadsheet></office:body></office:document-content>",
        )
        out.writestr(
            "META-INF/manifest.xml",
            '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<m:file-entry m:full-path="/" m:media-type="{kind}"/></m:manifest>',
        )
    return POINTS, None


def ucr_with_classes(path: Path) -> Right:
    head = "# made\n@problemName P\n@univariate true\n@classLabel true 0 1 2\n@data\n"
    rows = [f"{','.join(map(str, row))}:{i % 3}" for i, row in enumerate(POINTS.tolist())]
    path.write_text(head + "\n".join(rows) + "\n")
    return POINTS, [str(i % 3) for i in range(N)]


def ucr_without(path: Path) -> Right:
    rows = [",".join(map(str, row)) for row in POINTS.tolist()]
    path.write_text("@problemName P\n@classLabel false\n@data\n" + "\n".join(rows) + "\n")
    return POINTS, None


def safetensors_of_doubles(path: Path) -> Right:
    from safetensors.numpy import save_file

    save_file({"embeddings": POINTS, "labels": np.arange(N) % 5}, path, metadata={"made": "here"})
    return POINTS, [str(i % 5) for i in range(N)]


def safetensors_of_torch(path: Path) -> Right:
    import torch
    from safetensors.torch import save_file

    numbers = torch.tensor(POINTS).to(torch.bfloat16)
    save_file({"model.embed.weight": numbers, "bias": torch.zeros(5)}, path)
    return numbers.to(torch.float32).numpy(), None
