"""Subscripts in texts for readers are subscripts: λₘₐₓ on screens, in figures and in terminals.

Comments and docstrings, which are read as code is, keep λ_max; those of plug-ins and objections are
shown on screens, as pages of the documentation are read on theirs.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from svae_core.datasets import scan_datasets
from svae_core.methods import scan_methods
from svae_core.objections import objections

ROOT = Path(__file__).resolve().parents[1]
UNDERSCORED = re.compile(r"[α-ωΑ-Ω]_[A-Za-z0-9]")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def texts_of(source: str) -> Iterator[str]:
    """All texts of a module but its docstrings."""
    tree = ast.parse(source)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, DOCUMENTED) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


@pytest.mark.parametrize("folder", ["pages", "svae_core"])
def test_no_text_of_a_module_has_an_underscore_for_a_subscript(folder: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {text[:60]}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for text in texts_of(path.read_text(encoding="utf-8"))
        if UNDERSCORED.search(text)
    }
    assert found == set()


def test_no_text_of_the_stage_has_one() -> None:
    lines = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "assets" / "stage").rglob("*.js"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith(("*", "/*", "//"))
    ]
    assert len(lines) > 1000
    # A comment after code is one, and a style's comment in a text is none of a reader's.
    found = [line for line in lines if UNDERSCORED.search(re.sub(r"//.*|/\*.*\*/", "", line))]
    assert found == []


def test_the_recorded_run_of_start_says_it_so_too() -> None:
    packed = (ROOT / "assets" / "recorded_run.gz").read_bytes()
    text = gzip.decompress(packed).decode(errors="ignore")
    assert "βσ²/λₘₐₓ is" in text and not UNDERSCORED.search(text.split("scene.labels")[0])


def test_no_explanation_of_a_plug_in_or_an_objection_has_one() -> None:
    shown = {one.name: one.explanation for one in (scan_methods() | scan_datasets()).values()}
    shown |= {one.title: one.text for one in objections()}
    assert len(shown) > 40
    assert [name for name, text in shown.items() if re.search(r"\w_\{?\w", text)] == []


def test_no_page_of_the_documentation_has_one() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    notebooks = [
        "".join(cell["source"])
        for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "markdown"
    ]
    assert len(pages) > 10 and len(notebooks) > 10
    # Evidence in docs/claims.md, in code spans, is as the tables of measurements write it.
    texts = [re.sub(r"`[^`]*`", "", path.read_text(encoding="utf-8")) for path in pages]
    assert [found[0] for text in texts + notebooks for found in UNDERSCORED.finditer(text)] == []
