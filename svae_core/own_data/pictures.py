"""Pictures that are not trusted: decoded from bytes within limits, brought to grey and one size."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from svae_core.own_data import archive
from svae_core.own_data.limits import COLUMNS, IMAGE_PIXELS
from svae_core.records import RequestError

if TYPE_CHECKING:
    from PIL import Image

# Formats whose readers are well tried; others, such as EPS, would start programs.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")


def open_picture(content: bytes, where: str) -> Image.Image:
    """The picture in these bytes, its pixels not read yet; `where` names it in sentences."""
    from PIL import Image

    picture = Image.open(io.BytesIO(content), formats=FORMATS)
    if picture.size[0] * picture.size[1] > IMAGE_PIXELS:
        raise RequestError(
            f"{where} claims {picture.size[0]:,} × {picture.size[1]:,} pixels, but at most "
            f"{IMAGE_PIXELS:,} can be read."
        )
    if 0 in picture.size:
        raise RequestError(f"{where} is an image without pixels.")
    return picture


@contextmanager
def reading_picture(where: str) -> Iterator[None]:
    """Says which picture is damaged, whatever the reader of its format raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes that are checked here
            yield
    except (RequestError, zipfile.BadZipFile, MemoryError):
        raise
    except Exception as error:
        if archive.is_of_disk(error):
            raise
        raise RequestError(
            f"{where} is no image that can be read; it is damaged or cut off."
        ) from error


def shrunk(size: tuple[int, int]) -> tuple[int, int]:
    """The largest size of about the same shape with no more pixels than features are allowed."""
    width, height = size
    shrink = max(1.0, (width * height / COLUMNS) ** 0.5)
    small = (max(1, int(width / shrink)), max(1, int(height / shrink)))
    if small[0] * small[1] <= COLUMNS:
        return small
    return (min(small[0], COLUMNS), 1) if small[1] == 1 else (1, min(small[1], COLUMNS))


def size_of(content: bytes, where: str) -> tuple[int, int]:
    """Width and height of a picture."""
    with reading_picture(where):
        return open_picture(content, where).size


def grey_of(content: bytes, size: tuple[int, int], where: str) -> np.ndarray:
    """Grey values uint8 [height, width] of a picture of size (width, height), shrunk to fit."""
    from PIL import Image

    with reading_picture(where):
        picture = open_picture(content, where)
        if picture.size != size:
            raise RequestError(
                f"{where} has {picture.size[0]} × {picture.size[1]} pixels, but the first has "
                f"{size[0]} × {size[1]}; all must be of one size."
            )
        deep = picture.mode.startswith("I")
        grey = picture.convert("F").point(lambda value: value / 257.0) if deep else picture
        grey = grey.convert("L")
        if shrunk(size) != size:
            grey = grey.resize(shrunk(size), Image.Resampling.BOX)
        return np.asarray(grey, np.uint8)
