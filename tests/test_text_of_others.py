"""Text files of matrices and tables as other programs write them: Matrix Market and ARFF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.own_tables import table_of

from svae_core.own_data.choice import Choice
from svae_core.own_data.table_to_points import select
from svae_core.records import RequestError

MATRIX = np.random.default_rng(3).integers(0, 10, (12, 4))


def numbers_of(path: Path) -> np.ndarray:
    """All numbers of a small file, from its preview."""
    return np.array([[float(cell) for cell in row] for row in table_of(path).examples])


# ------------------------------------------------------------------ Matrix Market


def _market(matrix: Any, **how: Any) -> bytes:
    from scipy import io as scipy_io

    target = io.BytesIO()
    scipy_io.mmwrite(target, matrix, **how)
    return target.getvalue()


def test_matrices_of_single_digits_are_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "m.mtx"
    path.write_bytes(_market(np.tile(MATRIX, (1, 10))))
    np.testing.assert_array_equal(numbers_of(path), np.tile(MATRIX, (1, 10))[:8])
    square = np.tile(MATRIX, 6)[:, :12] // 2
    square = np.kron(np.ones((3, 3), int), square + square.T)  # of digits, in half a file
    for symmetry, matrix in (
        ("symmetric", square),
        ("skew-symmetric", np.triu(square % 10, 1) - np.triu(square % 10, 1).T),
    ):
        path.write_bytes(_market(matrix, symmetry=symmetry))
        np.testing.assert_array_equal(numbers_of(path), matrix[:8])


HEAD = b"%%MatrixMarket matrix array real general\n"


@pytest.mark.parametrize(
    "content",
    [
        HEAD.upper() + b"3 2\n1\n2\n3\n4\n5\n6e3\n",
        b"\xef\xbb\xbf" + HEAD + b"3 2\n1\n2\n3\n4\n5\n6e3\n",
        HEAD + b"% one\n\n% two\n   \n3 2\n1\n2\n3\n4\n5\n6e3\n",
        HEAD + b"% of 10x2 blocks\n3 2\n1\n2\n3\n4\n5\n6e3\n",
        HEAD + b"3 2\n+1\n2\n+3.0\n4\n5\n+6e+3\n",
        HEAD.replace(b" array", b"\t array") + b"3 2\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6000.",
    ],
    ids=["capitals", "byte order mark", "blank lines", "10x", "plus signs", "CRLF"],
)
def test_matrix_market_as_others_write_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.mtx").write_bytes(content)
    found = numbers_of(tmp_path / "m.mtx")
    np.testing.assert_array_equal(found, [[1, 4], [2, 5], [3, 6000]])


@pytest.mark.parametrize("rows", [b"1 2 3\n4 5 6\n", b"1\n2\n3\n4\t5\n6\n"])
def test_an_array_of_several_numbers_on_a_line_is_refused_by_what_it_is(
    rows: bytes, tmp_path: Path
) -> None:
    (tmp_path / "m.mtx").write_bytes(HEAD + b"% by hand\n2 3\n" + rows)
    with pytest.raises(RequestError, match=r"several numbers on a line, .*scipy\.io\.mmwrite"):
        table_of(tmp_path / "m.mtx")


def test_a_sign_between_blocks_of_the_file_stays_that_of_its_exponent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from svae_core.own_data.formats import matrix_market

    class Short(matrix_market._AsReal):
        def readinto(self, into: Any) -> int:
            return super().readinto(memoryview(into)[:1])

    monkeypatch.setattr(matrix_market, "_AsReal", Short)
    (tmp_path / "m.mtx").write_bytes(HEAD + b"3 2\n+1\n2\n+3.0\n4\n5\n+6e+3\n")
    np.testing.assert_array_equal(numbers_of(tmp_path / "m.mtx"), [[1, 4], [2, 5], [3, 6000]])


# ------------------------------------------------------------------ ARFF

ARFF = "@relation r\n@attribute a real\n@attribute c {x,é}\n@data\n"


def test_arff_of_other_encodings(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "cp1252"):
        (tmp_path / "m.arff").write_bytes((ARFF + "1,é\n2,x\n").encode(encoding))
        table = table_of(tmp_path / "m.arff")
        assert (table.form, table.examples) == ("ARFF", (("1", "é"), ("2", "x")))


@pytest.mark.parametrize(
    "rows",
    [
        "1\té\n2\tx\n",
        "1,\té\n 2 \t, 'x'\t\n",
        "1,é,{5}\n% of the second {3}\n2,x, {2.5}\n",
        "1\té\t{5}\n2\tx\t{2.5}\n",
        "{0 1, 1 é}, {5}\n{0 2} {2.5}\n",
    ],
)
def test_arff_with_tabs_and_weights(rows: str, tmp_path: Path) -> None:
    (tmp_path / "m.arff").write_text(ARFF + rows, encoding="utf-8")
    table = table_of(tmp_path / "m.arff")
    assert table.examples == (("1", "é"), ("2", "x"))
    said = "Weights of 2 rows were left out: every row counts once."
    assert (said in table.notes) == ("{5}" in rows)


def test_arff_keeps_tabs_in_quotes_and_braces_that_are_values(tmp_path: Path) -> None:
    head = "@relation r\n@attribute 'a b' {5}\n@attribute s string {2}\n"
    head += "@attribute c {u,v} {3}\n@attribute n real {4}\n@data\n"
    (tmp_path / "m.arff").write_text(head + "5\t'x\ty, z'\tu\t1\n5,w,v,2\n")
    table = table_of(tmp_path / "m.arff")
    assert table.examples[0][::2] == ("5", "u") and table.examples[1] == ("5", "w", "v", "2")
    assert table.texts("s")[0] == "x y, z"


@pytest.mark.parametrize("before", ["% a remark\n\n", "  "])
def test_sparse_rows_of_arff_are_called_so(before: str, tmp_path: Path) -> None:
    (tmp_path / "m.arff").write_text(ARFF + before + "{0 1.5}\n{1 é}\n", encoding="utf-8")
    table = table_of(tmp_path / "m.arff")
    assert table.examples == (("1.5", "x"), ("0", "é"))
    assert "Read as ARFF, sparse rows." in table.notes


@pytest.mark.parametrize("row", ["1,50%", "1,x,50%"])
def test_a_wrong_row_of_arff_is_named_by_its_line(row: str, tmp_path: Path) -> None:
    (tmp_path / "m.arff").write_text(ARFF + "1,x\n" + row + "\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"^m\.arff: [^\n]*50%[^\n]*\.$") as refused:
        table_of(tmp_path / "m.arff")
    assert "line 6" in str(refused.value) and "-1" not in str(refused.value)


def test_a_table_without_rows_is_not_said_to_have_one(tmp_path: Path) -> None:
    (tmp_path / "m.arff").write_text(ARFF, encoding="utf-8")
    with pytest.raises(RequestError, match=r"has no rows, but"):
        select(table_of(tmp_path / "m.arff"), Choice(), 0)
