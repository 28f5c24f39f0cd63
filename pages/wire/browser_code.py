"""The files of assets/stage as browsers get them, by path.

Views are found by scan: each JavaScript file in `views/` is one, and `views/index.js`, which lists
them for the browser, is written here. So a new view is one new file, in the app and in replays.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

#: The kinds of files that browsers get; type declarations are for the checker alone.
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
VIEW_INDEX = "views/index.js"


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
