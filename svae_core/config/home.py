"""The folder for saved runs and user data.

The user's data folder, or that of the environment variable SVAE_HOME.
"""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder; it may not exist yet."""
    import platformdirs

    chosen = os.environ.get("SVAE_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("svae-explorer"))
