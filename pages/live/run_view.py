"""A live run at one instant: what pages, messages and replays read of it.

The run itself is modified on the server's event loop while page scripts run in threads of their
own; a RunView is made on the loop, and nothing in it ever changes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages.live.outlook import Outlook
from pages.live.run import LiveRun
from pages.live.run_source import Branching, RunRequest
from pages.live.setting_changes import Changes
from pages.live.time_remaining import Speed
from svae_core.commentary import Remark
from svae_core.compute.scheduler import QueuePosition
from svae_core.records import Certificate, FloorCurves, Moment, PreparedData, Settings, State

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout


@dataclass(frozen=True, eq=False)
class Relative:
    """A run of the same tree of branches, which may be the run itself."""

    run: str
    branching: Branching | None
    request: RunRequest
    members: tuple[Settings, ...]
    certificates: tuple[Certificate, ...]
    here: bool

    def judged(self, view: RunView) -> RunView:
        """The view of another run of the tree, with what was measured at this one's end."""
        mine = {"members": self.members, "certificates": self.certificates, "branching": None}
        return dataclasses.replace(view, **mine)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class RunView:
    """The fields of a `LiveRun`, which explains them, as they were when this was made."""

    members: tuple[Settings, ...]
    request: RunRequest
    branching: Branching | None
    tree: tuple[Relative, ...]
    generation: int
    version: int
    status: str
    error: str | None
    prediction: int | None
    turn: str
    begun: bool
    prepared: PreparedData | None
    moments: tuple[Moment, ...]
    layouts: tuple[tuple[Layout, ...], ...]
    remarks: tuple[Remark, ...]
    newest: State | None
    floors: tuple[FloorCurves, ...]
    sharpened: bool
    outlook: Outlook
    certificates: tuple[Certificate, ...]
    changeable_now: Changes
    queue_position: QueuePosition
    speed: Speed


def view_of(live: LiveRun) -> RunView:
    """The run as it is now. To be called on the event loop."""
    tree = [
        Relative(run, one.branching, one.request, one.members, one.certificates, one is live)
        for run, one in list(live.tree.items())  # threads that load runs add to it
    ]
    fields = {item.name: getattr(live, item.name) for item in dataclasses.fields(RunView)}
    return RunView(**fields | {"tree": tuple(tree), "speed": dataclasses.replace(live.speed)})
