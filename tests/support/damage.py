"""Random damages of a file's bytes."""

from __future__ import annotations

import random

#: Damages of each format in `make test`; the benchmark tries more.
DAMAGES = 40


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The bytes with a cut, a flip, a run of zeros, or a piece that stands twice."""
    kind = chance.randrange(5)
    at = chance.randrange(len(content))
    early = chance.randrange(min(len(content), 2_048))  # headers matter most
    if kind == 0:
        return content[:at]
    if kind == 1:
        at = early
    if kind in (1, 2):
        return content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
    length = chance.randrange(1, 64)
    if kind == 3:
        return content[:early] + bytes(length) + content[early + length :]
    return content[:at] + content[at : at + length] + content[at:]
