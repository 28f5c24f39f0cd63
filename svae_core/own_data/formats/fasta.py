"""FASTA: sequences of proteins or nucleic acids, each after a line that begins with >."""

from __future__ import annotations

import re

from svae_core.own_data.formats import Format, Source
from svae_core.own_data.sequences_to_table import lines_of, write_sequences
from svae_core.own_data.tables import Table

_HEADER = re.compile(rb"^(;[^\n]*\n|\s)*>[^\n]*\n\s*[A-Za-z*\-.\s]+(\n|$)")


def read(source: Source) -> Table:
    """The table of a FASTA file; the first word after > names its sequence."""
    names: list[str] = []
    texts: list[str] = []
    for line in lines_of(source):
        if line.startswith(">"):
            names.append((line[1:].split() or [f"sequence {len(names) + 1}"])[0])
            texts.append("")
        elif texts and not line.startswith(";"):
            texts[-1] += line.replace(" ", "").upper()
    note = "Small letters were read as capitals."
    return write_sequences(source, texts, FORMAT.name, (note,), names)


FORMAT = Format(
    "FASTA", (".fasta", ".fa", ".faa", ".fna"), lambda _p, start: bool(_HEADER.match(start)), read
)
