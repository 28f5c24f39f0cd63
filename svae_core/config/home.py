"""The folders for saved runs and user data, and for what can be made again.

The user's data and cache folders, or those of the environment variables SVAE_HOME and SVAE_CACHE.
"""

from __future__ import annotations

import os
from pathlib import Path


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
