"""One binary message to the stage, as bytes and back.

    uint32 length of the header · header in JSON, padded to 4 bytes · float32 arrays, one by one

All little-endian. The header's `arrays` lists name and shape of each array in order.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np

Message = tuple[dict[str, Any], dict[str, np.ndarray]]


def encode(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """A message as bytes."""
    listed = [[name, list(array.shape)] for name, array in arrays.items()]
    blobs = [np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values()]
    return framed({**header, "arrays": listed}, blobs)


def decode(message: bytes) -> Message:
    """The inverse of `encode`."""
    header, at = unframed(message)
    arrays = {}
    for name, shape in header.pop("arrays"):
        count = math.prod(shape)
        arrays[name] = np.frombuffer(message, "<f4", count, at).reshape(shape)
        at += 4 * count
    return header, arrays


def framed(header: dict[str, Any], blobs: list[bytes]) -> bytes:
    """The length of a header, the header in JSON, and blobs, each padded to 4 bytes."""
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    padded = (blob + b"\0" * (-len(blob) % 4) for blob in blobs)
    return b"".join([struct.pack("<I", len(text)), text, *padded])


def unframed(message: bytes) -> tuple[dict[str, Any], int]:
    """The header of `framed`, and where the first blob begins."""
    (length,) = struct.unpack_from("<I", message)
    return json.loads(message[4 : 4 + length]), 4 + length
