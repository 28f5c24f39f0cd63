"""The router: the list of screens, and the one that was requested."""

import streamlit as st

from pages.visitor import session

st.set_page_config(page_title="Spherical VAE Explorer", layout="wide")
st.html(
    """<style>
    .stMainBlockContainer { padding-top: 4rem; padding-bottom: 2rem; }
    [data-testid="stPageLink-NavLink"] {
      border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
    }
    .st-key-start-run { min-height: 37rem; }
    /* At the top they would lie over the page's own buttons. */
    [data-testid="stToastContainer"] { top: auto; bottom: 1rem; }
    /* Whoever looks at a page has no terminal, and may never have heard of Streamlit. */
    :root:has([data-testid="stApp"]:not([data-test-connection-state="CONNECTED"]))
      [data-testid="stDialog"] h2 + div {
      > * { display: none; }
      &::after {
        content: "The server does not answer. This page tries again by itself; what was saved is"
          " kept.";
      }
    }
    @media (max-width: 640px) {
      .st-key-start-run { min-height: 83rem; }
      [data-testid="stMarkdownContainer"] table { display: block; overflow-x: auto; }
      .st-key-train-head > :first-child { flex-basis: 100%; }
      .katex-display { overflow-x: auto; overflow-y: hidden; }
    }
    /* What is said by a fill alone keeps it: which option is chosen, what is on, how far it is. */
    @media (forced-colors: active) {
      [data-testid="stRadioOption"] > div > div:first-child,
      [data-testid="stCheckbox"] label > div:not([data-testid]),
      [data-testid="stSlider"] [role="group"] > div,
      [role="progressbar"] {
        forced-color-adjust: none;
      }
    }
    </style>"""
)
if session.projector():
    # All sizes are in rem: everything grows, menu and buttons too, and the sidebar by this.
    st.html(
        f"""<style>
        :root:root {{ font-size: {session.LARGE_TYPE}px !important; }}
        [data-testid="stSidebar"][data-collapsed="false"] {{ min-width: 19rem !important; }}
        </style>"""
    )
session.widgets().begin()
st.navigation(
    [
        st.Page("start.py", title="Start", default=True),
        st.Page("shell.py", title="Shell"),
        st.Page("region.py", title="Region"),
        st.Page("train.py", title="Train"),
        st.Page("latent.py", title="Latent"),
        st.Page("compare.py", title="Compare"),
        st.Page("phase.py", title="Phase diagram"),
        st.Page("runs.py", title="Runs"),
        st.Page("clinic.py", title="Clinic"),
        st.Page("theory.py", title="Theory"),
        st.Page(
            "board.py",
            title="Class board",
            visibility="visible" if session.class_code() else "hidden",
        ),
    ],
    position="top",
).run()
session.widgets().end()
