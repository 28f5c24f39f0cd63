"""What a teacher needs to lead a class, and what a student sees who follows one."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from pages.classroom import sessions
from pages.visitor import session
from pages.wire import component
from svae_core.records import RequestError


def class_controls(run: str) -> None:
    """Begin a class that sees this run, hand out its link, end it."""
    room = sessions.led_with(session.class_key())
    if room is None:
        st.write("Show this run, and the moment you look at, on every student's screen.")
        if st.button("Begin a class", key="class.begin"):
            try:
                room = sessions.begin(run)
            except RequestError as error:
                st.error(str(error))
                return
            session.teach(room.key, room.code)
            st.rerun()
        return
    st.write("Students open this link:")
    st.code(_link(follow=room.code), language=None)
    st.write(f"{room.followers} follow now. Whoever has this link can look, and change nothing.")
    st.write("To train runs of their own that appear on the class board, from the start:")
    st.code(_link(**{"class": room.code}), language=None)
    st.page_link("board.py", label="Open the class board", query_params={"class": room.code})
    if st.button("End the class", key="class.end"):
        sessions.end(room.key)
        session.teach("", "")
        st.rerun()


def follow(code: str) -> None:
    """The teacher's run, or a sentence that says why there is none."""
    room = sessions.find(code)
    if room is None:
        st.error(
            "There is no class of this code on the server: it has ended, or the link is not whole. "
            "Ask your teacher for the link."
        )
        st.page_link(
            "train.py", label="Train a run of your own", query_params={"dataset": "digits"}
        )
        return
    component.follow(code)
    st.page_link("board.py", label="Class board", query_params={"class": code})


def _link(**query: str) -> str:
    return f"{session.page_address()}?{urlencode(query)}"
