"""Parts of message headers: the tree of runs, what is next, a lesson.

See `pages.wire.messages` for the message they belong to.
"""

from __future__ import annotations

from typing import Any

from pages.classroom import lessons
from pages.classroom.sessions import Seat
from pages.live.run_view import Relative, RunView
from pages.live.setting_changes import change_history
from pages.visitor import settings_in_url
from svae_core.records import Settings


def version_fields(view: RunView) -> dict[str, Any]:
    """The fields that only `version` changes."""
    return {"tree": _tree(view), "outlook": _outlook(view)}


def lesson_question(view: RunView) -> dict[str, Any] | None:
    """The words of a lesson, and the way to the next one."""
    lesson = lessons.find(view.request.lesson)
    if lesson is None:
        return None
    following = lessons.following(lesson)
    return {
        "title": lesson.title,
        "question": lesson.question,
        "options": lesson.options,
        "act": lesson.act,
        "drag": lesson.drag,
        "hides": not lesson.pace.turn,
        "next": following and {"title": following.title, "query": lesson_query(following)},
    }


def lesson_query(lesson: lessons.Lesson) -> dict[str, str]:
    """The query of the page that opens a lesson."""
    return settings_in_url.to_link(lesson.settings) | {"lesson": lesson.name}


def moved(run: str, view: RunView | None) -> dict[str, Any]:
    """The viewer moves to another run; with the changes of its URL."""
    return {
        "kind": "moved",
        "run": run,
        "query": _query(view.request.members[-1]) if view else {},
    }


def copy_taken(run: str, view: RunView | None, code: str) -> dict[str, Any]:
    """A student moves to a copy of the run; with the whole query of its page."""
    query: dict[str, str | None] = {"follow": None, "lesson": None, "class": code}
    if view:
        query |= settings_in_url.to_link(view.request.members[-1])
    return {"kind": "moved", "run": run, "query": query, "reload": True}


def _outlook(view: RunView) -> dict[str, Any]:
    """The forecast of each model that has one, and what copies of the run did."""
    told = view.outlook
    return {
        "step": told.step,
        "models": told.forecasts,
        "trying": told.trying,
        "triedStep": told.tried_step,
        "tried": told.tried,
    }


def _tree(view: RunView) -> list[dict[str, Any]]:
    """All runs of the tree, parents first, then in the order they were started or loaded."""
    by_id = {one.run: one for one in view.tree}
    return [
        {
            "run": one.run,
            "parent": one.branching.parent if one.branching else None,
            "step": one.branching.step if one.branching else 0,
            "what": one.branching.what if one.branching else "the start",
            "changes": _changes(one),
            "query": _query(one.request.members[-1]),
            "here": one.here,
        }
        for one in sorted(view.tree, key=lambda one: len(_ancestors(one, by_id)))
    ]


def without_ids(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the tree, the run shown and its changes: who knows a run's id may change that run."""
    return [{**node, "run": "", "parent": None, "query": {}} for node in tree if node["here"]]


def _ancestors(one: Relative, by_id: dict[str, Relative]) -> list[Relative]:
    """The runs of the tree that lead to this one, the last first; a file may name any parent."""
    found: list[Relative] = []
    while one.branching and one.branching.parent in by_id and len(found) < len(by_id):
        one = by_id[one.branching.parent]
        found.append(one)
    return found


def _changes(one: Relative) -> list[dict[str, Any]]:
    """Changes made in this run after it branched off."""
    since = one.branching.step if one.branching else -1
    return [
        {"step": step, "what": line}
        for step, line in change_history(one.members[-1])
        if step > since
    ]


def _query(settings: Settings) -> dict[str, str | None]:
    """The URL parameters by which a page requests this run; None removes one.

    All of its settings, since the page may have been opened by a link that names only a run.
    """
    return {"seed": None, **settings_in_url.to_link(settings)}


def lesson_state(view: RunView, seat: Seat | None) -> dict[str, Any] | None:
    """How far a lesson is: this viewer's prediction, the class's, and what came true.

    In a class nothing is revealed before its teacher does.
    """
    lesson = lessons.find(view.request.lesson)
    if lesson is None:
        return None
    mine = view.prediction if seat is None else seat.answer
    # A run from a file may bring along anything for an answer.
    mine = mine if mine in range(len(lesson.options)) else None
    told = _reveal(lesson, mine, view)
    state: dict[str, Any] = {
        "prediction": mine,
        "closed": view.begun if not lesson.pace.turn else view.turn == "taken",
        "reveal": told if seat is None or seat.revealed else None,
    }
    if seat is not None:
        tally = [seat.answers.count(option) for option in range(len(lesson.options))]
        shown = tally if seat.leads or seat.revealed else None
        state |= {"leads": seat.leads, "known": told is not None, "tally": shown}
        state |= {"followers": seat.followers}
    return state


def _reveal(lesson: lessons.Lesson, answer: int | None, view: RunView) -> str | None:
    """What came true, as far as it is known; of a lesson's own run where that is asked about."""
    if view.branching is None or not lesson.own_run:
        outcome = lesson.judge(view)
        return lessons.reveal(lesson, answer, outcome) if outcome else None
    asked = _lesson_run(view)
    outcome = lesson.judge(asked.judged(view)) if asked else None
    if outcome is None:
        return (
            "The question is about the lesson's own run, which has not ended: go back to it to see "
            "what comes true."
        )
    told = lessons.reveal(lesson, answer, outcome)
    return f"{told} (This is about the lesson's own run, not about this branch.)"


def _lesson_run(view: RunView) -> Relative | None:
    """The run that the tree of a branch began with; None if it is not in memory."""
    by_id = {one.run: one for one in view.tree}
    here = next((one for one in view.tree if one.here), None)
    first = (_ancestors(here, by_id) or [here])[-1] if here else None
    return first if first and first.branching is None else None
