"""Parts of message headers: remarks, the band so far, the tree of runs, a lesson.

See `pages.wire.messages` for the message they belong to.
"""

from __future__ import annotations

from typing import Any

from pages.classroom import lessons
from pages.live.run import LiveRun
from pages.live.setting_changes import Changes, change_history, changeable_at
from pages.visitor import url
from svae_core.config.settings import settings_at
from svae_core.figures.unit_gauge import gauge_value
from svae_core.records import PreparedData, Settings


def time_fields(live: LiveRun, known: int, all_of_it: bool) -> dict[str, Any]:
    """New remarks and the band; with `all_of_it`, also the fields that only `version` changes."""
    fields: dict[str, Any] = {
        "remarks": _remarks(live, known),
        "corridor": _corridor(live),
        "now": live.changeable_now,
    }
    if all_of_it:
        fields |= {"tree": _tree(live), "lesson": _lesson(live, live.prediction)}
    return fields


def gauges(live: LiveRun, prepared: PreparedData, step: int) -> list[float]:
    """βσ²/λ_max of each member with the settings it was trained with up to this step."""
    return [gauge_value(prepared, settings_at(one, max(0, step - 1))) for one in live.members]


def settings_at_step(live: LiveRun, step: int) -> Changes:
    """The changeable settings that a branch at this step starts from."""
    return changeable_at(live.members[-1], step)


def handle_scale(prepared: PreparedData) -> dict[str, float] | None:
    """The losses at positions 0 (W) and 1 (δ) of the band's handles; None if the band is empty."""
    region = prepared.region
    if region.empty:
        return None
    return {"within": region.within, "delta": region.delta}


def lesson_question(live: LiveRun) -> dict[str, Any] | None:
    """The question that a lesson asks before it starts."""
    lesson = lessons.find(live.request.lesson)
    if lesson is None:
        return None
    return {"title": lesson.title, "question": lesson.question, "options": lesson.options}


def moved(run: str, live: LiveRun | None) -> dict[str, Any]:
    """The viewer moves to another run; with the changes of its URL."""
    return {
        "kind": "moved",
        "run": run,
        "query": _query(live.request.members[-1]) if live else {},
    }


def copy_taken(run: str, live: LiveRun | None, code: str) -> dict[str, Any]:
    """A student moves to a copy of the run; with the whole query of its page."""
    query: dict[str, str | None] = {"follow": None, "lesson": None, "class": code}
    if live:
        query |= url.to_link(live.request.members[-1])
    return {"kind": "moved", "run": run, "query": query, "reload": True}


def _remarks(live: LiveRun, known: int) -> dict[str, Any]:
    known = min(known, len(live.remarks))
    return {"from": known, "lines": live.remarks[known:]}


def _corridor(live: LiveRun) -> list[list[float]]:
    """[step, lo, hi] of the last member's band, at its start and at every change."""
    edges: list[list[float]] = []
    for moment in live.moments:
        frame = moment[-1]
        if frame.lo <= frame.hi and (not edges or edges[-1][1:] != [frame.lo, frame.hi]):
            edges.append([frame.step, frame.lo, frame.hi])
    return edges


def _tree(live: LiveRun) -> list[dict[str, Any]]:
    """All runs of the tree, parents first, then in the order they were started or loaded."""
    runs = sorted(live.tree.items(), key=lambda item: _depth(item[1]))
    return [
        {
            "run": run,
            "parent": one.branching.parent if one.branching else None,
            "step": one.branching.step if one.branching else 0,
            "what": one.branching.what if one.branching else "the start",
            "changes": _changes(one),
            "query": _query(one.request.members[-1]),
            "here": one is live,
        }
        for run, one in runs
    ]


def _depth(live: LiveRun) -> int:
    """How many runs of the tree lead to this one; a file may name any parent, even itself."""
    depth, one, most = 0, live, len(live.tree)
    while one.branching and one.branching.parent in one.tree and depth < most:
        depth, one = depth + 1, one.tree[one.branching.parent]
    return depth


def _changes(live: LiveRun) -> list[dict[str, Any]]:
    """Changes made in this run after it branched off."""
    since = live.branching.step if live.branching else -1
    return [
        {"step": step, "what": line}
        for step, line in change_history(live.members[-1])
        if step > since
    ]


def _query(settings: Settings) -> dict[str, str | None]:
    """The URL parameters by which a page requests this run; None removes one.

    All of its settings, since the page may have been opened by a link that names only a run.
    """
    return {"seed": None, **url.to_link(settings)}


def class_lesson(live: LiveRun, answer: int) -> dict[str, Any] | None:
    """A lesson on a student's page: the reveal stands beside the student's own answer, if any."""
    return _lesson(live, answer)


def _lesson(live: LiveRun, answer: int | None) -> dict[str, Any] | None:
    """The prediction made for the run, and the reveal beside this answer."""
    lesson = lessons.find(live.request.lesson)
    if lesson is None:
        return None
    # A run from a file may bring along anything for an answer.
    known = answer if answer in range(len(lesson.options)) else None
    return {"prediction": live.prediction, "reveal": _reveal(lesson, known, live)}


def _reveal(lesson: lessons.Lesson, answer: int | None, live: LiveRun) -> str | None:
    """What came true of the lesson's own run, which a branch is not; None before its end."""
    asked = _lesson_run(live)
    if asked is live:
        return lessons.reveal(lesson, answer, live.certificates) if live.certificates else None
    if asked is None or not asked.certificates:
        return (
            "The question is about the lesson's own run, which has not ended: go back to it to see "
            "what comes true."
        )
    told = lessons.reveal(lesson, answer, asked.certificates)
    return f"{told} (This is about the lesson's own run, not about this branch.)"


def _lesson_run(live: LiveRun) -> LiveRun | None:
    """The run that the tree of this one began with; None if it is not in memory."""
    one, seen = live, {id(live)}
    while one.branching is not None:
        parent = one.tree.get(one.branching.parent)
        if parent is None or id(parent) in seen:  # a file may name any parent
            return None
        one = parent
        seen.add(id(one))
    return one
