"""What a training has recorded: moments, map layouts, remarks, and states to branch from."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pages.live import setting_changes
from svae_core import commentary
from svae_core.commentary import CommentaryState, Remark
from svae_core.figures.members import member_names
from svae_core.records import Frame, Moment, Settings, State
from svae_core.runs.folder import without_latents

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout

#: Moments between two states that are kept to branch from …
EVERY = 10
#: … as long as a run's states take no more bytes than this; then every other one is dropped, also
#: earlier where there are more than so many, of so many bytes: thirty runs of a class hold theirs.
STATE_BYTES = 2**25
PLENTY, PLENTY_BYTES = 12, 2**22


@dataclass
class History:
    """Moments, layouts, remarks and checkpoints of one training, in the order of their steps."""

    moments: list[Moment] = field(default_factory=list)
    layouts: list[tuple[Layout, ...]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    _remarked: list[int] = field(default_factory=list)  # by moment: the number of remarks so far
    _commentary: CommentaryState = field(default_factory=CommentaryState)
    _every: int = field(default_factory=lambda: EVERY)

    def add(self, moments: Sequence[Moment], members: tuple[Settings, ...]) -> None:
        """Append new moments of these members and the remarks that they give rise to."""
        changes = setting_changes.change_history(members[-1])
        names = member_names(members)
        for moment in moments:
            before = self.moments[-1][0].step if self.moments else 0
            for step, line in changes:
                if before <= step < moment[0].step:
                    self.remarks.append(Remark(step, line, "change"))
            self._commentary, remarks = commentary.update(self._commentary, names, moment)
            self.remarks += remarks
            if self.moments:  # latents are needed for the next layout only, and are most of a frame
                self.moments[-1] = without_latents(self.moments[-1])
            self.moments.append(moment)
            self._remarked.append(len(self.remarks))

    def add_layout(self, layout: tuple[Layout, ...]) -> None:
        """Append a layout; the one before loses its latents, which served only this one."""
        if self.layouts:
            self.layouts[-1] = without_latents(self.layouts[-1])
        self.layouts.append(layout)

    def keep_state(self, state: State) -> None:
        """Keep a state to branch from, unless one was kept less than `_every` moments ago."""
        last = self.states[-1].step if self.states else 0
        since = sum(moment[0].step > last for moment in self.moments)
        if state.step <= last or since < self._every:
            return
        self.states.append(state)
        held = sum(map(_state_weight, self.states))
        plenty = len(self.states) > PLENTY and held > PLENTY_BYTES
        if plenty or (held > STATE_BYTES and len(self.states) > 1):
            self.states = self.states[1::2]
            self._every *= 2

    def layouts_at(self, step: int) -> list[tuple[Layout, ...]]:
        """The layouts of moments up to a step."""
        return self.layouts[: bisect_right(self.layouts, step, key=lambda one: one[0].step)]

    def remarks_on(self, count: int) -> list[Remark]:
        """The remarks on the first `count` moments."""
        return self.remarks[: self._remarked[count - 1]] if count else []

    def size(self, count: int) -> int:
        """Bytes of the first `count` moments, which are alike, and of the states among them."""
        if not count:
            return 0
        step = self.moments[count - 1][0].step
        states = sum(_state_weight(state) for state in self.states if state.step <= step)
        return count * sum(map(_weight, self.moments[0])) + states

    def up_to(self, step: int, members: tuple[Settings, ...]) -> History:
        """The history up to a step, for a branch with these members that starts there."""
        history = History()
        if step > 0:  # the first moment depends on the settings at step 0: it is computed again
            history.add([moment for moment in self.moments if moment[0].step <= step], members)
            history.layouts = self.layouts_at(step)
            kept = [state for state in self.states if state.step <= step]
            history.states = [dataclasses.replace(state, settings=members) for state in kept]
        return history

    def extend(self, other: History, members: tuple[Settings, ...]) -> bool:
        """Append what another history of the same members has beyond this one.

        False, without effect, if the moments that both have are not the same.
        """
        both = zip(self.moments, other.moments, strict=False)
        if any(_numbers(mine) != _numbers(theirs) for mine, theirs in both):
            return False
        self.add(other.moments[len(self.moments) :], members)
        laid_out = self.layouts[-1][0].step if self.layouts else -1
        for layout in other.layouts:
            if layout[0].step > laid_out:
                self.add_layout(layout)
        kept = self.states[-1].step if self.states else -1
        self.states += [state for state in other.states if state.step > kept]
        return True


def _numbers(moment: Moment) -> bytes:
    """What tells one training's moment from another's; bytes, since diverged numbers are NaN."""
    return np.array([(frame.step, frame.loss, frame.kl) for frame in moment], float).tobytes()


def _weight(frame: Frame) -> int:
    """Approximate size of a frame in bytes, its map layout included."""
    return 2 * frame.shell_view.nbytes + frame.samples.nbytes + 3000


def _state_weight(state: State) -> int:
    arrays = (state.parameters, state.first_moment, state.second_moment, *state.memory.values())
    return sum(array.nbytes for array in arrays)
