"""Where a watched run comes from: what its page asked for, another run, a folder on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svae_core.records import PreparedData, RequestError, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from svae_core.runs.folder import SavedRun


@dataclass(frozen=True)
class RunRequest:
    """What a page asks for. A run keeps its wish when it is changed, and gives it to branches."""

    members: tuple[Settings, ...]
    lesson: str = ""


@dataclass(frozen=True)
class Branching:
    """Where a run comes from: another one's id, the step at which they part, and by what."""

    parent: str
    step: int
    what: str


@dataclass(frozen=True, eq=False)
class OnDisk:
    """A run as it was found on disk, where, and as which of its generations it goes on."""

    folder: Path
    run: SavedRun
    generation: int


def check_data(ground: PreparedData, fingerprint: str) -> None:
    """RequestError where a run from disk was trained on other data than there are now."""
    if fingerprint not in ("", ground.dataset.fingerprint):
        raise RequestError(
            f"The data of this run, {ground.dataset.title!r}, are not what they were when it "
            "was trained, so it cannot be drawn or go on; its numbers are on the Runs page."
        )
