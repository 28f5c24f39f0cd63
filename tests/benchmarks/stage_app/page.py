"""One page with the stage or, for comparison, a fragment with st.plotly_chart of the same points.

`?run=NAME` shows a run of rig.py on the stage; `&every=SECONDS` shows it in such a fragment.
"""

import time

import rig
import streamlit as st

from pages.server.current import server
from pages.wire.component import stage

run, every = st.query_params["run"], st.query_params.get("every")
if every is None:
    stage(run)
else:
    live = server().runs.find(run)
    assert live is not None

    @st.fragment(run_every=float(every))
    def chart() -> None:
        st.session_state.index = (st.session_state.get("index", -1) + 1) % rig.POOL
        figure = rig.figure(live, st.session_state.index)
        figure.update_layout(meta={"made": time.time()}, uirevision="kept")
        st.plotly_chart(figure, key="shells", width="stretch")

    chart()
