"""Which suspect? A section in which one click makes the reruns of a model and names the cause."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.server.current import server
from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.visitor.shared_job import Job
from pages.widgets import settings as controls
from pages.widgets import waiting_section
from svae_core.clinic.diagnosis import (
    Diagnosis,
    Prescription,
    diagnose,
    outcome,
    state_of,
    wakes,
)
from svae_core.clinic.suspects import CHANGES, Patient, patient_of, suspects
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.clinic.unit_gauge import UnitDiagnosis
from svae_core.methods import title_of
from svae_core.records import Settings
from svae_core.studies.reruns import Reran, Rerun, Reruns

_NETS = ("arch", "hidden", "epochs", "learning_rate", "seed", "start")
_LONG = 10_000  # steps
_STATED, _SETTINGS = "The loss stated above", "The run of the Train page"


def section(settings: Settings, loss: TrainingLoss, gauges: tuple[UnitDiagnosis, ...]) -> None:
    """The patient's controls, then the reruns. `gauges`: of the loss and of its plain sums."""
    st.subheader("Which suspect?")
    st.write(
        "A collapsed model has one of few causes, and each has its test: the same run with one "
        "thing changed. Here they are all made, in short runs on these data, and the ones that "
        "wake the model name the cause."
    )
    chosen = st.radio("Whose run?", [_STATED, _SETTINGS], horizontal=True, key="clinic.whose")
    with st.popover("Training"):
        settings = session.keep(controls.fields(settings, _NETS))
    problem = cache.problem(settings)
    stated = chosen == _STATED
    patient = patient_of(
        settings,
        problem.eigenvalues,
        len(problem.shell.points),
        loss if stated else None,
        gauges if stated else (),
    )
    st.caption(plain(_about(patient, stated)))
    if patient.steps > _LONG:
        st.info("A few thousand steps tell as much and are quicker: take fewer epochs.")
    waiting_section.section("suspects", partial(_draw, patient, stated))


def _about(patient: Patient, stated: bool) -> str:
    """What is run, in a sentence or two."""
    now = patient.final
    gauge = patient.beta_sigma2 / patient.lambda_max
    whose = "A conventional VAE with your loss's gauge" if stated else title_of(now.method)
    return (
        f"{whose}, {gauge:.3g}: βσ² = {patient.beta_sigma2:.3g} on the shell, where λₘₐₓ is "
        f"{patient.lambda_max:.3g}. Nets: {now.arch}, {now.latent_dim} latent dimensions, "
        f"{now.epochs} epochs, which are {patient.steps:,} steps, all under “Training”."
    )


def _draw(patient: Patient, stated: bool) -> bool:
    """The reruns so far, the cause, and the prescription; whether anything runs."""
    runs = suspects(patient)
    told = f"{len(runs)} short runs, each with one thing changed"
    job, going = _reruns("suspects", runs, told)
    order = list(CHANGES)
    rows = sorted(job.rows, key=lambda row: order.index(row.name))
    answer = st.container()  # above the table that it is drawn from
    if rows:
        st.markdown(_table(rows))
        with st.expander("What each run changes"):
            st.markdown("\n".join(f"* **{row.name}**: {CHANGES[row.name]}" for row in rows))
    if not job.complete:
        return going
    with answer:
        if rows[0].refused:
            st.error(plain(rows[0].refused))
            return going
        found = diagnose(patient, rows)
        _say(found, stated)
        if found.prescription is not None:
            going = _prescription(found.prescription) or going
    return going


def _reruns(section: str, runs: tuple[Rerun, ...], told: str) -> tuple[Job, bool]:
    """The job of these runs, which all who ask share, with its controls; whether it runs."""
    key = repr(runs)
    job = cache.shared_job(section, key, partial(Job, Reruns(runs), server().engine))
    place, button = st.columns([5, 1], vertical_alignment="center")
    place.write(told)
    return job, waiting_section.job_controls(section, key, job, button)


def _table(rows: list[Reran]) -> str:
    """The reruns as a Markdown table."""
    lines = ["| run | state | KL, nats | loss + margin, δ |", "| --- | --- | ---: | ---: |"]
    for row in rows:
        c = row.certificate
        if c is None:
            lines.append(f"| {row.name} | not possible: {plain(row.refused)} | | |")
            continue
        state = f"**{state_of(c)}**" if wakes(c) else state_of(c)
        lines.append(
            f"| {row.name} | {state} | {c.kl:.2f} | {c.loss:.3f} + {c.loss_margin:.3f}, "
            f"δ {c.delta:.3f} |"
        )
    return "\n".join(lines)


def _say(found: Diagnosis, stated: bool) -> None:
    """The cause in a sentence, and what these runs cannot know."""
    show = st.success if found.cause == "healthy" else st.warning
    show(plain(found.sentence))
    if stated and found.cause in ("healthy", "unsettled"):
        st.write(
            "If yours has collapsed all the same, the cause is in what these runs do not have: "
            "dropout, other layers or data, another optimiser, a KL warm-up that has not ended. "
            "Export arrays of your model and have them examined below."
        )


def _prescription(prescription: Prescription) -> bool:
    """What to change, the predicted KL, and a run of it; whether it runs."""
    st.markdown(f"**Prescription.** {plain(prescription.sentence)}")
    run = (Rerun("prescription", prescription.settings),)
    job, going = _reruns("prescription", run, "Run it, with another seed")
    for row in job.rows:
        if row.certificate is None:
            st.error(plain(row.refused))
            continue
        st.write(plain(outcome(prescription, row.certificate)))
    return going
