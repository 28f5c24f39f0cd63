"""A notebook as a page: its cells in order, with the outputs that were saved in it.

No Jupyter is needed to build the site: a notebook is JSON, and its outputs are drawn as they are.
Outputs that bring scripts along play in a frame of their own, apart from the page.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

#: What is shown of an output that has several forms, the richest first.
_FORMS = ("text/html", "image/svg+xml", "image/png", "text/markdown", "text/plain")
_FRAME_HEIGHT = 640  # pixels, of outputs with scripts


def title_of(path: Path) -> str:
    """The first heading of a notebook, or its file's name in words."""
    for cell in _cells(path):
        for line in _text(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return path.stem.replace("_", " ").capitalize()


def page_of(path: Path) -> str:
    """The notebook as Markdown, with a link to the file itself."""
    parts: list[str] = []
    for cell in _cells(path):
        source = _text(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code" and source:
            parts.append(_fenced(source, "python"))
            parts += [_output(output) for output in cell.get("outputs", ())]
    link = f"[This page as a notebook]({path.name}), to run it yourself."
    if parts and parts[0].startswith("# "):
        heading, _, rest = parts[0].partition("\n")
        parts[0] = f"{heading}\n\n{link}\n\n{rest.strip()}"
    else:
        parts.insert(0, f"# {title_of(path)}\n\n{link}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _cells(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text("utf-8"))["cells"])


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _fenced(_text(output["text"]), "text")
    if output["output_type"] == "error":
        return _fenced(f"{output['ename']}: {output['evalue']}", "text")
    forms = output.get("data", {})
    kind = next((kind for kind in _FORMS if kind in forms), None)
    if kind is None:
        return ""
    content = _text(forms[kind])
    if kind == "image/png":
        picture = "".join(content.split())
        return (
            f'<img class="output" alt="Output of the cell" src="data:image/png;base64,{picture}">'
        )
    if kind == "text/html" and "<script" in content:
        return (
            f'<iframe class="output" title="Output of the cell" height="{_FRAME_HEIGHT}" '
            f'sandbox="allow-scripts" srcdoc="{html.escape(content)}"></iframe>'
        )
    if kind in ("text/html", "image/svg+xml"):  # one block of HTML: no blank line may end it
        lines = [line for line in content.splitlines() if line.strip()]
        return '<div class="output">\n' + "\n".join(lines) + "\n</div>"
    return content if kind == "text/markdown" else _fenced(content, "text")


def _fenced(text: str, language: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
