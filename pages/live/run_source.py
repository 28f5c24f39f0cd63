"""Where a live run comes from: a page's request, another run, or a folder on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svae_core.records import PreparedData, RequestError, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from svae_core.runs.folder import SavedRun


@dataclass(frozen=True)
class RunRequest:
    """What a page asks for. A changed run keeps its request, and its branches have the same one."""

    members: tuple[Settings, ...]
    lesson: str = ""


@dataclass(frozen=True)
class Branching:
    """Where a branch comes from: its parent's id, the step of the branch, and what was changed."""

    parent: str
    step: int
    what: str


@dataclass(frozen=True, eq=False)
class OnDisk:
    """A run loaded from disk: its folder, its content, and the generation it continues as."""

    folder: Path
    run: SavedRun
    generation: int


def check_data(prepared: PreparedData, fingerprint: str) -> None:
    """RequestError if a saved run was trained on other data than the settings give now."""
    if fingerprint not in ("", prepared.dataset.fingerprint):
        raise RequestError(
            f"The data of this run, {prepared.dataset.title!r}, are not what they were when it "
            "was trained, so it cannot be drawn or go on; restore the data or train it again, and "
            "find its numbers on the Runs page."
        )
