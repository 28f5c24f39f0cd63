"""Runs on disk for tests: a tiny one, how it is put on the shelf, and what "the same run" means."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from svae_core.latent.projection import Layout
from svae_core.records import Frame, Settings, to_json
from svae_core.runs.folder import RunWriter, SavedRun, folder_name
from svae_core.runs.manifest import About
from svae_core.training.loop import begin, certify

WINE = Settings(dataset="wine", clusters=3, epochs=3, latent_dim=2, hidden=8, device="cpu")
PAIR = (replace(WINE, method="baseline"), WINE)


def layout_of(coordinates: np.ndarray, step: int) -> Layout:
    return Layout(np.ascontiguousarray(coordinates), "pca", step, f"at {step}", coordinates)


def part_of(run: SavedRun, moments: int, layouts: int) -> SavedRun:
    """The run as it was earlier, as far as files are concerned."""
    return replace(run, moments=run.moments[:moments], layouts=run.layouts[:layouts])


def assert_same(one: Any, other: Any, but: tuple[str, ...] = ()) -> None:
    """Equal bit for bit and in type, field by field."""
    assert type(one) is type(other)
    for item in dataclasses.fields(one):
        if item.name in but:
            continue
        mine, theirs = getattr(one, item.name), getattr(other, item.name)
        assert type(mine) is type(theirs), item.name
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype and mine.shape == theirs.shape, item.name
            assert mine.tobytes() == theirs.tobytes(), item.name
        elif isinstance(mine, float):
            assert np.float64(mine).tobytes() == np.float64(theirs).tobytes(), item.name
        elif dataclasses.is_dataclass(mine):
            assert_same(mine, theirs)
        else:
            assert mine == theirs, item.name


def assert_same_run(one: SavedRun, other: SavedRun) -> None:
    assert len(one.moments) == len(other.moments) and len(one.layouts) == len(other.layouts)
    for rows, field in ((one.moments, "moments"), (one.layouts, "layouts")):
        for number, (mine, theirs) in enumerate(zip(rows, getattr(other, field), strict=True)):
            newest = number == len(rows) - 1
            for a, b in zip(mine, theirs, strict=True):
                assert_same(a, b, () if newest else ("latent_mean",))
    assert_same(one.state, other.state, ("memory",))
    assert one.state.memory.keys() == other.state.memory.keys()
    assert to_json(one.certificates) == to_json(other.certificates)


@functools.cache
def tiny() -> SavedRun:
    """A run whose files are a few kilobytes, with everything a run can have."""
    state = begin(PAIR)
    kl = np.zeros(1, np.float32)
    view = np.zeros((2, 3), np.float32)
    numbers = dict.fromkeys(("loss", "delta", "lo", "hi", "kl", "structure"), 0.5)
    moments = tuple(
        tuple(
            Frame(
                one.method, step, 0, 2, **numbers, kl_per_dim=kl, active=kl > 0,
                latent_mean=view, shell_view=view, samples=view, sentence="",
            )
            for one in PAIR
        )
        for step in range(3)
    )  # fmt: skip
    small = replace(
        state,
        parameters=state.parameters[:, :3],
        first_moment=state.first_moment[:, :3],
        second_moment=state.second_moment[:, :3],
    )
    layouts = ((layout_of(view[:, :2], 0), layout_of(view[:, :2], 0)),)
    return SavedRun(About(PAIR), small, moments, layouts, certify(state))


def put(home: Path, **about: Any) -> Path:
    """A small run on the shelf."""
    run = tiny()
    run = dataclasses.replace(run, about=dataclasses.replace(About(PAIR), **about))
    folder = home / folder_name(run.about)
    RunWriter(folder).write(run)
    return folder
