"""ARFF of Weka and OpenML: typed attributes, then rows, dense or sparse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from svae_core.own_data.array_to_table import with_note
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
#: A value in quotes, or what stands between two values; possessive, so that time is linear.
_VALUES = re.compile(r"""(?<![^\s,])(?:"(?:\\.|[^"\\])*+"|'(?:\\.|[^'\\])*+')|[\s,]++""")
_TYPED = re.compile(rf"{_ATTRIBUTE}(?:string|\{{.*\}})\s*$")
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
        table = write_cells(source, FORMAT.name, names, rows, notes, categories=nominal)
        if rows.weighted:
            said = f"Weights of {rows.weighted:,} rows were left out: every row counts once."
            table = with_note(table, said)
        return table
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
    shorter = _without_weight(line)
    if _TYPED.match(shorter):  # else the braces are its values
        line = shorter
    return _NUMBER.sub(r"\1 NUMERIC", _DATE.sub(r"\1 STRING", line))


def _without_weight(line: str) -> str:
    """A line without the weight that an attribute or a row may have behind it, as in {5}."""
    text = line.strip()
    before, _, weight = text.removesuffix("}").rpartition("{")
    if not text.endswith("}") or not before.endswith((",", " ", "\t", "}")) or text[0] == "%":
        return line
    try:
        float(weight)
    except ValueError:
        return line
    return f"{before.rstrip().removesuffix(',')}\n"


def _by_commas(line: str) -> str:
    """A dense row whose values are separated by tabs, as the format allows, with commas."""
    if "\t" not in line or line.lstrip().startswith("%"):
        return line

    def separated(found: re.Match[str]) -> str:
        text = found[0]
        between = text[0] not in "\"'" and "\t" in text and text.count(",") < 2
        return "," if between else text

    return _VALUES.sub(separated, line.strip()) + "\n"


class _Rows:
    """The rows of the file, gone through as often as it takes."""

    def __init__(self, source: Source, width: int, sparse: bool, kinds: Sequence[Any]) -> None:
        self._source, self._width, self._sparse = source, width, sparse
        self._line = 0  # that was read last
        self.weighted = 0  # rows with a weight, which the library does not know
        # What a sparse row leaves out is 0, or the first of the values of a nominal attribute.
        self._absent = [kind[0] if isinstance(kind, list) else 0.0 for kind in kinds]

    def __iter__(self) -> Iterator[Sequence[Any]]:
        import arff

        kind = arff.LOD_GEN if self._sparse else arff.DENSE_GEN
        with _opened(self._source) as file:
            lines = self._understood(self._counted(file))
            try:
                for row in arff.load(lines, return_type=kind)["data"]:
                    if self._sparse:
                        yield [row.get(index, self._absent[index]) for index in range(self._width)]
                    else:
                        yield row
            except arff.ArffException as error:
                error.line = self._line  # the library does not count the lines of rows
                raise

    def _understood(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines as the library knows them."""
        for line in lines:
            yield _known_type(line)
            if line.strip().lower().startswith("@data"):
                break
        self.weighted = 0
        for line in lines:
            row = _without_weight(line)
            self.weighted += row is not line
            yield row if self._sparse else _by_commas(row)

    def _counted(self, file: Iterable[str]) -> Iterator[str]:
        for self._line, line in enumerate(file, 1):
            yield line


FORMAT = Format(
    "ARFF", (".arff",), lambda _path, start: bool(_RELATION.match(start)), read, table=True
)
