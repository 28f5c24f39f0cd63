"""Hostile files of each format: at least twenty, made of honest ones and of what each can claim."""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from support.own_files import OWN

HOSTILE = 20
_LARGE = b"\xff\xff\xff\x7f"


@cache
def honest(name: str) -> bytes:
    """The bytes of one of the honest files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        OWN[name][1](path)
        return path.read_bytes()


def names_of(form: str) -> list[str]:
    """Names of the honest files of a format."""
    return [name for name, (of, _) in OWN.items() if of == form]


def hostile(form: str, every: bool = False) -> list[tuple[str, bytes]]:
    """Names and bytes of hostile files of a format, HOSTILE or more.

    `every`: made of every honest file, and not only of the first.
    """
    found = list(_own(form))
    for name in names_of(form)[: None if every else 1]:
        found += [(name, content) for content in _mangled(honest(name))]
    return found


def _mangled(content: bytes) -> Iterator[bytes]:
    """What any format may meet: sizes that lie, parts that repeat, cuts, zeros, bombs."""
    yield b""
    yield content[:1]
    yield content[: len(content) // 2]
    yield content[:-1]
    yield content * 2
    yield content + bytes(100_000)
    yield bytes(len(content))
    yield content[:64] + os.urandom(len(content))
    yield content.replace(b"\0\0\0", _LARGE[:3], 3)
    yield content.replace(b"24", b"99999999999999999999", 1)
    yield content.replace(b"24", b"-1", 1)
    for at in (4, 8, 16, 24, 40, 64, 96):
        yield content[:at] + _LARGE + content[at + 4 :]
        yield content[:at] + b"\xff" * 8 + content[at + 8 :]
    yield gzip.compress(gzip.compress(content))
    yield gzip.compress(content)[:-6]
    yield content.replace(b"\n", b"\n" + b"(" * 50_000 + b"\n", 1)


def _own(form: str) -> Iterator[tuple[str, bytes]]:
    """What only this format can do."""
    makers = {
        "HDF5": _hdf5,
        "AnnData": _h5ad,
        "10x Genomics": _tenx,
        "NPZ": _npz,
        "Excel": _excel,
        "images": _images,
        "Matrix Market": _matrix_market,
        "LIBSVM": _libsvm,
        "ARFF": _arff,
        "safetensors": _safetensors,
        "UCR time series": _ucr,
        "IDX": _idx,
        "NPY": _npy,
        "Parquet": _parquet,
    }
    yield from makers[form]() if form in makers else ()


def _in_hdf5(write) -> bytes:  # type: ignore[no-untyped-def]
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        write(file, h5py)
    return out.getvalue()


def _hdf5() -> Iterator[tuple[str, bytes]]:
    points = np.arange(40.0).reshape(10, 4)

    def outside(file, h5py):  # type: ignore[no-untyped-def]
        file["points"] = h5py.ExternalLink("/etc/passwd", "/")

    def virtual(file, h5py):  # type: ignore[no-untyped-def]
        layout = h5py.VirtualLayout((10, 4), "f8")
        layout[:] = h5py.VirtualSource("/etc/hostname", "x", (10, 4))
        file.create_virtual_dataset("points", layout)

    def external(file, h5py):  # type: ignore[no-untyped-def]
        file.create_dataset("points", (10, 4), "f8", external=[("/etc/passwd", 0, 320)])

    def circle(file, h5py):  # type: ignore[no-untyped-def]
        file.create_group("a")["b"] = file["/"]
        file["a/points"] = points

    def claim(file, h5py):  # type: ignore[no-untyped-def]
        file.create_dataset("points", (2**40, 2**10), "f8", chunks=(1, 2**10))

    def objects(file, h5py):  # type: ignore[no-untyped-def]
        file.create_dataset("points", (10, 4), h5py.ref_dtype)

    for write in (outside, virtual, external, circle, claim, objects):
        yield f"{write.__name__}.h5", _in_hdf5(write)


def _anndata(data: object, indices: object, indptr: object, shape: object) -> bytes:
    def write(file, h5py):  # type: ignore[no-untyped-def]
        file.attrs["encoding-type"] = "anndata"
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": shape})
        for name, values in (("data", data), ("indices", indices), ("indptr", indptr)):
            group[name] = values
        for frame in ("obs", "var"):
            file.create_group(frame)

    return _in_hdf5(write)


def _h5ad() -> Iterator[tuple[str, bytes]]:
    yield "beyond.h5ad", _anndata([1.0, 2.0], [0, 9], [0, 1, 2], (2, 3))
    yield "negative.h5ad", _anndata([1.0, 2.0], [0, -1], [0, 1, 2], (2, 3))
    yield "back.h5ad", _anndata([1.0, 2.0], [0, 1], [0, 2, 1], (2, 3))
    yield "short.h5ad", _anndata([1.0], [0, 1], [0, 1, 2], (2, 3))
    yield "claim.h5ad", _anndata([1.0, 2.0], [0, 1], [0, 1, 2], (2**40, 2**40))
    yield "words.h5ad", _anndata(["a", "b"], [0, 1], [0, 1, 2], (2, 3))


def _tenx() -> Iterator[tuple[str, bytes]]:
    def write(shape: tuple[int, int], pointers: list[int]) -> bytes:
        def fill(file, h5py):  # type: ignore[no-untyped-def]
            group = file.create_group("matrix")
            group["data"], group["indices"] = [1, 2], [0, 1]
            group["indptr"], group["shape"] = pointers, shape
            group["barcodes"] = ["a", "b"]

        return _in_hdf5(fill)

    yield "claim.h5", write((2**31 - 1, 2**31 - 1), [0, 1, 2])
    yield "back.h5", write((3, 2), [2, 1, 0])
    yield "none.h5", write((0, 0), [0])


def _npz() -> Iterator[tuple[str, bytes]]:
    out = io.BytesIO()
    np.savez(out, x=np.array([{"a": 1}] * 5, object), y=np.arange(5))
    yield "objects.npz", out.getvalue()
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': "
        header += b"(40000000, 4)}"
        packed.writestr("x.npy", header.ljust(127) + b"\n" + bytes(2**27))
    yield "bomb.npz", bomb.getvalue()


def _excel() -> Iterator[tuple[str, bytes]]:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 9))
    doctype = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
    for name, old, new in (
        ("laughs.xlsx", b"<worksheet", doctype.encode() + b"<worksheet"),
        ("formula.xlsx", b"<c><v>", b'<c><f>HYPERLINK("http://x")</f><v>'),
        ("wide.xlsx", b"<c t=", b'<c r="XFD1048576" t='),
    ):
        out = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(honest("book.xlsx"))) as given,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for item in given.namelist():
                packed.writestr(item, given.read(item).replace(old, new, 1))
        yield name, out.getvalue()


def _images() -> Iterator[tuple[str, bytes]]:
    from PIL import Image

    wide = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(wide, "PNG")
    for name, members in (
        ("bomb.zip", {"a.png": wide.getvalue()}),
        ("climb.zip", {"../../etc/a.png": b"x", "/etc/b.png": b"y"}),
        ("postscript.zip", {"a.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}),
        ("nothing.zip", {"a.png": b""}),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for member, content in members.items():
                packed.writestr(member, content)
        yield name, out.getvalue()


def _matrix_market() -> Iterator[tuple[str, bytes]]:
    head = b"%%MatrixMarket matrix coordinate real general\n"
    yield "claim.mtx", head + b"99999999999 99999999999 1\n1 1 1.0\n"
    yield "many.mtx", head + b"5 5 99999999999\n1 1 1.0\n"
    yield "beyond.mtx", head + b"5 5 1\n9 9 1.0\n"
    yield "below.mtx", head + b"5 5 1\n0 0 1.0\n"
    yield "dense.mtx", b"%%MatrixMarket matrix array real general\n9999999 9999999\n1.0\n"
    yield "complex.mtx", head.replace(b"real", b"complex") + b"5 5 1\n1 1 1.0 2.0\n"


def _libsvm() -> Iterator[tuple[str, bytes]]:
    yield "far.svm", b"1 1:0.5 2147483646:1\n-1 2:0.5\n"
    yield "below.svm", b"1 -5:0.5\n-1 2:0.5\n"
    yield "back.svm", b"1 5:0.5 2:1\n-1 2:0.5\n"


def _arff() -> Iterator[tuple[str, bytes]]:
    head = b"@relation r\n@attribute a numeric\n@attribute b numeric\n@data\n"
    yield "far.arff", head + b"{99999999 1}\n{0 1}\n"
    yield "many.arff", b"@relation r\n" + b"@attribute a numeric\n" * 9_999 + b"@data\n1,2\n"
    yield "nested.arff", head + b"{" * 9_999 + b"\n"


def _safetensors() -> Iterator[tuple[str, bytes]]:
    def file(header: object, body: bytes = bytes(64)) -> bytes:
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + body

    entry = {"dtype": "F64", "shape": [2**40, 4], "data_offsets": [0, 64]}
    yield "claim.safetensors", file({"x": entry})
    yield "beyond.safetensors", file({"x": entry | {"shape": [2, 4], "data_offsets": [0, 2**40]}})
    yield "header.safetensors", (2**60).to_bytes(8, "little") + b'{"x":{}}'
    yield "over.safetensors", file({"x": entry | {"shape": [2**33, 2**33]}})


def _ucr() -> Iterator[tuple[str, bytes]]:
    head = b"@problemName p\n@classLabel false\n@data\n"
    yield "uneven.ts", head + b"1,2,3\n1,2\n"
    yield "two.ts", head + b"1,2,3:1,2,3\n"
    yield "long.ts", head + b",".join([b"1"] * 300_000) + b"\n"


def _idx() -> Iterator[tuple[str, bytes]]:
    yield "claim.idx", bytes([0, 0, 8, 3]) + np.array([2**31, 28, 28], ">u4").tobytes()
    yield "axes.idx", bytes([0, 0, 8, 255]) + bytes(2_000)
    yield "none.idx", bytes([0, 0, 8, 2]) + np.array([0, 5], ">u4").tobytes()


def _npy() -> Iterator[tuple[str, bytes]]:
    out = io.BytesIO()
    np.save(out, np.array([print, len], object), allow_pickle=True)
    yield "objects.npy", out.getvalue()


def _parquet() -> Iterator[tuple[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for name, cells in (
        ("path.parquet", [{"bytes": None, "path": "/etc/passwd"}] * 9),
        ("noise.parquet", [{"bytes": b"no picture", "path": "/etc/passwd"}] * 9),
    ):
        out = io.BytesIO()
        parquet.write_table(pa.table({"image": pa.array(cells, kind)}), out)
        yield name, out.getvalue()
    uneven = pa.table({"v": pa.array([[1.0, 2.0], [1.0]] * 9)})
    out = io.BytesIO()
    parquet.write_table(uneven, out)
    yield "uneven.parquet", out.getvalue()
