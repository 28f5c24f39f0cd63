"""ARFF of Weka and OpenML: typed attributes, then rows, dense or sparse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from svae_core.own_data.damage import damaged
from svae_core.own_data.formats import Format, Source
from svae_core.own_data.names import cleaned
from svae_core.own_data.rows_to_table import write_cells
from svae_core.own_data.tables import Table, check_width
from svae_core.own_data.text_layout import encoding_of
from svae_core.records import RequestError

_ATTRIBUTE = r"(?i)^(\s*@attribute\s+(?:'[^']*'|\"[^\"]*\"|\S+))\s+"
_DATE = re.compile(rf"{_ATTRIBUTE}date\b[^\n]*")
_NUMBER = re.compile(rf"{_ATTRIBUTE}(?:integer|real|numeric)\b[^\n]*")
_RELATION = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(%[^\n]*\n\s*)*@relation\b", re.IGNORECASE)


def read(source: Source) -> Table:
    """The table of an ARFF file; its last nominal attribute is the label where none says so."""
    import arff

    notes: list[str] = []
    try:
        attributes, sparse = _header(source)
        check_width(len(attributes))
        rows = _Rows(source, len(attributes), sparse, [kind for _, kind in attributes])
        names = [name for name, _ in attributes]
        notes.append(f"Read as ARFF, {'sparse' if sparse else 'dense'} rows.")
        nominal = [index for index, (_, kind) in enumerate(attributes) if isinstance(kind, list)]
        return write_cells(source, FORMAT.name, names, rows, notes, categories=nominal)
    except (arff.ArffException, ValueError, TypeError, StopIteration, IndexError) as error:
        if isinstance(error, RequestError):
            raise
        raise damaged("ARFF file", _reason(error)) from error


def _reason(error: Exception) -> str:
    """What the library says of it, as part of a sentence.

    The library puts the line in by %, and fails where the file has such a sign of its own.
    """
    message = getattr(error, "message", None)
    line = str(getattr(error, "line", ""))
    said = str(error) if message is None else message.replace("%d", line).replace("%%", "%")
    return cleaned(said).rstrip(".").replace(". ", ", ") or "it makes no sense"


def _opened(source: Source) -> TextIO:
    encoding = encoding_of(source.path)
    return source.path.open(
        encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors="replace"
    )


def _header(source: Source) -> tuple[list[tuple[str, Any]], bool]:
    """Names and types of the attributes, and whether rows are sparse."""
    import arff

    head: list[str] = []
    sparse = False
    with _opened(source) as file:
        for line in file:
            head.append(_known_type(line))
            if line.strip().lower().startswith("@data"):
                rows = (row for ahead in file if (row := ahead.strip()) and row[0] != "%")
                sparse = next(rows, "").startswith("{")
                break
        else:
            raise damaged("ARFF file", "it has no @data")
    return list(arff.loads("".join(head))["attributes"]), sparse


def _known_type(line: str) -> str:
    """A line of the header, in which dates are text and all numbers are of one type.

    The library knows no dates and no ranges, and of 2.75 in a column of integers it keeps 2. To
    Weka, integer is but another word for numeric.
    """
    return _NUMBER.sub(r"\1 NUMERIC", _DATE.sub(r"\1 STRING", line))


def _with_known_types(file: Iterable[str]) -> Iterator[str]:
    lines = iter(file)
    for line in lines:
        yield _known_type(line)
        if line.strip().lower().startswith("@data"):
            break
    yield from lines


class _Rows:
    """The rows of the file, gone through as often as it takes."""

    def __init__(self, source: Source, width: int, sparse: bool, kinds: Sequence[Any]) -> None:
        self._source, self._width, self._sparse = source, width, sparse
        self._line = 0  # that was read last
        # What a sparse row leaves out is 0, or the first of the values of a nominal attribute.
        self._absent = [kind[0] if isinstance(kind, list) else 0.0 for kind in kinds]

    def __iter__(self) -> Iterator[Sequence[Any]]:
        import arff

        kind = arff.LOD_GEN if self._sparse else arff.DENSE_GEN
        with _opened(self._source) as file:
            lines = _with_known_types(self._counted(file))
            try:
                for row in arff.load(lines, return_type=kind)["data"]:
                    if self._sparse:
                        yield [row.get(index, self._absent[index]) for index in range(self._width)]
                    else:
                        yield row
            except arff.ArffException as error:
                error.line = self._line  # the library does not count the lines of rows
                raise

    def _counted(self, file: Iterable[str]) -> Iterator[str]:
        for self._line, line in enumerate(file, 1):
            yield line


FORMAT = Format(
    "ARFF", (".arff",), lambda _path, start: bool(_RELATION.match(start)), read, table=True
)
