"""Escaping for text that visitors have written, or that a file brings along."""

from __future__ import annotations

import re

from svae_core.datasets import scan_datasets
from svae_core.methods import scan_methods
from svae_core.records import Settings, knobs
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

#: An option of the command line, a plug-in's too: `--n-points`, `--clusters.noise`.
_OPTION = re.compile(r"(?<![\w-])--([a-z]\w*\.)?([a-z][a-z0-9_-]*)")
#: What a sentence offers beside an upload.
_COMMAND = re.compile(r",? or (?:by: python -m svae_core .*|name it with --dataset FILE)\.$")


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


def for_visitors(text: str) -> str:
    """A library's sentence in the words of the screens: labels of controls for its options.

    Without the server's folders, and without what only a command line could do.
    """
    return _OPTION.sub(_label_of, _COMMAND.sub(".", without_paths(text)))


def refusal(error: Exception) -> str:
    """An error's sentence for visitors, as Markdown."""
    return plain(for_visitors(str(error)))


def _label_of(option: re.Match[str]) -> str:
    """The label of the control that stands for an option of the command line."""
    owner, name = (option[1] or "").rstrip("."), option[2].replace("-", "_")
    plugins = scan_methods() | scan_datasets()
    known = knobs(plugins[owner].config) if owner in plugins else knobs(Settings)
    label = known[name].label if name in known else name.replace("_", " ")
    return f"“{label[:1].upper() + label[1:] if label[:1].isascii() else label}”"
