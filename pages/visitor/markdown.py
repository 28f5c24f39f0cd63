"""Escaping for text that visitors have written."""

from __future__ import annotations

import re

# An image would be fetched from any server, and a dollar sign begins a formula.
_MARKS = re.compile(r"[\\`*_~$<\[\]]")


def plain(text: str) -> str:
    """Markdown that shows a text literally: names of runs, of files and of their columns."""
    return _MARKS.sub(r"\\\g<0>", text)
