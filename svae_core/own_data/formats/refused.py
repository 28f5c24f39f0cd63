"""Files that are refused by name, each with the way to convert it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from svae_core.own_data import archive
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.tables import Table
from svae_core.records import RequestError


@dataclass(frozen=True)
class _Kind:
    """What such a file is, and how it is converted: to points, and to a model's arrays by name."""

    what: str
    mend: str
    mend_arrays: str = (
        "save the model's arrays under their names in one file, as numpy.savez does in Python"
    )


_PICKLE = _Kind(
    "a pickle, which could run code and is never loaded",
    "in Python: numpy.save('points.npy', numpy.asarray(points))",
    "in Python: numpy.savez('model.npz', points=…, mean=…, log_variance=…)",
)
_TORCH = _Kind(
    "a PyTorch file, whose pickle could run code and is never loaded",
    "in Python: numpy.save('points.npy', torch.load(file)['…'].numpy())",
    "in Python: numpy.savez('model.npz', **{name: array.numpy() for name, array in "
    "torch.load(file).items()})",
)
_STATA = _Kind("a Stata file", "in Stata: export delimited using points.csv")
_R = _Kind("R's own format", "in R: write.csv(points, 'points.csv', row.names = FALSE)")
_IMAGE = _Kind("one image", "put images into a ZIP")
_SPSS = _Kind("an SPSS file", "in SPSS: File, Save as, CSV")


def _packed(by: str, mend: str) -> _Kind:
    return _Kind(f"compressed by {by}", mend, mend)


#: First bytes, and what files are that begin so.
_BEGINNINGS = {
    b"BZh": _packed("bzip2", "unpack it first: bunzip2 FILE"),
    b"\xfd7zXZ": _packed("xz", "unpack it first: unxz FILE"),
    b"\x28\xb5\x2f\xfd": _packed("zstd", "unpack it first: unzstd FILE"),
    **dict.fromkeys((b"(lp0\n", b"(lp1\n", b"(dp0\n", b"(dp1\n", b"cnumpy", b"ccopy_reg"), _PICKLE),
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), _PICKLE),
    b"\xd0\xcf\x11\xe0": _Kind("an old spreadsheet (.xls)", "save it as .xlsx or CSV"),
    b"%PDF": _Kind("a PDF", "save the table as CSV"),
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), _IMAGE),
    **dict.fromkeys((b"RDX", b"X\n\x00\x00", b"RDA"), _R),
    **dict.fromkeys((b"$FL2", b"$FL3"), _SPSS),
    **dict.fromkeys((b"r\x01\x01", b"r\x02\x01", b"s\x01\x01", b"s\x02\x01"), _STATA),
    b"FEA1": _Kind(
        "Feather of version 1",
        "in Python: pandas.read_feather(file).to_feather('points.feather'), or in R: "
        "arrow::write_feather(points, 'points.feather')",
    ),
    b"<stata": _STATA,
    b"SQLite format 3": _Kind("a database", "export the table as CSV"),
    b"7z\xbc\xaf": _packed("7-Zip", "unpack it first"),
    b"Rar!": _packed("RAR", "unpack it first"),
}
_JSON_LINES = _Kind(
    "JSON", "in Python: pandas.read_json(file, lines=True).to_parquet('points.parquet')"
)
_JSON_VALUE = _Kind(
    "JSON",
    "in Python: pandas.DataFrame(json.load(open(file))).to_parquet('points.parquet')",
)

#: An object or an array of them, over one line or many.
_JSON = re.compile(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"]|\[\s*-?[\d.]+\s*,)")


def _kind(path: Path, start: bytes) -> _Kind | None:
    for beginning, kind in _BEGINNINGS.items():
        if start.startswith(beginning):
            return kind
    if _holds_json_lines(start):
        return _JSON_LINES
    if _JSON.match(start):
        return _JSON_VALUE
    return _TORCH if start.startswith(b"PK\x03\x04") and _is_torch(path) else None


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
    kind = _kind_of(source.path)
    raise RequestError(f"The file is {kind.what}; {kind.mend}.")


def arrays(source: Source) -> NoReturn:
    """Refuses the file in one sentence, with the way to save a model's arrays by name."""
    kind = _kind_of(source.path)
    raise RequestError(f"The file is {kind.what}; {kind.mend_arrays}.")


def _kind_of(path: Path) -> _Kind:
    with path.open("rb") as file:
        kind = _kind(path, file.read(4_096))
    assert kind is not None
    return kind


FORMAT = Format("", (), lambda path, start: bool(_kind(path, start)), read, arrays=arrays)
