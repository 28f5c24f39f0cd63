"""A few points, and what each model gives back for them: images, or the features as bars."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from svae_core.figures.papers.axes import GRID, INK
from svae_core.figures.papers.run_picture import Look, RunPicture
from svae_core.figures.papers.svg import Drawing
from svae_core.latent.images import data_pictures, output_pictures

_NAME, _GAP = 18.0, 6.0  # the name above each row; between pictures


def reconstructions(run: RunPicture, _look: Look, drawing: Drawing) -> None:
    """A row of the data, and a row of each model's sampled reconstructions of them."""
    count = len(run.frames[0].samples)
    rows = [data_pictures(run.prepared, slice(0, count))]
    rows += [output_pictures(run.prepared, frame.samples) for frame in run.frames]
    shape = run.prepared.dataset.image_shape
    ratio = shape[1] / shape[0] if shape else 1.4
    each = (drawing.width - _GAP * (count - 1)) / count
    tall = min(each / ratio, (drawing.height - _GAP) / len(rows) - _NAME - _GAP)
    reach = max(float(np.abs(rows[0]).max()), 1e-9)
    for number, (name, pictures) in enumerate(zip(("data", *run.names), rows, strict=True)):
        top = number * (tall + _NAME + _GAP)
        drawing.words(name, 0, top + 13, fill=INK, font_weight="600")
        for place, picture in enumerate(pictures):
            box = place * (tall * ratio + _GAP), top + _NAME, tall * ratio, tall
            if shape:
                # As on the stage: the brighter a pixel, the more ink.
                drawing.picture(grey_png(1 - picture.reshape(shape)), box)
            else:
                _bars(drawing, picture / reach, box)


def _bars(drawing: Drawing, values: np.ndarray, box: tuple[float, float, float, float]) -> None:
    """Values from −1 to 1 as bars about the middle of a box."""
    left, top, width, height = box
    middle, each = top + height / 2, width / len(values)
    drawing.segment((left, middle), (left + width, middle), stroke=GRID, stroke_width=1)
    for place, value in enumerate(np.clip(values, -1, 1).tolist()):
        tall = abs(value) * height / 2
        x, y = left + each * place, middle - max(0.0, value) * height / 2
        drawing.box(x, y, 0.8 * each, tall, fill=INK)


def grey_png(brightness: np.ndarray) -> bytes:
    """An image [h, w] of brightnesses from 0 to 1 as a PNG file of 8 bits (ISO/IEC 15948)."""
    height, width = brightness.shape
    pixels = np.rint(255 * np.clip(brightness, 0, 1)).astype(np.uint8)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # 0: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
