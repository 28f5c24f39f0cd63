"""Clinic: what a training loss's units imply, why a model collapsed, and what its arrays say."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.visitor import cache, session
from pages.visitor.markdown import plain
from pages.widgets import latents_needed, model_arrays, suspects, upload
from pages.widgets import settings as controls
from pages.widgets.charts import chart
from svae_core.clinic.code_bases import CODE_BASES, CodeBase
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.clinic.unit_gauge import UnitDiagnosis
from svae_core.clinic.witness import example
from svae_core.config.fields import knobs
from svae_core.figures.unit_gauge import unit_gauge
from svae_core.records import Settings

_OWN = CodeBase("own", "My own loss", "", TrainingLoss())
_KNOWN = (_OWN, *(base for base in CODE_BASES if base.loss is not None))
_RECONSTRUCTION = ("reconstruction", "over_coordinates", "over_batch", "factor", "scaling")
_KL = ("kl_over_dimensions", "kl_over_batch", "kl_weight", "noise_scale")

with st.sidebar:
    settings = controls.data_controls()
upload.preview(settings)


def stated_loss() -> tuple[TrainingLoss, CodeBase, Settings]:
    """The loss as its widgets state it, the code base that they start from, and k and batch."""
    titles = {base.title: base for base in _KNOWN}
    base = titles[st.selectbox("Start from", list(titles), key="clinic.base")]
    start = base.loss or TrainingLoss()
    found = {}
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Reconstruction loss**")
        for name in _RECONSTRUCTION:
            found[name] = part_of_loss(base.name, start, name)
        if found["reconstruction"] == "log_cosh":
            found["sharpness"] = part_of_loss(base.name, start, "sharpness")
    with right:
        st.markdown("**KL**")
        for name in _KL:
            found[name] = part_of_loss(base.name, start, name)
        own = controls.fields(settings, ("latent_dim", "batch_size"))
    return TrainingLoss(**found), base, session.keep(own)


def part_of_loss(base: str, start: TrainingLoss, name: str) -> Any:
    """One part of the loss; a code base has widgets of its own, which start at its values."""
    key = f"clinic.{base}.{name}"
    kept = session.page_value(key)
    value = getattr(start, name) if kept is None else kept
    chosen = controls.field_widget(key, knobs(TrainingLoss)[name], value)
    session.set_page_value(key, chosen)
    return chosen


def show(found: UnitDiagnosis, latent_dim: int) -> None:
    """The gauge as a bar, a sentence and four numbers."""
    chart(unit_gauge(found.gauge, session.dark()), found.sentence)
    st.write(plain(found.sentence))
    first = "KL weight / loss weight", found.ratio
    if found.has_sigma2:
        first = "βσ²", found.beta_sigma2
    for column, (name, value, help) in zip(
        st.columns(4),
        (
            (first[0], f"{first[1]:.3g}", "of one point, with every reduction counted in"),
            ("Gauge", f"{found.gauge:.3g}", "at 1 and above total collapse is a stable state"),
            (
                "Dimensions that can live",
                f"{found.can_live} of {latent_dim}",
                "exact for linear nets, at first order for others",
            ),
            (
                "KL weight that was meant",
                f"{found.meant:.3g}",
                "gives ½·summed error/σ² + β·summed KL by these reductions, with the σ² and β that "
                "stand further down, under “How many latent dimensions”",
            ),
        ),
        strict=True,
    ):
        column.metric(name, value, help=help)


def table_of_code_bases() -> str:
    """Every known code base's gauge on these data, as a Markdown table."""
    rows = ["| code base | gauge | dimensions | remark |", "| --- | --- | --- | --- |"]
    known = tuple(base.loss for base in CODE_BASES if base.loss)
    told = cache.gauges(settings, known)
    if isinstance(told, str):
        return plain(told)
    found = iter(told)
    for base in CODE_BASES:
        gauge, lives = "–", "–"
        if base.loss is not None:
            one = next(found)
            gauge, lives = f"{one.gauge:.3g}", f"{one.can_live} of {settings.latent_dim}"
        rows.append(f"| {plain(base.title)} | {gauge} | {lives} | {plain(base.note)} |")
    return "\n".join(rows)


st.subheader("Bring your loss")
st.write(
    "Has your VAE collapsed? State how your code reduces its loss, and choose your data at the "
    "left (“Own data” takes a file): a mean where a sum was meant changes βσ² by the number of "
    "coordinates, and the gauge shows whether that is the cause. Below it, short runs find "
    "[which suspect](#which-suspect) it was, and a file shows what "
    "[your own model](#your-own-model-by-its-arrays) does."
)
upload.scale_question(settings)
loss, base, settings = stated_loss()
if base.source:
    st.caption(plain(f"{base.source}. {base.note}".strip()))
above = st.container()
# Drawn first: an examination of arrays waits for no eigenvalues.
model_arrays.section(loss, settings.batch_size)
with above:
    diagnosis = cache.gauges(settings, (loss, loss.plain_sums()))
    if isinstance(diagnosis, str):
        st.warning(plain(diagnosis))
    else:
        show(diagnosis[0], settings.latent_dim)
    with st.expander("Known code bases on these data"):
        st.markdown(table_of_code_bases())
    if not isinstance(diagnosis, str):
        suspects.section(settings, loss, diagnosis)

st.subheader("Why a certificate samples z")
st.write(
    "An encoder's mean can hold everything while its samples hold nothing. Here the mean of z is a "
    "code of four clusters times ε, and its noise has deviation 1. A head that may rescale reads "
    "the mean at any ε; what passes through sampled z is bounded by I(x; z)."
)
exponent = st.slider("ε = 10 to the power of", -2.0, 0.5, -2.0, 0.1, key="clinic.epsilon")
told = example(round(10.0**exponent, 4))
for column, (name, value) in zip(
    st.columns(3),
    (
        ("Margin from the mean", told.by_mean),
        ("Margin from sampled z", max(told.by_samples, 0.0)),
        ("I(x; z)", max(told.information, 0.0)),
    ),
    strict=True,
):
    column.metric(name, f"{value:.3f} nats")
st.caption("The margin on the mean is that of arXiv 2605.18224 v4 (after the abstract).")

latents_needed.section(settings)

st.subheader("From your own code")
st.code(
    """from svae_core import certify, certify_encoder
from svae_core.clinic.examination import diagnose_arrays
from svae_core.clinic.unit_gauge import gauge_of

print(gauge_of(my_loss, points, latent_dim=16).sentence)       # any differentiable loss
print(certify_encoder(my_sampled_z, points, labels).sentence)  # any encoder, no decoder
print(certify(my_sampled_reconstruction, points).sentence)     # any model
print(diagnose_arrays(points, reconstructions=x_hat, mean=mu, log_variance=logvar).sentence)""",
    language="python",
    wrap_lines=True,
)
