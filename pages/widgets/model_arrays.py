"""Anyone's model, examined by its arrays: an upload, the examination, a report to keep."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.server.current import server
from pages.visitor import session
from pages.visitor.markdown import plain, refusal
from pages.widgets import waiting_section
from pages.widgets.upload import reading_slots
from svae_core.clinic.array_files import arrays_of_file, kinds
from svae_core.clinic.examination import Examination
from svae_core.clinic.report import numbers_of, report_page
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.compute import tasks
from svae_core.compute.engine import Lane
from svae_core.compute.workers import WorkerLost
from svae_core.config.limits import limits
from svae_core.records import RequestError, to_json

_SAVE = """import numpy as np

np.savez(
    "model.npz",
    points=x,                # as the net gets them; images may stay images
    reconstructions=x_hat,   # of sampled z, one draw or (draws, points, …); no teacher forcing
    mean=mu,
    log_variance=logvar,
    z=z,                     # optional, sampled
    labels=y,                # optional
)"""


def section(loss: TrainingLoss, batch_size: int) -> None:
    """The upload and what the arrays say; `loss`: as it is stated on the page."""
    st.subheader("Your own model, by its arrays")
    st.write(
        "Nets, dropout, framework: nothing of your model needs to be known here. Save what it does "
        "with some thousands of points, in evaluation as it is used, and give the file."
    )
    with st.expander("How to save the arrays"):
        st.code(_SAVE, language="python", wrap_lines=True)
        st.caption(
            f"{kinds()}: the same names do in each. Names that code often uses are known as well: "
            "x, mu, logvar, recon."
        )
    uploaded = st.file_uploader(
        f"Arrays of your model ({kinds()})",
        key="clinic.arrays",
        max_upload_size=limits().upload_mb,
        help="It is read in a process of its own and not kept on this server.",
    )
    trained = st.toggle(
        "It was trained with the loss stated above",
        key="clinic.trained",
        help="then βσ² on your points is known, and with it the gauge",
    )
    place = st.empty()  # always there, so that nothing below it moves to another place
    if uploaded is None:
        return
    known = (loss, batch_size) if trained else (None, 0)
    key = f"clinic.{uploaded.file_id} {known}"
    future, _ = session.once(key, lambda: _begun(uploaded, place, *known))
    waiting_section.section("arrays", partial(_draw, future, uploaded.name))


def _begun(
    uploaded: Any, place: DeltaGenerator, loss: TrainingLoss | None, batch_size: int
) -> Future[Examination] | str:
    """The examination of an upload, begun; or the reason why the file is refused."""
    with tempfile.TemporaryDirectory() as folder, reading_slots:
        path = Path(folder) / "upload"
        path.write_bytes(uploaded.getbuffer())
        place.progress(0.0, "Reading your arrays …")
        try:
            arrays = arrays_of_file(path, uploaded.name)
        except RequestError as error:
            return str(error)
        finally:
            place.empty()
    return server().engine.submit(tasks.examine, arrays, loss, batch_size, lane=Lane.BACKGROUND)


def _draw(future: Future[Examination] | str, name: str) -> bool:
    """What is known so far; whether it is still being computed."""
    if isinstance(future, str):
        st.error(plain(future))
        return False
    if not future.done():
        st.info("Your arrays are being examined; it takes some seconds …")
        return True
    try:
        _show(future.result(), name)
    except RequestError as error:
        st.error(refusal(error))
    except (WorkerLost, CancelledError):
        st.error("The process that examined them was lost; give the file again.")
    return False


def _show(found: Examination, name: str) -> None:
    """The verdict, what does not fit, the numbers, what is unknown, and downloads."""
    show = {"awake": st.success, "collapsed": st.error}.get(found.verdict, st.warning)
    show(plain(found.sentence))
    for finding in found.findings:
        st.warning(plain(finding))
    lines = ["| measured | value | note |", "| --- | ---: | --- |"]
    lines += [
        f"| {plain(name)} | {plain(v)} | {plain(note)} |" for name, v, note in numbers_of(found)
    ]
    st.markdown("\n".join(lines))
    if found.kl_per_dim:
        sorted_kl = ", ".join(f"{value:.3g}" for value in found.kl_per_dim)
        st.caption(f"KL of each dimension, in their order: {sorted_kl} nats")
    st.markdown("**What these arrays cannot say**")
    st.markdown("\n".join(f"* {plain(sentence)}" for sentence in found.unknown))
    left, right = st.columns(2)
    left.download_button(
        "Report to print (HTML)",
        report_page(found, name),
        "model-report.html",
        "text/html",
        on_click="ignore",
        width="stretch",
    )
    right.download_button(
        "JSON",
        json.dumps(to_json(found)),
        "model-report.json",
        "application/json",
        on_click="ignore",
        width="stretch",
    )
