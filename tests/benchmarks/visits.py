"""Visits of the soak to the app's doors for files: own data, the clinic, and saved runs.

Each checks that what comes back is what was put in, and that what is damaged is refused.
"""

from __future__ import annotations

import asyncio
import io
import random
import re
import sys
import time
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
import soak_files
from follower import following
from tab import Tab

from svae_core.figures.names import counted


class Surprise(Exception):
    """Something else came back than what was put in."""


def expect(right: Any, what: str, tab: Tab | None = None) -> None:
    """Surprise, with what the page shows, unless it is right."""
    if not right:
        raise Surprise(f"{what}{f'; the page: {tab.text()[:700]!r}' if tab else ''}")


@dataclass
class Diary:
    """The actions of all visitors, and the errors."""

    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)  # seconds until a page was

    def note(self, what: str) -> None:
        """Count an act."""
        self.done[what] += 1

    def fail(self, what: str) -> None:
        """Keep an error, and say it at once: an hour is long."""
        self.errors.append(what)
        print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


@dataclass
class Visitor:
    """Who comes again and again with the same browser, whose cookie names its runs."""

    address: str
    number: int
    dice: random.Random
    diary: Diary
    visits: int = 0

    def __post_init__(self) -> None:
        letters = "abcdefghijklmnopqrstuvwxyz"
        key = "".join(self.dice.choice(letters) for _ in range(22))
        self.cookie = f"svae_owner={key}"

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """A tab of this browser; what failed in it is an error."""
        tab = Tab(self.address, cookie=self.cookie)
        try:
            async with tab:
                yield tab
        finally:
            for failure in tab.failures:
                self.diary.fail(failure)

    async def look(self) -> None:
        """A moment's thought."""
        await asyncio.sleep(self.dice.uniform(0.3, 2.0))


# ------------------------------------------------------------------------------ own data


async def own_data(visitor: Visitor, leaving: float) -> None:
    """Give files of one's own, whole and damaged, on a page that takes them."""
    dice, note = visitor.dice, visitor.diary.note
    page = dice.choice(("shell", "region", "train", "latent", "clinic"))
    query = f"dataset=file&clusters={dice.randrange(2, 6)}&epochs=20&latent_dim=2"
    async with visitor.tab() as tab:
        await tab.open(page, query)
        while time.monotonic() < leaving:
            file = soak_files.own_data(dice)
            await tab.upload("Your file", file.name, file.content)
            if file.right is None:
                told = tab.errors() or "Nothing can be trained on yet" in tab.text()
                expect(told, f"{file.name} is damaged, and taken", tab)
                note("own data: damaged, refused in a sentence")
            else:
                await _check_taken(visitor, tab, page, file)
            await visitor.look()


async def _check_taken(visitor: Visitor, tab: Tab, page: str, file: soak_files.File) -> None:
    """The page tells the file's size; so does another page, and what is trained has its rows."""
    assert file.right is not None
    rows, numbers = file.right
    words = f"Trained on: {counted(rows, 'row')} of {counted(numbers, 'number')} each"
    expect(words in tab.text(), f"{file.name} on {page}: not “{words}”", tab)
    expect(not tab.errors(), f"{file.name} on {page} is refused", tab)
    visitor.diary.note("own data: taken, with their rows and columns")
    if page == "train":
        async with following(tab) as run:
            expect(await run.wait_for(lambda: run.moment), f"{file.name}: nothing was trained", tab)
            expect(len(run.arrays["labels"]) == rows, f"{file.name}: other rows are trained on")
        visitor.diary.note("own data: trained on, row by row")
    elif visitor.dice.random() < 0.4:
        other = visitor.dice.choice(("shell", "region", "clinic"))
        await tab.open(other, tab.query)
        expect(words in tab.text(), f"{file.name} is not found again on {other}", tab)
        visitor.diary.note("own data: found again on another page")
        await tab.open(page, tab.query)


# -------------------------------------------------------------------------------- clinic


async def clinic(visitor: Visitor, leaving: float) -> None:
    """Have models examined by their arrays; sometimes ask which suspect it was."""
    dice, note = visitor.dice, visitor.diary.note
    query = f"dataset=wine&clusters=3&epochs=20&latent_dim=2&seed={dice.randrange(50)}"
    async with visitor.tab() as tab:
        await tab.open("clinic", query)
        while time.monotonic() < leaving:
            file = soak_files.model(dice)
            await tab.upload("Arrays of your model", file.name, file.content)

            def ready() -> bool:
                return not any("are being examined" in one for one in tab.alerts())

            expect(await tab.poll(ready), f"clinic: {file.name} is never examined", tab)
            if file.right is None:
                expect(tab.errors(), f"clinic: {file.name} is damaged, and taken", tab)
                expect("| measured |" not in tab.text(), f"clinic: {file.name} has numbers", tab)
                note("clinic: damaged arrays, refused in a sentence")
            else:
                verdict, points = file.right
                expect(verdict in tab.text(), f"clinic: {file.name}: not “{verdict}”", tab)
                expect(f"| points | {points} |" in tab.text(), f"clinic: not {points} points", tab)
                note(f"clinic: a model that {verdict}, diagnosed")
            await visitor.look()
            if dice.random() < 0.2:
                await _suspects(visitor, tab, leaving)


async def _suspects(visitor: Visitor, tab: Tab, leaving: float) -> None:
    """Start the short runs, and wait for the cause, or leave them alone."""
    if not tab.has("button", "Start"):
        return
    await tab.click("Start")
    visitor.diary.note("clinic: suspects looked for")
    left = max(2.0, leaving - time.monotonic())
    if await tab.poll(lambda: "Prescription" in tab.text(), left):
        visitor.diary.note("clinic: a cause named, and a prescription")


