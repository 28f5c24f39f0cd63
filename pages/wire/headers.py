"""What the stage is told about time: remarks, the corridor so far, the tree of runs, a lesson.

Each function gives a part of a message's header (`pages.wire.messages`).
"""

from __future__ import annotations

from typing import Any

from pages.classroom import lessons
from pages.live.changes import Changes, history, in_force
from pages.live.run import LiveRun
from pages.visitor import url
from svae_core.config.settings import settings_at
from svae_core.figures.gauge import gauge_value
from svae_core.records import PreparedData, Settings


def of_time(live: LiveRun, known: int, all_of_it: bool) -> dict[str, Any]:
    """Remarks beyond those known, the band; all of it: also what changes only with news."""
    told: dict[str, Any] = {
        "remarks": _remarks(live, known),
        "corridor": _corridor(live),
        "now": live.now,
    }
    if all_of_it:
        told |= {"tree": _tree(live), "lesson": _lesson(live)}
    return told


def gauges(live: LiveRun, ground: PreparedData, step: int) -> list[float]:
    """βσ²/λ_max of each member under the settings it was trained with up to this step."""
    return [gauge_value(ground, settings_at(one, max(0, step - 1))) for one in live.members]


def settings_then(live: LiveRun, step: int) -> Changes:
    """What a branch at this step starts from, unless it changes it."""
    return in_force(live.members[-1], step)


def handles(ground: PreparedData) -> dict[str, float] | None:
    """What a band's handle at a loss stands for: 0 is W and 1 is δ; None where it is empty."""
    region = ground.region
    if region.empty:
        return None
    return {"within": region.within, "delta": region.delta}


def question(live: LiveRun) -> dict[str, Any] | None:
    """What a lesson asks before it starts."""
    lesson = lessons.find(live.request.lesson)
    if lesson is None:
        return None
    return {"title": lesson.title, "question": lesson.question, "options": lesson.options}


def moved(run: str, live: LiveRun | None) -> dict[str, Any]:
    """That the viewer is to go on to another run, and what to write into the URL."""
    return {
        "kind": "moved",
        "run": run,
        "query": _query(live.request.members[-1]) if live else {},
    }


def copied(run: str, live: LiveRun | None, code: str) -> dict[str, Any]:
    """That a follower has a run of their own now, and the whole query that leads to it."""
    query: dict[str, str | None] = {"follow": None, "lesson": None, "class": code}
    if live:
        query |= url.to_link(live.request.members[-1])
    return {"kind": "moved", "run": run, "query": query, "reload": True}


def _remarks(live: LiveRun, known: int) -> dict[str, Any]:
    known = min(known, len(live.past.remarks))
    return {"from": known, "lines": live.past.remarks[known:]}


def _corridor(live: LiveRun) -> list[list[float]]:
    """[step, lo, hi] of the last member's band, wherever it becomes another."""
    edges: list[list[float]] = []
    for moment in live.moments:
        frame = moment[-1]
        if frame.lo <= frame.hi and (not edges or edges[-1][1:] != [frame.lo, frame.hi]):
            edges.append([frame.step, frame.lo, frame.hi])
    return edges


def _tree(live: LiveRun) -> list[dict[str, Any]]:
    """All runs of this tree in the order they were made: the history of what was tried."""
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
        for run, one in list(live.family.items())
    ]


def _changes(live: LiveRun) -> list[dict[str, Any]]:
    """Changes made in this very run, after it branched off."""
    since = live.branching.step if live.branching else -1
    return [
        {"step": step, "what": line} for step, line in history(live.members[-1]) if step > since
    ]


def _query(settings: Settings) -> dict[str, str | None]:
    """What the URL must say for a page to ask for this run; None: nothing."""
    return {"seed": str(settings.seed) if settings.seed != Settings().seed else None}


def _lesson(live: LiveRun) -> dict[str, Any] | None:
    lesson = lessons.find(live.request.lesson)
    if lesson is None:
        return None
    told = None
    if live.certificates:
        told = lessons.reveal(lesson, live.prediction, live.certificates)
    return {"prediction": live.prediction, "reveal": told}
