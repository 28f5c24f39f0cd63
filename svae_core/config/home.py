"""Where this program keeps what it is given: saved runs, and data of one's own.

In the user's data folder, or where the environment variable SVAE_HOME says.
"""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder; it may not exist yet."""
    import platformdirs

    chosen = os.environ.get("SVAE_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("svae-explorer"))
