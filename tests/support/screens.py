"""Pages, opened by Streamlit's AppTest with an engine that works at once: for tests of screens."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from svae_core.compute import tasks
from svae_core.compute.scheduler import QueuePosition
from svae_core.records import RequestError

_ROUTER = str(Path(__file__).parents[2] / "pages" / "router.py")
SMALL = {"dataset": "wine", "clusters": "3"}


# Many tests open the same pages on the same data, and what is prepared is never changed.
_prepare = functools.lru_cache(maxsize=64)(tasks.prepare)


class ImmediateEngine:
    """Works at once, in this process: what a page asks for is the same."""

    cluster_lost = ""

    def queue_position(self, _share: object) -> QueuePosition:
        return QueuePosition(0, 1)

    def submit(self, task: Callable[..., Any], *arguments: Any, **_how: Any) -> Future[Any]:
        quick = _prepare if task is tasks.prepare else task
        return resolved(lambda: quick(*arguments))


def resolved(call: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(call())
    except RequestError as error:
        future.set_exception(error)
    return future


def open_page(page: str, query: dict[str, str] | None = None) -> AppTest:
    """A visitor who opens this page by its URL."""
    app = AppTest.from_file(_ROUTER, default_timeout=300)
    if page != "start":
        app.switch_page(f"{page}.py")
    for name, text in (query or {}).items():
        app.query_params[name] = text
    return without_exception(app.run())


def widget(drawn: Sequence[Any], name: str) -> Any:
    """The widget of this name, whichever it is of those that replaced each other."""
    return next(one for one in drawn if re.fullmatch(rf"{re.escape(name)}(\.\d+)?", one.key or ""))


def without_exception(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].message
    return app


def charts_of(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def query_of(app: AppTest) -> dict[str, str]:
    """The URL's parameters, each with its one value."""
    pairs = app.query_params.items()
    return {name: text if isinstance(text, str) else text[-1] for name, text in pairs}


def press(app: AppTest, label: str) -> AppTest:
    return without_exception(
        next(button for button in app.button if button.label == label).click().run()
    )


def words_of(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown)


def progress_of(app: AppTest) -> str:
    """What stands beside the progress bar."""
    return str(app.get("progress")[0].proto.text)


def look_until_whole(app: AppTest, runs: int = 24) -> list[str]:
    """Looks at the map until it is whole; what stood beside the progress bar meanwhile."""
    seen = [progress_of(app)]
    while not seen[-1].startswith(f"{runs} of {runs}"):
        assert len(seen) < 40
        seen.append(progress_of(without_exception(app.run())))
    return seen
