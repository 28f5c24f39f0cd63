"""The names of all architectures, and of the autoregressive ones among them.

Their files are listed and read, not imported, since they need torch: settings and screens must
know the names without it. Files of one's own are found when the program starts.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path

from svae_core.config.home import own_plugins


def _files() -> dict[str, Path]:
    """Each architecture's file by name; of two files of one name the package's own counts."""
    ours = Path(__file__).parents[1] / "nets" / "architectures"
    return {
        found.name: Path(found.module_finder.find_spec(found.name, None).origin)  # type: ignore
        for found in pkgutil.iter_modules([str(ours), *own_plugins("architectures")])
        if not found.name.startswith("_")
    }


def _is_autoregressive(file: Path) -> bool:
    """Whether a line of the file says so; when it is laid out, its layers must agree."""
    return b"AUTOREGRESSIVE = True" in file.read_bytes().splitlines()


_FILES = _files()
ARCHITECTURES = tuple(sorted(_FILES))
#: Those whose decoder is trained on the steps before and runs free otherwise.
AUTOREGRESSIVE = tuple(name for name in ARCHITECTURES if _is_autoregressive(_FILES[name]))
