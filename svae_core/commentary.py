"""Live commentary: one-line remarks on dying and reviving dimensions, bands entered, collapse.

    state, remarks = update(state, names, moment)

Pure: the state so far and the next moment determine the remarks, so a replayed run has the same
commentary, and a branch continues from its parent's state.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.config.settings import Change
from svae_core.records import Frame, Moment, Settings, knobs

# Hysteresis: a dimension near the threshold would die at every other frame, so it revives only at
# twice the threshold. Losses of single frames are noisy, so leaving the band takes two frames.
_WAKING_KL = 2.0 * COLLAPSED_KL
_FRAMES_OUTSIDE = 2
# An untrained network has almost no KL, which is no collapse: remarks on dimensions start after
# this fraction of the run, and then name what died before, at the step at which frames show it.
_UNTRAINED = 0.1


@dataclass(frozen=True)
class Remark:
    """One sentence on what happened at a step; `model` is a member's index, or −1 for all."""

    step: int
    sentence: str
    #: start | change | unborn | died | woke | entered | left | collapsed | recovered | diverged
    kind: str
    model: int = -1
    dimension: int = -1


@dataclass(frozen=True)
class MemberState:
    """The commentary's state of one member between two frames."""

    out_since: tuple[
        int | None, ...
    ]  # by dimension, the step since which it has no KL; None: alive
    began: int  # step of the first frame
    trained: bool  # whether the untrained phase is over
    inside: bool = False
    outside: int = 0  # consecutive frames outside the band
    left_at: int = 0
    entered: bool = False
    diverged: bool = False


@dataclass(frozen=True)
class CommentaryState:
    """The state of the commentary of a run: one entry per member."""

    members: tuple[MemberState, ...] = ()


def update(
    state: CommentaryState, names: tuple[str, ...], moment: Moment
) -> tuple[CommentaryState, list[Remark]]:
    """The new state and the remarks on a moment; `names` are those of the members' methods."""
    if not state.members:
        start = Remark(moment[0].step, _opening(names, moment[0].step), "start")
        return CommentaryState(tuple(map(_first, moment))), [start]
    members: list[MemberState] = []
    remarks: list[Remark] = []
    for index, frame in enumerate(moment):
        member, said = _of_member(state.members[index], names[index], index, frame)
        members.append(member)
        remarks += said
    dead = [None not in member.out_since for member in members]
    collapses = [remark for remark in remarks if remark.kind == "collapsed"]
    if collapses and len(members) > 1 and all(dead):
        who = "both" if len(members) == 2 else f"all {len(members)} models"
        line = f"{who} have collapsed: the latents carry nothing more (step {moment[0].step})"
        remarks.append(Remark(moment[0].step, line, "collapsed"))
    return CommentaryState(tuple(members)), remarks


def deaths(remarks: Iterable[Remark]) -> tuple[tuple[int, int, int], ...]:
    """Model, dimension (from 0) and step of each death after which a dimension did not wake again.

    As `views/lifelines.js` marks them; a dimension that never lived counts.
    """
    found: dict[tuple[int, int], int] = {}
    for remark in remarks:
        key = remark.model, remark.dimension - 1
        if remark.kind in ("died", "unborn"):
            found[key] = remark.step
        elif remark.kind == "woke":
            found.pop(key, None)
    return tuple((*key, step) for key, step in sorted(found.items()))


def on_change(change: Change, before: Any) -> str:
    """A change of settings in words: `band 0–0.25 → 0–0.6 at step 412`."""
    step, name, value = change
    return f"{difference(name, before, value)} at step {step}"


def difference(name: str, before: Any, after: Any) -> str:
    """A setting's old and new value: `β 1 → 4`."""
    label = knobs(Settings)[name].label
    return f"{label} {spelt(before)} → {spelt(after)}"


def _first(frame: Frame) -> MemberState:
    """The state after a member's first frame, which gives no remarks."""
    inside = frame.lo <= frame.loss <= frame.hi
    out = _out_since((None,) * len(frame.kl_per_dim), frame, COLLAPSED_KL)
    return MemberState(out, frame.step, _is_trained(frame), inside, entered=inside)


