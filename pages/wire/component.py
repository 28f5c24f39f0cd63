"""The stage: one browser component that owns its figures and is mounted once.

Frames do not travel through Streamlit. The page gives the component constant data, a run and its
address; the component fetches frames itself (`pages.wire.routes`) and updates its figures in
place, so that camera, zoom and legend stay as the viewer left them.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.visitor import session
from pages.wire import routes

# The code has its own route, so that the browser caches it and Plotly.js between pages.
_LOADER = """
export default function ({ parentElement, data, setTriggerValue }) {
  const module = import(new URL(data.module, window.location.origin).href);
  module.then(
    (found) => found.mount(parentElement, data, setTriggerValue),
    () => (parentElement.textContent = "The figures cannot be loaded: reload the page."),
  );
  return () => module.then((found) => found.unmount(parentElement), () => {});
}
"""
_component = st.components.v2.component("svae_stage", js=_LOADER, isolate_styles=False)
_claims = st.components.v2.component("svae_claims", js=_LOADER, isolate_styles=False)
_TOUR = (
    "A recording of the lessons Kill it and Bring it back: σ² is raised past the last variance λ "
    "of the data, and all dimensions of the conventional VAE go out; then the band is lowered, and "
    "the spherical VAE comes back to life; Theory checks both runs."
)


def claims(numbers: dict[str, Any]) -> None:
    """The claims of the Theory page, to be dragged, with the numbers of the data at hand."""
    _claims(key="svae.claims", data={"module": routes.claims_path(), "numbers": numbers})


def stage(run: str, projector: bool = False, lead: str = "", views: tuple[str, ...] = ()) -> None:
    """Show this run, live; in large type for a projector. `lead`: key of the class that sees it.

    `views`: only these, as on a page that has another subject; without them, all.

    When the viewer moves to a branch, the component writes the branch's id into the URL and reruns
    the page, so that the session learns of it.
    """
    data = {"run": run, "socket": routes.socket_path(run), "replay": routes.replay_path(run)}
    data["figures"] = routes.figure_path(run)
    _show(data | {"projector": projector, "lead": lead, "views": list(views)})


def follow(code: str) -> None:
    """Show the run and the moment that the teacher of this class shows."""
    figures = routes.class_figure_path(code)
    _show({"run": code, "socket": routes.class_path(code), "follow": True, "figures": figures})


def read(token: str) -> None:
    """Show the run of a read-only link."""
    data = {"run": token, "socket": routes.read_only_path(token), "reads": True}
    data["projector"] = session.projector()
    data["replay"] = routes.read_only_replay_path(token)
    _show(data | {"figures": routes.read_only_figure_path(token)})


def recorded() -> None:
    """The recorded run, which plays by itself from its first step."""
    source = routes.shipped_path("recorded_run.gz")
    _show({"run": "recorded", "recorded": source, "projector": session.projector()})


def tour() -> None:
    """The tour of one minute, fetched when it is asked for."""
    with st.expander("A tour of one minute, without a click", on_change="rerun") as opened:
        if opened.open:
            source = routes.shipped_path("tour.webp")
            st.html(f'<img src="{source}" alt="{_TOUR}" style="width: 100%; max-width: 60rem">')


def _show(data: dict[str, Any]) -> None:
    data |= {"module": routes.module_path(), "plotly": routes.plotly_path()}
    data |= session.look()
    _component(
        key="svae.stage",
        data=data,
        on_moved_change=_follow_viewer,
        on_look_change=_keep_look,
    )


def _keep_look() -> None:
    """Keep what the viewer's points are coloured by, in the session and the URL."""
    session.keep_look(session.told_by("svae.stage", "look"))


def _follow_viewer() -> None:
    """Name the run that the viewer went to in the URL, in one entry of the browser's history."""
    moved = session.told_by("svae.stage", "moved")
    query = {**st.query_params.to_dict(), **moved["query"], "run": moved["run"]}
    kept = {name: str(text) for name, text in query.items() if text is not None}
    if kept != st.query_params.to_dict():
        st.query_params.from_dict(kept)
