"""What builds the documentation: the link checker sees what is broken, notebooks become pages."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def module(name: str) -> ModuleType:
    """A module of docs/site, which is no package: the site's builder runs its files by path."""
    path = ROOT / "docs" / "site" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"docs_site_{name}", path)
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # dataclasses look their module up
    spec.loader.exec_module(found)
    return found


# ----------------------------------------------------------------------------------- links

WELL = '<h1 id="top">A</h1><a href="b.html#there">b</a><a href="#top">up</a><img src="p.png">'


def site_of(folder: Path, first: str) -> Path:
    site = folder / "docs"
    site.mkdir()
    (site / "a.html").write_text(first)
    (site / "b.html").write_text('<h2 id="there">B</h2>')
    (site / "p.png").write_bytes(b"")
    (site / "s.css").write_text("a { color: red }")
    return site


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (WELL, ""),
        (WELL + '<a href="https://example.org/x">x</a>', ""),
        (WELL + '<a href="c.html">c</a>', "c.html, which is not there"),
        (WELL + '<a href="b.html#nowhere">b</a>', "b.html#nowhere, but there is no such heading"),
        (WELL + '<script src="https://example.org/x.js"></script>', "loads https://example.org"),
        (WELL + '<link rel="stylesheet" href="//example.org/f.css">', "loads //example.org"),
        (WELL + '<img src="q.png">', "q.png, which is not there"),
    ],
)
def test_a_broken_link_and_a_foreign_script_are_seen(page: str, says: str, tmp_path: Path) -> None:
    checker = module("check_site")
    wrong, elsewhere, pages, checked = checker.check(site_of(tmp_path, page))
    assert pages == 2 and checked >= 3
    assert ("https://example.org/x" in elsewhere) is ('<a href="https' in page)
    if says:
        assert len(wrong) == 1 and says in wrong[0]
    else:
        assert not wrong


def test_a_style_sheet_that_loads_from_elsewhere_is_seen(tmp_path: Path) -> None:
    site = site_of(tmp_path, WELL)
    (site / "s.css").write_text('@font-face { src: url("https://example.org/f.woff2") }')
    assert module("check_site").check(site)[0] == ['s.css loads url("http']


# ------------------------------------------------------------------------------- notebooks


def notebook(folder: Path, *cells: dict[str, object]) -> Path:
    path = folder / "my_model.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    return path


def code(source: str, *outputs: dict[str, object]) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def displayed(kind: str, content: str) -> dict[str, object]:
    return {"output_type": "display_data", "data": {kind: content, "text/plain": "plain"}}


def test_a_notebook_is_a_page_with_its_outputs(tmp_path: Path) -> None:
    notebooks = module("notebooks")
    path = notebook(
        tmp_path,
        {"cell_type": "markdown", "source": ["# My model\n", "\n", "Text."]},
        code("print(1)", {"output_type": "stream", "text": ["1\n"]}),
        code("shown", displayed("text/html", "<b>bold</b>\n\n<i>thin</i>")),
        code("playing", displayed("text/html", "<script>1 < 2</script>")),
        code("1 / 0", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "oh"}),
    )
    page = notebooks.page_of(path)
    assert notebooks.title_of(path) == "My model"
    assert page.startswith("# My model\n\n[This page as a notebook](my_model.ipynb)")
    assert "```python\nprint(1)\n```\n\n```text\n1\n```" in page
    assert '<div class="output">\n<b>bold</b>\n<i>thin</i>\n</div>' in page
    # What brings scripts along cannot reach the page.
    assert 'sandbox="allow-scripts" srcdoc="&lt;script&gt;1 &lt; 2&lt;/script&gt;"' in page
    assert "<script>" not in page and "ZeroDivisionError: oh" in page


def test_a_notebook_without_a_heading_is_called_by_its_file(tmp_path: Path) -> None:
    notebooks = module("notebooks")
    path = notebook(tmp_path, code("1"))
    assert notebooks.title_of(path) == "My model"
    assert notebooks.page_of(path).startswith("# My model\n")
