"""Saved runs in a real browser: a server killed in the middle of one, and the Runs page."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser import WAIT, Visit, app_at, query_of
from support.ports import free_port
from support.saved_runs import assert_same

from pages.live import registry
from svae_core.config.settings import settings_at
from svae_core.records import Settings
from svae_core.runs import store
from svae_core.runs.folder import load
from svae_core.training import loop

pytestmark = pytest.mark.browser
LONG = Settings(dataset="wine", clusters=3, epochs=4000)


@dataclass
class Machine:
    """A server that can be killed and started again on the same address and folder."""

    home: Path
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        self.running.append(app_at(self.port, self.home))

    def kill(self) -> None:
        self.running[-1].send_signal(signal.SIGKILL)
        self.running[-1].wait()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "home", free_port())
    machine.start()
    yield machine
    machine.running[-1].terminate()
    machine.running[-1].wait()


def test_a_killed_server_costs_nothing(visit: Visit, machine: Machine) -> None:
    """kill −9 in the middle: what was saved is listed and goes on, and its end is the same.

    How many seconds a kill costs is measured in tests/benchmarks/bench_runs.py.
    """
    page = visit.page
    page.goto(f"{machine.url}/train?dataset=wine&clusters=3&epochs={LONG.epochs}")
    page.wait_for_function("Number(document.querySelector('[data-moment]')?.dataset.moment) > 40")
    seen = int(str(page.locator("[data-moment]").get_attribute("data-moment")))
    (entry,) = store.saved_runs(machine.home)
    deadline = time.monotonic() + WAIT / 1000
    # Frames are written first, and the state and the step that it has reached after them.
    while len((saved := load(entry.folder)).moments) <= seen or saved.about.step == 0:
        assert time.monotonic() < deadline, "what was seen was not saved"
        time.sleep(0.2)
    machine.kill()
    assert len(load(entry.folder).moments) > seen
    (entry,) = store.saved_runs(machine.home)
    assert entry.about is not None and not entry.trouble
    assert 0 < entry.about.step < entry.about.steps
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert "streamlit" not in dialog.inner_text().lower(), "it is said in words of ours"
    words = "e => getComputedStyle(e, '::after').content"
    assert "tries again by itself" in dialog.locator("h2 + div").evaluate(words)

    machine.start()
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    assert f"run={entry.about.id}" in page.url, "the same run goes on in the page left open"
    deadline = time.monotonic() + WAIT / 1000
    while (saved := load(entry.folder)).about.status != "finished":
        assert time.monotonic() < deadline, "its end was not saved"
        time.sleep(0.2)

    members = registry.pair(LONG)
    state = loop.begin(members)
    undisturbed = (loop.first_frames(state), *loop.advance(state).moments)
    assert len(saved.moments) == len(undisturbed)
    for mine, theirs in zip(saved.moments, undisturbed, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert_same(a, b, ("latent_mean",))
    assert len(store.saved_runs(machine.home)) == 1


def test_a_lever_moved_while_the_server_is_lost_is_moved(visit: Visit, machine: Machine) -> None:
    page = visit.page
    page.goto(f"{machine.url}/train?dataset=wine&clusters=3&epochs={LONG.epochs}")
    page.wait_for_function("Number(document.querySelector('[data-moment]')?.dataset.moment) > 40")
    (entry,) = store.saved_runs(machine.home)
    deadline = time.monotonic() + WAIT / 1000
    while load(entry.folder).about.step == 0:
        assert time.monotonic() < deadline, "nothing was saved"
        time.sleep(0.2)
    machine.kill()
    page.get_by_role("dialog").get_by_label("Close").click()
    field = page.get_by_label("σ² as a number")
    assert field.input_value() != "0.03"
    field.fill("0.03")
    field.press("Enter")
    machine.start()
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    assert field.input_value() == "0.03"
    about = load(entry.folder).about
    settled = [settings_at(one, about.steps).sigma2 for one in about.members]
    assert settled == [0.03, 0.03], "σ² of the run that goes on"


# What a forger would send through the address that the page itself uses.
FORGED = """(path) => new Promise((done) => {
  const socket = new WebSocket(new URL(path, location.origin.replace("http", "ws")));
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(JSON.stringify({ do: "reset" }));
  socket.onmessage = ({ data }) => done(new TextDecoder().decode(data));
})"""


def test_a_read_only_link_shows_a_run_and_changes_nothing_also_after_a_restart(
    visit: Visit, machine: Machine
) -> None:
    owner = visit.page
    owner.goto(f"{machine.url}/train?dataset=wine&clusters=3&epochs=400")
    owner.wait_for_selector("[data-moment]")
    owner.get_by_role("button", name="Share").click()
    link = owner.get_by_text("watch=").first.inner_text()
    owner.keyboard.press("Escape")
    owner.wait_for_function("location.search.includes('run=')")
    run = query_of(owner.url)["run"]
    context = owner.context.browser.new_context()  # type: ignore[union-attr]
    reader = Visit(context.new_page(), visit.screenshots)
    page = reader.page
    page.goto(link)
    page.wait_for_function("Number(document.querySelector('[data-moment]')?.dataset.moment) > 2")
    expect(page.locator(".svae-sigma2")).to_have_attribute("inert", "")
    for name in ("Start over", "The same with another seed"):
        expect(page.get_by_role("button", name=name)).to_be_hidden()
    assert run not in page.url and run not in page.content()
    page.wait_for_selector("[data-status=finished]")
    page.locator(".svae-stage").focus()
    page.keyboard.press("Home")
    expect(page.locator("[data-moment='0']")).to_be_visible()
    page.get_by_label("Colour by").first.select_option("label")
    expect(page.locator(".svae-groups button")).to_have_count(3)
    token = query_of(link)["watch"]
    told = page.evaluate(FORGED, f"/stage/read-only/{token}")
    assert "read-only" in told and "refused" in told
    assert owner.locator(".svae-stage").get_attribute("data-status") == "finished"
    reader.picture("read-only")
    assert reader.errors == [] and visit.errors == []
    machine.kill()
    machine.start()
    page.goto(link)
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    page.goto(link.replace(token, "0" * 48))
    expect(page.get_by_text("There is no run at this link")).to_be_visible()
    context.close()


def test_the_runs_page_opens_renames_deletes_and_takes_back(visit: Visit, machine: Machine) -> None:
    page = visit.page
    page.goto(f"{machine.url}/train?dataset=wine&clusters=3&epochs=20")
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    deadline = time.monotonic() + WAIT / 1000
    while not (found := store.saved_runs(machine.home)) or not (found[0].about or 0).verdicts:  # type: ignore[union-attr]
        assert time.monotonic() < deadline, "the run was not saved"
        time.sleep(0.2)
    (entry,) = found
    assert entry.about is not None and entry.about.owner, "it belongs to this browser"

    page.goto(f"{machine.url}/runs?pick={entry.folder.name}")
    page.get_by_label("Name").fill("the first one")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="the first one")).to_be_visible()
    visit.picture("runs")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export (zip)").click()
    assert download.value.suggested_filename.endswith(".svae.zip")
    exported = Path(download.value.path()).read_bytes()
    with page.expect_download() as replay:
        page.get_by_role("link", name="Replay (HTML)").click()
    assert b"mount(" in Path(replay.value.path()).read_bytes()

    page.get_by_role("button", name="Delete").click()
    undo = page.get_by_role("button", name="Undo: restore “the first one”")
    expect(undo).to_be_visible()
    assert not entry.folder.exists()
    undo.click()
    expect(undo).to_have_count(0)
    assert entry.folder.exists()

    page.goto(f"{machine.url}/runs?pick={entry.folder.name}")
    page.get_by_role("button", name="Replay here").click()
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    page.get_by_role("link", name="Open in Train and continue").click()
    page.wait_for_url(re.compile(f"/train.*run={re.escape(entry.about.id)}"))
    expect(page.locator("[data-status=finished]")).to_be_visible(timeout=WAIT)
    assert len(store.saved_runs(machine.home)) == 1, "it is the same run"

    page.goto(f"{machine.url}/runs")
    parcel = {"name": "a.svae.zip", "mimeType": "application/zip", "buffer": exported}
    page.locator("input[type=file]").set_input_files([parcel])  # type: ignore[list-item]
    expect(page.get_by_text(parcel["name"])).to_be_visible()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text(parcel["name"])).to_have_count(0)
    expect(page.get_by_text("the first one")).to_have_count(2)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("Choose an exported run first")).to_be_visible()
    assert len(store.saved_runs(machine.home)) == 2, "the file was let go"
    assert visit.errors == []
