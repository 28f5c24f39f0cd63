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
from svae_core.own_data.damage import AGAIN
from svae_core.own_data.limits import COLUMNS, IMAGE_PIXELS
from svae_core.records import RequestError

if TYPE_CHECKING:
    from PIL import Image

# Formats whose readers are well tried; others, such as EPS, would start programs.
THUMBNAIL = 128  # pixels a side of pictures that are shown as they were
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")

#: First bytes of PNG, JPEG, GIF, BMP, TIFF and (of RIFF) WebP.
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")


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
            f"{where} is no image that can be read, since it is damaged or cut off; {AGAIN}."
        ) from error


def shrunk(size: tuple[int, int], most: int = COLUMNS, side: int = 0) -> tuple[int, int]:
    """The largest size (width, height) of about the same shape with at most `most` pixels.

    `side`: pixels that either of them may have (0: any number).
    """
    width, height = size
    shrink = max(1.0, (width * height / most) ** 0.5, max(size) / side if side else 1.0)
    small = (max(1, int(width / shrink)), max(1, int(height / shrink)))
    if small[0] * small[1] <= most:
        return small
    return (min(small[0], most), 1) if small[1] == 1 else (1, min(small[1], most))


def size_of(content: bytes, where: str) -> tuple[tuple[int, int], bool]:
    """Width and height of a picture, and whether it has colours."""
    with reading_picture(where):
        picture = open_picture(content, where)
        return picture.size, is_coloured(picture)


def is_coloured(picture: Image.Image) -> bool:
    """Whether a picture has colours; a palette may have."""
    return picture.mode not in ("1", "L", "LA", "La", "F") and not picture.mode.startswith("I")


def colours_of(
    content: bytes, size: tuple[int, int], where: str, small: tuple[int, int]
) -> np.ndarray:
    """Red, green and blue uint8 [height, width, 3] of a picture of size (width, height)."""
    return _levels("RGB", content, size, where, small)


def grey_of(
    content: bytes, size: tuple[int, int], where: str, small: tuple[int, int]
) -> np.ndarray:
    """Grey values uint8 [height, width] of a picture of size (width, height), shrunk to `small`."""
    return _levels("L", content, size, where, small)


def _levels(
    mode: str, content: bytes, size: tuple[int, int], where: str, small: tuple[int, int]
) -> np.ndarray:
    from PIL import Image

    with reading_picture(where):
        picture = open_picture(content, where)
        if picture.size != size:
            raise RequestError(
                f"{where} has {picture.size[0]} × {picture.size[1]} pixels, but the first has "
                f"{size[0]} × {size[1]}; all must be of one size."
            )
        if picture.mode.startswith("I"):  # 16 bits a pixel
            picture = picture.convert("F").point(lambda value: value / 257.0).convert("L")
        plain = picture.convert(mode)
        if small != size:
            plain = plain.resize(small, Image.Resampling.BOX)
        return np.asarray(plain, np.uint8)


def thumbnail(content: bytes, size: tuple[int, int], where: str) -> np.ndarray:
    """A picture in its colours, small enough to be shown: uint8 [height, width, 3]."""
    return colours_of(content, size, where, shrunk(size, THUMBNAIL**2, THUMBNAIL))
