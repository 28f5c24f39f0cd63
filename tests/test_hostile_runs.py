"""Runs from anywhere: whatever is in one, list, open, import, compare and delete work for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from support import hostile_runs
from support.effort import effort
from support.hostile_runs import EDITS, MARKDOWN, Files
from support.live_runs import trainings
from support.runs_page import MINE, THEIRS, opened, press, runs_in
from support.saved_runs import put

from pages.live import persistence
from pages.live.run_view import view_of
from pages.visitor.markdown import plain, without_paths
from pages.widgets import run_table
from pages.wire import messages
from pages.wire.messages import FrameRequest
from svae_core.records import RequestError
from svae_core.runs import store, transfer
from svae_core.runs.folder import load

ALL = run_table.Viewer(MINE, True)
ROOT = Path(__file__).resolve().parents[1]
WISH = {"wish": [], "lesson": "", "playing": False, "prediction": None, "parent": None}


@pytest.fixture(autouse=True)
def shared(home: Path, monkeypatch: pytest.MonkeyPatch, no_engine: None) -> Iterator[None]:
    monkeypatch.setenv("SVAE_SHARED_RUNS", "1")
    home.mkdir()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A run with everything a run can have."""
    folder = put(tmp_path_factory.mktemp("good"), id="bad", owner=THEIRS, title="Bad", page=WISH)
    return hostile_runs.files_of(folder)


def drawn(table: run_table.Table) -> None:
    """What the browser is sent of a table can be made and sent."""
    batch = pa.Table.from_pandas(pd.DataFrame(table))
    assert batch.num_rows == len(next(iter(table.values())))
    for column in table.values():
        for cell in column:
            assert not isinstance(cell, str) or len(cell.encode()) < 5000


def opens(run: str) -> None:
    """The run of this id is opened and shown, or refused in one sentence."""
    with suppress(RequestError):
        live = persistence.load_live_run(run, trainings())
        if live is not None:
            newest = len(live.moments) - 1
            messages.encode(*messages.moment(view_of(live), newest, FrameRequest("newest")))
            messages.encode(
                *messages.moment(view_of(live), newest, FrameRequest(newest, generation=0))
            )
            assert live.error is None and len(live.remarks) < 1000


def harmless(home: Path, files: Files) -> None:
    """Everybody's list, page and run work beside this one; it can be imported or not, and goes."""
    mine = put(home, id="mine", owner=MINE, title="Good", page=WISH)
    bad = hostile_runs.put(files, home / "bad")
    entries = run_table.saved(home, ALL)
    assert {entry.folder for entry in entries} == {mine, bad}
    drawn(run_table.table(entries))
    run_table.describe_storage(entries, [], ALL)
    run_table.matching(entries, "certified")
    _, theirs = sorted(entries, key=lambda entry: entry.folder == bad)
    _, sentences, query = run_table.details(theirs)
    json.dumps([sentences, query], ensure_ascii=False).encode()
    for sentence in (theirs.trouble, *sentences):
        shown = plain(without_paths(sentence))
        assert "\n" not in shown and len(shown) < 3000 and str(home) not in shown
        shown.encode()
    if theirs.about is not None:
        one, other = entries
        drawn(run_table.differences(one, other))
        drawn(run_table.certificates(entries))
        opens(theirs.about.id)
    assert [entry.folder for entry in run_table.saved(home, run_table.Viewer(MINE, False))] == [
        mine
    ]
    imported(home, files)
    assert load(mine).about.id == "mine"
    store.delete_all([theirs])
    assert [entry.folder for entry in run_table.trashed(home, ALL)] == [bad.parent / ".trash/bad"]
    drawn(run_table.table(run_table.trashed(home, ALL)))
    store.undo(home, "bad")
    store.delete(bad)
    store.purge_all(run_table.trashed(home, ALL))
    assert not bad.exists() and mine.exists()


def imported(home: Path, files: Files) -> None:
    """The run is taken in under its taker's name, or refused in one sentence; nothing is left."""
    before = set(home.iterdir())
    try:
        taken = transfer.unpack(hostile_runs.archive(files), home, THEIRS)
    except RequestError as error:
        assert set(home.iterdir()) == before and "\n" not in plain(str(error))
        assert len(str(error)) < 1000
        return
    entry = run_table.showable(store.look(taken))
    assert entry.about is not None and entry.about.owner == entry.owner == THEIRS
    assert entry.about.id not in ("", "bad") and not entry.about.page.get("parent")
    row = run_table.table([entry])
    assert row["Ended"][0] == "not yet" or row["Ended"][0].endswith("(as imported)")
    drawn(row)
    opens(entry.about.id)
    transfer.unpack(transfer.pack(taken), home, THEIRS)


