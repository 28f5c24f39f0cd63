"""What just happened, in one line: dimensions that die or wake, bands entered, collapse.

    state, remarks = update(state, names, moment)

Pure: what was state so far and the next moment give the remarks on it, so that a replayed run is
commented in the same words, and a branch may take up its parent's thread anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.config.settings import Change
from svae_core.records import Frame, Moment, Settings, knobs

# A dimension that hovers about the threshold would die at every other frame: it wakes only when
# it carries clearly more. With one draw per frame losses flicker too, so out means out twice.
_WAKING_KL = 2.0 * COLLAPSED_KL
_OUT = 2
# An untrained net carries next to nothing, which is no collapse: dimensions are spoken of from
# this share of the run on, and those that carry nothing then are said to have died by then.
_SETTLING = 0.1


@dataclass(frozen=True)
class Remark:
    """One sentence on what happened at a step; `model` is a member's index, or −1 for all."""

    step: int
    sentence: str
    kind: str  # start | change | died | woke | entered | left | collapsed | recovered | diverged
    model: int = -1
    dimension: int = -1


@dataclass(frozen=True)
class MemberState:
    """What must be remembered of one member to comment on its next frame."""

    alive: tuple[bool, ...]
    settled: bool
    inside: bool = False
    outside: int = 0  # frames in a row
    left_at: int = 0
    entered: bool = False
    diverged: bool = False


@dataclass(frozen=True)
class CommentaryState:
    """Everything said so far."""

    members: tuple[MemberState, ...] = ()


def update(
    state: CommentaryState, names: tuple[str, ...], moment: Moment
) -> tuple[CommentaryState, list[Remark]]:
    """The remarks on a moment, given the state after the one before; names are the members'."""
    if not state.members:
        start = Remark(moment[0].step, _opening(names), "start")
        return CommentaryState(tuple(map(_first, moment))), [start]
    members: list[MemberState] = []
    remarks: list[Remark] = []
    for index, frame in enumerate(moment):
        member, said = _of_member(state.members[index], names[index], index, frame)
        members.append(member)
        remarks += said
    dead = [not any(member.alive) for member in members]
    collapses = [remark for remark in remarks if remark.kind == "collapsed"]
    if collapses and len(members) > 1 and all(dead):
        who = "both" if len(members) == 2 else f"all {len(members)} models"
        line = f"{who} have collapsed: nothing passes any more (step {moment[0].step})"
        remarks.append(Remark(moment[0].step, line, "collapsed"))
    return CommentaryState(tuple(members)), remarks


def on_change(change: Change, before: Any) -> str:
    """What a change of settings is called: `band 0–0.25 → 0–0.6 at step 412`."""
    step, name, value = change
    return f"{difference(name, before, value)} at step {step}"


def difference(name: str, before: Any, after: Any) -> str:
    """A setting's old and new value: `β 1 → 4`."""
    label = knobs(Settings)[name].label
    return f"{label} {_spelt(before)} → {_spelt(after)}"


def _first(frame: Frame) -> MemberState:
    """How a member starts; that is not news."""
    inside = frame.lo <= frame.loss <= frame.hi
    settled = _settled(frame)
    alive = tuple(not settled or bool(kl >= COLLAPSED_KL) for kl in frame.kl_per_dim)
    return MemberState(alive, settled, inside, entered=inside)


def _settled(frame: Frame) -> bool:
    return frame.step >= _SETTLING * frame.steps


def _of_member(
    member: MemberState, name: str, index: int, frame: Frame
) -> tuple[MemberState, list[Remark]]:
    """One member's next frame."""
    if not math.isfinite(frame.loss) or not math.isfinite(frame.kl):
        said = [] if member.diverged else [f"the {name} diverged at step {frame.step}"]
        return replace(member, diverged=True), [
            Remark(frame.step, line, "diverged", index) for line in said
        ]
    settled, remarks = _settled(frame), []
    if settled:
        alive = tuple(
            bool(kl >= (COLLAPSED_KL if was else _WAKING_KL))
            for was, kl in zip(member.alive, frame.kl_per_dim, strict=True)
        )
        when = f"{'at' if member.settled else 'by'} step {frame.step}"
        remarks = _dimensions(member, alive, name, index, frame.step, when)
        member = replace(member, alive=alive, settled=True)
    member, crossing = _band(member, name, index, frame)
    return member, [*crossing, *remarks]


def _dimensions(
    member: MemberState, alive: tuple[bool, ...], name: str, index: int, step: int, when: str
) -> list[Remark]:
    """Deaths and wakings; of several at once only the summary is worth a line."""
    remarks = []
    for kind, verb, flipped in (
        ("died", "died", [was and not now for was, now in zip(member.alive, alive, strict=True)]),
        ("woke", "woke", [now and not was for was, now in zip(member.alive, alive, strict=True)]),
    ):
        gone = [number for number, flip in enumerate(flipped, start=1) if flip]
        which = f"dimension{'s' * (len(gone) > 1)} {_listed(gone)}"
        for number in gone:
            line = f"{which} of the {name} {verb} {when}"
            remarks.append(Remark(step, line, kind, index, number))
    if any(member.alive) and not any(alive):
        line = f"the {name} has collapsed: its last dimension died {when}"
        remarks.append(Remark(step, line, "collapsed", index))
    if not any(member.alive) and any(alive):
        line = f"the {name} came back to life {when}"
        remarks.append(Remark(step, line, "recovered", index))
    return remarks


def _band(
    member: MemberState, name: str, index: int, frame: Frame
) -> tuple[MemberState, list[Remark]]:
    """Entering and leaving the feasible band, where there is one."""
    step = frame.step
    if not frame.lo <= frame.hi:  # an empty band is nan
        return member, []
    if frame.lo <= frame.loss <= frame.hi:
        again = " again" if member.entered else ""
        line = f"the {name} entered its band{again} at step {step}"
        said = [] if member.inside else [Remark(step, line, "entered", index)]
        return replace(member, inside=True, outside=0, entered=True), said
    if not member.inside:
        return member, []
    out, since = member.outside + 1, (member.left_at if member.outside else step)
    if out < _OUT:
        return replace(member, outside=out, left_at=since), []
    side = "rose above" if frame.loss > frame.hi else "fell below"
    line = f"the {name} {side} its band at step {since}"
    return replace(member, inside=False, outside=0), [Remark(since, line, "left", index)]


def _opening(names: tuple[str, ...]) -> str:
    if len(names) == 2:
        return "both models start from the same weights; nothing is learned yet"
    return "nothing is learned yet"


def _listed(numbers: list[int]) -> str:
    if len(numbers) < 2:
        return "".join(map(str, numbers))
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return "–".join(f"{edge:.3g}" for edge in value)
    return f"{value:.4g}"
