"""Models to look into: those of the run at hand, or of one that is trained while the page waits."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.live import registry
from pages.visitor import session
from pages.widgets import background
from svae_core.records import Settings, State


def trained(members: tuple[Settings, ...]) -> State | None:
    """The state of these members to look into, once there is one; until then how far it is.

    It stays the same while the visitor looks, also where the run goes on meanwhile.
    """
    run = session.run_at_hand(members)
    background.section("trained", partial(_standing, run))
    return session.looked_into(run)


def _standing(run: str) -> bool:
    """Where the run stands, and what can be done about it; whether it trains."""
    watched = registry.find(run)
    if watched is None:
        st.info("The server has forgotten this run; reload the page to train it again.")
        return False
    if watched.error:
        st.error(watched.error)
        return False
    newest, kept = watched.newest, session.looked_into(run)
    going = watched.status in ("preparing", "playing")
    if kept is None and newest is not None and not going:
        session.look_into(run, newest)
        st.rerun()
    if going:
        registry.keep_alive(run)
        _progress(run, newest)
    else:
        _resting(run, watched.status == "paused", newest, kept)
    return going


def _progress(run: str, newest: State | None) -> None:
    """A bar, and the choice not to wait."""
    watched = registry.find(run)
    if newest is None or watched is None or not watched.moments:
        st.progress(0.0, text="Preparing the data and the models …")
        return
    steps = watched.moments[0][0].steps
    seconds = watched.pace.seconds_left
    left = "" if seconds is None else f", {seconds:.0f} s left"
    bar, button = st.columns([5, 1], vertical_alignment="bottom")
    bar.progress(
        min(1.0, newest.step / steps), text=f"Training: step {newest.step:,} of {steps:,}{left}"
    )
    if button.button("Look now", width="stretch", key="trained.now"):
        session.look_into(run, newest)
        st.rerun()


def _resting(run: str, paused: bool, newest: State | None, kept: State | None) -> None:
    """What can be done with a run that does not train now."""
    if newest is None:
        return
    if paused:
        words, button = st.columns([5, 1], vertical_alignment="center")
        words.info(f"This run was paused at step {newest.step:,}; it has not been trained out.")
        if button.button("Train on", width="stretch", key="trained.on"):
            registry.keep_alive(run, play=True)
            session.note_waiting("trained", True)
            st.rerun()
    if kept is not None and newest.step != kept.step:
        words, button = st.columns([5, 1], vertical_alignment="center")
        words.info(f"Shown as of step {kept.step:,}; the run has reached step {newest.step:,}.")
        if button.button("Look again", width="stretch", key="trained.again"):
            session.look_into(run, newest)
            st.rerun()
