"""What is added to the Markdown of docs/ while the site is built.

* Pages and figures that `generate.py` made from the code, and notebooks.
* Links to files of the repository lead to copies of them within the site.
* Formulas become MathML, which browsers draw without fonts or scripts of ours.
* `<figure data-plotly="NAME">` is filled with a figure of `svae_core.figures` and its sentence.
"""

from __future__ import annotations

import html
import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import notebooks

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MADE = ROOT / "build" / "docs-made"
#: Where copies of the repository's files lie within the site.
_COPIES = "repository"
#: What the theme would load from elsewhere, so that search works in pages opened from a folder.
_SHIM = "https://unpkg.com/iframe-worker/shim"
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_LETTER = re.compile(r'<mi mathvariant="(script|double-struck)">(\w)</mi>')
#: Browsers take letters of other alphabets as characters, not by `mathvariant`.
_LETTERS = {"script": {"N": "𝒩"}, "double-struck": {"E": "𝔼"}}
_FIGURE = re.compile(r'<figure data-plotly="([\w-]+)">\s*</figure>')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """A place in the navigation for whatever notebooks there are."""
    found = sorted((DOCS / "notebooks").glob("*.ipynb"))
    if found:
        pages = [{notebooks.title_of(path): f"notebooks/{path.stem}.md"} for path in found]
        assert config.nav is not None
        guides = next(entry["Guides"] for entry in config.nav if "Guides" in entry)
        guides.append({"Notebooks": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Generated pages, notebooks as pages, and the files of the repository that pages link to."""
    if not MADE.is_dir():
        raise SystemExit("build/docs-made is missing: call `make docs`, which makes it first.")
    for path in sorted(MADE.rglob("*")):
        if path.is_file():
            name = path.relative_to(MADE).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        content = notebooks.page_of(path)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=content))
    for path in sorted(_linked_to(files)):
        name = f"{_COPIES}/{path.relative_to(ROOT).as_posix()}"
        files.append(
            File.generated(
                config, name, abs_src_path=str(path), inclusion=InclusionLevel.NOT_IN_NAV
            )
        )
    return files


def _linked_to(files: Files) -> set[Path]:
    """Files outside docs/ that pages link to, and that those link to in their turn."""
    found: set[Path] = set()
    ahead = [(file.content_string, file.src_uri) for file in files.documentation_pages()]
    while ahead:
        text, page = ahead.pop()
        for link in _LINK.finditer(text):
            path = _outside(link[2], page)
            if path is None or path in found:
                continue
            found.add(path)
            if path.suffix == ".md":
                name = f"{_COPIES}/{path.relative_to(ROOT).as_posix()}"
                ahead.append((path.read_text("utf-8"), name))
    return found


def _outside(target: str, page: str) -> Path | None:
    """The file of the repository, outside docs/, that a page's link leads to."""
    if "://" in target or target.startswith(("mailto:", "/")):
        return None
    here = Path(page).parent
    if here.parts[:1] == (_COPIES,):
        place = ROOT / Path(*here.parts[1:]) / target
    else:
        place = DOCS / here / target
    path = Path(posixpath.normpath(place.as_posix()))
    inside = path.is_relative_to(DOCS) or not path.is_relative_to(ROOT)
    return None if inside or not path.is_file() else path


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links to files outside docs/ lead to their copies, from copies back to pages, and links to
    notebooks to their pages."""
    here = page.file.src_uri
    copied = here.startswith(f"{_COPIES}/")

    def moved(link: re.Match[str]) -> str:
        path = _outside(link[2], here)
        if path is not None:
            target = f"{_COPIES}/{path.relative_to(ROOT).as_posix()}"
        elif copied and "://" not in link[2] and not link[2].startswith("#"):
            place = posixpath.join(
                posixpath.dirname(here).removeprefix(_COPIES).strip("/"), link[2]
            )
            target = posixpath.normpath(place).removeprefix("docs/")
        elif link[2].endswith(".ipynb") and posixpath.dirname(here) != "notebooks":
            target = f"{link[2].removesuffix('.ipynb')}.md"  # its page, which links to the file
        else:
            return link[0]
        way = posixpath.relpath(target, posixpath.dirname(here) or ".")
        return f"{link[1]}{way}{link[3] or ''}{link[4]}"

    return _LINK.sub(moved, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML."""

    def drawn(formula: re.Match[str]) -> str:
        display = "inline" if formula[2] == "(" else "block"
        made = convert(html.unescape(formula[3]).strip(), display=display)
        return _LETTER.sub(lambda letter: f"<mi>{_LETTERS[letter[1]][letter[2]]}</mi>", made)

    return _FORMULA.sub(drawn, content)


def on_post_template(output: str, **_: Any) -> str:
    """The page for addresses that do not exist needs no search in a folder."""
    return re.sub(rf'<script src="{_SHIM}"></script>', "", output)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Figures, in light and dark; Plotly.js comes along only where one is drawn."""
    way = "../" * page.url.count("/")
    output = output.replace(_SHIM, f"{way}site/search_worker.js")
    if not _FIGURE.search(output):
        return output

    def drawn(place: re.Match[str]) -> str:
        made = json.loads((MADE / "figures" / f"{place[1]}.json").read_text("utf-8"))
        plain = json.dumps(made["figure"]).replace("</", "<\\/")
        return (
            f'<figure class="plotly-figure" id="figure-{place[1]}">'
            f'<div role="img" aria-label="{html.escape(made["sentence"])}"></div>'
            f'<script type="application/json">{plain}</script>'
            f"<figcaption>{html.escape(made['sentence'])}</figcaption></figure>"
        )

    scripts = (
        f'<script defer src="{way}figures/plotly.min.js"></script>'
        f'<script defer src="{way}site/figures.js"></script>'
    )
    return _FIGURE.sub(drawn, output).replace("</body>", f"{scripts}</body>")
