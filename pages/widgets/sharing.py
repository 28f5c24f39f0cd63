"""Sharing a run: the link that offers it for reading only, and the page that such a link opens."""

from __future__ import annotations

import streamlit as st

from pages.live import read_only
from pages.server.current import server
from pages.visitor import hosts, session, settings_in_url
from pages.visitor.markdown import plain, refusal
from pages.widgets import upload
from pages.widgets.presets import open_here_button
from pages.wire import component
from svae_core.figures.members import member_name
from svae_core.records import RequestError

#: The parameter of the Train page's URL that holds the token.
_WATCH = "watch"
EXPLAINED = "Read-only link: whoever has it sees this run, live or finished, and changes nothing."


def read_only_link(run: str) -> None:
    """The link by which a run can be watched, and not changed."""
    address = hosts.reachable_from_outside(session.link("train", {_WATCH: read_only.token_of(run)}))
    st.write(EXPLAINED)
    st.code(address, language=None, wrap_lines=True)
    if reason := hosts.unreachable(address):
        st.caption(reason)


def watched() -> str:
    """The token of the run that this page is to show read-only; "" for none."""
    return st.query_params.get(_WATCH, "")


def watch(token: str) -> None:
    """The run of a read-only link, or a sentence that says why it cannot be shown."""
    runs = server().runs
    try:
        run = read_only.find(token, runs)
        view = runs.load(run) if run else None
    except RequestError as error:
        st.error(refusal(error))
        return
    if view is None:
        st.error(
            "There is no run at this link: it was deleted, or the link is incomplete. Ask whoever "
            "sent it for another one."
        )
        open_here_button("Train a run of your own", {"dataset": "digits"})
        return
    settings = view.members[-1]
    names = " and ".join(member_name(one) for one in view.members)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f"**Read only**: {plain(upload.title(settings))}, {names}", width="stretch")
    with row:
        open_here_button("Train one like it", settings_in_url.to_link(settings))
    component.read(token)
