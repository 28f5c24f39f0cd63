"""A teacher's controls of a class, and a student's view of it."""

from __future__ import annotations

import io
from urllib.parse import urlencode

import segno
import streamlit as st

from pages.server.current import server
from pages.visitor import hosts, session
from pages.visitor.markdown import refusal
from pages.widgets.presets import open_here_button
from pages.wire import component
from svae_core.figures.names import counted
from svae_core.records import RequestError


def class_controls(run: str) -> None:
    """Large type; begin a class that is shown this run, give its links, end it."""
    large = session.projector()
    if st.button("Usual type" if large else "Large type for a projector", key="class.projector"):
        session.use_projector(not large)
        st.rerun()
    classroom = server().classes.find_by_key(session.class_key())
    if classroom is None:
        st.write("Show this run, at the moment that you look at, on every student's screen.")
        if st.button("Begin a class", key="class.begin"):
            try:
                classroom = server().classes.begin(run)
            except RequestError as error:
                st.error(refusal(error))
                return
            session.lead_class(classroom.key, classroom.code)
            st.rerun()
        return
    link = _link(follow=classroom.code)
    start = hosts.reachable_from_outside(session.page_address().rpartition("/")[0])
    st.write(f"Students scan the picture, or open **{start}** and type this code:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(qr_picture(link), width=360 if large else 200, alt="The link below as a QR code")
        st.header(f"`{classroom.letters[:3]} {classroom.letters[3:]}`", anchor=False)
    st.code(link, language=None, wrap_lines=True)
    verb = "s" if classroom.followers == 1 else ""
    st.write(
        f"{counted(classroom.followers, 'student')} follow{verb} now. Students with this link can "
        "look, but change nothing."
    )
    st.write("Students who train runs of their own, shown on the class board, open this link:")
    st.code(_link(**{"class": classroom.code}), language=None, wrap_lines=True)
    st.page_link("board.py", label="Open the class board", query_params={"class": classroom.code})
    if st.button("End the class", key="class.end"):
        server().classes.end(classroom.key)
        session.lead_class("", "")
        st.rerun()


def join() -> None:
    """A place to type a class's six letters, which open it for following."""
    with st.form("class.join", border=False), st.container(horizontal=True):
        typed = st.text_input(
            "Class code",
            placeholder="Class code, six letters",
            max_chars=12,
            label_visibility="collapsed",
            width=240,
        )
        if not st.form_submit_button("Join a class") or not typed:
            return
    try:
        address = st.context.ip_address or session.owner()
        classroom = server().classes.find_by_letters(typed, address)
    except RequestError as error:
        st.error(refusal(error))
        return
    st.switch_page("train.py", query_params={"follow": classroom.code})


def follow(code: str) -> None:
    """The teacher's run, or a sentence that says why there is none."""
    classroom = server().classes.find(code)
    if classroom is None:
        st.error(
            "There is no class with this code: it has ended, or the link is incomplete. "
            "Ask your teacher for the link."
        )
        open_here_button("Train a run of your own", {"dataset": "digits"})
        return
    component.follow(code)
    st.page_link("board.py", label="Class board", query_params={"class": code})


def qr_picture(link: str) -> str:
    """A QR code of the link, as SVG: black on white in both themes, as readers need it."""
    with io.BytesIO() as picture:
        segno.make(link, micro=False).save(
            picture, kind="svg", scale=4, border=3, dark="black", light="white", xmldecl=False
        )
        return picture.getvalue().decode()


def _link(**query: str) -> str:
    address = hosts.reachable_from_outside(session.page_address())
    return f"{address}?{urlencode(query)}"
