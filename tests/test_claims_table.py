"""The table of claims, docs/claims.md: every figure that we state is where the table says it is.

The page itself states the rules. (The claims that can be dragged on the page Theory are those of
test_claims.py.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "claims.md"
MEASUREMENTS = "tests/benchmarks/"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Figures: 1,608 · .35 · 0.1.2 · 512 of AVX-512, and not the 5 of mnist5k.
_FIGURE = re.compile(r"(?<![A-Za-z_\d.])(\.\d+|\d[\d,]*(?:\.\d+)*)(?=(\s?(?:± ?[\d.]+ )?%)?)")
_ANY_FIGURE = re.compile(r"\.\d+|\d[\d,]*(?:\.\d+)*")
#: Sources, addresses, numbers of lists, and formulas, which are derived and not measured.
_NO_FIGURES = re.compile(r"\$[^$]+\$|arXiv \d{4}\.\d{4,5}( v\d)?|https?://\S+|^\d+\. ", re.M)
_COUNTED = re.compile(r"(\d+) × (?![\d× ]+$)(.+)")
_EQUATION = re.compile(r"(\d+) = ([\d +×]+)")


@dataclass(frozen=True)
class Row:
    """One claim: where it is said, in which words, what shows it."""

    said_in: str
    words: str
    shown_by: str
    evidence: tuple[str, ...]


def plain(text: str) -> str:
    """A text without markup: one blank between words, cells separated by "·"."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    # Lines of a Python text that go on are one text.
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", text).replace("|", " · ")).strip()


def rows() -> list[Row]:
    found = []
    for line in TABLE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if len(cells) != 4 or not line.startswith("| ") or cells[0] in ("said in", "---"):
            continue
        link = re.fullmatch(r"\[[^\]]+\]\(\.\./([^)]+)\)", cells[2])
        assert link, f"no link to what shows it: {line}"
        evidence = tuple(re.findall(r"`([^`]+)`", cells[3]))
        found.append(Row(cells[0], plain(cells[1]), link[1], evidence))
    return found


ROWS = rows()


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def missing(evidence: str, source: str) -> bool:
    """Whether an item of evidence is not in the (plain) source, or not so often."""
    if _EQUATION.fullmatch(evidence):
        return False
    counted = _COUNTED.fullmatch(evidence)
    if counted:
        return source.count(plain(counted[2])) != int(counted[1])
    return plain(evidence) not in source


def shown(figure: str, percent: bool, evidence: tuple[str, ...]) -> bool:
    """Whether a figure of the words is in the evidence, rounded as the words round it."""
    texts = [item for item in evidence if not _EQUATION.fullmatch(item)]
    texts = [counted[2] if (counted := _COUNTED.fullmatch(text)) else text for text in texts]
    known = [number for text in texts for number in _ANY_FIGURE.findall(text)]
    if figure.count(".") > 1:  # a version
        return figure in known
    return any(_equal(figure, number, percent) for number in known) or _sum(figure, evidence)


def _equal(figure: str, number: str, percent: bool) -> bool:
    if number.count(".") > 1:
        return False
    wanted, given = (Decimal(text.replace(",", "")) for text in (figure, number))
    ways = (given, given * 100) if percent else (given,)
    return any(way.quantize(wanted, ROUND_HALF_UP) == wanted for way in ways)


def _sum(figure: str, evidence: tuple[str, ...]) -> bool:
    """Whether the evidence has an equation for it, which is right and made of its numbers."""
    known = " ".join(item for item in evidence if not _EQUATION.fullmatch(item))
    numbers = set(re.findall(r"\d+", known))
    for item in evidence:
        equation = _EQUATION.fullmatch(item)
        if equation and equation[1] == figure.replace(",", ""):
            parts = re.findall(r"\d+", equation[2])
            value = sum(_product(term) for term in equation[2].split("+"))
            return value == int(equation[1]) and set(parts) <= numbers
    return False


def _product(term: str) -> int:
    value = 1
    for factor in term.split("×"):
        value *= int(factor)
    return value


