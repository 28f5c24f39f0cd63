"""ZIPs of equally sized images: grey values row by row; the folder of an image is its label."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from svae_core.own_data import archive
from svae_core.own_data.formats import Format, Source, starts_with
from svae_core.own_data.limits import CATEGORIES, COLUMNS, IMAGE_BYTES
from svae_core.own_data.names import cleaned, distinct, some
from svae_core.own_data.pictures import (
    colours_of,
    is_coloured,
    open_picture,
    reading_picture,
    shrunk,
    thumbnail,
)
from svae_core.own_data.tables import (
    BEFORE,
    CODES,
    NUMBERS,
    Column,
    Table,
    check_cells,
    keep_before,
    write_about,
)
from svae_core.records import RequestError

if TYPE_CHECKING:
    from PIL import Image

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
_OF_SYSTEMS = ("thumbs.db", "desktop.ini", ".ds_store")

# The largest grey value of images of 8 and of 16 bits, and the type that stores their values.
_PLAIN, _DEEP = 2**8 - 1, 2**16 - 1
_DTYPES = {_PLAIN: "|u1", _DEEP: "<u2"}


@dataclass(frozen=True)
class _Form:
    """The size and depth of the first image, to which all images are converted."""

    size: tuple[int, int]  # width and height, which all must have
    small: tuple[int, int]  # width and height after downscaling
    levels: int  # the largest grey value
    coloured: bool = False  # whether the first has colours
    keeps_colour: bool = False
    transparent: bool = False  # whether the first has an alpha channel

    @property
    def numbers(self) -> int:
        """Numbers of one image."""
        return self.small[0] * self.small[1] * (3 if self.keeps_colour else 1)


def read(source: Source) -> Table:
    """The table of a ZIP of images, written into a folder."""
    with archive.opened(source.path) as (packed, members):
        items = [item for item in members if item.filename.lower().endswith(_ENDINGS)]
        if not items:
            raise RequestError(
                f"The ZIP holds no image ({', '.join(ending[1:] for ending in _ENDINGS)})"
                f"{_instead(members)}."
            )
        form = _form(packed, items[0], source)
        check_cells(len(items), form.numbers)
        low, high = np.full(form.numbers, form.levels), np.zeros(form.numbers, int)
        _keep_before(packed, items, form, source.folder)
        with (source.folder / NUMBERS).open("wb") as out:
            for index, item in enumerate(items):
                pixels = _pixels(packed, item, form)
                low, high = np.minimum(low, pixels), np.maximum(high, pixels)
                out.write(pixels.tobytes())
                source.progress((index + 1) / len(items))
    columns = [
        Column(f"pixel {i + 1}", "number", 0, float(low[i]), float(high[i]))
        for i in range(len(low))
    ]
    table = Table(
        folder=source.folder,
        name=source.name,
        form=FORMAT.name,
        rows=len(items),
        columns=(*columns, *_folders(items, source.folder)),
        numbers_file=NUMBERS,
        numbers_dtype=_DTYPES[form.levels],
        notes=(*_said(form, len(items)), *_said_of_members(items, members)),
        image_shape=None if form.keeps_colour else (form.small[1], form.small[0]),
        colour=("channels" if form.keeps_colour else "grey") if form.coloured else "",
        scale=float(form.levels),
    )
    write_about(table)
    return table


def _said(form: _Form, count: int) -> list[str]:
    """How many images there are of what, and how they were changed."""
    size, small = form.size, form.small
    values = "in their colours from" if form.keeps_colour else "as grey values"
    said = [
        f"Read as {count:,} images of {size[0]} × {size[1]} pixels, {values} 0 to 1 in "
        f"{form.levels + 1:,} steps."
    ]
    if form.coloured and not form.keeps_colour:
        said.append("Pictures in colour were turned grey.")
    if form.transparent:
        said.append("How transparent pixels are was left out.")
    if small != size:
        said.append(f"They were shrunk to {small[0]} × {small[1]} pixels.")
    return said


def _instead(members: list[zipfile.ZipInfo]) -> str:
    """What a ZIP without images holds, and how it is given."""
    if any(item.filename == "[Content_Types].xml" for item in members):
        return ", which looks like a spreadsheet: save it as CSV"
    names = _others(members)
    return f" but {some(names)}; unpack it and give a file of it, images as PNG" if names else ""


def _others(members: list[zipfile.ZipInfo]) -> list[str]:
    """Names of the files that are no images; not those that systems put into each folder."""
    names = [item.filename for item in members if not item.is_dir()]
    names = [name for name in names if not name.lower().endswith(_ENDINGS)]
    return [cleaned(name) for name in names if PurePosixPath(name).name.lower() not in _OF_SYSTEMS]


def _said_of_members(items: list[zipfile.ZipInfo], members: list[zipfile.ZipInfo]) -> list[str]:
    """What was left out of a ZIP, and what was taken together."""
    said = []
    if others := _others(members):
        said.append(f"Other files in the ZIP were left out: {some(others)}.")
    parents = {PurePosixPath(item.filename).parent for item in items}
    above = sorted({cleaned(parent.parent.name) for parent in parents if parent.parent.name})
    if len({parent.name for parent in parents}) < len(parents):
        said.append(f"Folders of the same name were taken together: those in {some(above)}.")
    return said


def _content(packed: zipfile.ZipFile, item: zipfile.ZipInfo) -> tuple[bytes, str]:
    """The bytes of an image, and how sentences speak of it."""
    where = f"{cleaned(item.filename)} in the ZIP"
    with reading_picture(where):
        return archive.content(packed, item, IMAGE_BYTES), where


def _form(packed: zipfile.ZipFile, item: zipfile.ZipInfo, source: Source) -> _Form:
    """The form of an image, and what it becomes as chosen."""
    content, where = _content(packed, item)
    with reading_picture(where):
        image = open_picture(content, where)
        coloured = is_coloured(image)
        keeps = coloured and source.coloured
        small = shrunk(image.size, COLUMNS // 3 if keeps else COLUMNS, source.side)
        return _Form(image.size, small, _levels(image), coloured, keeps, "A" in image.mode)


def _keep_before(
    packed: zipfile.ZipFile, items: list[zipfile.ZipInfo], form: _Form, folder: Path
) -> None:
    """Keep the first images as they are, where they become grey or smaller."""
    if form.coloured or form.small != form.size:
        first = [_content(packed, item) for item in items[:BEFORE]]
        shown = [thumbnail(content, form.size, where) for content, where in first]
        keep_before(folder, np.stack(shown))


def _levels(image: Image.Image) -> int:
    """The largest grey value an image can hold; a mode with an I is a PNG of 16 bits."""
    return _DEEP if image.mode.startswith("I") else _PLAIN


def _pixels(packed: zipfile.ZipFile, item: zipfile.ZipInfo, form: _Form) -> np.ndarray:
    """Values of an image, from 0 to `form.levels`: grey, or three for each pixel."""
    from PIL import Image

    content, where = _content(packed, item)
    if form.keeps_colour:
        return colours_of(content, form.size, where, form.small).reshape(-1)
    with reading_picture(where):
        image = open_picture(content, where)
        if image.size != form.size:
            raise RequestError(
                f"{where} has {image.size[0]} × {image.size[1]} pixels, "
                f"but the first image has {form.size[0]} × {form.size[1]}; all must be of one size."
            )
        levels = _levels(image)
        # Mode L would clip 16-bit values at 255; mode F keeps them.
        grey = image.convert("F" if levels == _DEEP else "L")
        if form.small != form.size:
            grey = grey.resize(form.small, Image.Resampling.BOX)
        scaled = np.asarray(grey, np.float64).reshape(-1) * (form.levels / levels)
        return np.rint(scaled).astype(_DTYPES[form.levels])


def _folders(items: list[zipfile.ZipInfo], folder: Path) -> list[Column]:
    """A column of the images' folders, if there are several."""
    names = [PurePosixPath(item.filename).parent.name for item in items]
    values = sorted(set(names))
    if not 2 <= len(values) <= CATEGORIES:
        return []
    position = {value: index for index, value in enumerate(values)}
    codes = np.array([position[name] for name in names], dtype="<i4")
    (folder / CODES).write_bytes(codes.tobytes())
    return [Column("folder", "category", 0, categories=distinct(values, "folder"))]


FORMAT = Format("images", (".zip",), starts_with(b"PK\x03\x04", b"PK\x05\x06"), read, rank=1)
