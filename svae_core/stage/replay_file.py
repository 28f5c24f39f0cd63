"""A run as one HTML file that plays without a server and without a network.

    replay_file.page(title, packed(run), code, plotly) -> HTML
    replay_file.embedding("run.html") -> the line that shows it in a page in the same folder
    replay_file.frame_of(address, title) -> the same for any address

The file holds the code of assets/stage, Plotly.js, and the messages that the websocket would have
sent: numbers unchanged, coordinates and images rounded to 16 bits, each moment as its difference
from the one before, compressed. `assets/stage/archive.js` reads it. It keeps nothing, asks nobody,
and needs no rights but to run its scripts: `sandbox="allow-scripts"`.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import math
import posixpath
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import numpy as np

from svae_core.config.settings import changeable_at
from svae_core.records import PreparedData
from svae_core.stage import messages
from svae_core.stage.framing import Message, framed, unframed
from svae_core.stage.messages import FrameRequest, Run

COLUMNS = 64  # of the data, at most, by which points can be coloured
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
  overflow-x: hidden; font-family: var(--st-font); }
main { max-width: 1680px; margin: 0 auto; padding: 0.8rem 5vw 2rem; }
h1 { margin: 0 0 0.6rem; font-size: 1.1rem; }
html[data-framed] main { padding: 0.4rem 0.8rem; }
html[data-framed] h1 { font-size: 0.9rem; margin-bottom: 0.3rem; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{look}{style}</style>
<script type="importmap">{imports}</script>
</head>
<body>
<main><h1>{title}</h1><div id="stage"></div></main>
<script type="text/plain" id="run">{run}</script>
<script type="text/plain" id="plotly">{plotly}</script>
<script type="module">
import {{ mount }} from "svae/index.js";
import {{ runScript }} from "svae/loading.js";
if (window.parent !== window) document.documentElement.dataset.framed = "";
const textOf = (id) => document.getElementById(id).textContent;
const ready = runScript(textOf("plotly"));
mount(document.getElementById("stage"), {{ run: "archive", archive: textOf("run"), ready }});
</script>
</body>
</html>
"""


#: The words of an iframe: a fixed shape, in which the page scrolls where it does not fit.
_FRAME = (
    'sandbox="allow-scripts" loading="lazy" title="{title}" '
    'style="width: 100%; aspect-ratio: 16 / 10; border: 0"></iframe>'
)
Tell = Callable[[int, FrameRequest], Message]


def page(title: str, packed: bytes, code: dict[str, bytes], plotly: bytes) -> str:
    """The HTML file: a run as `packed` by `pack`, the files of assets/stage, and Plotly.js."""
    return _PAGE.format(
        policy=_POLICY,
        title=html.escape(title),
        look=_LOOK,
        style=style(code),
        plotly=base64.b64encode(gzip.compress(plotly, 9, mtime=0)).decode(),
        imports=json.dumps({"imports": modules(code)}),
        run=base64.b64encode(packed).decode(),
    )


def title_of(prepared: PreparedData) -> str:
    """What the page is called."""
    return f"Spherical VAE Explorer: {prepared.dataset.title}, recorded"


def embedding(file: str) -> str:
    """The line of HTML that shows the file of that name in a page or slide beside it."""
    return frame_of(quote(file), "A run of the Spherical VAE Explorer")


def frame_of(address: str, title: str) -> str:
    """The line of HTML that shows the file at that address in a page or on a slide."""
    return f'<iframe src="{html.escape(address)}" {_FRAME.format(title=html.escape(title))}'


def frame_around(page: str, title: str) -> str:
    """The same with the whole file inside, for outputs of notebooks."""
    return f'<iframe srcdoc="{html.escape(page)}" {_FRAME.format(title=html.escape(title))}'


def packed(run: Run) -> bytes:
    """A run that is over, as `assets/stage/archive.js` reads it."""
    assert run.prepared is not None and run.moments
    first = run.moments[0][0]
    scene = messages.scene(run.prepared, run.members, len(first.samples), COLUMNS)

    def told(index: int, seen: FrameRequest) -> Message:
        header, arrays = messages.moment(run, index, seen)
        now = {"now": changeable_at(run.members[-1], run.moments[-1][0].step)}
        return {**header, **STANDING, **now, "status": "finished"}, arrays

    return pack(*recorded(run, scene, told))


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


#: What live runs tell besides: how long they will take, where they wait, what went wrong.
STANDING: dict[str, Any] = {"left": None, "speed": 0.0, "standing": None, "error": None}


def recorded(run: Run, scene: Message, tell: Tell) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Headers and stacked arrays of all messages from the first moment to the last.

    `tell(index, seen)` is the message on a moment to a page that has seen those before.
    """
    assert run.prepared is not None
    header_of_scene, scene_arrays = scene
    count = len(run.moments)
    headers: list[dict[str, Any]] = []
    parts: list[dict[str, np.ndarray]] = []
    layout = -1
    for index in range(count):
        seen = FrameRequest(
            index,
            generation=run.generation if index else -1,
            version=run.version,
            rows=count,
            layout=layout,
            floors=0 if not index else 2,
            remarks=len(run.remarks),
        )
        header, arrays = tell(index, seen)
        layout = header.get("layout", {"number": layout})["number"]
        headers.append(header)
        parts.append(arrays)
    stacks = {f"scene.{name}": array for name, array in scene_arrays.items()}
    for name in ("history", "floors"):
        if name in parts[0]:
            stacks[name] = parts[0][name]
    for name in dict.fromkeys(name for arrays in parts for name in arrays):
        if name not in ("history", "floors"):
            stacks[name] = _stack([arrays[name] for arrays in parts if name in arrays])
    looks, look_arrays = _looks(run.prepared, header_of_scene["colours"])
    return {"scene": header_of_scene, "moments": headers, **looks}, stacks | look_arrays


def _looks(prepared: PreparedData, names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the points look like by each colour, and as small pictures.

    Groups keep their numbers; a column is a place on its scale from 0 to 1, to 16 bits.
    """
    found = [messages.coloured(prepared, name) for name in names]
    header: dict[str, Any] = {"coloured": [header for header, _ in found]}
    parts = {
        "groups": [arrays["of"] for told, arrays in found if told["groups"]],
        "scales": [arrays["of"] for told, arrays in found if not told["groups"]],
    }
    stacks = {f"coloured.{name}": np.stack(rows) for name, rows in parts.items() if rows}
    if prepared.dataset.image_shape:
        header["small"], arrays = messages.small_pictures(prepared)
        stacks["small.images"] = arrays["images"]
    return header, stacks


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    """The arrays stacked; empty ones, of maps that are not drawn, become zeros."""
    shape = max((array.shape for array in arrays), key=lambda shape: shape[0])
    return np.stack([array if array.shape == shape else np.zeros(shape) for array in arrays])


def pack(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Header and arrays, compressed; exact numbers stay float32, coordinates become int16."""
    listed, blobs = [], []
    for name, array in arrays.items():
        exact = name in ("history", "floors", "scene.labels", "coloured.groups")
        scale = 0.0 if exact else max(float(np.abs(array).max(initial=0.0)), 1e-9) / _LARGEST
        listed.append([name, list(array.shape), scale])
        blobs.append(np.ascontiguousarray(array, "<f4") if exact else _differences(array, scale))
    whole = framed({**header, "arrays": listed}, [blob.tobytes() for blob in blobs])
    return gzip.compress(whole, 6, mtime=0)


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse of `pack`, up to rounding: what the browser does, for tests."""
    whole = gzip.decompress(packed)
    header, at = unframed(whole)
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