@pytest.mark.slow
@pytest.mark.parametrize("name", EDITS)
def test_a_hostile_edit_harms_nobody(home: Path, good: Files, name: str) -> None:
    files = dict(good)
    EDITS[name](files)
    assert files != good
    harmless(home, files)


def test_the_good_run_itself_passes(home: Path, good: Files) -> None:
    harmless(home, dict(good))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(60))
def test_random_damage_harms_nobody(home: Path, good: Files, number: int) -> None:
    harmless(home, hostile_runs.random_damage(good, number))


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(effort(1, 10)))
def test_a_thousand_random_damages_harm_nobody(home: Path, good: Files, hundred: int) -> None:
    for number in range(100 * hundred, 100 * hundred + 100):
        harmless(home / str(number), hostile_runs.random_damage(good, number))


@pytest.mark.slow
def test_the_page_lists_and_deletes_all_of_them(home: Path, good: Files) -> None:
    """All hostile runs at once on one page, and one after the other picked."""
    for number, edit in enumerate(EDITS.values()):
        files = dict(good)
        edit(files)
        hostile_runs.put(files, home / f"bad-{number:03d}")
    mine = put(home, id="mine", owner=MINE, title="Good", page=WISH)
    app = opened()
    assert len(runs_in(app)) == len(EDITS) + 1
    for name in ("bad-000", "bad-021", "bad-039"):
        app = opened(home / name)
        press(app, "Delete")
        assert not (home / name).exists()
    assert mine.exists()


# ---------------------------------------------------------------------------------- words


def test_words_from_files_are_text_and_never_markdown(home: Path, good: Files) -> None:
    files = dict(good)
    for name in ("a sentence in Markdown", "a title in Markdown", "a name in Markdown"):
        EDITS[name](files)
    app = opened(hostile_runs.put(files, home / "bad"), put(home, id="mine", page=WISH))
    for element in (*app.markdown, *app.subheader, *app.caption, *app.error):
        assert "![" not in element.value and "<img" not in element.value.replace(r"\<", "")
    for table in app.table:
        for cell in (*table.value.columns, *table.value.to_numpy().ravel()):
            assert "![" not in str(cell)
    app = opened(home / "bad")
    assert any(MARKDOWN in element.value for element in app.text), "shown as it is"
    assert not any("![" in element.value for element in app.markdown)


