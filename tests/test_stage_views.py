"""A stage view is one file: the app and replays find it, and everything else stays as it was."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect
from starlette.requests import Request
from support.browser import Visit
from support.live_runs import toy_run, until

from pages.live.run_view import view_of
from pages.wire import replay_file, routes
from svae_core.stage import browser_code

pytestmark = pytest.mark.usefixtures("patience")

STAGE = Path(__file__).resolve().parents[1] / "assets" / "stage"
#: Between the views of order 60 and 70.
EXTRA = """
/** @type {import("../types").Declaration} */
export const declaration = {
  order: 65,
  title: "Loss in words",
  span: 6,
  height: "123px",
  needs: ["models"],
  styles: "& .svae-place { letter-spacing: 3px; }",
};

export default class Words {
  constructor(element) {
    this.element = element;
  }

  draw({ index, models }) {
    this.element.textContent = `${index}: ${models.map(({ loss }) => loss.toFixed(2))}`;
  }

  resize() {}

  recolour() {}

  dispose() {}
}
"""
#: Class, columns and title of every view, in the order in which they stand below the story.
BOARD = """[...document.querySelectorAll('.svae-rest > .svae-view')].map((view) => [
  view.className,
  getComputedStyle(view).gridColumnStart,
  view.querySelector('figcaption')?.textContent,
])"""


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """The browser's code with one more file in its views."""
    shutil.copytree(STAGE, tmp_path / "stage")
    (tmp_path / "stage" / "views" / "words.js").write_text(EXTRA)
    return tmp_path / "stage"


def test_one_more_file_is_one_more_view_and_changes_no_other(extended: Path) -> None:
    before, after = browser_code.read(STAGE), browser_code.read(extended)
    assert after.pop("views/words.js") == EXTRA.encode()
    listed, relisted = (code.pop(browser_code.VIEW_INDEX).decode() for code in (before, after))
    assert after == before
    names = re.findall(r'from "\./(\w+)\.js"', listed)
    assert sorted([*names, "words"]) == re.findall(r'from "\./(\w+)\.js"', relisted)
    assert set(names) == {path.stem for path in (STAGE / "views").glob("*.js")}


def test_the_list_names_each_view_once_with_its_own_module() -> None:
    index = browser_code.view_index(["b", "a-c"])
    assert index == (
        'import * as view0 from "./b.js";\n'
        'import * as view1 from "./a-c.js";\n'
        "\n"
        "export const views = {\n"
        '  "b": view0,\n'
        '  "a-c": view1,\n'
        "};\n"
    )


def test_the_routes_serve_the_new_view_at_a_new_address(
    extended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = routes.module_path()
    monkeypatch.setattr(routes, "_code", lambda: browser_code.read(extended))
    monkeypatch.setattr(routes, "_version", lambda: browser_code.version(routes._code()))
    assert routes.module_path() != address

    def served(path: str) -> tuple[int, str]:
        scope = {"type": "http", "path_params": {"path": path}, "headers": []}
        response = asyncio.run(routes.serve_code(Request(scope)))
        return response.status_code, bytes(response.body).decode()

    assert served("views/words.js") == (200, EXTRA)
    status, index = served(browser_code.VIEW_INDEX)
    assert status == 200 and '"./words.js"' in index
    assert served("types.d.ts")[0] == 404


def test_a_replay_holds_the_new_view(extended: Path) -> None:
    modules = replay_file.modules(browser_code.read(extended))
    before = replay_file.modules(browser_code.read(STAGE))
    index = base64.b64decode(modules["svae/views/index.js"].split(",")[1]).decode()
    assert 'from "svae/views/words.js"' in index
    assert modules.keys() - before.keys() == {"svae/views/words.js"}
    assert {name for name in before if before[name] != modules[name]} == {"svae/views/index.js"}


async def _replay_of(code: dict[str, bytes]) -> str:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished" and bool(live.layouts))
    return replay_file.page(view_of(live), code, browser_code.plotly())


@pytest.mark.browser
def test_the_new_view_stands_where_it_says_and_the_others_stay(
    extended: Path, tmp_path: Path, visit: Visit
) -> None:
    boards = []
    for folder in (STAGE, extended):
        file = tmp_path / "replay.html"
        with ThreadPoolExecutor() as aside:  # the browser has a loop in this thread
            made = aside.submit(asyncio.run, _replay_of(browser_code.read(folder)))
        file.write_text(made.result(), encoding="utf-8")
        visit.page.goto(file.as_uri())
        visit.page.wait_for_selector("[data-moment]")
        boards.append(visit.page.evaluate(BOARD))
    before, after = boards
    (new,) = [view for view in after if view not in before]
    assert new == ["svae-view svae-words", "span 6", "Loss in words"]
    assert [view for view in after if view != new] == before
    place = after.index(new)
    assert [after[place - 1][0], after[place + 1][0]] == [
        "svae-view svae-plane",
        "svae-view svae-maps",
    ]
    words = visit.page.locator(".svae-words .svae-place")
    expect(words).to_have_text(re.compile(r"^\d+: \d+\.\d\d,\d+\.\d\d$"))
    expect(words).to_have_css("height", "123px")
    expect(words).to_have_css("letter-spacing", "3px")
    visit.page.keyboard.press("Home")
    expect(words).to_have_text(re.compile("^0: "))
    assert visit.errors == []
