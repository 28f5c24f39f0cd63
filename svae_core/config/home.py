"""The folders for saved runs and user data, for what can be made again, and for own plug-ins.

The user's data and cache folders, or those of the environment variables SVAE_HOME and SVAE_CACHE;
plug-ins outside the package lie in the folder of SVAE_PLUGINS.
"""

from __future__ import annotations

import os
from pathlib import Path

#: The folders of SVAE_PLUGINS.
PLUGIN_KINDS = ("methods", "datasets", "formats", "architectures", "commands")


def home() -> Path:
    """The folder; it may not exist yet."""
    import platformdirs

    chosen = os.environ.get("SVAE_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("svae-explorer"))


def cache_home() -> Path:
    """The folder for what can be made again, such as compiled code; it may not exist yet."""
    import platformdirs

    chosen = os.environ.get("SVAE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("svae-explorer"))


def own_plugins(kind: str) -> list[str]:
    """The user's folder of plug-ins of one of PLUGIN_KINDS, to be added to a package's `__path__`.

    Workers inherit the environment, and with it the same plug-ins.
    """
    chosen = os.environ.get("SVAE_PLUGINS")
    folder = os.path.join(os.path.abspath(chosen), kind) if chosen else ""
    return [folder] if os.path.isdir(folder) else []
