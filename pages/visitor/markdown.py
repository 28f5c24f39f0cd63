"""Escaping for text that visitors have written, or that a file brings along."""

from __future__ import annotations

import re

from svae_core.runs.folder import home

# Images are fetched from wherever they are, and a dollar begins a formula.
# An underscore inside of a word is one.
_MARKS = re.compile(r"[\\`*~$<\[\]]|(?<!\w)_|_(?!\w)")
# At its beginning these make a text a heading, a quotation or a list.
_FIRST = re.compile(
    r"^(?=[#>=|]|-{2}|[+-](?: |$))|(?<=^\d)(?=[.)](?: |$))|(?<=^\d\d)(?=[.)](?: |$))"
)
# What follows a colon at once may be an address, an icon's name or a colour; "www." is an address.
_LINKS = re.compile(r":(?=\S)|www(?=\.)", re.IGNORECASE)
_JOINED = "\\g<0>\u2060"  # by a word joiner, which is not seen
#: A path of this machine, by either system's rules: two steps or more from its root.
_PATH = re.compile(
    r"(?<![\w/:.\\])(?:[A-Za-z]:)?(?:[\\/][^\s\\/:;,\'\"()]+)+[\\/]([^\s\\/:;,\'\"()]+)"
)


def line(text: str) -> str:
    """A text on one line, without what cannot be shown or sent."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())


def plain(text: str) -> str:
    """Markdown that shows a text as it is: names of runs, of files and of their columns."""
    marked = _FIRST.sub(r"\\", _MARKS.sub(r"\\\g<0>", line(text)))
    return _LINKS.sub(_JOINED, marked)


def without_paths(text: str) -> str:
    """A sentence without the server's folders: of a path its last name stays."""
    place = str(home())
    text = text.replace(f"{place}/", "").replace(f"{place}\\", "").replace(place, "its folder")
    return _PATH.sub(r"\1", text)


def refusal(error: Exception) -> str:
    """An error's sentence for visitors, as Markdown."""
    return plain(without_paths(str(error)))
