"""Links of the built site: `python docs/site/check_site.py build/docs`.

Every internal link leads to a page, file or heading of the site, and nothing is loaded from
elsewhere: no font, script, style, picture or frame. Links to other sites are counted and written to
build/docs-external.txt; they are not followed. Exit status 1 where something is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
_FOREIGN = ("http://", "https://", "//")


@dataclass
class _Read(HTMLParser):
    """The links, the names and the loaded things of one page."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attributes}
        self.names |= {known[name] for name in ("id", "name") if name in known}
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        if tag in _LOADING and _LOADING[tag] in known:
            self.loaded.append(known[_LOADING[tag]])


def check(site: Path) -> tuple[list[str], list[str], int, int]:
    """What is wrong, the links to other sites, and the numbers of pages and of links checked."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    wrong: list[str] = []
    elsewhere: set[str] = set()
    checked = 0
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            if link.startswith(_FOREIGN):
                if link in page.loaded:
                    wrong.append(f"{path.relative_to(site)} loads {link}")
                elsewhere.add(link)
            elif not link.startswith(("mailto:", "data:", "javascript:")):
                checked += 1
                wrong += _broken(link, path, site, pages)
    for style in site.rglob("*.css"):
        text = style.read_text("utf-8")
        wrong += [f"{style.relative_to(site)} loads {mark}" for mark in _loads(text)]
    return wrong, sorted(elsewhere), len(pages), checked


def _loads(css: str) -> Iterable[str]:
    return [mark for mark in ("url(http", 'url("http', "url(//", "@import url(") if mark in css]


def _read(path: Path) -> _Read:
    page = _Read()
    page.feed(path.read_text("utf-8"))
    return page


def _broken(link: str, page: Path, site: Path, pages: dict[Path, _Read]) -> list[str]:
    parts = urlsplit(link)
    here = page.relative_to(site)
    base = site if page.name == "404.html" else page.parent
    target = (base / unquote(parts.path)).resolve() if parts.path else page
    if parts.path.startswith("/"):  # of the page for addresses that do not exist
        target = (site / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return [f"{here} links to {link}, which is not there"]
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
        return [f"{here} links to {link}, but there is no such heading"]
    return []


def main(site: Path) -> int:
    """Print what was checked, and what is wrong."""
    wrong, elsewhere, pages, checked = check(site.resolve())
    (site.parent / "docs-external.txt").write_text("\n".join(elsewhere) + "\n", "utf-8")
    print(f"{pages} pages, {checked} internal links, {len(elsewhere)} links to other sites.")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
