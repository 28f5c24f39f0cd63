"""How the kernels are compiled; set by `compiled` before they are imported."""

from __future__ import annotations

#: Whether compiled code is kept on disk; off where the cache cannot be written or read.
cached = True