def _out_since(
    before: tuple[int | None, ...], frame: Frame, waking: float
) -> tuple[int | None, ...]:
    """`out_since` after a frame; a dimension that is out comes back at a KL of `waking`."""
    return tuple(
        (frame.step if since is None else since)
        if kl < (COLLAPSED_KL if since is None else waking)
        else None
        for since, kl in zip(before, frame.kl_per_dim, strict=True)
    )


def _is_trained(frame: Frame) -> bool:
    return frame.step >= _UNTRAINED * frame.steps


def _of_member(
    member: MemberState, name: str, index: int, frame: Frame
) -> tuple[MemberState, list[Remark]]:
    """The new state and the remarks on one member's next frame."""
    if not math.isfinite(frame.loss) or not math.isfinite(frame.kl):
        said = [] if member.diverged else [f"the {name} diverged at step {frame.step}"]
        return replace(member, diverged=True), [
            Remark(frame.step, line, "diverged", index) for line in said
        ]
    waking = _WAKING_KL if member.trained else COLLAPSED_KL
    out, trained = _out_since(member.out_since, frame, waking), _is_trained(frame)
    remarks = _dimensions(member, out, name, index, frame.step) if trained else []
    member = replace(member, out_since=out, trained=trained)
    member, crossing = _band(member, name, index, frame)
    return member, [*crossing, *remarks]


def _dimensions(
    member: MemberState, out: tuple[int | None, ...], name: str, index: int, step: int
) -> list[Remark]:
    """Remarks on dimensions that died or revived; several at once share one sentence."""
    before = member.out_since if member.trained else (None,) * len(out)
    flips: dict[tuple[int, str], list[int]] = {}
    for number, (was, now) in enumerate(zip(before, out, strict=True), start=1):
        if was is None and now is not None:
            unborn = not member.trained and now == member.began
            flips.setdefault((step, "unborn") if unborn else (now, "died"), []).append(number)
        elif was is not None and now is None:
            flips.setdefault((step, "woke"), []).append(number)
    remarks = []
    for (at, kind), numbers in sorted(flips.items()):
        many = len(numbers) > 1
        came = f"{'have' if many else 'has'} not come alive by"
        verb = {"unborn": came, "died": "died at", "woke": "woke at"}[kind]
        line = f"dimension{'s' * many} {_listed(numbers)} of the {name} {verb} step {at}"
        remarks += [Remark(at, line, kind, index, number) for number in numbers]
    if None in before and None not in out:
        what = "its last dimension died at" if member.trained else "no dimension is alive at"
        line = f"the {name} has collapsed: {what} step {step}"
        remarks.append(Remark(step, line, "collapsed", index))
    if None not in before and None in out:
        line = f"the {name} came back to life at step {step}"
        remarks.append(Remark(step, line, "recovered", index))
    return remarks


def _band(
    member: MemberState, name: str, index: int, frame: Frame
) -> tuple[MemberState, list[Remark]]:
    """Remarks on entering and leaving the feasible band, unless it is empty."""
    step = frame.step
    if not frame.lo <= frame.hi:  # an empty band is nan
        return member, []
    if frame.lo <= frame.loss <= frame.hi:
        again = " again" if member.entered else ""
        line = f"the {name} entered the band{again} at step {step}"
        said = [] if member.inside else [Remark(step, line, "entered", index)]
        return replace(member, inside=True, outside=0, entered=True), said
    if not member.inside:
        return member, []
    out, since = member.outside + 1, (member.left_at if member.outside else step)
    if out < _FRAMES_OUTSIDE:
        return replace(member, outside=out, left_at=since), []
    side = "rose above" if frame.loss > frame.hi else "fell below"
    line = f"the {name} {side} the band at step {since}"
    return replace(member, inside=False, outside=0), [Remark(since, line, "left", index)]


def _opening(names: tuple[str, ...], step: int) -> str:
    if step:  # of a loop that somebody else began
        return f"the first look was at step {step}"
    if len(names) == 2:
        return "both models start from the same weights; nothing is learned at step 0"
    return "nothing is learned at step 0"


def _listed(numbers: list[int]) -> str:
    if len(numbers) < 2:
        return "".join(map(str, numbers))
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def spelt(value: Any) -> str:
    """The value of a setting in a sentence: `0–0.25`, `on`, `4`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return "–".join(f"{edge:.3g}" for edge in value)
    return value if isinstance(value, str) else f"{value:.4g}"
