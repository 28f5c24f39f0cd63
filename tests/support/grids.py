"""A small grid of runs, for tests of sweeps and of their command."""

import dataclasses
from pathlib import Path

from svae_core.records import Settings
from svae_core.studies.grid import Grid

ROOT = Path(__file__).resolve().parents[2]
BASE = Settings(dataset="wine", clusters=3, latent_dim=2, hidden=16, epochs=4, device="cpu")
OPENING = '{"sweep":'
BANDS = ((0.0, 0.25), (0.0, 0.5))


def grid(axes=(("band", BANDS), ("sigma2", (0.05, 0.5, 5.0))), seeds=(0, 1), **changes):
    base = dataclasses.replace(BASE, **changes)
    methods = ("baseline", "spherical")
    return Grid(tuple(dataclasses.replace(base, method=m) for m in methods), axes, seeds)
