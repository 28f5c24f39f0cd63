"""Class board: what everybody's runs came to, as dots in one phase diagram."""

import streamlit as st

from pages.classroom import sessions
from pages.visitor import session
from pages.widgets.charts import chart
from svae_core.figures import board


@st.fragment(run_every=2.0)
def show() -> None:
    """The board as it is now; it fills while runs end."""
    room = sessions.find(session.class_code())
    if room is None:
        st.info("There is no class here. A teacher begins one on the Train page, under Class.")
        return
    dots = room.dots()
    sentence = board.describe_board(dots, room.training)
    chart(board.board(dots, session.dark()), sentence)
    st.write(sentence)
    st.caption(
        "Each dot is one model of somebody's run: how it was set, and what was measured at its "
        "end. Whose it is, the board does not know."
    )


st.subheader("Class board")
show()
