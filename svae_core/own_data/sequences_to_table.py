"""Texts of a file -> a table of one-hot symbols, position after position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from svae_core.own_data.array_to_table import blocks_of, with_row_names
from svae_core.own_data.formats import Source
from svae_core.own_data.limits import COLUMNS
from svae_core.own_data.tables import NUMBERS, Column, Table, check_cells, write_about
from svae_core.records import RequestError

#: Different symbols that are told apart; rarer ones become `_OTHER`.
_SYMBOLS = 64
_OTHER = "□"
#: What fills up a text that is shorter than the longest.
_PAD = ""


def write_sequences(
    source: Source,
    texts: Sequence[Sequence[str]],
    form: str,
    notes: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Table:
    """The table of these texts, each a sequence of symbols; `names`: of the rows, if there are any.

    RequestError where no text has a symbol. What was cut or merged is said in its notes.
    """
    counts = Counter(symbol for text in texts for symbol in text)
    if not counts or len(texts) < 2:
        raise RequestError(f"{source.name} holds fewer than two sequences; give one a line.")
    said = [f"Read as {len(texts):,} sequences of symbols, one-hot at each position.", *notes]
    symbols = _told_apart(counts, said)
    longest, most = max(map(len, texts)), COLUMNS // len(symbols)
    if longest > most:
        cut = sum(len(text) > most for text in texts)
        said.append(f"Sequences are cut to their first {most} positions; {cut:,} were longer.")
    length = min(longest, most)
    width = length * len(symbols)
    check_cells(len(texts), width)
    _write_one_hot(source, texts, symbols, length)
    shown = [{_PAD: "end", " ": "space"}.get(symbol, symbol) for symbol in symbols]
    table = Table(
        folder=source.folder,
        name=source.name,
        form=form,
        rows=len(texts),
        columns=tuple(
            Column(f"{i + 1}: {symbol}", "number", 0, 0.0, 1.0)
            for i in range(length)
            for symbol in shown
        ),
        numbers_file=NUMBERS,
        numbers_dtype="|u1",
        notes=tuple(said),
        symbols=tuple(symbols),
    )
    write_about(table)
    return with_row_names(table, list(names)) if names else table


def lines_of(source: Source) -> list[str]:
    """The lines of a text that hold something, without blanks at their ends."""
    with source.path.open(encoding="utf-8-sig", errors="replace") as file:
        return [line.strip() for line in file if line.strip()]


def _told_apart(counts: Counter[str], said: list[str]) -> list[str]:
    """The symbols that have a coordinate of their own, in their order; merged ones are `said`."""
    symbols = [symbol for symbol, _ in counts.most_common(_SYMBOLS)]
    if len(counts) > _SYMBOLS:
        said.append(
            f"Of {len(counts):,} different symbols the {_SYMBOLS} most frequent are told apart; "
            f"the others became {_OTHER}."
        )
        symbols.append(_OTHER)
    return [*sorted(symbols), _PAD]


def _write_one_hot(
    source: Source, texts: Sequence[Sequence[str]], symbols: list[str], length: int
) -> None:
    """Write the texts, cut or filled up to that length, as bytes [n, length · symbols]."""
    place = {symbol: index for index, symbol in enumerate(symbols)}
    other = place.get(_OTHER, 0)
    with (source.folder / NUMBERS).open("wb") as out:
        for part in blocks_of(len(texts), length * len(symbols)):
            some = texts[part]
            block = np.zeros((len(some), length, len(symbols)), np.uint8)
            for row, text in enumerate(some):
                kept = [place.get(symbol, other) for symbol in text[:length]]
                kept += [place[_PAD]] * (length - len(kept))
                block[row, np.arange(length), kept] = 1
            out.write(block.tobytes())
            source.progress(part.stop / len(texts))
