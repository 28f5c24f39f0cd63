"""How much random tests do: a little in `make test`, all that is claimed in `make soak`."""

from __future__ import annotations

import os


def effort(usual: int, soak: int) -> int:
    """The number of rounds: `soak` where SVAE_SOAK is set."""
    return soak if os.environ.get("SVAE_SOAK") else usual