@pytest.mark.parametrize(
    "text",
    ["# big", "- x", "1. x", "> x", "| a |", "---", "a\n\n# b", ":red[x]", ":material/home:"],
)
def test_no_beginning_of_a_text_is_markup(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown and not shown.startswith(("#", "- ", "1.", ">", "|", "---"))
    assert ":red" not in shown and ":material" not in shown


def test_a_verdict_is_as_imported_until_it_is_measured_here(home: Path, good: Files) -> None:
    taken = transfer.unpack(hostile_runs.archive(good), home, MINE)
    entry = store.look(taken)
    assert entry.about is not None and entry.about.imported
    assert run_table.table([entry])["Ended"][0].endswith("(as imported)")
    assert all("imported" in sentence for sentence in run_table.sentences(entry))
    assert all("as imported" in title for title in [*run_table.certificates([entry])][1:])
    live = persistence.load_live_run(entry.about.id, trainings())
    assert live is not None and live.imported and live.status != "finished"
    assert live.certificates == () and len(live.claimed) == 2, "to be measured again"


# ----------------------------------------------------------------------------- what it costs


def test_of_the_runs_of_others_only_the_first_bytes_are_read(
    home: Path, good: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        transfer.unpack(hostile_runs.archive(good), home, THEIRS)
    mine = put(home, id="mine", owner=MINE)
    read: list[Path] = []
    look = store.look
    monkeypatch.setattr(store, "look", lambda folder: read.append(folder) or look(folder))
    only_mine = run_table.Viewer(MINE, False)
    assert [entry.folder for entry in run_table.saved(home, only_mine)] == [mine] == read
    assert run_table.saved(home, run_table.Viewer("", False)) == [], "no key is nobody's key"


def test_their_owner_alone_sees_and_deletes_a_damaged_run(home: Path) -> None:
    folder = put(home, id="mine", owner=MINE)
    next(folder.glob("state-*")).write_bytes(b"")
    (entry,) = run_table.saved(home, run_table.Viewer(MINE, False))
    assert entry.about is None and "damaged" in entry.trouble
    assert run_table.saved(home, run_table.Viewer(THEIRS, False)) == []
    store.delete_all([entry])
    assert len(run_table.trashed(home, run_table.Viewer(MINE, False))) == 1


@pytest.mark.parametrize(("name", "size"), [("name.txt", 2**20), ("run.json", 3 * 2**20)])
def test_every_file_of_an_archive_is_bounded_by_itself(
    home: Path, good: Files, name: str, size: int
) -> None:
    """Within what a run may hold as a whole, and far beyond what such a file may."""
    files = dict(good) | {"frames-000009-aaaaaa.safetensors": os.urandom(2**20)}
    files[name] = good.get(name, b"") + b" " * size
    with pytest.raises(RequestError, match=rf"{name} in it would unpack to .* are the most"):
        transfer.unpack(hostile_runs.archive(files), home)
    assert not list(home.iterdir())


def test_many_names_are_refused_before_they_are_listed(home: Path) -> None:
    data = hostile_runs.archive({f"{number}": b"" for number in range(5000)})
    with pytest.raises(RequestError, match="too many files"):
        transfer.unpack(data, home)


def test_what_is_imported_counts_against_the_disk_first(
    home: Path, good: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = hostile_runs.archive(good)
    (home / "other").mkdir()
    (home / "other" / "weights").write_bytes(bytes(2**20))
    monkeypatch.setenv("SVAE_MAX_DISK_MB", "1")
    with pytest.raises(RequestError, match="SVAE_MAX_DISK_MB"):
        transfer.unpack(data, home, MINE)
    assert [path.name for path in home.iterdir()] == ["other"]


def test_one_visitor_fills_their_own_share_of_the_disk_only(
    home: Path, good: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = hostile_runs.archive(good)
    monkeypatch.setenv("SVAE_MAX_VISITOR_MB", "1")
    taken = transfer.unpack(data, home, THEIRS)
    (taken / "frames-000009-aaaaaa.safetensors").write_bytes(bytes(2**20))
    store.delete(taken)
    with pytest.raises(RequestError, match="SVAE_MAX_VISITOR_MB"):
        transfer.unpack(data, home, THEIRS)
    transfer.unpack(data, home, MINE)


# The second visit, when all is loaded: what its own allocations come to at most, beside the rest.
_PEAK = """
import tracemalloc
from streamlit.testing.v1 import AppTest
def visit():
    app = AppTest.from_file("pages/router.py", default_timeout=300)
    app.switch_page("runs.py")
    app.run()
    assert not app.exception, app.exception[0].message
tracemalloc.start()
visit()
tracemalloc.reset_peak()
visit()
print(tracemalloc.get_traced_memory()[1])
"""


def _peak(home: Path) -> int:
    env = os.environ | {"SVAE_HOME": str(home), "SVAE_SHARED_RUNS": "1", "PYTHONPATH": "."}
    done = subprocess.run(
        [sys.executable, "-c", _PEAK], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_hostile_runs_cost_the_page_no_memory(home: Path, good: Files) -> None:
    """Some that are imported as they are, if they can be, and as many put there by hand."""
    put(home, id="mine", owner=MINE, page=WISH)
    before = _peak(home)
    heavy = dict(good)
    EDITS["a page of many small things"](heavy)
    for number in range(effort(2, 10)):
        name = number.to_bytes(1, "big") + b"n" * 100_000_000
        with suppress(RequestError):
            transfer.unpack(hostile_runs.archive(dict(good) | {"name.txt": name}), home)
        folder = hostile_runs.put(heavy, home / f"by-hand-{number}")
        with (folder / "name.txt").open("wb") as file:
            file.truncate(100_000_000)  # takes no room on the disk
    assert _peak(home) <= 1.3 * before


# --------------------------------------------------------------------------- no run at all


def test_uploads_are_no_runs(home: Path) -> None:
    table = home / "data" / "0123456789abcdef-0123456789abcdef01234567"
    table.mkdir(parents=True)
    (home / "data" / "secret").write_text("secret")
    assert store.saved_runs(home) == [] and run_table.saved(home, ALL) == []
    with pytest.raises(RequestError, match="uploaded"):
        store.delete(home / "data")
    assert (home / "data" / "secret").exists()
    app = opened(home / "data")
    assert runs_in(app) == [] and not any(one.label == "Delete" for one in app.button)


def test_uploads_that_an_older_version_deleted_can_be_taken_back(home: Path) -> None:
    (home / ".trash" / "data").mkdir(parents=True)
    (home / ".trash" / "data" / "secret").write_text("secret")
    (entry,) = run_table.trashed(home, ALL)
    store.undo(home, entry.folder.name)
    assert (home / "data" / "secret").exists() and store.saved_runs(home) == []


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("The run in /srv/svae/runs/a is damaged.", "The run in a is damaged."),
        (r"C:\Users\x\runs cannot be read.", "runs cannot be read."),
        ("HOME/a b cannot be read: gone.", "a b cannot be read: gone."),
        ("3/4 of 1/2/3 points, see http://x.y/z/w.", "3/4 of 1/2/3 points, see http://x.y/z/w."),
    ],
)
def test_sentences_name_no_folder_of_the_server(home: Path, sentence: str, shown: str) -> None:
    assert without_paths(sentence.replace("HOME", str(home))) == shown
