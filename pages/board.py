"""Class board: the results of all runs of a class, as dots in one phase diagram."""

import streamlit as st

from pages.server.current import server
from pages.visitor import session
from pages.widgets.charts import chart
from svae_core.figures import class_board


@st.fragment(run_every=2.0)
def show() -> None:
    """The board as it is now; it fills while runs end."""
    classroom = server().classes.find(session.class_code())
    if classroom is None:
        st.info(
            "There is no class here: it has ended, or none was begun. A teacher begins one on the "
            "Train page, under Share."
        )
        return
    dots = server().classes.dots(classroom)
    sentence = class_board.describe_board(dots, server().classes.training(classroom))
    chart(class_board.board(dots, session.dark()), sentence)
    st.write(sentence)
    st.caption(
        "Each dot is one model of a student's run: its settings, and what was measured at its end. "
        "The board does not know whose run it is."
    )


session.keep_class_in_url()
st.subheader("Class board")
show()