# ---------------------------------------------------------------------------------- runs


async def runs(visitor: Visitor, leaving: float) -> None:
    """Rename a run, export it, import it again; then damaged ones; open, watch, delete."""
    dice, note = visitor.dice, visitor.diary.note
    async with visitor.tab() as tab:
        await tab.open("runs")
        await _import_damaged(visitor, tab, dice.randbytes(500))
        if not tab.has("dataframe"):
            note("Runs pages without a run")
            return
        visitor.visits += 1
        name = f"soak-{visitor.number}-{visitor.visits}-run"  # one word, in no other name
        await _tick(tab, dice.randrange(len(_table(tab))))
        if not tab.has("link_button", "Export"):
            note("Runs pages with a run that cannot be shown")
            return
        tab.put("text_input", "Name", string_value=name)
        await tab.click("Rename")
        expect(name in tab.text(), f"runs: not renamed to “{name}”", tab)
        note("runs renamed")
        whole = await _exported(visitor, tab)
        await _import(tab, whole)
        expect(not tab.errors(), "runs: an exported run is refused", tab)
        await _search(tab, name)
        found = [row["Run"] for row in _table(tab)]
        expect(found == [name, name], f"runs: after the import of “{name}” there are {found}")
        note("runs imported, and found by their name")
        await _import_damaged(visitor, tab, whole)
        await _search(tab, name)
        expect(len(_table(tab)) == 2, "runs: a damaged run is listed", tab)
        await _use(visitor, tab, dice.randrange(2))
        await visitor.look()


def _table(tab: Tab) -> list[dict[str, Any]]:
    """The rows of the list of runs; none without a list."""
    if not tab.has("dataframe"):
        return []
    data = tab.find("dataframe").arrow_data.data
    rows: list[dict[str, Any]] = pa.ipc.open_stream(data).read_all().to_pylist()
    return rows


async def _tick(tab: Tab, row: int) -> None:
    """Tick a row of the list; again where another run was saved meanwhile: that is another list."""
    for _ in range(5):
        tab.put("dataframe", "", string_value=f'{{"selection":{{"rows":[{row}],"columns":[]}}}}')
        await tab.rerun()
        if tab.has("button", "Delete"):
            return
    expect(False, "runs: a ticked run is not shown, nor to be deleted", tab)


async def _search(tab: Tab, words: str) -> None:
    tab.put("text_input", "Search", string_value=words)
    await tab.rerun()


async def _import(tab: Tab, content: bytes) -> None:
    await tab.upload("Import", "run.svae.zip", content)
    await tab.click("Import")


async def _import_damaged(visitor: Visitor, tab: Tab, whole: bytes) -> None:
    content = whole
    if zipfile.is_zipfile(io.BytesIO(whole)):
        content = soak_files.damaged_run(whole, visitor.dice)
    await _import(tab, content)
    expect(tab.errors(), "runs: a damaged run is taken", tab)
    visitor.diary.note("runs: damaged, refused in a sentence")


async def _exported(visitor: Visitor, tab: Tab) -> bytes:
    """The run as a ZIP, once its numbers and its replay have been fetched, too."""
    whole = await tab.get(tab.find("link_button", "Export").url)
    expect(zipfile.is_zipfile(io.BytesIO(whole)), f"runs: an export is {whole[:200]!r}")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        expect("run.json" in archive.namelist(), "runs: an export holds no run")
        expect(archive.testzip() is None, "runs: an export is damaged")
    visitor.diary.note("runs exported")
    numbers = await tab.get(tab.find("link_button", "Numbers").url)
    expect(numbers.count(b"\n") > 1 and b"step" in numbers, f"runs: numbers are {numbers[:200]!r}")
    visitor.diary.note("runs' numbers fetched")
    replay = await tab.get(tab.find("link_button", "Replay").url)
    if replay.startswith(b"There is nothing of this run"):
        visitor.diary.note("runs' replays, before the first moment after a start over")
        return whole
    expect(replay[:15].lower() == b"<!doctype html>", f"runs: a replay is {replay[:200]!r}")
    visitor.diary.note("runs' replays fetched")
    return whole


async def _use(visitor: Visitor, tab: Tab, row: int) -> None:
    """Open the run or watch it by its read-only link, and delete one of the two."""
    await _tick(tab, row)
    text = "\n".join(one.code_text for one in tab.elements("code"))
    watch = re.search(r"watch=([\w.~-]+)", text)
    opened = re.search(r"/train\?(\S+run=\S+)", text)
    await tab.click("Delete")
    note = visitor.diary.note
    await _search(tab, "")
    note("runs deleted")
    if visitor.dice.random() < 0.5:
        await tab.click("Undo", "button")
        note("deletions undone")
    else:
        await tab.click("Clean up", "button")
        note("trash emptied")
        watch = opened = None
    if not (watch and opened):
        return
    query, what = (
        (f"watch={watch[1]}", "runs watched by a read-only link")
        if visitor.dice.random() < 0.5
        else (opened[1], "saved runs opened again")
    )
    expect(parse_qs(query), "runs: a link without a query")
    await tab.open("train", query)
    expect(not tab.errors(), f"{what}: refused", tab)
    async with following(tab) as run:
        expect(await run.wait_for(lambda: run.moment), f"{what}: nothing is shown", tab)
    note(what)
