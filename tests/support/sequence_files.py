"""Writers of sequence files, each with the points that are right, by an encoding of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


def _points(texts: Sequence[Sequence[str]]) -> np.ndarray:
    """One row of 0 and 1 for each text: for each position all symbols by name, then the end."""
    symbols = sorted({symbol for text in texts for symbol in text})
    length = max(map(len, texts))
    rows = []
    for text in texts:
        row: list[float] = []
        for at in range(length):
            row += [float(at < len(text) and text[at] == symbol) for symbol in symbols]
            row.append(float(at >= len(text)))
        rows.append(row)
    return np.array(rows)


def written(
    content: str, texts: Sequence[Sequence[str]]
) -> Callable[[Path], tuple[np.ndarray, None]]:
    """A writer of this content, which holds these texts."""

    def write(path: Path) -> tuple[np.ndarray, None]:
        path.write_text(content, encoding="utf-8")
        return _points(texts), None

    return write


_WORDS = ("ada", "bo", "cleo", "dan", "eve", "finn", "gus", "hal", "ivy")
_SAID = ("well, yes", "no", "oh?", "a b", "why not", "so it is", "I see", "hm", "über")
fasta_of_proteins = written(
    ">one first\nMKV\nLA\n>two\nMK\n\n>three\nmlw\n", ("MKVLA", "MK", "MLW")
)
fasta_of_dna = written(">a\nACGT\n>b\nACG\n", ("ACGT", "ACG"))
smiles_with_names = written(
    "CCO ethanol\nC(=O)Cl x y\n[Na+].[Cl-] salt\nc1ccccc1Br b\n",
    (
        ("C", "C", "O"),
        ("C", "(", "=", "O", ")", "Cl"),
        ("[Na+]", ".", "[Cl-]"),
        ("c", "1", "c", "c", "c", "c", "c", "1", "Br"),
    ),
)
smiles_with_header = written("smiles\nC=C\nC#N\nC(C)C\n", ("C=C", "C#N", "C(C)C"))
lines_of_words = written("\n".join(_WORDS) + "\n", _WORDS)
lines_of_sentences = written("\ufeff" + "\r\n".join(_SAID), _SAID)
