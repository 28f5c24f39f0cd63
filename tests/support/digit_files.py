"""The same 1,797 digits in every format, each written by the format's own library."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from html import escape
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

DIGITS = load_digits()
PIXELS = DIGITS.data.astype(np.float32)


def _frame():  # type: ignore[no-untyped-def]
    import pyarrow as pa

    columns = {f"p{i}": PIXELS[:, i] for i in range(64)}
    return pa.table({**columns, "label": DIGITS.target})


def _list_frame():  # type: ignore[no-untyped-def]
    import pyarrow as pa

    points = pa.FixedSizeListArray.from_arrays(pa.array(PIXELS.reshape(-1)), 64)
    return pa.table({"points": points, "label": DIGITS.target})


def _pictures() -> list[bytes]:
    from PIL import Image

    found = []
    for picture in DIGITS.images:
        out = io.BytesIO()
        Image.fromarray(np.rint(picture * 255 / 16).astype(np.uint8)).save(out, "PNG")
        found.append(out.getvalue())
    return found


def npy(path: Path) -> None:
    np.save(path, PIXELS)


def npz(path: Path) -> None:
    np.savez_compressed(path, x=PIXELS, y=DIGITS.target)


def csv(path: Path) -> None:
    header = ",".join([*(f"p{i}" for i in range(64)), "label"])
    whole = np.column_stack([PIXELS, DIGITS.target])
    np.savetxt(path, whole, fmt="%g", delimiter=",", header=header, comments="")


def idx_gz(path: Path) -> None:
    pixels = np.rint(DIGITS.images * 255 / 16).astype(np.uint8)
    with gzip.open(path, "wb") as out:
        out.write(bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes())


def parquet(path: Path) -> None:
    from pyarrow import parquet as library

    library.write_table(_frame(), path)


def parquet_list(path: Path) -> None:
    from pyarrow import parquet as library

    library.write_table(_list_frame(), path)


def feather(path: Path) -> None:
    from pyarrow import feather as library

    library.write_feather(_frame(), path)


def hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["points"] = PIXELS
        file["labels"] = DIGITS.target


def matlab(path: Path) -> None:
    from scipy import io as library

    library.savemat(path, {"points": PIXELS, "labels": DIGITS.target})


def matlab_73(path: Path) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        item = file.create_dataset("points", data=PIXELS.T)
        item.attrs["MATLAB_class"] = np.bytes_("single")
        labels = file.create_dataset("labels", data=DIGITS.target.reshape(1, -1).astype(float))
        labels.attrs["MATLAB_class"] = np.bytes_("double")


def excel(path: Path) -> None:
    rows = [[f"p{i}" for i in range(64)] + ["label"]]
    rows += [[*row.tolist(), int(label)] for row, label in zip(PIXELS, DIGITS.target, strict=True)]
    write_xlsx(path, rows)


def arff(path: Path) -> None:
    import arff as library

    attributes = [(f"p{i}", "NUMERIC") for i in range(64)]
    attributes.append(("label", [str(i) for i in range(10)]))  # type: ignore[arg-type]
    data = [[*row.tolist(), str(t)] for row, t in zip(PIXELS, DIGITS.target, strict=True)]
    path.write_text(library.dumps({"relation": "r", "attributes": attributes, "data": data}))


def libsvm(path: Path) -> None:
    from sklearn.datasets import dump_svmlight_file

    dump_svmlight_file(PIXELS, DIGITS.target, str(path), zero_based=False)


def safetensors(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"points": PIXELS, "labels": DIGITS.target}, path)


def image_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as out:
        for number, (content, label) in enumerate(zip(_pictures(), DIGITS.target, strict=True)):
            out.writestr(f"{label}/{number:04}.png", content)


def hugging_face(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet as library

    cells = [{"bytes": content, "path": "no.png"} for content in _pictures()]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {"label": {"names": [f"digit {i}" for i in range(10)], "_type": "ClassLabel"}}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"image": pa.array(cells, kind), "label": DIGITS.target})
    library.write_table(table.replace_schema_metadata(about), path)


def write_xlsx(
    path: Path, rows: list[list[object]], before: dict[str, list[list[object]]] | None = None
) -> None:
    """A workbook as small as the format allows: no library that writes it is among our needs.

    `before`: other sheets by name, which stand in front of that of the rows.
    """

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return "<c/>" if value is None else f"<c><v>{value}</v></c>"

    sheets = {**(before or {}), "digits": rows}
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    sheet_type = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{sheet_type}.worksheet'
            '+xml"/>'
            for i in numbers
        )
        out.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{types}"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{sheet_type}.sheet.main+xml"/>'
            f"{parts}</Types>",
        )
        out.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type='
            f'"{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        names = "".join(
            f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>'
            for i, name in zip(numbers, sheets, strict=True)
        )
        out.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        )
        links = "".join(
            f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in numbers
        )
        out.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{relations}">{links}</Relationships>',
        )
        for i, sheet in zip(numbers, sheets.values(), strict=True):
            body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in sheet)
            out.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
            )


TABLES = {"d.csv": csv, "d.parquet": parquet, "d.feather": feather, "d.xlsx": excel}
TABLES |= {"d.arff": arff, "d.svm": libsvm}
ARRAYS = {"d.npy": npy, "d.npz": npz, "list.parquet": parquet_list, "d.h5": hdf5, "v5.mat": matlab}
ARRAYS |= {"v73.mat": matlab_73, "d.safetensors": safetensors}
#: 255/16 is no whole number, so grey values of eight bits are rounded to 1/510.
PICTURES = {"d.idx.gz": idx_gz, "d.zip": image_zip, "hf.parquet": hugging_face}
