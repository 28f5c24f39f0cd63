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
  const moved = (run) => setTriggerValue("moved", run);
  module.then(
    (stage) => stage.mount(parentElement, data, moved),
    () => (parentElement.textContent = "The figures cannot be loaded: reload the page."),
  );
  return () => module.then((stage) => stage.unmount(parentElement), () => {});
}
"""
_component = st.components.v2.component("svae_stage", js=_LOADER, isolate_styles=False)


def stage(run: str, projector: bool = False, lead: str = "") -> None:
    """Show this run, live; in large type for a projector. `lead`: key of the class that sees it.

    When the viewer moves to a branch, the component writes the branch's id into the URL and reruns
    the page, so that the session learns of it.
    """
    data = {"run": run, "socket": routes.socket_path(run), "replay": routes.replay_path(run)}
    _show(data | {"projector": projector, "lead": lead})


def follow(code: str) -> None:
    """Show the run and the moment that the teacher of this class shows."""
    _show({"run": code, "socket": routes.class_path(code), "follow": True})


def recorded() -> None:
    """The recorded run, which plays by itself from its first step."""
    _show({"run": "recorded", "recorded": routes.recorded_path()})


def _show(data: dict[str, Any]) -> None:
    data |= {"module": routes.module_path(), "plotly": routes.plotly_path()}
    _component(key="svae.stage", data=data, on_moved_change=_follow_viewer)


def _follow_viewer() -> None:
    """Name the run that the viewer went to in the URL, in one entry of the browser's history."""
    moved = session.viewer_went_to("svae.stage")
    query = {**st.query_params.to_dict(), **moved["query"], "run": moved["run"]}
    kept = {name: str(text) for name, text in query.items() if text is not None}
    if kept != st.query_params.to_dict():
        st.query_params.from_dict(kept)
