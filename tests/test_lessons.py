"""Laws of a lesson: its question is about its own run, and its card opens it."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qsl

import pytest
from support.live_runs import PAIR, in_a_loop, until
from support.screens import open_page, query_of

from pages.classroom import lessons
from pages.live.run import LiveRun
from pages.live.run_source import RunRequest
from pages.live.run_view import view_of
from pages.server.current import Server
from pages.wire import header_fields

pytestmark = pytest.mark.usefixtures("patience")


@pytest.mark.slow
@in_a_loop
async def test_a_prediction_is_judged_by_the_lesson_s_own_run_not_by_a_branch(
    host: Server,
) -> None:
    live = LiveRun(PAIR, host.runs.trainings, RunRequest(PAIR, "alive"))
    host.runs.register("run", live, {})
    live.start()
    live.predict(1)
    await until(live, lambda: live.status == "finished")
    lesson = lessons.LESSONS["alive"]
    own = lessons.reveal(lesson, 1, live.certificates)
    branch = host.runs.find(host.runs.branch("run", 2, {"beta": 64.0}))
    assert branch is not None
    branch.start()
    await until(branch, lambda: branch.status == "finished")
    # The two came to something else, or this would say nothing.
    assert lessons.reveal(lesson, 1, branch.certificates) != own
    for one in (live, branch):
        told = header_fields.time_fields(view_of(one), 0, True)["lesson"]
        assert told["prediction"] == 1 and told["reveal"].startswith(own)
    live.certificates = ()
    told = header_fields.time_fields(view_of(branch), 0, True)["lesson"]
    assert "go back to it" in told["reveal"]
    branch.branching = dataclasses.replace(branch.branching, parent="itself")  # type: ignore[type-var]
    branch.tree["itself"] = branch
    assert (
        "go back to it" in header_fields.time_fields(view_of(branch), 0, True)["lesson"]["reveal"]
    )
    live.stop()
    branch.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("immediate_engine")
def test_every_card_on_the_start_page_opens_its_lesson() -> None:
    """The link of each card, followed: a page that asks that lesson's question."""
    links = [link.proto for link in open_page("start").get("page_link")]
    assert len(links) == len(lessons.LESSONS)
    for link, lesson in zip(links, lessons.LESSONS.values(), strict=True):
        query = dict(parse_qsl(link.query_string))
        app = open_page(link.page or "start", query)
        assert query_of(app)["lesson"] == lesson.name
        assert lesson.title in app.markdown[0].value
