"""Laws of a class: its students see what the teacher shows, and change nothing of it."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from support.live_runs import PAIR, TOY, Viewer, in_a_loop, trainings, until

from pages.classroom import sessions
from pages.live.run import LiveRun
from pages.live.run_source import RunRequest
from pages.server.current import Server
from pages.wire import routes
from pages.wire.messages import decode
from svae_core.figures import class_board
from svae_core.records import RequestError

pytestmark = pytest.mark.usefixtures("patience")


@pytest.mark.slow
def test_a_class_sees_what_its_teacher_shows_and_changes_nothing(
    watched: LiveRun, host: Server
) -> None:
    async def run() -> None:
        watched.start()
        await until(watched, lambda: watched.status == "finished")
        room = host.classes.begin("run")
        teacher, student = Viewer("run"), Viewer("", code=room.code)
        for viewer in (teacher, student):
            await viewer.event()
        header, _ = await student.ask(want="newest")
        assert (header["lead"], header["tree"], room.followers) == (sessions.NEWEST, [], 1)
        assert "run" not in json.dumps(header).split('"'), "the run's id is not told"
        known = {"have": header["index"], "version": header["version"], "lead": sessions.NEWEST}
        known |= {"generation": header["generation"], "layout": len(watched.layouts) - 1}
        known |= {"seat": header["seat"]}
        student.send(json.dumps({"want": "newest", **known}))
        await asyncio.sleep(0)
        teacher.send(json.dumps({"do": "lead", "key": room.key, "shown": 2}))
        header, _ = decode((await student.event())["bytes"])
        assert header["lead"] == 2
        for forbidden in ("pause", "reset", "branch", "change"):
            header, _ = await student.ask(do=forbidden)
            assert header["kind"] == "refused" and "Only the teacher" in header["sentence"]
        assert watched.status == "finished" and len(watched.tree) == 1
        for wrong in ("wrong", "\u0153"):
            header, _ = await teacher.ask(do="lead", key=wrong, shown=1)
            assert header["kind"] == "refused" and "has ended" in header["sentence"]
        host.runs.loop = asyncio.get_running_loop()
        await asyncio.to_thread(host.classes.end, room.key)  # as a page does
        closed = await student.event()  # and what it saw last stays in sight
        assert closed["code"] == routes.UNKNOWN_RUN and "class has ended" in closed["reason"]
        late = Viewer("", code=room.code)
        await late.event()
        assert await late.event() == closed
        watched.stop()

    asyncio.run(run())


@pytest.mark.slow
@in_a_loop
async def test_a_class_predicts_and_sees_what_came_true_when_its_teacher_reveals_it(
    host: Server,
) -> None:
    """Each on the own phone; who comes late, or back with the same cookie, is right as well."""
    live = LiveRun(PAIR, host.runs.trainings, RunRequest(PAIR, "break"))
    host.runs.register("run", live, {})
    room = host.classes.begin("run")
    teacher, one, other = Viewer("run"), Viewer("", code=room.code), Viewer("", code=room.code)
    for viewer in (teacher, one, other):
        await viewer.event()
    await until(live, lambda: bool(live.moments))
    teacher.send(json.dumps({"do": "lead", "key": room.key, "shown": sessions.NEWEST}))
    told, _ = await one.ask(want=0)
    assert told["lesson"]["prediction"] is None and not told["lesson"]["closed"]
    assert told["lesson"]["tally"] is None, "a tally would be a hint"
    one.send(json.dumps({"do": "predict", "answer": 0}))
    one.send(json.dumps({"do": "predict", "answer": 2}))
    told, _ = await one.ask(want=0)
    assert told["lesson"]["prediction"] == 0, "the first answer counts"
    refused, _ = await one.ask(do="predict", answer=7)
    assert refused["kind"] == "refused"
    told, _ = await teacher.ask(want=0)
    assert told["lesson"]["leads"] and told["lesson"]["tally"] == [1, 0, 0]
    assert told["lesson"]["followers"] == 2 and not live.training
    teacher.send(json.dumps({"do": "play"}))
    await until(live, lambda: live.status == "finished")
    late = Viewer("", code=room.code)
    await late.event()
    for viewer in (one, other, late, teacher):
        told, _ = await viewer.ask(want=3)
        assert told["lesson"]["closed"] and told["lesson"]["reveal"] is None
    refused, _ = await one.ask(do="reveal", key=room.key)
    assert refused["kind"] == "refused", "only the teacher reveals"
    teacher.send(json.dumps({"do": "reveal", "key": room.key}))
    beginnings = {teacher: "The outcome:", one: "You predicted", late: "The outcome:"}
    for viewer, begins in beginnings.items():
        told, _ = await viewer.ask(want=3)
        assert told["lesson"]["reveal"].startswith(begins)
        assert told["lesson"]["tally"] == [1, 0, 0]
    back = host.classes.find(room.code)
    assert back is not None and back.seat("nobody").answer is None
    assert [back.seat(student).answer for student in back.answers] == [0]
    live.stop()


def test_six_letters_open_a_class_and_wrong_tries_are_limited(host: Server) -> None:
    room, other = host.classes.begin("run"), host.classes.begin("run")
    assert set(room.letters) <= set(sessions.ALPHABET) and len(room.letters) == 6
    assert room.letters != other.letters
    typed = f" {room.letters[:3].lower()} {room.letters[3:]} "
    assert host.classes.find_by_letters(typed, "phone") is room
    assert host.classes.find(room.letters) is None, "letters are no code: they open the page alone"
    for wrong in ["", "ŒŒŒŒŒŒ", room.key] * 10:
        with pytest.raises(RequestError, match="No class is open"):
            host.classes.find_by_letters(wrong, "phone")
    with pytest.raises(RequestError, match="Too many wrong codes"):
        host.classes.find_by_letters(room.letters, "phone")
    assert host.classes.find_by_letters(room.letters, "another phone") is room
    host.classes.end(room.key)
    with pytest.raises(RequestError, match="No class is open"):
        host.classes.find_by_letters(room.letters, "another phone")


def test_another_lesson_asks_anew_and_a_branch_of_the_same_one_does_not(host: Server) -> None:
    for run, lesson in (("first", "kill"), ("branch", "kill"), ("next", "revive")):
        host.runs.register(run, LiveRun(PAIR, trainings(), RunRequest(PAIR, lesson)), {})
    room = host.classes.begin("first")
    host.classes.answer(room, "student", 1)
    host.classes.reveal(room.key)
    host.classes.lead(room.key, "branch", sessions.NEWEST)
    assert room.seat("student").answer == 1 and room.revealed
    host.classes.lead(room.key, "next", sessions.NEWEST)
    assert room.seat("student").answer is None and not room.revealed


@pytest.mark.slow
def test_a_copy_goes_its_own_way(watched: LiveRun, host: Server) -> None:
    async def run() -> None:
        watched.start()
        await until(watched, lambda: watched.status == "finished")
        room = host.classes.begin("run")
        student = Viewer("", code=room.code)
        await student.event()
        header, _ = await student.ask(do="copy")
        assert header["kind"] == "moved" and header["run"] != "run"
        assert header["query"]["class"] == room.code and header["query"]["follow"] is None
        copy = host.runs.find(header["run"])
        assert copy is not None and len(copy.moments) == len(watched.moments)
        copy.start()
        await until(copy, lambda: copy.status == "finished")
        assert copy.tree is not watched.tree and "run" not in copy.tree
        last, own = watched.moments[-1][1], copy.moments[-1][1]
        np.testing.assert_array_equal(last.shell_view, own.shell_view)
        host.runs.evict(header["run"])
        watched.stop()

    asyncio.run(run())


@pytest.mark.slow
def test_the_board_shows_what_runs_came_to_and_forgets_nothing(
    watched: LiveRun, host: Server
) -> None:
    async def run() -> None:
        room = host.classes.begin("run")
        host.classes.enter(room.code, "run")
        host.classes.enter("no such class", "run")
        watched.start()
        assert host.classes.dots(room) == () and host.classes.training(room) == 1
        await until(watched, lambda: watched.status == "finished")
        dots = host.classes.dots(room)
        assert [dot.method for dot in dots] == ["baseline", "spherical"]
        assert all(dot.sigma2 == TOY.sigma2 and dot.band == TOY.band[1] for dot in dots)
        host.runs.evict("run")
        assert host.classes.dots(room) == dots and host.classes.training(room) == 0
        told = class_board.describe_board(dots, 0)
        assert "Conventional VAE, 1 model:" in told and "Spherical VAE, 1 model:" in told
        figure = class_board.board(dots)
        assert sum(len(trace.x) for trace in figure.data) == 2
        named = [trace.name for trace in figure.data if trace.showlegend and len(trace.x)]
        assert sorted(named) == sorted({dot.verdict for dot in dots}), "each verdict has a name"
        places = class_board.dot_places((dots[0],) * 30)
        assert len({(x, y) for _, x, y in places}) == 30, "each dot is seen"
        assert all(abs(x / TOY.sigma2 - 1) < 0.5 for _, x, _ in places)
        watched.stop()

    asyncio.run(run())


def test_copies_count_as_runs_of_their_owner(
    watched: LiveRun, host: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVAE_MAX_RUNS", "2")
    for run in (host.runs.copy("run", "owner"), host.runs.copy("run", "owner")):
        host.runs.by_id[run].viewers.count = 1
    with pytest.raises(RequestError, match="2 are allowed"):
        host.runs.copy("run", "owner")


def test_a_class_with_followers_is_not_forgotten(host: Server) -> None:
    deserted, followed = host.classes.begin("run"), host.classes.begin("run")
    followed.followers = 1
    host.classes.forget(followed.used + sessions.KEPT_SECONDS + 1)
    assert host.classes.find(deserted.code) is None and host.classes.find(followed.code) is followed
    host.classes.end(followed.key)
