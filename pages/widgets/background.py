"""Sections of a page that wait for calls of many seconds, without holding up the rest of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.visitor import cache, session
from pages.visitor.series import Series
from svae_core.compute.workers import WorkerLost
from svae_core.records import RequestError

#: How often a waiting section looks whether there is news.
_EVERY = 1.0


def section(name: str, draw: Callable[[], bool]) -> None:
    """Draw a part of the page by itself, again and again while it is waiting.

    `draw` says whether there is still something to wait for. Where that changes, the whole page is
    drawn once more: only that begins or ends the looking.
    """
    waiting = session.waiting(name)

    def look() -> None:
        waits = draw()
        if waits != session.waiting(name):
            session.note_waiting(name, waits)
            st.rerun()

    st.fragment(look, run_every=_EVERY if waiting else None)()


def background_task(
    key: str,
    label: str,
    call: Callable[[], Future[Any]],
    show: Callable[[Any], None],
) -> bool:
    """A button; once pressed, that work is going on; once done, the result, which stays.

    Whether there is something to wait for.
    """
    future = session.asked(key, call)
    if future is None:
        if not st.button(label, key=f"{key}.button"):
            return False
        session.ask(key)
        future = session.asked(key, call)
        assert future is not None
    if not future.done():
        st.info("At work in the background; this takes some seconds …")
        return True
    try:
        show(future.result())
    except RequestError as error:
        st.error(str(error))
    except (WorkerLost, CancelledError):
        st.error("The worker was lost in the middle of this.")
        if st.button("Try again", key=f"{key}.again"):
            cache.retry_task(key, call)
            st.rerun()
    return False


def transport(section: str, key: str, series: Series[Any], place: DeltaGenerator) -> bool:
    """A button to start, cancel and resume a series, and how far it is; whether it goes on."""
    if session.goes(section, key):
        if place.button("Cancel", key=f"{section}.cancel", width="stretch"):
            session.rest(section)
    else:
        label = "Resume" if series.begun and not series.complete else "Start"
        if place.button(
            label,
            key=f"{section}.start",
            type="primary",
            width="stretch",
            disabled=series.complete,
        ):
            session.go(section, key, series)
    going = session.move_on(section, key, series)
    if series.begun:
        st.progress(series.progress, text=series.state(going))
    if series.error:
        st.error(series.error)
    return going
