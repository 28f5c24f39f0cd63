"""Files of every format, each written by the format's own library, with what is right for it.

Other files than the digits of `digit_files`: other types of numbers, other layouts, other labels.
A writer returns the points that must come out, and the class of each (None: no label).
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from support import own_science_files as science
from support import sequence_files
from support.own_science_files import COUNTS, GREY, KINDS, POINTS, RNG, N, Right

# ------------------------------------------------------------------------------- text


def csv_with_quotes(path: Path) -> Right:
    import csv

    with path.open("w", newline="") as file:
        out = csv.writer(file, quoting=csv.QUOTE_ALL)
        out.writerow([*(f"x, {i}" for i in range(5)), "species"])
        out.writerows([*row, kind] for row, kind in zip(POINTS.tolist(), KINDS, strict=True))
    return POINTS, KINDS


def tsv_with_decimal_commas(path: Path) -> Right:
    lines = ["größe\tb\tc\td\te", *("\t".join(map(str, row)).replace(".", ",") for row in POINTS)]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    return POINTS, None


def savetxt(path: Path) -> Right:
    np.savetxt(path, POINTS, header="made by numpy", fmt="%10.3f")
    return POINTS, None


def word2vec(path: Path) -> Right:
    rows = [f"word{i} {' '.join(map(str, row))}" for i, row in enumerate(POINTS.tolist())]
    path.write_text(f"{N} 5\n" + "\n".join(rows) + "\n")
    return POINTS, None


def csv_of_pandas_with_index(path: Path) -> Right:
    rows = [f"{i},{','.join(map(str, row))},{i % 4}" for i, row in enumerate(POINTS.tolist())]
    path.write_text(",a,b,c,d,e,target\n" + "\n".join(rows) + "\n")
    return POINTS, [str(i % 4) for i in range(N)]


# ------------------------------------------------------------------------------ arrow


def parquet_columns(path: Path) -> Right:
    import pyarrow as pa
    from pyarrow import parquet

    table = {f"x{i}": pa.array(POINTS[:, i], pa.float64()) for i in range(5)}
    label = pa.array(KINDS).dictionary_encode()
    parquet.write_table(
        pa.table({**table, "class": label}), path, compression="zstd", row_group_size=7
    )
    return POINTS, KINDS


def parquet_large_lists_with_nulls(path: Path) -> Right:
    import pyarrow as pa
    from pyarrow import parquet

    cells = [None if i in (3, 8) else row for i, row in enumerate(POINTS.tolist())]
    column = pa.array(cells, pa.large_list(pa.float64()))
    parquet.write_table(pa.table({"id": range(N), "embedding": column, "label": KINDS}), path)
    kept = [i for i in range(N) if i not in (3, 8)]
    return POINTS[kept], [KINDS[i] for i in kept]


def parquet_halves(path: Path) -> Right:
    import pyarrow as pa
    from pyarrow import parquet

    halves = POINTS.astype(np.float16)
    column = pa.FixedSizeListArray.from_arrays(pa.array(halves.reshape(-1)), 5)
    parquet.write_table(pa.table({"vector": column}), path)
    return halves, None


def feather_of_integers(path: Path) -> Right:
    import pyarrow as pa
    from pyarrow import feather

    table = {f"x{i}": pa.array(COUNTS[:, i].astype(np.int16)) for i in range(6)}
    feather.write_feather(pa.table({**table, "target": KINDS}), path, compression="lz4")
    return COUNTS[:, :6], KINDS


def arrow_file_with_lists(path: Path) -> Right:
    import pyarrow as pa

    table = pa.table({"points": pa.array(POINTS.tolist(), pa.list_(pa.float64())), "y": KINDS})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
        for batch in table.to_batches(max_chunksize=5):
            out.write_batch(batch)
    return POINTS, KINDS


# ------------------------------------------------------------------------------ numpy


def npy_big_endian_by_columns(path: Path) -> Right:
    np.save(path, np.asfortranarray(POINTS.astype(">f8")))
    return POINTS, None


def npy_halves_with_a_channel(path: Path) -> Right:
    pictures = (GREY / 256).astype(np.float16)
    np.save(path, pictures[..., None])
    return pictures.reshape(N, -1), None


def npz_of_medmnist(path: Path) -> Right:
    labels = np.arange(N, dtype=np.uint8)[:, None] % 4
    np.savez_compressed(path, train_images=GREY, train_labels=labels, test_images=GREY[:5])
    return GREY.reshape(N, -1) / 255, [str(i % 4) for i in range(N)]


def _save_sparse(kind: str) -> Callable[[Path], Right]:
    def write(path: Path) -> Right:
        from scipy import sparse

        sparse.save_npz(path, sparse.csr_matrix(COUNTS).asformat(kind))
        return COUNTS, None

    return write


def idx_of_floats(path: Path) -> Right:
    body = POINTS.astype(">f4")
    path.write_bytes(bytes([0, 0, 0x0D, 2]) + np.array(POINTS.shape, ">u4").tobytes() + bytes(body))
    return POINTS.astype(np.float32), None


def idx_of_pictures_in_gzip(path: Path) -> Right:
    head = bytes([0, 0, 8, 3]) + np.array(GREY.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(head + GREY.tobytes()))
    return GREY.reshape(N, -1) / 255, None


# --------------------------------------------------------------------------- pictures


def _zip(kind: str, pictures: np.ndarray, classes: int) -> Callable[[Path], Right]:
    def write(path: Path) -> Right:
        from PIL import Image

        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for i, picture in enumerate(pictures):
                content = io.BytesIO()
                Image.fromarray(picture).save(content, kind)
                folder = f"class {i * classes // N}/" if classes else ""
                out.writestr(f"{folder}{i:03}.{kind.lower()}", content.getvalue())
        top = 65_535 if pictures.dtype == np.uint16 else 255
        labels = [f"class {i * classes // N}" for i in range(N)] if classes else None
        return pictures.reshape(N, -1) / top, labels

    return write


def hugging_face_of_two(path: Path) -> Right:
    import pyarrow as pa
    from PIL import Image
    from pyarrow import parquet

    cells = []
    for picture in GREY:
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "BMP")
        cells.append({"bytes": content.getvalue(), "path": "nowhere.bmp"})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    about = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table({"image": pa.array(cells, kind), "label": np.arange(N) % 2})
    metadata = {b"huggingface": json.dumps(about).encode()}
    parquet.write_table(table.replace_schema_metadata(metadata), path)
    return GREY.reshape(N, -1) / 255, [("cat", "dog")[i % 2] for i in range(N)]


DEEP = RNG.integers(0, 65_536, (N, 5, 4), np.uint16)
#: By file name: the format's name, and the writer.
OWN: dict[str, tuple[str, Callable[[Path], Right]]] = {
    "quotes.csv": ("CSV", csv_with_quotes),
    "commas.tsv": ("CSV", tsv_with_decimal_commas),
    "aligned.txt": ("CSV", savetxt),
    "vectors.txt": ("CSV", word2vec),
    "index.csv": ("CSV", csv_of_pandas_with_index),
    "columns.parquet": ("Parquet", parquet_columns),
    "nulls.parquet": ("Parquet", parquet_large_lists_with_nulls),
    "halves.parquet": ("Parquet", parquet_halves),
    "two.parquet": ("Parquet", hugging_face_of_two),
    "integers.feather": ("Feather", feather_of_integers),
    "lists.arrow": ("Feather", arrow_file_with_lists),
    "fortran.npy": ("NPY", npy_big_endian_by_columns),
    "channel.npy": ("NPY", npy_halves_with_a_channel),
    "medmnist.npz": ("NPZ", npz_of_medmnist),
    "coo.npz": ("NPZ", _save_sparse("coo")),
    "csc.npz": ("NPZ", _save_sparse("csc")),
    "bsr.npz": ("NPZ", _save_sparse("bsr")),
    "floats.idx": ("IDX", idx_of_floats),
    "pictures-idx3-ubyte.gz": ("IDX", idx_of_pictures_in_gzip),
    "groups.h5": ("HDF5", science.hdf5_in_groups),
    "pictures.h5": ("HDF5", science.hdf5_of_pictures),
    "csr.h5ad": ("AnnData", science.h5ad("csr")),
    "csc.h5ad": ("AnnData", science.h5ad("csc")),
    "dense.h5ad": ("AnnData", science.h5ad("dense")),
    "cells.h5": ("10x Genomics", science.tenx),
    "plain.h5": ("10x Genomics", science.tenx_plain),
    "words.mat": ("MATLAB", science.matlab_with_words),
    "sparse.mat": ("MATLAB", science.matlab_sparse),
    "v73.mat": ("HDF5", science.matlab_73),
    "v73_sparse.mat": ("HDF5", science.matlab_73_sparse),
    "cells.h5mu": ("HDF5", science.mudata),
    "dense.mtx": ("Matrix Market", science.matrix_market_dense),
    "matrix.mtx.gz": ("Matrix Market", science.matrix_market_of_10x),
    "dense.arff": ("ARFF", science.arff_dense),
    "sparse.arff": ("ARFF", science.arff_sparse),
    "zero.svm": ("LIBSVM", science.libsvm(True)),
    "one.svm": ("LIBSVM", science.libsvm(False)),
    "book.xlsx": ("Excel", science.excel),
    "book.ods": ("Excel", science.open_document),
    "classes.ts": ("UCR time series", science.ucr_with_classes),
    "series.ts": ("UCR time series", science.ucr_without),
    "doubles.safetensors": ("safetensors", science.safetensors_of_doubles),
    "torch.safetensors": ("safetensors", science.safetensors_of_torch),
    "folders.zip": ("images", _zip("BMP", GREY, 3)),
    "deep.zip": ("images", _zip("PNG", DEEP, 0)),
    "proteins.fasta": ("FASTA", sequence_files.fasta_of_proteins),
    "dna.fa": ("FASTA", sequence_files.fasta_of_dna),
    "named.smi": ("SMILES", sequence_files.smiles_with_names),
    "header.smi": ("SMILES", sequence_files.smiles_with_header),
    "words.txt": ("text, a sequence a line", sequence_files.lines_of_words),
    "said.txt": ("text, a sequence a line", sequence_files.lines_of_sentences),
}
