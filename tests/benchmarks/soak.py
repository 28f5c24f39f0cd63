"""An hour with ten visitors at random: no error, bounded memory. `make soak`.

    PYTHONPATH=. python tests/benchmarks/soak.py > tests/benchmarks/soak.md

Visitors come and go without browsers (`students.py`): they train on the Train page, pausing,
stepping, changing, branching, restarting, decoding points; they open other pages, with valid and
invalid URLs. SVAE_SEED determines everything they do. SVAE_SECONDS gives a shorter soak. Exit
status 1 if anything failed or memory kept growing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from students import MEGABYTE, Student, server
from websockets.asyncio.client import connect

VISITORS = 10
SECONDS = float(os.environ.get("SVAE_SECONDS", "3600"))
SEED = int(os.environ.get("SVAE_SEED", "0"))
EVERY = 15.0  # seconds between two measurements of the memory
GROWTH = 1.05  # largest ratio of the last third to the second that counts as bounded
PAGES = (
    "start",
    "shell",
    "region",
    "train",
    "latent",
    "compare",
    "phase",
    "runs",
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


@dataclass
class Diary:
    """The actions of all visitors, and the errors."""

    done: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1


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


async def visitor(address: str, number: int, until: float, diary: Diary) -> None:
    """One visit after another."""
    dice = random.Random(f"{SEED} {number}")
    while time.monotonic() < until - 5:
        leaving = min(until, time.monotonic() + dice.uniform(4.0, 25.0))
        if dice.random() < 0.6:
            await train(address, dice, leaving, diary)
        else:
            await leaf(address, dice, leaving, diary)


async def train(address: str, dice: random.Random, leaving: float, diary: Diary) -> None:
    """Train a run and act on it at random."""
    student = Handler(address, urlencode(settings(dice)), dice.randrange(2**31))
    student.diary = diary
    await student.attend(leaving)
    diary.note("visits to Train")
    diary.errors += student.errors


class Handler(Student):
    """A student whose clicks are random requests that the stage understands."""

    diary: Diary

    async def _click(self, session: Any, stage: Any, until: float) -> None:
        while (left := until - time.monotonic()) > 1:
            await asyncio.sleep(min(left, self.random.uniform(0.2, 2.0)))
            if not self.first_moment:  # there is no moment yet
                continue
            verb, request = self._request()
            await stage.send(json.dumps(request))
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


async def leaf(address: str, dice: random.Random, leaving: float, diary: Diary) -> None:
    """Open pages one after another in one session, as a browser's tab does."""
    stream = f"ws://{address}/_stcore/stream"
    origin: Any = f"http://{address}"
    subprotocols: Any = ["streamlit"]
    try:
        async with connect(
            stream, origin=origin, subprotocols=subprotocols, max_size=None
        ) as session:
            while time.monotonic() < leaving:
                page = dice.choice(PAGES)
                request = BackMsg()
                request.rerun_script.query_string = urlencode(settings(dice))
                request.rerun_script.page_name = "" if page == "start" else page
                await session.send(request.SerializeToString())
                async with asyncio.timeout(120):
                    await _drawn(session, page, diary)
                diary.note(f"page {page}")
                await asyncio.sleep(dice.uniform(0.5, 3.0))
    except Exception as error:
        diary.errors.append(f"{type(error).__name__}: {error}")


async def _drawn(session: Any, page: str, diary: Diary) -> None:
    while True:
        message = ForwardMsg()
        message.ParseFromString(await session.recv())
        if message.WhichOneof("type") == "script_finished":
            return
        if message.WhichOneof("type") == "delta":
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                diary.errors.append(f"{page}: {element.exception.message}")


def resident(process: psutil.Process) -> float:
    """Megabytes of the server and all its workers."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss / MEGABYTE
        except psutil.NoSuchProcess:
            continue
    return total


async def soak(address: str, process: psutil.Process, diary: Diary) -> list[float]:
    """Run all visitors concurrently; the memory during that time."""
    until = time.monotonic() + SECONDS
    visits = [visitor(address, number, until, diary) for number in range(VISITORS)]
    everyone = asyncio.gather(*visits)
    held: list[float] = []
    while not everyone.done():
        await asyncio.sleep(min(EVERY, SECONDS / 30))
        held.append(resident(process))
    await everyone
    return held


def main() -> int:
    """Print the results."""
    diary = Diary()
    with server() as (address, process):
        held = asyncio.run(soak(address, process, diary))
        alive = process.is_running()
    third = len(held) // 3
    middle, last = statistics.median(held[third : 2 * third]), statistics.median(held[2 * third :])
    print(f"# Soak\n\n{VISITORS} visitors, {SECONDS / 60:.0f} minutes, seed {SEED}.\n")
    print("| | |\n| --- | ---: |")
    for what, count in sorted(diary.done.items()):
        print(f"| {what} | {count} |")
    print(f"| errors (asked: none) | {len(diary.errors)} |")
    print(f"| server and workers, MB: second third, last third | {middle:.0f}, {last:.0f} |")
    print(f"| last ÷ second third (asked: at most {GROWTH:g}) | {last / middle:.2f} |")
    print(f"| the server still runs at the end | {alive} |")
    for error in sorted(set(diary.errors)):
        print(f"* {error}", file=sys.stderr)
    return int(bool(diary.errors) or last > GROWTH * middle or not alive)


if __name__ == "__main__":
    sys.exit(main())
