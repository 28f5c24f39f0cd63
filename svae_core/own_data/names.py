"""Sanitising of names from user files, which appear in sentences, figures, files and tables.

Markdown and Plotly interpret markup in text, and a spreadsheet runs a cell that begins like a
formula. Names are therefore cleaned once, when a file is read, and not wherever they are shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import TypeVar

from svae_core.own_data.limits import LETTERS

Key = TypeVar("Key")

# Characters with a meaning in Markdown, Plotly or URLs.
_MARKUP = re.compile(r"[<>\[\]`$*\\|~#{}&:^\"]")
#: Values of options; a column of that name gets a number appended.
RESERVED = frozenset({"auto", "none"})

_BARCODE, _LOOKED_AT = re.compile(r"[ACGTN]{8,}([-_.]\w+)?"), 1_000
#: Said where the columns of a file have names of cells.
NAMED_AS_CELLS = "The columns are named as cells are (barcodes)"

NAMED_AS_SAMPLES = "The columns are named as samples are (GSM…, TCGA-…)"
#: Said where the rows have names of genes or probes, as the matrices of GEO and of Broad have.
NAMED_AS_GENES = "The rows are named as genes or probes are"
_SAMPLE = re.compile(r"(GSM|SR[RXS]|ERR|DRR)\d+.*|TCGA-\w\w-.*", re.IGNORECASE)
_GENE = re.compile(r"(ENS[A-Z]*[GTP]\d{6,}|\d+(_[a-z])?_at|ILMN_\d+|cg\d{8})([._]\w+)?")
_GENE_HEADINGS = re.compile(
    r"id_ref|symbol|(gene|probe|ensembl|hgnc|entrez|transcript|otu|probe ?set)s?"
    r"([ _.]?(id|name|symbol)s?)?",
    re.IGNORECASE,
)


def cleaned(text: object) -> str:
    """The text without markup and control characters, at most LETTERS letters."""
    spaced = "".join(
        " " if unicodedata.category(letter)[0] in "CZ" else letter for letter in str(text)[:1_000]
    )
    clean = " ".join(_MARKUP.sub(" ", spaced).split())
    return clean if len(clean) <= LETTERS else clean[: LETTERS - 1] + "…"


def file_name(path: str) -> str:
    """The last part of a POSIX or Windows path, with letters, digits and . - _ only."""
    last = PurePosixPath(PureWindowsPath(path).name).name
    clean = re.sub(r"[^\w.-]+", "_", cleaned(last)).strip("._")
    return clean or "data"


def distinct(names: Iterable[str], otherwise: str) -> tuple[str, ...]:
    """Cleaned names, none of them empty, reserved or repeated."""
    taken = set(RESERVED)
    found = []
    for position, name in enumerate(names, 1):
        base = cleaned(name) or f"{otherwise} {position}"
        number, candidate = 2, base
        while candidate in taken:
            candidate = f"{base} {number}"
            number += 1
        taken.add(candidate)
        found.append(candidate)
    return tuple(found)


def own_name(key: str) -> str:
    """The name of an array without the groups that it lies in, in small letters."""
    return key.rsplit("/", 1)[-1].lower().strip()


def outermost(keys: Iterable[Key]) -> list[Key]:
    """Of arrays in groups within groups those that lie furthest out, which are meant."""
    depths = {key: str(key).count("/") for key in keys}
    least = min(depths.values(), default=0)
    return [key for key, depth in depths.items() if depth == least]


def said(key: str) -> str:
    """The path of an array as sentences call it: cleaned, and where it is long its end."""
    clean = "/".join(cleaned(part) for part in key.split("/"))
    return clean if len(clean) <= LETTERS else f"…{clean[1 - LETTERS :]}"


def some(names: Sequence[str]) -> str:
    """The first five names of a list, and the number of others."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def inert(text: str) -> str:
    """A text cell that a spreadsheet shows instead of running it."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def are_barcodes(names: Sequence[str]) -> bool:
    """Whether names are those of cells, as sequencers give them: ACGT…, perhaps with a number."""
    some = names[:_LOOKED_AT]
    found = sum(_BARCODE.fullmatch(name) is not None for name in some)
    return bool(some) and found > 0.8 * len(some)


def are_samples(names: Sequence[str]) -> bool:
    """Whether names are those of samples in public archives."""
    some = names[:_LOOKED_AT]
    return len(some) > 1 and all(_SAMPLE.fullmatch(name) for name in some)


def are_genes(headings: Sequence[str], names: Sequence[str]) -> bool:
    """Whether rows are named as genes or probes: by the first headings, or by the names."""
    if [heading.lower() for heading in headings] == ["name", "description"]:  # of GCT files
        return True
    if headings and _GENE_HEADINGS.fullmatch(headings[0]):
        return True
    some = names[:_LOOKED_AT]
    return bool(some) and sum(_GENE.fullmatch(name) is not None for name in some) > 0.8 * len(some)