@pytest.mark.parametrize("row", ROWS, ids=[row.words[:40] for row in ROWS])
def test_a_claim_is_said_where_the_table_says_and_shown_by_its_source(row: Row) -> None:
    assert row.words in plain(text_of(row.said_in)), f"{row.said_in} does not say: {row.words}"
    source = plain(text_of(row.shown_by))
    assert row.evidence, f"no evidence for: {row.words}"
    lost = [item for item in row.evidence if missing(item, source)]
    assert not lost, f"{row.shown_by} does not have: {lost}"
    unshown = [
        found[1]
        for found in _FIGURE.finditer(_NO_FIGURES.sub("", row.words))
        if not shown(found[1].rstrip(","), bool(found[2]), row.evidence)
    ]
    assert not unshown, f"in “{row.words}” nothing shows {unshown}"


def paragraphs(text: str) -> list[str]:
    """Paragraphs, items of lists and rows of tables, without code."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    return re.split(r"\n\s*\n|\n(?=\s*[*-] |\s*\d+\. |\|)", text)


def figures_without_a_row(page: Path) -> list[str]:
    """Figures beside a link to measurements that are in no row for this page."""
    said = [row.words for row in ROWS if row.said_in == page.relative_to(ROOT).as_posix()]
    wrong = []
    for paragraph in paragraphs(page.read_text("utf-8")):
        if not re.search(rf"\]\([./]*{MEASUREMENTS}\w+\.md", paragraph):
            continue
        rest = re.sub(r"`[^`]*`", "", paragraph)
        rest = plain(_NO_FIGURES.sub("", rest))
        for words in sorted(said, key=len, reverse=True):
            rest = rest.replace(plain(_NO_FIGURES.sub("", words)), " ")
        wrong += [f"{found[1]} in: {paragraph[:80]}" for found in _FIGURE.finditer(rest)]
    return wrong


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != TABLE], ids=lambda page: page.name
)
def test_no_figure_stands_beside_measurements_without_a_row(page: Path) -> None:
    assert not figures_without_a_row(page)


def test_every_table_that_the_readme_names_has_a_row() -> None:
    named = set(re.findall(rf"\(({MEASUREMENTS}\w+\.md)\)", text_of("README.md")))
    assert len(named) > 15
    assert not named - {row.shown_by for row in ROWS}


# ------------------------------------------------------------------- that the rules can fail


@pytest.mark.parametrize(
    ("figure", "percent", "evidence", "holds"),
    [
        (".63", False, ("0.63; below",), True),
        (".63", False, ("0.64; below",), False),
        ("8", True, ("step · 7.7%",), True),
        ("49", True, ("0.487 ± 0.015",), True),
        ("49", False, ("0.487 ± 0.015",), False),
        ("1,608", False, ("8 · 1608 · 0",), True),
        ("1,608", False, ("8 · 1607 · 0",), False),
        ("11.3", False, ("(11.25)",), True),
        ("0.1.2", False, ("pythae 0.1.2",), True),
        ("0.1.2", False, ("pythae 0.1.3",), False),
        ("26", False, ("of 16 runs", "of 10 runs", "26 = 16 + 10"), True),
        ("26", False, ("of 16 runs", "of 9 runs", "26 = 16 + 10"), False),
        ("27", False, ("of 16 runs", "of 10 runs", "27 = 16 + 10"), False),
        ("20", False, ("4 × 5/5", "20 = 4 × 5"), True),
    ],
)
def test_a_figure_is_shown_by_its_number_only(
    figure: str, percent: bool, evidence: tuple[str, ...], holds: bool
) -> None:
    assert shown(figure, percent, evidence) is holds


def test_evidence_is_counted() -> None:
    source = plain("| a | 5/5 |\n| a | 4/5 |\n| a | 5/5 |")
    assert not missing("2 × a · 5/5", source) and missing("3 × a · 5/5", source)
    assert not missing("a · 4/5", source) and missing("a · 3/5", source)
