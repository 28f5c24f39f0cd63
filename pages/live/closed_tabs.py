"""What a closed tab still holds of the server is given up at once, and got back when it returns.

Streamlit keeps a session two minutes after its tab is gone, for a phone that slept; each has an
event loop of its own, which takes three file descriptors. Three hundred openings in a minute fill
what macOS allows. So the loop of a session without a tab is closed, and the session stays: when the
phone returns, Streamlit makes it another loop.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime

_STREAM = "/_stcore/stream"


class ClosedTabs:
    """Lets go of what sessions without a tab hold, whenever a tab closes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; of a session's websocket, until it ends."""
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "websocket" and scope["path"].endswith(_STREAM):
                let_go()


def let_go() -> int:
    """Close the event loops of all sessions that have no tab and run no script; how many."""
    return sum(map(_close, _sessions_without_a_tab()))


def _sessions_without_a_tab() -> list[Any]:
    if not runtime.exists():
        return []
    manager = runtime.get_instance()._session_mgr
    return [
        info.session
        for info in manager.list_sessions()
        if not manager.is_active_session(info.session.id)
    ]


def _close(session: Any) -> bool:
    # Of Streamlit's own: `AppSession._create_scriptrunner` replaces a loop that is closed.
    loop = session._script_event_loop
    if session._scriptrunner is not None or loop.is_closed() or loop.is_running():
        return False
    loop.close()
    return True
