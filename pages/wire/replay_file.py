"""A run as one HTML file that plays without a server and without a network.

    replay_file.page(view_of(live), code, plotly) -> HTML

The file holds the code of assets/stage, Plotly.js, and the messages that the websocket would have
sent: numbers unchanged, coordinates and images rounded to 16 bits, each moment as its difference
from the one before, compressed. `assets/stage/archive.js` reads it.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
import posixpath
import re
from typing import Any

import numpy as np

from pages.live.run_view import RunView
from pages.wire import messages
from pages.wire.messages import FrameRequest

_LARGEST = 32_000  # below the largest int16, which leaves room for rounding
_STYLE = re.compile(r'@import "([^"]+)";')
_IMPORT = re.compile(r'(\bfrom |\bimport )"(\.[^"]+)"')
# Forbids all requests, where any reader of the file can check it.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
_LOOK = """
:root { --st-background-color: #ffffff; --st-text-color: #1f2328; --st-primary-color: #0072b2;
  --st-secondary-background-color: #f2f5f8; --st-border-color: #cbd3db; color-scheme: light dark;
  --st-font: "Source Sans", "Source Sans 3", "Segoe UI", Helvetica, Arial, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --st-background-color: #11161d;
  --st-text-color: #e8eaed; --st-primary-color: #2386c8; --st-border-color: #3a4550;
  --st-secondary-background-color: #1c242d; } }
body { margin: 0; background: var(--st-background-color); color: var(--st-text-color);
  font-family: var(--st-font); }
main { max-width: 1680px; margin: 0 auto; padding: 0.8rem 5vw 2rem; }
h1 { margin: 0 0 0.6rem; font-size: 1.1rem; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{look}{style}</style>
<script>{plotly}</script>
<script type="importmap">{imports}</script>
</head>
<body>
<main><h1>{title}</h1><div id="stage"></div></main>
<script type="text/plain" id="run">{run}</script>
<script type="module">
import {{ mount }} from "svae/index.js";
const archive = document.getElementById("run").textContent;
mount(document.getElementById("stage"), {{ run: "archive", archive }});
</script>
</body>
</html>
"""


def page(view: RunView, code: dict[str, bytes], plotly: str) -> str:
    """The HTML file, from a view of a run, the files of assets/stage and Plotly.js."""
    assert view.prepared is not None and view.moments
    title = f"Spherical VAE Explorer: {view.prepared.dataset.title}, recorded"
    return _PAGE.format(
        policy=_POLICY,
        title=html.escape(title),
        look=_LOOK,
        style=style(code),
        plotly=plotly.replace("</script", "<\\/script"),
        imports=json.dumps({"imports": modules(code)}),
        run=base64.b64encode(packed(view)).decode(),
    )


def packed(view: RunView) -> bytes:
    """The run alone, as `assets/stage/archive.js` reads it."""
    return pack(*_recorded(view))


def style(code: dict[str, bytes]) -> str:
    """The style sheet, with its imports replaced by their content."""
    return _STYLE.sub(lambda seen: code[seen[1]].decode(), code["stage.css"].decode())


def modules(code: dict[str, bytes]) -> dict[str, str]:
    """Every module under its own name: modules in data URLs cannot import relative paths."""
    found = {}
    for path, content in code.items():
        if path.endswith(".js"):
            source = _named_imports(content.decode(), posixpath.dirname(path))
            packed = base64.b64encode(source.encode()).decode()
            found[f"svae/{path}"] = f"data:text/javascript;base64,{packed}"
    return found


def _named_imports(source: str, folder: str) -> str:
    def named(seen: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, seen[2]))
        return f'{seen[1]}"svae/{path}"'

    return _IMPORT.sub(named, source)


# --------------------------------------------------------------------------- the content


def _recorded(view: RunView) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Headers and stacked arrays of all messages from the first moment to the last."""
    scene, scene_arrays = messages.scene(view)
    count = len(view.moments)
    headers: list[dict[str, Any]] = []
    parts: list[dict[str, np.ndarray]] = []
    layout = -1
    for index in range(count):
        seen = FrameRequest(
            index,
            generation=view.generation if index else -1,
            version=view.version,
            rows=count,
            layout=layout,
            floors=0 if not index else 2,
            remarks=len(view.remarks),
        )
        header, arrays = messages.moment(view, index, seen)
        layout = header.get("layout", {"number": layout})["number"]
        header |= {"status": "finished", "left": None, "error": None}
        headers.append(header)
        parts.append(arrays)
    stacks = {f"scene.{name}": array for name, array in scene_arrays.items()}
    for name in ("history", "floors"):
        if name in parts[0]:
            stacks[name] = parts[0][name]
    for name in dict.fromkeys(name for arrays in parts for name in arrays):
        if name not in ("history", "floors"):
            stacks[name] = _stack([arrays[name] for arrays in parts if name in arrays])
    return {"scene": scene, "moments": headers}, stacks


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    """The arrays stacked; empty ones, of maps that are not drawn, become zeros."""
    shape = max((array.shape for array in arrays), key=lambda shape: shape[0])
    return np.stack([array if array.shape == shape else np.zeros(shape) for array in arrays])


def pack(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Header and arrays, compressed; exact numbers stay float32, coordinates become int16."""
    listed, blobs = [], []
    for name, array in arrays.items():
        exact = name in ("history", "floors", "scene.labels")
        scale = 0.0 if exact else max(float(np.abs(array).max(initial=0.0)), 1e-9) / _LARGEST
        listed.append([name, list(array.shape), scale])
        blobs.append(np.ascontiguousarray(array, "<f4") if exact else _differences(array, scale))
    whole = messages.framed({**header, "arrays": listed}, [blob.tobytes() for blob in blobs])
    return gzip.compress(whole, 6, mtime=0)


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse of `pack`, up to rounding: what the browser does, for tests."""
    whole = gzip.decompress(packed)
    header, at = messages.unframed(whole)
    arrays = {}
    for name, shape, scale in header.pop("arrays"):
        kind = np.dtype("<i2" if scale else "<f4")
        count = math.prod(shape)
        array = np.frombuffer(whole, kind, count, at).reshape(shape)
        arrays[name] = np.cumsum(array, axis=0, dtype=kind) * scale if scale else array
        at += -(-count * kind.itemsize // 4) * 4
    return header, arrays


def _differences(array: np.ndarray, scale: float) -> np.ndarray:
    """int16, each entry along the first axis minus the one before: small numbers compress well.

    Differences may overflow; their cumulative sum overflows back.
    """
    whole = np.round(np.asarray(array) / scale).astype("<i2")
    return np.concatenate([whole[:1], np.diff(whole, axis=0)]).astype("<i2")
