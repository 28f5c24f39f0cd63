"""Laws of lessons: what they ask is judged by what happened, and each leads on to the next."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import cast
from urllib.parse import parse_qsl

import pytest
from support.live_runs import PAIR, TOY, in_a_loop, toy_run, until
from support.screens import open_page, query_of

from pages.classroom import judges, lessons
from pages.live.pace import Pace
from pages.live.run import LiveRun
from pages.live.run_source import RunRequest
from pages.live.run_view import RunView, view_of
from pages.server.current import Server
from pages.wire import message_fields

pytestmark = pytest.mark.usefixtures("patience")


def told(live: LiveRun) -> dict[str, object]:
    state = message_fields.lesson_state(view_of(live), None)
    assert state is not None
    return state


@pytest.mark.slow
@in_a_loop
async def test_a_prediction_is_judged_by_the_lesson_s_own_run_not_by_a_branch(
    host: Server,
) -> None:
    live = LiveRun(PAIR, host.runs.trainings, RunRequest(PAIR, "break"))
    host.runs.register("run", live, {})
    live.start()
    assert not told(live)["closed"]
    live.predict(1)
    await until(live, lambda: live.status == "finished")
    lesson = lessons.LESSONS["break"]
    outcome = lesson.judge(view_of(live))
    assert outcome is not None
    own = lessons.reveal(lesson, 1, outcome)
    branch = host.runs.find(host.runs.branch("run", 2, {"beta": 64.0}))
    assert branch is not None
    branch.start()
    await until(branch, lambda: branch.status == "finished")
    # The two came to something else, or this would say nothing.
    other = lesson.judge(view_of(branch))
    assert other is not None and other != outcome
    for one in (live, branch):
        assert told(one)["prediction"] == 1 and str(told(one)["reveal"]).startswith(own)
    live.certificates = ()
    assert "go back to it" in str(told(branch)["reveal"])
    branch.branching = dataclasses.replace(branch.branching, parent="itself")  # type: ignore[type-var]
    branch.tree["itself"] = branch
    assert "go back to it" in str(told(branch)["reveal"])
    live.stop()
    branch.stop()


@pytest.mark.slow
@in_a_loop
async def test_a_lesson_waits_at_its_turn_until_a_lever_is_moved() -> None:
    live = LiveRun(PAIR, toy_run()._trainings, RunRequest(PAIR, "kill"), pace=Pace(turn=0.5))
    assert live.plays and live.turn == "ahead", "what it shows before is no answer"
    live.start()
    await until(live, lambda: live.turn == "open")
    assert live.status == "paused" and live.newest_step == 4 and not live.done
    live.predict(2)
    assert live.turn == "open" and not live.plays, "an answer moves nothing"
    assert not told(live)["closed"] and told(live)["reveal"] is None
    live.change({"sigma2": 1e4})
    await until(live, lambda: live.status == "finished")
    assert told(live)["closed"] and live.members[0].changes == ((4, "sigma2", 1e4),)
    live.restart()
    assert live.turn == "ahead"
    live.stop()


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


def test_lessons_lead_from_the_first_to_the_last() -> None:
    names, lesson = [], next(iter(lessons.LESSONS.values()))
    following: lessons.Lesson | None = lesson
    while following is not None:
        names.append(following.name)
        following = lessons.following(following)
    assert names == list(lessons.LESSONS)


def test_three_writings_are_one_trade_off_but_for_the_mean() -> None:
    first, summed, mean = lessons.three_writings(dataclasses.replace(TOY, sigma2=0.05, beta=2.0))
    assert first.beta * first.sigma2 == pytest.approx(summed.beta * summed.sigma2)
    assert summed.sigma2 == 0.5, "D/(2σ²) is D"
    assert mean.beta == summed.beta and mean.sigma2 == lessons.PIXELS * summed.sigma2
    assert {one.method for one in (first, summed, mean)} == {"baseline"}


@pytest.mark.parametrize(
    ("loss", "kl_per_dim", "option", "because"),
    [
        (0.8, (0.7, 0.004), 1, "The theorem allows nothing else"),
        (0.8, (0.004, 0.004), 0, "the theorem asks for few nats"),
        (0.99, (0.7, 0.004), 2, "not below δ, margin included, where the theorem says nothing"),
    ],
)
def test_the_theorem_is_named_as_the_reason_only_below_delta(
    loss: float, kl_per_dim: tuple[float, ...], option: int, because: str
) -> None:
    ended = SimpleNamespace(
        **{"loss": loss, "loss_margin": 0.02, "loss_limit": loss + 0.02, "delta": 1.0},
        kl=sum(kl_per_dim),
        kl_per_dim=kl_per_dim,
    )
    outcome = judges.guarantee_held(cast(RunView, SimpleNamespace(certificates=(ended,))))
    assert outcome is not None and outcome.option == option
    assert because in outcome.because and "(+0.02 margin)" in outcome.because
