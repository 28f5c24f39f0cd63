"""The method by which Jupyter and marimo ask a record how it looks below a cell.

What they are answered is written in one place, `svae_core.notebook.rich`. That lies above all
records, so it is found by its name, and only when a notebook asks.
"""

from __future__ import annotations

import importlib
from typing import Any


class ShownInNotebooks:
    """A base of records that notebooks show as a figure, a sentence and numbers."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """This record as HTML, and as plain text where HTML is not shown."""
        bundle: dict[str, str] = importlib.import_module("svae_core.notebook.rich").bundle(self)
        return bundle
