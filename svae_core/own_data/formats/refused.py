"""Files that are refused by name, each with the way to convert it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from svae_core.own_data import archive
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.tables import Table
from svae_core.records import RequestError

_PICKLE = (
    "is a pickle, which could run code and is never loaded; in Python: "
    "numpy.save('points.npy', numpy.asarray(points))"
)
_TORCH = (
    "is a PyTorch file, whose pickle could run code and is never loaded; in Python: "
    "numpy.save('points.npy', torch.load(file)['…'].numpy())"
)
_STATA = "is a Stata file; in Stata: export delimited using points.csv"
#: First bytes, and what is said of files that begin so.
_BEGINNINGS = {
    b"BZh": "is compressed by bzip2; unpack it first: bunzip2 FILE",
    b"\xfd7zXZ": "is compressed by xz; unpack it first: unxz FILE",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it first: unzstd FILE",
    **dict.fromkeys((b"(lp0\n", b"(lp1\n", b"(dp0\n", b"(dp1\n", b"cnumpy", b"ccopy_reg"), _PICKLE),
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), _PICKLE),
    b"\xd0\xcf\x11\xe0": "is an old spreadsheet (.xls); save it as .xlsx or CSV",
    b"%PDF": "is a PDF; save the table as CSV",
    b"\x89PNG": "is one image; put images into a ZIP",
    b"\xff\xd8\xff": "is one image; put images into a ZIP",
    b"GIF8": "is one image; put images into a ZIP",
    b"RDX": "is R's own format; in R: write.csv(points, 'points.csv', row.names = FALSE)",
    b"X\n\x00\x00": "is R's own format; in R: write.csv(points, 'points.csv', row.names = FALSE)",
    b"RDA": "is R's own format; in R: write.csv(points, 'points.csv', row.names = FALSE)",
    b"$FL2": "is an SPSS file; in SPSS: File, Save as, CSV",
    b"$FL3": "is an SPSS file; in SPSS: File, Save as, CSV",
    **dict.fromkeys((b"r\x01\x01", b"r\x02\x01", b"s\x01\x01", b"s\x02\x01"), _STATA),
    b"<stata": _STATA,
    b"SQLite format 3": "is a database; export the table as CSV",
    b"7z\xbc\xaf": "is compressed by 7-Zip; unpack it first",
    b"Rar!": "is compressed by RAR; unpack it first",
}


#: An object or an array of them, over one line or many.
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"]|\[\s*-?[\d.]+\s*,)")


def _reason(path: Path, start: bytes) -> str:
    for beginning, what in _BEGINNINGS.items():
        if start.startswith(beginning):
            return what
    if _JSON.match(start) and not _holds_json_lines(start):
        return (
            "is JSON; in Python: pandas.DataFrame(json.load(open(file))).to_parquet("
            "'points.parquet')"
        )
    if _holds_json_lines(start):
        return "is JSON; in Python: pandas.read_json(file, lines=True).to_parquet('points.parquet')"
    if start.startswith(b"PK\x03\x04") and _is_torch(path):
        return _TORCH
    return ""


def _holds_json_lines(start: bytes) -> bool:
    first, *others = start.lstrip().split(b"\n")
    whole = first.startswith((b"{", b"[")) and first.rstrip().endswith((b"}", b"]"))
    return whole and bool(others) and others[0].lstrip().startswith((b"{", b"["))


def _is_torch(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return any(name.endswith("/data.pkl") for name in packed.namelist()[:50])
    except (*archive.DAMAGE, OSError):
        return False


def read(source: Source) -> Table:
    """Refuses the file in one sentence that says what it is and how to convert it."""
    with source.path.open("rb") as file:
        raise RequestError(f"The file {_reason(source.path, file.read(4_096))}.")


FORMAT = Format("", (), lambda path, start: bool(_reason(path, start)), read)
