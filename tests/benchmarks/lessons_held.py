"""Classes of the soak: a teacher leads one, students join by its letters and follow by its socket.

What a student is shown must be what the teacher showed; the student's prediction must be theirs;
what only the teacher may do is refused.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from follower import Follower, following
from tab import Tab
from visits import Visitor, expect


@dataclass(eq=False)
class Room:
    """A class as its teacher knows it."""

    letters: str
    code: str
    lesson: str
    shown: set[int] = field(default_factory=lambda: {-1})  # moments that were led to
    training: int = 0  # runs of students that are being trained now
    open: bool = True


@dataclass(eq=False)
class School:
    """The classes that are open now, and how many teachers there are, some still preparing."""

    rooms: list[Room] = field(default_factory=list)
    teachers: int = 0


async def teach(visitor: Visitor, leaving: float, school: School) -> None:
    """Begin a class, lead it from moment to moment, look at its board, end it."""
    dice, note = visitor.dice, visitor.diary.note
    lesson = dice.choice(("", "kill", "revive", "units"))
    query = {"dataset": "digits", "epochs": "60", "seed": str(dice.randrange(50))}
    query = {"lesson": lesson} if lesson else query
    async with visitor.tab() as tab:
        await tab.open("train", urlencode(query))
        async with following(tab) as run:
            if lesson:
                await run.send(do="predict", answer=1)
            expect(await run.wait_for(lambda: run.moment), "a teacher's run shows nothing", tab)
            room = await _begun(tab, lesson)
            school.rooms.append(room)
            note("classes begun")
            key = parse_qs(tab.query)["teach"][0]
            try:
                while time.monotonic() < leaving:
                    await visitor.look()
                    await _lead(visitor, run, room, key)
                    if dice.random() < 0.15:
                        await _board(visitor, room)
            finally:
                school.rooms.remove(room)
            room.open = False
            await tab.click("End the class")
            expect(tab.has("button", "Begin a class"), "a class does not end", tab)
            note("classes ended")


async def _begun(tab: Tab, lesson: str) -> Room:
    await tab.click("Begin a class")
    letters = re.search(r"`([A-Z]{3}) ([A-Z]{3})`", tab.text())
    links = "\n".join(one.code_text for one in tab.elements("code"))
    code = re.search(r"follow=([\w-]+)", links)
    expect(letters and code, "a class has no code", tab)
    assert letters and code
    return Room(letters[1] + letters[2], code[1], lesson)


async def _lead(visitor: Visitor, run: Follower, room: Room, key: str) -> None:
    """One act of a teacher on the stage."""
    dice = visitor.dice
    act = dice.choice(("lead", "lead", "lead", "pause", "play", "change", "reveal"))
    if act == "lead":
        shown = dice.randrange(-1, run.moment["count"])
        room.shown.add(shown)
        await run.send(do="lead", key=key, shown=shown)
    elif act == "change":
        await run.send(do="change", changes={"sigma2": dice.uniform(0.05, 2.0)})
    elif act == "reveal":
        await run.send(do="reveal", key=key)
    else:
        await run.send(do=act)
    visitor.diary.note(f"teachers: {act}")


async def _board(visitor: Visitor, room: Room) -> None:
    async with visitor.tab() as tab:
        await tab.open("board", urlencode({"class": room.code}))
        await tab.poll(lambda: True)
        expect(tab.has("plotly_chart"), "a class's board is empty", tab)
        told = re.search(r"still train|\d models?:", tab.text())
        expect(told or not room.training, "students' runs are not on the board", tab)
        visitor.diary.note("boards looked at")


async def learn(visitor: Visitor, leaving: float, room: Room) -> None:
    """Join a class by its letters, follow it, predict, ask for what is not allowed, take a copy."""
    dice, note = visitor.dice, visitor.diary.note
    async with visitor.tab() as tab:
        await tab.open("")
        if dice.random() < 0.2:
            await _join(tab, "AAAAAA")
            told = any("No class is open with this code" in one for one in tab.errors())
            expect(told, "wrong letters open a class", tab)
            note("wrong letters, refused in a sentence")
        await _join(tab, room.letters)
        if not room.open:
            return
        expect(tab.has("bidi_component"), "students see no stage", tab)
        note("students joined by letters")
        async with following(tab) as run:
            copy = await _follow(visitor, run, room, leaving)
        if not room.open:
            await _ended(visitor, tab)
        elif copy:
            await tab.open("train", copy)
            async with following(tab) as run:
                expect(await run.wait_for(lambda: run.moment), "a copy shows nothing", tab)
            note("copies of the teacher's run opened")


async def _join(tab: Tab, letters: str) -> None:
    tab.put("text_input", "Class code", string_value=letters)
    await tab.click("Join a class")


async def _follow(visitor: Visitor, run: Follower, room: Room, leaving: float) -> str:
    """A student before the stage; the query of the copy that they took, if they did."""
    dice, note = visitor.dice, visitor.diary.note

    async def there(what: str, found: object) -> None:
        """What is to come, unless the class ends meanwhile."""
        if await run.wait_for(found):  # type: ignore[arg-type]
            note(what)
            return
        # A class that ends closes the socket a moment before its teacher says so here.
        await asyncio.sleep(3.0)
        expect(not room.open, f"{what}: never; {run.socket.close_code}, again: {run.again}")

    await there("students saw the teacher's run", lambda: run.moment)
    if not run.moment:
        return ""
    if room.lesson and not run.moment["lesson"]["closed"]:
        answer = dice.randrange(3)
        before = run.moment["lesson"]["prediction"]
        wanted = answer if before is None else before  # the first one counts
        await run.send(do="predict", answer=answer)
        await there(
            "students' predictions, theirs", lambda: run.moment["lesson"]["prediction"] == wanted
        )
    await run.send(do="pause")
    await there(
        "students' pauses, refused in a sentence",
        lambda: any("Only the teacher" in one for one in run.refused),
    )
    led = run.moment.get("lead")
    while time.monotonic() < leaving and room.open and not run.again:
        if not await run.wait_for(lambda last=led: run.moment.get("lead") != last, 2.0):
            continue
        led = run.moment.get("lead")
        expect(led in room.shown, f"students see moment {led}, which no teacher showed")
        note("students followed to another moment")
    if not room.open or run.again:
        return ""
    await run.send(do="copy")
    await there("students took a copy", lambda: run.moved)
    if not run.moved:
        return ""
    query = {name: text for name, text in run.moved["query"].items() if text is not None}
    return urlencode({**query, "run": run.moved["run"]})


async def _ended(visitor: Visitor, tab: Tab) -> None:
    """Who comes back is told that the class has ended."""
    await asyncio.sleep(3.0)
    await tab.rerun()
    told = any("There is no class with this code" in one for one in tab.errors())
    expect(told, "students are not told that their class has ended", tab)
    visitor.diary.note("students told that their class has ended")
