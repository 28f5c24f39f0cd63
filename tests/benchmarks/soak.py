"""An hour with thirty visitors at random: no error, bounded memory. `make soak`.

    PYTHONPATH=. python tests/benchmarks/soak.py > tests/benchmarks/soak.md

Visitors come and go without browsers (`students.py`, `tab.py`): they train on the Train page,
pausing, stepping, changing, branching, restarting, decoding points; they open other pages, with
valid and invalid URLs; they give data of their own, arrays of models and exported runs, whole and
damaged (`visits.py`); they hold classes and join them (`lessons_held.py`). SVAE_SEED determines
their dice. SVAE_SECONDS gives a shorter soak, SVAE_VISITORS a smaller one. Exit status 1 if
anything failed, an act was never done, or memory kept growing.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from follower import Follower
from lessons_held import School, learn, teach
from students import MEGABYTE, Student, server
from tab import Tab
from visits import Diary, Visitor, clinic, own_data, runs

VISITORS = int(os.environ.get("SVAE_VISITORS", "30"))
SECONDS = float(os.environ.get("SVAE_SECONDS", "3600"))
SEED = int(os.environ.get("SVAE_SEED", "0"))
EVERY = 15.0  # seconds between two measurements of the memory
GROWTH = 1.05  # largest ratio of the last third to the second that counts as bounded
CLASSES = 3  # open at a time
PAGES = (
    "start",
    "shell",
    "region",
    "train",
    "latent",
    "compare",
    "phase",
    "runs",
    "clinic",
    "theory",
    "board",
)
NONSENSE = (
    {"band": "9,-1"},
    {"dataset": "nowhere"},
    {"clusters": "-3"},
    {"seed": "1e9"},
    {"run": "x"},
)
#: Without these a soak says nothing.
NEEDED = (
    "visits to Train",
    *(f"page {page}" for page in PAGES),
    "own data: taken, with their rows and columns",
    "own data: trained on, row by row",
    "own data: found again on another page",
    "own data: damaged, refused in a sentence",
    "clinic: a model that has not collapsed, diagnosed",
    "clinic: a model that has collapsed, diagnosed",
    "clinic: damaged arrays, refused in a sentence",
    "runs exported",
    "runs' numbers fetched",
    "runs' replays fetched",
    "runs imported, and found by their name",
    "runs: damaged, refused in a sentence",
    "saved runs opened again",
    "runs watched by a read-only link",
    "classes begun",
    "classes ended",
    "boards looked at",
    "runs trained for a class's board",
    "students followed to another moment",
    "students' predictions, theirs",
    "students' pauses, refused in a sentence",
    "copies of the teacher's run opened",
    "students told that their class has ended",
)
#: How many of a hundred visits are for what.
SHARES = {"train": 30, "leaf": 14, "own_data": 17, "clinic": 12, "runs": 12, "class": 15}


def settings(dice: random.Random) -> dict[str, str]:
    """A small problem, sometimes with invalid values in its address."""
    dataset, clusters = dice.choice(
        (("wine", 3), ("clusters", 5), ("digits", 10), ("swiss_roll", 4))
    )
    query = {"dataset": dataset, "clusters": str(clusters), "seed": str(dice.randrange(50))}
    query |= {
        "epochs": str(dice.choice((20, 60, 200))),
        "sigma2": str(dice.choice((0.05, 0.5, 1.0))),
    }
    if dice.random() < 0.2:
        query |= dice.choice(NONSENSE)
    return query


async def come_and_go(one: Visitor, until: float, school: School) -> None:
    """One visit after another; what goes wrong in one is an error, and the next one begins."""
    while time.monotonic() < until - 5:
        what = one.dice.choices(list(SHARES), list(SHARES.values()))[0]
        try:
            await visit(what, one, until, school)
        except Exception as error:
            one.diary.fail(f"{what}: {type(error).__name__}: {error}")


async def visit(what: str, one: Visitor, until: float, school: School) -> None:
    """One visit, of some seconds, or of a minute and more for a class."""

    def after(least: float, most: float) -> float:
        return min(until, time.monotonic() + one.dice.uniform(least, most))

    if what == "train":
        await train(one, settings(one.dice), after(4.0, 25.0))
    elif what == "leaf":
        await leaf(one, after(4.0, 25.0))
    elif what == "class":
        await attend(one, after(40.0, 100.0), after(10.0, 60.0), school)
    else:
        chosen = {"own_data": own_data, "clinic": clinic, "runs": runs}[what]
        await chosen(one, after(8.0, 40.0))


async def attend(one: Visitor, teaching: float, learning: float, school: School) -> None:
    """Hold a class where few are held; else follow one, or train for its board."""
    dice, query = one.dice, settings(one.dice)
    if not school.teachers or (school.teachers < CLASSES and dice.random() < 0.15):
        school.teachers += 1
        try:
            await teach(one, teaching, school)
        finally:
            school.teachers -= 1
    elif not school.rooms:  # the teacher still prepares it
        await train(one, query, learning)
    elif dice.random() < 0.75:
        await learn(one, learning, dice.choice(school.rooms))
    else:
        room = dice.choice(school.rooms)
        room.training += 1
        await train(one, query | {"class": room.code}, learning)
        room.training -= 1
        one.diary.note("runs trained for a class's board")


async def train(one: Visitor, query: dict[str, str], leaving: float) -> None:
    """Train a run and act on it at random."""
    student = Handler(one.address, urlencode(query), one.dice.randrange(2**31), cookie=one.cookie)
    student.diary = one.diary
    await student.attend(leaving)
    one.diary.note("visits to Train")
    for error in student.errors:
        one.diary.fail(f"train: {error}")


class Handler(Student):
    """A student whose clicks are random requests that the stage understands."""

    diary: Diary

    async def _click(self, tab: Tab, run: Follower, until: float) -> None:
        while (left := until - time.monotonic()) > 1 and run.socket.close_code is None:
            await asyncio.sleep(min(left, self.random.uniform(0.2, 2.0)))
            if not run.moment:
                continue
            verb, request = self._request()
            await run.send(**request)
            self.diary.note(verb)

    def _request(self) -> tuple[str, dict[str, Any]]:
        change = {
            "sigma2": self.random.uniform(0.05, 2.0),
            "band": [0.0, self.random.uniform(0.1, 0.9)],
        }
        return self.random.choice(
            (
                ("pause", {"do": "pause"}),
                ("play", {"do": "play"}),
                ("play", {"do": "play"}),
                ("step", {"do": "step"}),
                ("start over", {"do": "reset"}),
                ("change", {"do": "change", "changes": change}),
                ("branch", {"do": "branch", "step": self.steps // 2, "changes": change}),
                ("other seed", {"do": "reseed"}),
                ("follow", {"follow": self.random.randrange(100)}),
                ("older moment", {"want": 0, "have": -1, "version": -1, "generation": -1}),
            )
        )


async def leaf(one: Visitor, leaving: float) -> None:
    """Open pages one after another in one session, as a browser's tab does."""
    async with one.tab() as tab:
        while time.monotonic() < leaving:
            page, asked = one.dice.choice(PAGES), time.monotonic()
            await tab.open("" if page == "start" else page, urlencode(settings(one.dice)))
            one.diary.drawn.append(time.monotonic() - asked)
            one.diary.note(f"page {page}")
            await asyncio.sleep(one.dice.uniform(0.5, 3.0))


