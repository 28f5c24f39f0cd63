"""Words of visitors, as they may stand between our own."""

from __future__ import annotations

import re

# Images are fetched from wherever they are, and a dollar begins a formula.
_MARKS = re.compile(r"[\\`*_~$<\[\]]")


def plain(text: str) -> str:
    """Markdown that shows a text as it is: names of runs, of files and of their columns."""
    return _MARKS.sub(r"\\\g<0>", text)
