"""How an array is read as rows of numbers: matrices, and pictures turned grey, shrunk or kept.

Pictures of more than COLUMNS pixels are shrunk to fit, and smaller where a side is chosen; every
new pixel is the mean of the area that it covers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.own_data.formats import Source
from svae_core.own_data.limits import CELLS, COLUMNS
from svae_core.own_data.names import cleaned
from svae_core.own_data.pictures import shrunk
from svae_core.own_data.tables import check_cells, check_width
from svae_core.records import RequestError

#: Weights of red, green and blue in grey, ITU-R BT.601: what Pillow uses too.
_GREY = np.array([299.0, 587.0, 114.0]) / 1000.0
#: Sides up to which N × a × b × c is taken for pictures in channels, and more is a mistake.
_CHANNELS = (1, 3)
#: Pixels of the pictures that are shown as they were, at most, a side.
_SHOWN = 128


@dataclass(frozen=True)
class Layout:
    """How an array [n, …] is read as rows of numbers."""

    rows: int
    width: int  # numbers of a row, as written
    picture: tuple[int, int] | None = None  # height and width in the array, of pictures
    small: tuple[int, int] | None = None  # height and width as written
    channels_last: bool | None = None  # of pictures in colour: where their channels are
    keeps_colour: bool = False

    @property
    def coloured(self) -> bool:
        """Whether rows are pictures in colour."""
        return self.channels_last is not None

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Height and width of pictures as written, if they have one number for each pixel."""
        return None if self.keeps_colour else self.small

    @property
    def read_width(self) -> int:
        """Numbers of a row in the array."""
        if self.picture is None:
            return self.width
        return math.prod(self.picture) * (3 if self.coloured else 1)

    @property
    def changes_pictures(self) -> bool:
        """Whether pictures become grey or smaller."""
        return self.picture != self.small or (self.coloured and not self.keeps_colour)

    def said(self) -> list[str]:
        """What becomes of pictures, in sentences."""
        notes = []
        if self.coloured:
            kept = "Pictures in colour keep their channels, three numbers for each pixel."
            notes.append(kept if self.keeps_colour else "Pictures in colour were turned grey.")
        if self.picture != self.small and self.picture and self.small:
            notes.append(
                f"Pictures were shrunk from {self.picture[1]} × {self.picture[0]} to "
                f"{self.small[1]} × {self.small[0]} pixels."
            )
        return notes


def layout_of(shape: tuple[int, ...], source: Source | None = None) -> Layout:
    """Rows and columns of an array; RequestError, naming the shape, where it has none.

    [n], [n, d]; [n, height, width] are grey pictures, and so are [n, height, width, 1] and
    [n, 1, height, width]; with 3 channels in either place they are pictures in colour. The source
    says what was chosen about them.
    """
    if len(shape) == 4 and 0 not in shape:
        last, first = shape[3] in _CHANNELS, shape[1] in _CHANNELS
        if last or first:
            channels_last = last and not (first and shape[3] > shape[1])
            picture = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
            channels = shape[3] if channels_last else shape[1]
            return _pictures(shape[0], picture, channels_last if channels > 1 else None, source)
    if len(shape) not in (1, 2, 3) or 0 in shape:
        raise RequestError(
            f"The array has the shape {' × '.join(map(str, shape[:6])) or '()'}, but must be rows "
            "× columns or, for pictures, number × height × width, with channels before or after."
        )
    if len(shape) == 3:
        return _pictures(shape[0], (shape[1], shape[2]), None, source)
    width = shape[1] if len(shape) == 2 else 1
    check_width(width)
    check_cells(shape[0], width)
    return Layout(shape[0], width)


def _pictures(
    rows: int, picture: tuple[int, int], channels_last: bool | None, source: Source | None
) -> Layout:
    keeps = channels_last is not None and source is not None and source.coloured
    numbers = 3 if keeps else 1
    if rows * math.prod(picture) > 8 * CELLS:
        raise RequestError(
            f"The array has {rows:,} pictures of {picture[1]:,} × {picture[0]:,} pixels, more than "
            "can be read; give a sample."
        )
    side = source.side if source is not None else 0
    width, height = shrunk((picture[1], picture[0]), COLUMNS // numbers, side)
    check_cells(rows, width * height * numbers)
    return Layout(
        rows, width * height * numbers, picture, (height, width), channels_last, keeps_colour=keeps
    )


def block_of(raw: Any, layout: Layout) -> np.ndarray:
    """Rows [r, width] of a block as a library gives it, pictures as the layout has them."""
    block = np.asarray(raw.toarray() if hasattr(raw, "toarray") else raw)
    if block.dtype.kind == "V" and block.dtype.itemsize == 2 and not block.dtype.names:
        block = from_bfloat16(block)
    if block.dtype.kind not in "fiub":
        raise RequestError(
            f"The array holds {cleaned(block.dtype.name)}, but must hold real numbers."
        )
    if layout.coloured:
        block = np.moveaxis(block, 1, -1) if not layout.channels_last else block
        # An alpha channel says nothing of brightness.
        block = block[..., :3]
        if not layout.keeps_colour:
            whole = block.dtype == np.uint8
            grey = block.astype(np.float64) @ _GREY
            block = np.rint(grey).astype(np.uint8) if whole else grey
    if layout.picture is not None and layout.small is not None and layout.picture != layout.small:
        channels = block.shape[3:] if layout.keeps_colour else ()
        block = _shrink(block.reshape(len(block), *layout.picture, *channels), layout.small)
    return block.reshape(len(block), layout.width)


def before(raw: Any, layout: Layout) -> np.ndarray | None:
    """Pictures [p, height, width, 3] uint8 of a block as they are in the file, to be shown.

    None where the layout changes nothing about them.
    """
    if layout.picture is None or not layout.changes_pictures:
        return None
    block = np.asarray(raw).astype(np.float64)
    if layout.coloured:
        block = (np.moveaxis(block, 1, -1) if not layout.channels_last else block)[..., :3]
    else:
        block = np.repeat(block.reshape(len(block), *layout.picture, 1), 3, axis=3)
    width, height = shrunk((layout.picture[1], layout.picture[0]), _SHOWN**2, _SHOWN)
    block = np.nan_to_num(_shrink(block, (height, width)))
    top = 255.0 if np.asarray(raw).dtype == np.uint8 else max(float(block.max()), 1e-12)
    return np.rint(np.clip(block / top, 0.0, 1.0) * 255).astype(np.uint8)


def _shrink(pictures: np.ndarray, small: tuple[int, int]) -> np.ndarray:
    """Pictures [r, h, w] or [r, h, w, 3] at another size; uint8 stays uint8."""
    down, across = (_areas(full, to) for full, to in zip(pictures.shape[1:3], small, strict=True))
    found = np.einsum(
        "ah,nhw...,bw->nab...", down, pictures.astype(np.float64), across, optimize=True
    )
    return np.rint(found).astype(np.uint8) if pictures.dtype == np.uint8 else found


def _areas(full: int, small: int) -> np.ndarray:
    """[small, full] the share that each old line has in each new one; rows add up to 1."""
    edges = np.arange(small + 1) * full / small
    old = np.arange(full)
    shared = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return np.maximum(shared, 0.0) * small / full


def from_bfloat16(block: np.ndarray) -> np.ndarray:
    """float32 of bfloat16 numbers, which NumPy keeps as two bytes without a meaning."""
    wide = np.ascontiguousarray(block).view("<u2").astype(np.uint32) << 16
    return wide.view(np.float32)
