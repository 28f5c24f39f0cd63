"""SMILES: molecules as texts, one a line, each with a name after a blank if it has one."""

from __future__ import annotations

import re
from pathlib import Path

from svae_core.own_data.formats import Format, Source
from svae_core.own_data.sequences_to_table import lines_of, write_sequences
from svae_core.own_data.tables import Table

#: An atom in brackets, an element of two letters, a ring closure of two digits, or one character.
_TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|.")
_MOLECULE = re.compile(
    rb"(\[[A-Za-z0-9@+\-:]+\]|Br|Cl|[BCNOPSFIbcnops]|%\d\d|[0-9=#$:/\\().\-+*~])+"
)
_STRUCTURE = re.compile(rb"[=#()\[\]]|[cnos]1|C1")


def recognised(_path: Path, start: bytes) -> bool:
    """Most lines begin with a molecule, and half of those have a bond, a ring or a branch."""
    lines = [line.split()[0] for line in start.split(b"\n")[:-1] or [start] if line.split()]
    molecules = [
        word for word in lines[:200] if _MOLECULE.fullmatch(word) and re.search(rb"[A-Za-z]", word)
    ]
    structured = sum(bool(_STRUCTURE.search(word)) for word in molecules)
    # The first line may be a header.
    return len(molecules) >= max(2, 0.8 * (len(lines[:200]) - 1)) and structured >= 0.5 * len(
        molecules
    )


def read(source: Source) -> Table:
    """The table of a SMILES file; a first line that is no molecule is a header."""
    lines = lines_of(source)
    header = not _MOLECULE.fullmatch(lines[0].split()[0].encode()) if lines else False
    parts = [line.split(maxsplit=1) for line in lines[header:]]
    named = all(len(part) == 2 for part in parts)
    notes = ["Atoms in brackets, Br, Cl and ring numbers of two digits are one symbol each."]
    notes += ["The first line is a header, and was left out."] if header else []
    return write_sequences(
        source,
        [_TOKEN.findall(part[0]) for part in parts],
        FORMAT.name,
        notes,
        [part[1] if named else part[0] for part in parts],
    )


FORMAT = Format("SMILES", (".smi", ".smiles"), recognised, read)
