"""The server that bench_stage.py measures: the app's own routes, and runs of random data."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).parent)]

import streamlit as st  # noqa: E402
from rig import lifespan  # noqa: E402

from pages.wire import routes  # noqa: E402

app = st.App("page.py", lifespan=lifespan, routes=routes.routes())
