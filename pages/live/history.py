"""The history of a live run: recorded moments, map layouts, remarks, and states to branch from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pages.live import setting_changes
from svae_core import commentary
from svae_core.commentary import CommentaryState, Remark
from svae_core.figures.palette import mark_of
from svae_core.records import Frame, Moment, Settings, State
from svae_core.runs.folder import without_latents

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout

#: Moments between two states that are kept to branch from …
EVERY = 10
#: … as long as a run's states take no more bytes than this; then every other one is dropped.
STATE_BYTES = 2**25


def member_name(settings: Settings) -> str:
    """The name of a member on screen."""
    return mark_of(settings.method).name


@dataclass
class History:
    """Moments, layouts, remarks and checkpoints of one run, in the order of their steps."""

    moments: list[Moment] = field(default_factory=list)
    layouts: list[tuple[Layout, ...]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    size: int = 0  # of moments and states, in bytes
    _commentary: CommentaryState = field(default_factory=CommentaryState)
    _every: int = EVERY

    def add(self, moments: tuple[Moment, ...], members: tuple[Settings, ...]) -> None:
        """Append new moments of these members and the remarks that they give rise to."""
        for moment in moments:
            self._comment(moment, members)
            if self.moments:  # latents are needed for the next layout only, and are most of a frame
                self.moments[-1] = without_latents(self.moments[-1])
            self.moments.append(moment)
            self.size += sum(map(_weight, moment))

    def keep_state(self, state: State) -> None:
        """Keep a state to branch from, unless one was kept less than `_every` moments ago."""
        last = self.states[-1].step if self.states else 0
        if sum(moment[0].step > last for moment in self.moments) < self._every:
            return
        self.states.append(state)
        self.size += _state_weight(state)
        if sum(map(_state_weight, self.states)) > STATE_BYTES and len(self.states) > 1:
            dropped, self.states = self.states[::2], self.states[1::2]
            self.size -= sum(map(_state_weight, dropped))
            self._every *= 2

    def resume_from(self, state: State) -> None:
        """Keep the state of a saved run, from which training resumes."""
        self.states.append(state)
        self.size += _state_weight(state)

    def up_to(self, step: int, members: tuple[Settings, ...]) -> History:
        """The history up to a step, for a branch with these members that starts there."""
        if step <= 0:  # the first moment depends on the settings at step 0: it is computed again
            return History()
        history = History()
        history.add(tuple(m for m in self.moments if m[0].step <= step), members)
        history.layouts = [layouts for layouts in self.layouts if layouts[0].step <= step]
        for state in self.states:
            if state.step <= step:
                history.states.append(dataclasses.replace(state, settings=members))
                history.size += _state_weight(state)
        return history

    def _comment(self, moment: Moment, members: tuple[Settings, ...]) -> None:
        names = tuple(map(member_name, members))
        before = self.moments[-1][0].step if self.moments else 0
        for step, line in setting_changes.change_history(members[-1]):
            if before <= step < moment[0].step:
                self.remarks.append(Remark(step, line, "change"))
        self._commentary, remarks = commentary.update(self._commentary, names, moment)
        self.remarks += remarks


def _weight(frame: Frame) -> int:
    """Approximate size of a frame in bytes, its map layout included."""
    return 2 * frame.shell_view.nbytes + frame.samples.nbytes + 3000


def _state_weight(state: State) -> int:
    arrays = (state.parameters, state.first_moment, state.second_moment, *state.memory.values())
    return sum(array.nbytes for array in arrays)
