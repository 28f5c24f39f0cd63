"""Every block of code in the README is run as it stands, and it lists every format of own data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.doc_blocks import ROOT, run_page

from svae_core.own_data.formats import formats

README = ROOT / "README.md"


@pytest.mark.slow
def test_every_block_of_the_readme_runs(tmp_path: Path, home: Path) -> None:
    _files_of_the_readme(tmp_path)
    run_page(README, tmp_path)


def _files_of_the_readme(folder: Path) -> None:
    """What the README takes for granted: a clone, and files of one's own."""
    (folder / "assets").symlink_to(ROOT / "assets")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(90, 3)) + 3 * np.repeat(np.eye(3), 30, axis=0)
    lines = [",".join([*(f"{x:.3f}" for x in row), "abc"[i // 30]]) for i, row in enumerate(points)]
    (folder / "my.csv").write_text("\n".join(["length,width,weight,species", *lines]) + "\n")
    mean, log_variance = points[:, :2] / 4, np.full((90, 2), -3.0)
    z = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
    arrays = {"points": points, "z": z, "mean": mean, "log_variance": log_variance}
    np.savez(folder / "model.npz", **arrays)


def test_every_format_of_own_data_is_listed() -> None:
    text = README.read_text(encoding="utf-8")
    names = [item.name for item in formats() if item.endings]
    assert names and not [name for name in names if name not in text]
