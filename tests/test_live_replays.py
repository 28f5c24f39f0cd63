"""Laws of a replay: it holds what was told, fetches nothing, and goes to our own pages only."""

from __future__ import annotations

import asyncio
import base64
import re
import time

import numpy as np
import pytest
from starlette.requests import Request
from support.live_runs import STEPS, in_a_loop, toy_run, until

from pages.live import quota
from pages.live.run import LiveRun
from pages.live.run_view import view_of
from pages.server.current import server
from pages.wire import messages, replay_file, routes
from pages.wire.messages import FrameRequest

pytestmark = pytest.mark.usefixtures("patience")


@pytest.mark.slow
@in_a_loop
async def test_a_replay_holds_what_was_told_and_fetches_nothing() -> None:
    live = toy_run()
    live.start()
    await until(live, lambda: live.status == "finished" and bool(live.layouts))
    page = replay_file.page(view_of(live), routes._code(), b"</script>")
    assert page == replay_file.page(view_of(live), routes._code(), b"</script>"), "deterministic"
    found = re.search(r'id="run">(.*?)</script>', page)
    assert found is not None
    header, arrays = replay_file.unpack(base64.b64decode(found[1]))
    assert len(header["moments"]) == STEPS + 1
    shells = np.stack([[frame.shell_view for frame in frames] for frames in live.moments])
    np.testing.assert_allclose(arrays["shells"], shells, atol=1e-3)
    history = messages.moment(view_of(live), 0, FrameRequest(0))[1]["history"]
    np.testing.assert_array_equal(arrays["history"], history)
    assert not re.search(r'(src|href)="?http', page)
    assert "@import" not in page
    styles = [text for name, text in routes._code().items() if name.startswith("styles/")]
    assert styles and all(text.decode() in page for text in styles)


def test_modules_in_a_replay_import_by_name() -> None:
    code = {"a.js": b'import { b } from "./rooms/b.js";', "rooms/b.js": b'import "../a.js";'}
    sources = {
        name: base64.b64decode(url.split(",")[1]).decode()
        for name, url in replay_file.modules(code).items()
    }
    assert sources == {
        "svae/a.js": 'import { b } from "svae/rooms/b.js";',
        "svae/rooms/b.js": 'import "svae/a.js";',
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://elsewhere"}, 403),
        ({"origin": "http://lecture:8501", "sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_replays_go_to_our_own_pages_only(
    watched: LiveRun, headers: dict[str, str], status: int
) -> None:
    async def run() -> None:
        watched.start()
        await until(watched, lambda: watched.status == "finished")
        told = {"host": "lecture:8501", **headers}
        scope = {
            "type": "http",
            "path_params": {"run": "run"},
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        }
        response = await routes.serve_replay(Request(scope))
        assert response.status_code == status
        unknown = await routes.serve_replay(
            Request({**scope, "path_params": {"run": "no-such-run"}})
        )
        assert unknown.status_code in (403, 404)

    asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("closed", [False, True])
def test_a_run_stays_in_memory_while_a_file_is_made_of_it(watched: LiveRun, closed: bool) -> None:
    """Who fetches a file is no viewer; if the run is closed all the same, that is the answer."""

    async def run() -> None:
        watched.start()
        await until(watched, lambda: watched.status == "finished")
        prepared, watched.prepared = watched.prepared, None
        scope = {"type": "http", "path_params": {"run": "run"}, "headers": []}
        asked = asyncio.create_task(routes.serve_replay(Request(scope)))
        await asyncio.sleep(0.05)
        much_later = time.monotonic() + 2 * quota.KEPT_SECONDS
        assert not asked.done()
        assert not quota.expired(server().runs.by_id, much_later, lambda run: True)
        if closed:
            server().runs.evict("run")
        else:
            watched.prepared = prepared
        assert (await asyncio.wait_for(asked, 20.0)).status_code == (409 if closed else 200)
        assert closed or quota.expired(server().runs.by_id, much_later, lambda run: True)

    asyncio.run(run())
