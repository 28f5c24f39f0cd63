"""scikit-learn without pandas: 60 MB and half a second of every process that computes."""

from __future__ import annotations

import sys
from types import ModuleType


def import_sklearn() -> None:
    """Import scikit-learn as on a machine without pandas, which it takes along where it can.

    It needs pandas only for data frames, of which we have none. Other packages find pandas as
    before.
    """
    if "pandas" in sys.modules or "sklearn" in sys.modules:
        return
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules["pandas"] = None  # importing it fails
    try:
        import sklearn  # noqa: F401
    finally:
        del modules["pandas"]
