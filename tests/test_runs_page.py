"""The Runs page: it lists what a visitor may see, and does what its buttons say."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from support.runs_page import MINE, THEIRS, opened, press, runs_in
from support.saved_runs import PAIR, assert_same_run, put, tiny

from pages.server.current import server
from pages.server.offered_files import OfferedFile, OfferedFiles
from pages.visitor import hosts, owner_cookie, session
from pages.widgets import run_table
from pages.wire import saved_files
from svae_core.runs import store, transfer
from svae_core.runs.folder import load
from svae_core.stage.replay_file import embedding

ALL = run_table.Viewer(MINE, True)
ONLY_MINE = run_table.Viewer(MINE, False)
WISH = {"wish": [], "lesson": "", "playing": False, "prediction": None, "parent": None}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_engine: None) -> Iterator[Path]:
    monkeypatch.setenv("SVAE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SVAE_SHARED_RUNS", "1")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.mark.slow
def test_without_runs_the_page_says_so() -> None:
    app = opened()
    assert "Nothing is saved yet" in app.info[0].value and not app.dataframe


def test_the_list_shows_everything_and_breaks_at_nothing(home: Path) -> None:
    put(home, id="a", title="Wine")
    (home / "holiday").mkdir()
    app = opened()
    assert sorted(name.split(",")[0] for name in runs_in(app)) == ["Wine", "holiday"]
    ended = list(app.dataframe[0].value["Ended"])
    assert any("not readable" in text and "no run.json" in text for text in ended)
    assert "2 runs" in app.caption[0].value


def test_a_home_that_is_no_folder_is_said(home: Path) -> None:
    home.rmdir()
    home.write_text("")
    assert "cannot be read" in opened().error[0].value


def test_search_narrows_the_list(home: Path) -> None:
    store.rename(put(home, id="a"), "the good one")
    store.rename(put(home, id="b"), "the bad one")
    app = opened()
    app.text_input(key="runs.search").set_value("GOOD wine").run()
    assert runs_in(app) == ["the good one"]
    app.text_input(key="runs.search").set_value("nothing like it").run()
    assert runs_in(app) == [] and "No run contains" in app.info[0].value


@pytest.mark.slow
def test_one_run_can_be_renamed_deleted_and_taken_back(home: Path) -> None:
    folder = put(home, id="a")
    app = opened(folder)
    app.text_input[1].set_value("renamed")
    press(app, "Rename")
    assert store.read_name(folder) == "renamed" and runs_in(app) == ["renamed"]
    app = opened(folder)
    press(app, "Delete")
    assert not folder.exists() and runs_in(app) == []
    press(app, "Undo: restore “renamed”")
    assert folder.exists() and runs_in(app) == ["renamed"]
    app = opened(folder)
    press(app, "Delete")
    press(app, "Clean up")
    assert not store.trash(home) and store.usage(home) == 0


def test_a_run_of_a_pair_can_be_opened_and_its_link_shared(home: Path) -> None:
    folder = put(home, id="some-id", page=WISH)
    app = opened(folder)
    (link,) = (one for one in app.get("page_link") if "Train" in one.proto.label)
    assert "run=some-id" in link.proto.query_string and "dataset=wine" in link.proto.query_string
    frame, watched, shared = (code.value for code in app.code)
    assert "watch=" in watched and "some-id" not in watched
    assert "run=some-id" in shared
    # The line that shows the replay elsewhere names the file that the browser saves.
    assert frame == embedding("svae-wine-replay.html")
    assert frame.startswith('<iframe src="svae-wine-replay.html" sandbox="allow-scripts" ')
    files = {one.proto.label: one.proto.url for one in app.get("link_button")}
    assert files["Export (zip)"].endswith("/export/some-id.svae.zip")
    assert files["Numbers (CSV)"].endswith("/numbers/some-id.csv")
    assert files["Replay (HTML)"].endswith("/replay/some-id.html")


def test_two_runs_are_compared(home: Path) -> None:
    one = put(home, id="a", created=1.0)
    other = put(home, id="b", created=2.0, members=tuple(replace(m, beta=4.0) for m in PAIR))
    app = opened(one, other)
    settings, certificates = (table.value for table in app.table)
    assert settings.iloc[:, 0].tolist() == ["β"]
    assert {*settings.iloc[0].tolist()[1:]} == {"1.0", "4.0"}
    assert certificates.shape[1] == 5, "both members of both"
    assert run_table.uncertified([store.look(one)]) == ""
    press(app, "Delete these 2")
    assert len(store.trash(home)) == 2


def test_of_runs_that_agree_it_is_said(home: Path) -> None:
    app = opened(put(home, id="a", created=1.0), put(home, id="b", created=2.0))
    assert any("have the same settings" in text.value for text in app.markdown)


def test_a_damaged_run_is_explained_and_can_be_deleted(home: Path) -> None:
    folder = put(home, id="a")
    next(folder.glob("state-*")).write_bytes(b"")
    app = opened(folder)
    assert "damaged" in app.error[0].value
    press(app, "Delete")
    assert not folder.exists()


def test_an_unknown_run_to_replay_is_said_to_be_so() -> None:
    assert "no saved run" in opened(run="unknown").warning[0].value


# -------------------------------------------------------------------------- who sees what


def test_on_a_server_for_many_everybody_sees_their_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home, id="a", owner=MINE)
    put(home, id="b", owner=THEIRS)
    put(home, id="c")  # from the command line
    (home / "foreign").mkdir()
    assert len(run_table.saved(home, ALL)) == 4
    assert [entry.about and entry.about.id for entry in run_table.saved(home, ONLY_MINE)] == ["a"]
    for entry in run_table.saved(home, ALL):
        store.delete(entry.folder)
    assert [entry.about and entry.about.id for entry in run_table.trashed(home, ONLY_MINE)] == ["a"]
    assert run_table.saved(home, run_table.Viewer("", False)) == [], "no key is nobody's key"
    monkeypatch.setenv("SVAE_SHARED_RUNS", "0")
    app = opened()
    assert runs_in(app) == [] and "started in this browser" in app.caption[0].value


@pytest.mark.parametrize(
    ("address", "passed_on", "chosen", "all_runs"),
    [
        ("localhost", False, "", True),
        ("localhost", True, "", False),
        ("0.0.0.0", False, "", False),
        (None, False, "", False),
        ("0.0.0.0", False, "1", True),
        ("localhost", False, "0", False),
    ],
)
def test_all_runs_are_shown_to_one_person_only(
    monkeypatch: pytest.MonkeyPatch,
    address: str | None,
    passed_on: bool,
    chosen: str,
    all_runs: bool,
) -> None:
    headers = {"X-Forwarded-For": "10.0.0.7"} if passed_on else {}
    context = SimpleNamespace(headers=headers, cookies={owner_cookie.COOKIE: MINE})
    monkeypatch.setenv("SVAE_SHARED_RUNS", chosen)
    monkeypatch.setattr(session.st, "get_option", lambda name: address)
    monkeypatch.setattr(session.st, "context", context)
    assert hosts.sees_all_runs() is all_runs
    assert session.owner() == MINE


# ------------------------------------------------------------------------------- the words


def test_what_the_list_says(home: Path) -> None:
    (entry,) = [store.look(put(home, id="a", title="Wine", steps=2))]
    table = run_table.table([entry])
    assert {len(column) for column in table.values()} == {1}
    assert table["Models"] == ["conventional VAE + spherical VAE"]
    assert entry.about is not None
    first, *others = entry.about.members
    three = replace(entry, about=replace(entry.about, members=(first, first, *others)))
    assert run_table.table([three])["Models"] == ["2 × conventional VAE + spherical VAE"]
    assert table["Trained"] == [0.0], "this one stands at step 0"
    assert run_table.query_of(replace(entry, about=None)) is None
    assert run_table.describe_storage([entry], [], ALL).startswith("1 run; ")


def test_exports_hold_what_the_page_shows(home: Path) -> None:
    folder = put(home, id="a")
    rows = list(csv.DictReader(io.StringIO(transfer.history(load(folder)))))
    assert len(rows) == 2 * len(tiny().moments)
    taken: Any = transfer.unpack(transfer.pack(folder), home, MINE)
    assert run_table.saved(home, ONLY_MINE)[0].folder == taken


def test_files_of_a_run_come_by_its_id_to_our_own_pages_and_are_the_run(home: Path) -> None:
    folder = put(home, id="some-id")

    def asked(serve: Any, run: str, site: str = "same-origin") -> Response:
        scope = {"type": "http", "path_params": {"run": run}}
        scope |= {"headers": [(b"sec-fetch-site", site.encode())]}
        answer: Response = asyncio.run(serve(Request(scope)))
        return answer

    whole = asked(saved_files.serve_export, "some-id")
    assert whole.headers["content-disposition"].endswith('.svae.zip"')
    assert_same_run(load(transfer.unpack(bytes(whole.body), home / "there")), load(folder))
    numbers = asked(saved_files.serve_numbers, "some-id")
    assert bytes(numbers.body).decode() == transfer.history(load(folder))
    assert asked(saved_files.serve_export, "some-id", "cross-site").status_code == 403
    assert asked(saved_files.serve_export, "another-id").status_code == 404
    next(folder.glob("state-*")).unlink()
    damaged = asked(saved_files.serve_export, "some-id")
    assert damaged.status_code == 409
    assert b"is missing" in bytes(damaged.body) and str(home).encode() not in bytes(damaged.body)


def test_a_file_that_a_page_offers_is_made_when_it_is_fetched_by_our_own_pages() -> None:
    def asked(key: str, site: str = "same-origin") -> Response:
        scope = {"type": "http", "path_params": {"key": key}}
        scope |= {"headers": [(b"sec-fetch-site", site.encode())]}
        answer: Response = asyncio.run(saved_files.serve_offered(Request(scope)))
        return answer

    offered = server().offered
    for words in ("earlier", "newest — δ"):  # one address, and what was offered under it last
        offered.put("key", OfferedFile("maps.html", "text/html", words.upper))
    answer = asked("key")
    assert bytes(answer.body).decode() == "NEWEST — Δ"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="maps.html"'
    assert asked("key", "cross-site").status_code == 403
    assert asked("another").status_code == 404


def test_the_newest_offered_files_are_kept() -> None:
    offered = OfferedFiles(most=2)
    for key in ("a", "b", "a", "c"):
        offered.put(key, OfferedFile(key, "text/plain", str))
    assert [offered.find(key) is not None for key in "abc"] == [True, False, True]
