"""What all tests share: one thread, and repeatable Hypothesis examples."""

from __future__ import annotations

import os
from pathlib import Path

# Before numpy or torch are imported, by this process or by one it starts: one thread each, since
# that is what runs use, it keeps sums in one order, and parallel tests do not fight for cores.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

pytest_plugins = ["browsing"]

# The same examples every time, and no verdict by the clock: a busy machine must not fail a test.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs and data are kept while a test lasts."""
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
