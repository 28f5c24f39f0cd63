"""Files that nobody would want to be given, each with what is to become of it.

`corpus()` makes them, small and in memory; tests read each of them, fuzzing damages them further
(`damaged`) and has Hypothesis make others.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from svae_core.own_data.choice import Choice
from svae_core.own_data.names import file_name
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape
from svae_core.records import RequestError


@dataclass(frozen=True)
class Specimen:
    """A file's name and bytes, and a pattern of the sentence that refuses it ("": it is taken)."""

    name: str
    content: bytes
    refusal: str = ""


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was loaded')",))


def corpus() -> list[Specimen]:
    """All specimens."""
    return [*_texts(), *_arrays(), *_archives(), *_tables(), *_pictures()]


def _texts() -> list[Specimen]:
    numbers = "\n".join(f"{i * 0.37 % 1:.3f},{i * 0.71 % 1:.3f}" for i in range(40))
    named = "a,b\n" + numbers
    million = ",".join(["x"] * 1_000_000)
    wide = "\n".join(",".join(str((i * j) % 7) for j in range(5_000)) for i in range(3))
    formulas = "\n".join(f'{i},=HYPERLINK("http://x";"{i % 2}"),@SUM(A1)' for i in range(20))
    markup = "\n".join(f"{i * 0.3 % 1},<img src=x onerror=alert(1)>{i % 2}" for i in range(20))
    return [
        Specimen("plain.csv", named.encode()),
        Specimen("no_names.csv", numbers.encode()),
        Specimen("byte_order_mark.csv", named.encode("utf-8-sig")),
        Specimen("utf16.csv", named.encode("utf-16")),
        Specimen("windows.csv", "größe,b\n".encode("cp1252") + numbers.encode()),
        Specimen("mixed_encodings.csv", named.encode() + "\n1,ü\n".encode() + b"2,\xfc\n3,\x81\n"),
        Specimen("semicolons.csv", numbers.replace(",", ";").replace(".", ",").encode()),
        Specimen("tabs.tsv", numbers.replace(",", "\t").encode()),
        Specimen("carriage_returns.csv", named.replace("\n", "\r").encode()),
        Specimen("empty.csv", b"", "is empty"),
        Specimen("blank.csv", b"\n\n  \n", "is empty"),
        Specimen("names_only.csv", b"a,b\n", "has no column left|names but no rows|one row|equal"),
        Specimen("one_row.csv", b"1,2,3\n", "one row"),
        Specimen("one_column.csv", "\n".join(str(i) for i in range(30)).encode()),
        Specimen("equal_rows.csv", b"1,2\n" * 30, "are equal"),
        Specimen("not_a_number.csv", (named + "\nnan,1\ninf,2\n-inf,3").encode()),
        Specimen("only_missing.csv", b"a,b\n" + b"NA,\n" * 20, "without a missing value"),
        Specimen("million_columns.csv", f"{million}\n{million}".encode(), "line of more than"),
        Specimen("too_wide.csv", wide.encode(), "5,000 columns"),
        Specimen("wrong_delimiter.csv", numbers.replace(",", "^").encode(), "and that of text"),
        Specimen("ragged.csv", b"1,2\n3,4\n5,6\n7,8\n9\n10,11,12\n" * 5, "do not have"),
        Specimen("some_ragged.csv", (named + "\n1,2,3\n" + numbers).encode()),
        Specimen("huge_integers.csv", ("a,b\n" + "9" * 400 + ",1\n" + numbers).encode()),
        Specimen("large_numbers.csv", b"a,b\n" + b"1e300,1\n-1e300,2\n1e-300,3\n" * 5),
        Specimen("open_quote.csv", named.encode() + b'\n"never closed,1\n2,3\n' * 3),
        Specimen("zero_bytes.csv", b"a,b\n1,2\0\n", "neither a text table"),
        Specimen("noise.bin", np.random.default_rng(0).bytes(4_000), "neither a text table"),
        Specimen("long_line.csv", b"a" * 3_000_000, "line of more than"),
        Specimen("formulas.csv", formulas.encode()),
        Specimen("<b>mark`up`</b>.csv", ("x,<script>alert(1)</script>\n" + markup).encode()),
        Specimen("same_names.csv", ("a,a\n" + numbers).encode()),
        Specimen("reserved_names.csv", ("auto,none\n" + numbers).encode()),
        Specimen("binary_pickle.csv", pickle.dumps(_Harmful()), "is a pickle"),
        Specimen("text.gz", b"\x1f\x8b\x08\0\0\0\0\0", "gzip file is damaged"),
        Specimen("quotes_in_quotes.csv", b'a,b\n"1 ""x"" ",2\n"3\n4",5\n' * 10),
    ]


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    """The bytes of an NPY file."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


def npy_claiming(header: str, body: bytes = b"") -> bytes:
    """An NPY file whose header says what it likes."""
    text = header.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def _arrays() -> list[Specimen]:
    points = np.random.default_rng(0).normal(size=(30, 4))
    five_gigabytes = "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000, 67)}\n"
    overflowing = "{'descr': '<f8', 'fortran_order': False, 'shape': (2**62, 2**62)}\n"
    large = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**70}, {2**70})}}\n"
    negative = "{'descr': '<f8', 'fortran_order': False, 'shape': (-4, 3)}\n"
    nested = "{'descr': '<f8', 'fortran_order': False, 'shape': " + "(" * 9_000 + "}\n"
    call = "{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os')}\n"
    records = np.zeros(5, dtype=[("a", "f8"), ("b", "i4")])
    holes = points.copy()
    holes[3, 1], holes[5, 2] = np.nan, np.inf
    return [
        Specimen("plain.npy", npy(points)),
        Specimen("float32.npy", npy(points.astype("f4"))),
        Specimen("fortran.npy", npy(np.asfortranarray(points))),
        Specimen("big_endian.npy", npy(points.astype(">f8"))),
        Specimen("half.npy", npy(points.astype("f2"))),
        Specimen("whole.npy", npy((points * 10).astype("i8"))),
        Specimen("truth.npy", npy(points > 0)),
        Specimen("flat.npy", npy(points.reshape(-1))),
        Specimen("images.npy", npy((points * 50).astype("u1").reshape(30, 2, 2))),
        Specimen("holes.npy", npy(holes)),
        Specimen("four_axes.npy", npy(points.reshape(5, 2, 3, 4)), "5 × 2 × 3 × 4"),
        Specimen("scalar.npy", npy(np.array(1.0)), "shape"),
        Specimen("no_rows.npy", npy(points[:0]), "shape 0 × 4"),
        Specimen("complex.npy", npy(points.astype(complex)), "must hold real numbers"),
        Specimen("dates.npy", npy(np.zeros((3, 2), "M8[D]")), "must hold real numbers"),
        Specimen("words.npy", npy(np.array([["a", "b"], ["c", "d"]])), "must hold real numbers"),
        Specimen("records.npy", npy(records), "is structured"),
        Specimen("pickled.npy", npy(np.array([_Harmful()]), pickled=True), "pickled"),
        Specimen("five_gigabytes.npy", npy_claiming(five_gigabytes, b"\0" * 900), "claims to be"),
        Specimen("computed_shape.npy", npy_claiming(overflowing, b"\0" * 64), "no sense"),
        Specimen("overflowing.npy", npy_claiming(large, b"\0" * 64), "claims to be"),
        Specimen("negative.npy", npy_claiming(negative), "no sense"),
        Specimen("nested.npy", npy_claiming(nested), "no sense"),
        Specimen("code.npy", npy_claiming(call), "no sense"),
        Specimen("truncated.npy", npy(points)[:-100], "claims to be"),
        Specimen("header_only.npy", npy(points)[:20], "no sense"),
        Specimen("version_nine.npy", b"\x93NUMPY\x09\x00" + npy(points)[8:], "not known|no sense"),
        Specimen("wide.npy", npy(np.ones((2, 5_000))), "5,000 columns"),
        Specimen("constant.npy", npy(np.ones((20, 3))), "are equal"),
        Specimen("large_numbers.npy", npy(points * 1e200), "too large to square"),
    ]


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _claiming_less(archive: bytes, true_size: int, claimed: int) -> bytes:
    """The ZIP with another uncompressed size in all of its records."""
    return archive.replace(struct.pack("<I", true_size), struct.pack("<I", claimed))


def _archives() -> list[Specimen]:
    points = np.random.default_rng(1).normal(size=(30, 4))
    labels = np.array(["=cmd()", "b"] * 15)
    bomb = packed({"points.npy": npy(np.zeros((400_000, 80), "u1"))})
    plain = packed({"x.npy": npy(points), "y.npy": npy(labels)})
    encrypted = bytearray(plain)
    for signature, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = encrypted.find(signature)
        encrypted[start + at] |= 1
    return [
        Specimen("plain.npz", plain),
        Specimen("several.npz", packed({"u.npy": npy(points), "v.npy": npy(points)}), "several"),
        Specimen(
            "pickled.npz", packed({"x.npy": npy(np.array([_Harmful()]), pickled=True)}), "pic"
        ),
        Specimen(
            "labels_pickled.npz",
            packed({"x.npy": npy(points), "y.npy": npy(np.array([_Harmful()] * 30), pickled=True)}),
        ),
        Specimen("zeros.npz", bomb, "are equal"),
        Specimen(
            "bomb.npz",
            packed(
                {
                    "x.npy": npy_claiming(
                        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 99)}\n",
                        b"\0" * 9_000,
                    )
                }
            ),
            "cells can be read|claims",
        ),
        Specimen("lying.npz", _claiming_less(bomb, 400_000 * 80 + 128, 2**31), "equal"),
        Specimen("nothing.zip", packed({}), "holds no|no table of contents"),
        Specimen("words.zip", packed({"a.txt": b"hello"}), "no image"),
        Specimen("workbook.xlsx", packed({"[Content_Types].xml": b"<a/>"}), "save it as CSV"),
        Specimen("leading_out.zip", packed({"../../etc/passwd.png": b"x"}), "leads out"),
        Specimen("absolute.zip", packed({"/etc/passwd.png": b"x"}), "leads out"),
        Specimen("drive.zip", packed({"C:\\windows\\x.png": b"x"}), "leads out"),
        Specimen("lzma.zip", packed({"a.png": b"x"}, zipfile.ZIP_LZMA), "unusual compression"),
        Specimen("encrypted.npz", bytes(encrypted), "encrypted"),
        Specimen("cut_off.npz", plain[:-40], "damaged or cut off"),
        Specimen("end_only.zip", b"PK\x05\x06" + b"\0" * 18, "no image|damaged"),
        Specimen(
            "endless_contents.zip",
            b"PK\x03\x04" + b"\0" * 90 + b"PK\x05\x06" + b"\xff" * 18,
            "damaged or cut off",
        ),
    ]


def _tables() -> list[Specimen]:
    import pyarrow as pa
    from pyarrow import parquet

    def table(**columns: object) -> bytes:
        out = io.BytesIO()
        parquet.write_table(pa.table(columns), out)
        return out.getvalue()

    values = list(np.random.default_rng(2).normal(size=30))
    plain = table(a=values, b=list(range(30)), species=["=x", "<b>"] * 15)
    million = table(a=pa.array([1.0, 2.0] * 500).take(pa.array([0] * 1_000)))
    return [
        Specimen("plain.parquet", plain),
        Specimen("nested.parquet", table(a=values, b=[[1]] * 30)),
        Specimen("only_nested.parquet", table(b=[[1]] * 30), "are equal"),
        Specimen("nulls.parquet", table(a=[None, *values[1:]], b=list(range(30)))),
        Specimen("truths.parquet", table(a=values, b=[True, False] * 15)),
        Specimen("integers.parquet", table(a=[2**62, -(2**62)] * 15, b=values)),
        Specimen("constant.parquet", million, "are equal"),
        Specimen("cut_off.parquet", plain[:-30], "damaged or cut off"),
        Specimen("header.parquet", b"PAR1", "damaged or cut off"),
        Specimen("no_table.parquet", b"PAR1" + b"\xff" * 200 + b"PAR1", "damaged or cut off"),
        Specimen("half.parquet", plain[: len(plain) // 2] + b"PAR1", "damaged or cut off"),
    ]


def picture(width: int, height: int, seed: int = 0, form: str = "PNG") -> bytes:
    """An image of noise."""
    from PIL import Image

    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


def _pictures() -> list[Specimen]:
    small = {f"{'cat' if i % 2 else 'dog'}/{i}.png": picture(6, 5, i) for i in range(12)}
    # A PNG that claims 60,000 × 60,000 pixels: its header is right, its checksum too.
    import zlib

    claim = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + claim
    bomb += struct.pack(">I", zlib.crc32(claim))
    return [
        Specimen("plain.zip", packed(small)),
        Specimen("jpegs.zip", packed({f"{i}.jpg": picture(8, 8, i, "JPEG") for i in range(5)})),
        Specimen("large.zip", packed({f"{i}.png": picture(90, 70, i) for i in range(3)})),
        Specimen("unequal.zip", packed(small | {"z.png": picture(7, 5)}), "must be of one size"),
        Specimen("one.zip", packed({"a.png": picture(6, 5)}), "one row"),
        Specimen("no_image.zip", packed({"a.png": b"not an image", "b.png": b""}), "no image that"),
        Specimen("cut_image.zip", packed({"a.png": small["dog/0.png"][:50]}), "no image that"),
        Specimen("claiming.zip", packed({"a.png": bomb}), "no image that|claims"),
        Specimen("script.zip", packed({"a.png": b"%!PS-Adobe-3.0 EPSF-3.0"}), "no image that"),
        Specimen(
            "markup.zip",
            packed({f"<img onerror={i % 2}>/{i}.png": picture(6, 5, i) for i in range(8)}),
        ),
    ]


# ------------------------------------------------------------------------------ damage

#: Numbers that parsers trip over.
_EXTREMES = tuple(
    struct.pack(code, value)
    for code, value in (
        *(("<I", 0), ("<I", 2**32 - 1), ("<I", 2**31 - 1), ("<I", 2**31), (">I", 2**32 - 1)),
        *(("<H", 2**16 - 1), ("<Q", 2**63 - 1), ("<Q", 2**64 - 1), ("<B", 0), ("<B", 255)),
    )
)


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to five injuries; `other` lends what is grafted in.

    Of an archive, half of the time, it is one file inside that is injured.
    """
    if content.startswith(b"PK\x03") and rng.integers(0, 2) and (members := _members(content)):
        name = sorted(members)[int(rng.integers(0, len(members)))]
        return packed(members | {name: damaged(members[name], other, rng)})
    out = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        at, size = int(rng.integers(0, len(out) + 1)), int(rng.integers(1, 64))
        match int(rng.integers(0, 8)):
            case 0:
                del out[at:]
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size]
            case 3:
                start = int(rng.integers(0, len(other) + 1))
                out[at:at] = other[start : start + size]
            case 4:
                out[at : at + size] = rng.bytes(size)
            case 5:
                extreme = _EXTREMES[int(rng.integers(0, len(_EXTREMES)))]
                out[at : at + len(extreme)] = extreme
            case _:
                if at < len(out):
                    out[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(out)


def _members(content: bytes) -> dict[str, bytes]:
    """The files in a small honest archive; of others none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > 2**20:
                return {}
            return {item.filename: archive.read(item) for item in archive.infolist()}
    except (zipfile.BadZipFile, RuntimeError, OSError):
        return {}


def outcome(name: str, content: bytes, folder: Path) -> str:
    """Read and shape a file in this process; "" if taken, else the sentence that refuses it.

    Anything but a RequestError of one harmless sentence is raised.
    """
    path = folder / "given"
    path.write_bytes(content)
    try:
        data = shape(read_table(path, file_name(name), folder), Choice(), 0)
    except RequestError as error:
        sentence = str(error)
        if not sentence.endswith(".") or "\n" in sentence or re.search("[<>`*]", sentence):
            raise AssertionError(f"not one harmless sentence: {sentence!r}") from error
        return sentence
    if not np.isfinite(data.points).all() or len(data.points) < 2:
        raise AssertionError(f"taken, but not usable: {data.points.shape}")
    return ""


# ------------------------------------------------------- what Hypothesis makes files from

_CELL = st.one_of(
    st.text(max_size=12),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["", "NA", "1,5", "1.5", "-", '"', "=1+1", "1e999", "\u2028", "\0", "٣"]),
)
_NUMBER = st.floats(-1e9, 1e9).map(lambda value: f"{value:.4g}")
_EVEN = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(_NUMBER, min_size=width, max_size=width), max_size=12)
)
_UNEVEN = st.lists(st.lists(_CELL, min_size=1, max_size=6), max_size=12)
TEXTS = st.tuples(
    st.tuples(_EVEN, _UNEVEN | st.just([]), _EVEN).map(lambda parts: [r for p in parts for r in p]),
    st.sampled_from(",;\t|^ "),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-16", "cp1252", "utf-8-sig"]),
).map(lambda made: made[2].join(made[1].join(row) for row in made[0]).encode(made[3], "replace"))
HEADERS = st.tuples(
    st.sampled_from(["<f8", "<f4", "|u1", ">i4", "|O", "<U4", "<c16", "|V8", "M8[s]", "nonsense"]),
    st.lists(st.integers(-1, 2**70) | st.integers(0, 9), max_size=5),
    st.booleans(),
    st.binary(max_size=200),
).map(
    lambda made: npy_claiming(
        str({"descr": made[0], "fortran_order": made[2], "shape": tuple(made[1])}) + "\n", made[3]
    )
)
_MEMBER = (
    st.binary(max_size=60)
    | HEADERS
    | st.sampled_from(
        [picture(4, 4), picture(4, 4, 1), picture(3, 5), npy(np.eye(6)), npy(np.arange(6))]
    )
)
_NAMES = st.one_of(
    st.text(min_size=1, max_size=12).filter(lambda name: name[0] != "\0"),
    st.sampled_from(["a.png", "b/c.png", "x.npy", "y.npy", "../a.png"]),
)
ZIPS = st.dictionaries(_NAMES, _MEMBER, max_size=5).map(packed)
