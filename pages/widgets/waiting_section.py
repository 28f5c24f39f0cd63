"""Sections of a page that wait for background work without blocking the rest of the page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.visitor import cache, session
from pages.visitor.markdown import for_visitors, plain, refusal
from pages.visitor.shared_job import Job
from svae_core.compute.workers import WorkerLost
from svae_core.records import RequestError

#: Seconds between two updates of a waiting section.
_EVERY = 1.0


def section(name: str, draw: Callable[[], bool]) -> None:
    """Draw a part of the page on its own, once a second while it is waiting.

    `draw` returns whether it is waiting. When that changes, the whole page is drawn again, since
    only that starts or stops the repetition.
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
    """A button that starts a background task; then its progress; then its result, which stays.

    Returns whether the task is running.
    """
    future = session.requested_task(key, call)
    if future is None:
        if not st.button(label, key=f"{key}.button"):
            return False
        session.request_task(key)
        future = session.requested_task(key, call)
        assert future is not None
    if not future.done():
        st.info("This is being computed in the background; it takes some seconds …")
        return True
    try:
        show(future.result())
    except RequestError as error:
        st.error(refusal(error))
    except (WorkerLost, CancelledError):
        st.error("The process that computed this was lost.")
        if st.button("Try again", key=f"{key}.again"):
            cache.retry_task(key)
            st.rerun()
    return False


def job_controls(section: str, key: str, job: Job, button_place: DeltaGenerator) -> bool:
    """Draw a job's progress and its Start, Cancel and Resume button; return whether it runs."""
    # Callbacks run before anything is drawn: a click whose run is cut short by the next update of
    # the section would be lost if it were read from what the button returns.
    if session.job_is_running(section, key):
        button_place.button(
            "Cancel",
            key=f"{section}.cancel",
            width="stretch",
            on_click=session.pause_job,
            args=(section,),
        )
    else:
        label = "Resume" if job.begun and not job.complete else "Start"
        button_place.button(
            label,
            key=f"{section}.start",
            type="primary",
            width="stretch",
            disabled=job.complete,
            on_click=session.start_job,
            args=(section, key, job),
        )
    going = session.advance_job(section, key, job)
    if job.begun:
        st.progress(job.progress, text=job.state(going))
    if job.error:
        st.error(plain(for_visitors(job.error)))
    return going
