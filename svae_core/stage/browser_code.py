"""The files of assets/stage as browsers get them, by path.

Views are found by scan: each JavaScript file in `views/` is one, and `views/index.js`, which lists
them for the browser, is written here. So a new view is one new file, in the app and in replays.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

from svae_core.records import RequestError

#: The kinds of files that browsers get; type declarations are for the checker alone.
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
VIEW_INDEX = "views/index.js"


def folder() -> Path:
    """assets/stage: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    for place in (package / "_app", package.parent):
        if (place / "assets" / "stage" / "index.js").is_file():
            return place / "assets" / "stage"
    raise RequestError("This installation has no stage; install spherical-vae-explorer again.")


def plotly() -> bytes:
    """Plotly.js of the installed package; RequestError where there is none."""
    package = importlib.util.find_spec("plotly")
    if package is None or package.origin is None:
        raise RequestError(
            "The stage draws with plotly, which is not installed: pip install "
            "'spherical-vae-explorer[notebook]'."
        )
    return (Path(package.origin).parent / "package_data" / "plotly.min.js").read_bytes()


def read(folder: Path) -> dict[str, bytes]:
    """Every file below the folder that browsers get, and the list of its views."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in TYPES]
    code = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    names = [path.stem for path in files if path.match("views/*.js")]
    return code | {VIEW_INDEX: view_index(names).encode()}


def view_index(names: list[str]) -> str:
    """A module that exports `views`: by file name, each view's declaration and class."""
    imports = [f'import * as view{n} from "./{name}.js";' for n, name in enumerate(names)]
    entries = [f"  {json.dumps(name)}: view{n}," for n, name in enumerate(names)]
    return "\n".join([*imports, "", "export const views = {", *entries, "};", ""])


def version(code: dict[str, bytes]) -> str:
    """Twelve hexadecimal digits that change when any file does."""
    digest = hashlib.sha256()
    for name, content in code.items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:12]