def resident(process: psutil.Process) -> float:
    """Megabytes of the server and all its workers."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss / MEGABYTE
        except psutil.NoSuchProcess:
            continue
    return total


def logged(process: psutil.Process) -> list[str]:
    """What the server's log says of failures: the last line of each traceback."""
    log = Path(process.environ()["SVAE_HOME"]).with_name("log").read_text(errors="replace")
    found = re.findall(r"^Traceback .*\n(?:[ \t].*\n|\n)*(.*)", log, re.MULTILINE)
    return [line[:300] for line in found]


async def soak(address: str, process: psutil.Process, diary: Diary) -> list[float]:
    """Run all visitors concurrently; the memory during that time."""
    until = time.monotonic() + SECONDS
    school = School()
    dice = [random.Random(f"{SEED} {number}") for number in range(VISITORS)]
    visitors = [Visitor(address, number, dice[number], diary) for number in range(VISITORS)]
    everyone = asyncio.gather(*(come_and_go(one, until, school) for one in visitors))
    held: list[float] = []
    while not everyone.done():
        await asyncio.sleep(min(EVERY, SECONDS / 30))
        held.append(resident(process))
    await everyone
    return held


def main() -> int:
    """Print the results."""
    diary = Diary()
    with server(SVAE_SHARED_RUNS="0") as (address, process):  # each sees their own runs
        held = asyncio.run(soak(address, process, diary))
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        for line in logged(process):
            diary.fail(f"the server's log: {line}")
    third = len(held) // 3
    middle, last = statistics.median(held[third : 2 * third]), statistics.median(held[2 * third :])
    print(f"# Soak\n\n{VISITORS} visitors, {SECONDS / 60:.0f} minutes, seed {SEED}.\n")
    print("| | |\n| --- | ---: |")
    for what, count in sorted(diary.done.items()):
        print(f"| {what} | {count} |")
    half, most = statistics.median(diary.drawn), max(diary.drawn)
    print(f"| a page is drawn: median, slowest, s | {half:.1f}, {most:.0f} |")
    print(f"| errors (asked: none) | {len(diary.errors)} |")
    print(f"| server and workers, MB: second third, last third | {middle:.0f}, {last:.0f} |")
    print(f"| last ÷ second third (asked: at most {GROWTH:g}) | {last / middle:.2f} |")
    print(f"| the server still runs at the end | {alive} |")
    never = [act for act in NEEDED if not diary.done[act]]
    print(f"| of {len(NEEDED)} acts that must be done, never done | {', '.join(never) or 0} |")
    return int(bool(diary.errors or never) or last > GROWTH * middle or not alive)


if __name__ == "__main__":
    sys.exit(main())
