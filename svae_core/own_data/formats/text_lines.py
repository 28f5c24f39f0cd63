"""Plain text, a sequence a line: names, sentences, words, peptides."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from svae_core.own_data.formats import START_BYTES, Format, Source
from svae_core.own_data.sequences_to_table import lines_of, write_sequences
from svae_core.own_data.tables import Table

#: Fewer lines may be anything; long ones speak for themselves.
_LINES, _LONG_LINES = 8, 3
_DELIMITERS = b",;\t|"
#: A word, or a number with its point: between those, whatever is no letter and no digit separates,
#: so that 0.37^0.71 is two numbers, in a delimiter that nobody foresaw.
_WORD = re.compile(rb"[A-Za-z0-9.\x80-\xff]+")


def recognised(_path: Path, start: bytes) -> bool:
    """Different lines of letters, most of them without a delimiter and without numbers."""
    if b"\0" in start:
        return False
    full = len(start) == START_BYTES
    whole = start.split(b"\n")[:-1] if full else start.split(b"\n")
    lines = [line.strip() for line in whole if line.strip()]
    if len(lines) < (_LONG_LINES if full else _LINES) or len(set(lines)) < 0.8 * len(lines):
        return False  # a column of a few categories, perhaps
    plain = sum(not any(byte in _DELIMITERS for byte in line) for line in lines)
    words = [word for line in lines for word in _WORD.findall(line)]
    return plain > 0.5 * len(lines) and sum(map(_is_number, words)) < 0.2 * len(words)


def _is_number(word: bytes) -> bool:
    with contextlib.suppress(ValueError):
        float(word)
        return True
    return False


def read(source: Source) -> Table:
    """The table of a text: a line is a sequence of characters, and names its row."""
    lines = lines_of(source)
    return write_sequences(source, lines, FORMAT.name, (), lines)


FORMAT = Format("text, a sequence a line", (".txt",), recognised, read, rank=1)
