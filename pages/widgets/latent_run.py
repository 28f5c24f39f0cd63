"""The models that the Latent page explores: the current run, or one trained meanwhile."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.live.run_view import RunView
from pages.server.current import server
from pages.visitor import session
from pages.visitor.markdown import for_visitors, plain
from pages.widgets import waiting_section
from svae_core.records import Settings, State


def trained_state(members: tuple[Settings, ...]) -> State | None:
    """The state of these members to explore, or None while the progress of training is shown.

    It stays the same while the visitor explores it, even if the run trains further.
    """
    run = session.current_run(members)
    waiting_section.section("trained", partial(_draw_status, run))
    return _explored(run)


def _draw_status(run: str) -> bool:
    """The run's status and actions; return whether it trains."""
    view = server().runs.view(run)
    if view is None:
        st.info("This run is no longer on the server; reload the page to train it again.")
        return False
    if view.error:
        st.error(plain(for_visitors(view.error)))
        return False
    newest, kept = view.newest, _explored(run)
    trains = view.status in ("preparing", "playing")
    if kept is None and newest is not None and not trains:
        _explore(run, newest)
        st.rerun()
    if trains:
        server().runs.keep_alive(run)
        _progress(run, view)
    else:
        _offer_actions(run, view.status == "paused", newest, kept)
    return trains


def _progress(run: str, view: RunView) -> None:
    """A progress bar, and a button to explore the state as it is now."""
    newest = view.newest
    if newest is None or not view.moments:
        st.progress(0.0, text="Preparing the data and the models …")
        return
    steps = view.moments[0][0].steps
    seconds = view.speed.seconds_left
    left = "" if seconds is None else f", {seconds:.0f} s left"
    bar, button = st.columns([5, 1], vertical_alignment="bottom")
    bar.progress(
        min(1.0, newest.step / steps), text=f"Training: step {newest.step:,} of {steps:,}{left}"
    )
    if button.button("Show it now", width="stretch", key="trained.now"):
        _explore(run, newest)
        st.rerun()


def _offer_actions(run: str, paused: bool, newest: State | None, kept: State | None) -> None:
    """Buttons for a run that does not train now."""
    if newest is None:
        return
    if paused:
        words, button = st.columns([5, 1], vertical_alignment="center")
        words.info(
            f"This run is paused at step {newest.step:,}; it has not been trained to the end."
        )
        if button.button("Continue training", width="stretch", key="trained.on"):
            server().runs.keep_alive(run, play=True)
            session.note_waiting("trained", True)
            st.rerun()
    if kept is not None and newest.step != kept.step:
        words, button = st.columns([5, 1], vertical_alignment="center")
        words.info(
            f"This is the model at step {kept.step:,}; the run has reached step {newest.step:,}."
        )
        if button.button("Show the newest", width="stretch", key="trained.again"):
            _explore(run, newest)
            st.rerun()


def _explored(run: str) -> State | None:
    """The state of this run that the visitor explores, if one was chosen."""
    of, state = session.page_value("explored") or ("", None)
    return state if of == run else None


def _explore(run: str, state: State) -> None:
    """Explore this state of the run from now on, even if the run trains further."""
    session.set_page_value("explored", (run, state))
