"""Theory: the theorem, its conditions, the objections to it, and an attempt to break it."""

import json
from functools import partial
from typing import Any

import streamlit as st

from pages.live import registry
from pages.server.current import server
from pages.visitor import cache, session, settings_in_url
from pages.visitor.shared_job import Job
from pages.widgets import settings as controls
from pages.widgets import upload, waiting_section
from pages.widgets.charts import chart
from pages.wire.component import claims
from svae_core.certificate.html import certificate_page
from svae_core.compute import tasks
from svae_core.config.settings import settings_key
from svae_core.figures import attack_outcomes, conditions, trajectories
from svae_core.figures.claims import claim_numbers, describe_claims
from svae_core.objections import DEPENDS_ON, Answer, Objection, objections
from svae_core.records import Certificate, Settings, to_json
from svae_core.studies import attack
from svae_core.studies.job import row_to_dict

MARKS = {
    conditions.HOLDS: ":green-badge[✓ holds]",
    conditions.OPEN: ":orange-badge[○ open]",
    conditions.NOTE: ":orange-badge[! note]",
    conditions.FAILS: ":red-badge[✗ fails]",
}
RUNS = (16, 32, 64, 128, 256, 512)


def proof() -> None:
    """The theorem in words and in symbols."""
    st.markdown(
        "A decoder that gets no information about its input can only give an output that does not "
        "depend on it. The best such output has the loss **δ**, which the data alone determine. "
        "**So the latents of a model whose measured loss is below δ carry information: total "
        "collapse is excluded.** How many nats they carry at least follows from how far the loss "
        "is below δ. The theorem is about a trained model that was measured: no penalty and no "
        "architecture makes it true beforehand, and it says nothing about single dimensions. In "
        "three lines:"
    )
    st.latex(
        r"""\begin{aligned}
        &\text{if } q(z\mid x)=q(z) \text{ for all } x,\text{ then } x \text{ and }
          \hat x=g(z) \text{ are independent,}\\
        &\text{so } D=\mathbb E\,\lVert x-\hat x\rVert^2
          =\mathbb E_{\hat x}\,\mathbb E_x\lVert x-\hat x\rVert^2
          \ \ge\ \min_{y}\ \mathbb E_x\lVert x-y\rVert^2=\delta;\\
        &\text{hence } D<\delta\ \text{ implies }\ \mathrm{KL}\ \ge\ I(x;z)>0.
        \end{aligned}"""
    )


def run_in_words(last: Settings) -> str:
    """`σ² = 1, β = 1, band 0–0.37, seed 0`, with the values at the end of the run."""
    band = "–".join(f"{edge:g}" for edge in last.band)
    return f"σ² = {last.sigma2:g}, β = {last.beta:g}, band {band}, seed {last.seed}"


def downloads(certificate: Certificate) -> None:
    """The certificate of one member, as JSON and as a page to print."""
    name = f"certificate-{certificate.method}-{certificate.dataset}"
    st.markdown(f"**{conditions.title(certificate)}.** {certificate.sentence}")
    left, right = st.columns(2)
    left.download_button(
        "Certificate (JSON)",
        json.dumps(to_json(certificate), indent=1, ensure_ascii=False),
        f"{name}.json",
        "application/json",
        key=f"{name}.json",
        on_click="ignore",
    )
    right.download_button(
        "Certificate (to print)",
        certificate_page(certificate),
        f"{name}.html",
        "text/html",
        key=f"{name}.html",
        on_click="ignore",
    )


def show_answer(answer: Answer) -> None:
    """What was measured: sentences, then the table that they summarise."""
    st.markdown("\n".join(f"- {sentence}" for sentence in answer.sentences))
    st.markdown(answer.table())


def show_objection(objection: Objection) -> bool:
    """One objection; return whether its answer is being measured."""
    with st.expander(f"{objection.number}. {objection.title}"):
        st.write(objection.text)
        return waiting_section.background_task(
            f"objection.{objection.number}.{settings_key(settings, DEPENDS_ON)}",
            "Measure",
            cache.in_background(tasks.objection, objection.number, settings),
            show_answer,
        )


def show_objections() -> bool:
    """All objections; return whether any is being measured."""
    return any([show_objection(objection) for objection in objections()])


def search() -> bool:
    """The search for a counter-example; return whether it runs."""
    runs, seed, button = st.columns([3, 1, 1], vertical_alignment="bottom")
    count = runs.select_slider("Runs", RUNS, value=64, key="attack.runs")
    number = seed.number_input("Seed", min_value=0, value=0, step=1, key="attack.seed")
    key = f"{count} runs from {number}"
    job = cache.shared_job(
        "attack", key, partial(Job, attack.Attack(count, number), server().engine)
    )
    going = waiting_section.job_controls("attack", key, job, button)
    if job.rows:
        show_outcomes(attack.summary(list(map(row_to_dict, job.rows)), number))
    for broken in (item for item in job.rows if item.outcome == attack.BROKEN):
        st.error(f"**Counter-example.** {broken.explanation}")
        st.page_link(
            "train.py",
            label="Train this run",
            query_params=settings_in_url.to_link(broken.settings),
        )
    return going


def show_outcomes(summary: dict[str, Any]) -> None:
    """The outcomes so far, and why runs ended outside their band."""
    sentence = attack_outcomes.describe_outcomes(summary)
    chart(attack_outcomes.outcomes(summary, dark), sentence)
    st.write(sentence)
    if summary["outside"]:
        with st.expander("Why runs did not reach their band"):
            st.markdown(attack_outcomes.explanation_table(summary))


with st.sidebar:
    settings = controls.data_controls()

upload.preview(settings)
last_run = session.last_run(registry.pair(settings))
plain, other = last_run.members[0], last_run.members[-1]
problem, free = cache.problem(other), cache.problem(plain)
dark = session.dark()

st.subheader("What a measured loss excludes")
proof()

st.subheader("Drag the claims")
numbers = claim_numbers(problem)
st.caption(
    f"{describe_claims(numbers, problem)} Drag a picture or move a slider, by arrow keys too, and "
    "see what holds there."
)
claims(numbers)

st.subheader("Its conditions, checked on your run")
if last_run.certificates:
    st.caption(f"These are the results of the run that you watched last: {run_in_words(other)}.")
st.markdown(conditions.table(conditions.conditions(problem, other, last_run.certificates), MARKS))
if not last_run.certificates:
    st.page_link("train.py", label="Train these settings to the end, then come back")
for column, certificate in zip(st.columns(2, gap="medium"), last_run.certificates, strict=False):
    with column:
        downloads(certificate)

st.subheader("Where runs go in the plane of loss and nats")
sentence = trajectories.describe_trajectories(last_run.moments)
chart(
    trajectories.trajectories(free.floors, problem.floors, problem.region, last_run.moments, dark),
    sentence,
)
st.write(sentence)
st.caption(trajectories.describe_two_floors(free.floors, problem.floors))

st.subheader("Open objections, and what can be measured about each")
st.caption(
    "Answers are measured on the data chosen at the left, with short runs on a sample. They "
    "describe these runs, no more."
)
waiting_section.section("objections", show_objections)

st.subheader("Try to break it")
st.write(
    "This searches for a run that ends inside its band and has collapsed. It tries data with and "
    "without structure, degenerate data, tiny nets, starts at the collapsed solution, K up to "
    "half the points, and β and σ² over four decades. The same seed gives the same runs."
)
waiting_section.section("attack", search)
