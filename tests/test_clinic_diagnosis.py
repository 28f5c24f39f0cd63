"""The order of decisions, the reruns it rests on, and the prescription's prediction."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svae_core.__main__ import main
from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL
from svae_core.clinic.diagnosis import CAUSES, diagnose, outcome, state_of, wakes
from svae_core.clinic.suspects import CHANGES, Patient, linear_kl, patient_of, suspects
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.clinic.unit_gauge import diagnose_losses
from svae_core.config.settings import settings_at
from svae_core.records import Certificate, Floors, RequestError, Settings
from svae_core.studies.reruns import Reran, Rerun, Reruns

EIGENVALUES = (0.4, 0.2, 0.1)
BASE = Settings(dataset="wine", clusters=3, method="baseline", latent_dim=2, device="cpu")
AUTOENCODER = ("autoencoder",)


def certificate(kl: float, loss: float, gauge: float) -> Certificate:
    """A certificate with δ = 1 and no margin to speak of."""
    texts = {item.name: "" for item in fields(Certificate)}
    numbers = {"loss": loss, "loss_margin": 0.001, "loss_projected": loss, "delta": 1.0}
    verdict = "certified" if loss < 0.99 else "collapsed" if kl < 0.05 else "not certified"
    known = {"kl": kl, "kl_per_dim": (kl, 0.0), "gauge": gauge, "verdict": verdict}
    known |= {"mutual_information": kl, "mutual_information_error": 0.0}
    more = {"active_units": 1, "floors": Floors(0, 0, 0), "held_out": None}
    return Certificate(**(texts | numbers | known | more))


def found(patient: Patient, woke: tuple[str, ...], loss: float = 1.0, autoencoder: float = 0.2):
    """The diagnosis where these reruns wake and all others stay as they were."""
    gauge = patient.beta_sigma2 / patient.lambda_max
    rows = []
    for run in suspects(patient):
        ends = (1.0, 0.5) if run.name in woke else (0.0, loss)
        if run.name == "autoencoder":
            ends = (30.0, autoencoder)
        rows.append(Reran(run.name, run.settings, certificate(*ends, gauge)))
    return diagnose(patient, rows)


def patient(gauge: float, plain: float = math.nan, **changed: object) -> Patient:
    settings = replace(BASE, sigma2=gauge * EIGENVALUES[0], **changed)  # type: ignore[arg-type]
    weight = math.nan if math.isnan(plain) else 1.0
    return Patient(settings, EIGENVALUES, 178, plain_sums=plain * EIGENVALUES[0], kl_weight=weight)


@pytest.mark.parametrize(
    ("who", "woke", "autoencoder", "cause"),
    [
        (patient(0.3), ("as stated",), 0.2, "healthy"),
        (patient(20.0, 0.3), ("plain sums", "lower weight"), 0.2, "units"),
        (patient(20.0, 3.0), ("lower weight",), 0.2, "weight"),
        (patient(20.0), ("learned σ²",), 0.2, "weight"),
        (patient(20.0), (), 0.2, "unsettled"),
        (patient(0.3), ("more steps",), 0.95, "nets"),
        (patient(0.3), ("lower weight",), 0.95, "unsettled"),
        (patient(0.3), ("lower weight", "more steps"), 0.95, "unsettled"),
        (patient(0.3, arch="autoregressive"), ("plain decoder",), 0.2, "decoder"),
        (patient(0.3, arch="autoregressive"), ("autoencoder first",), 0.2, "unsettled"),
        (patient(0.3, start="collapsed"), ("usual start", "more steps"), 0.2, "start"),
        (patient(0.3), ("autoencoder first",), 0.2, "start"),
        (patient(0.3), ("band",), 0.2, "unsettled"),
    ],
)
def test_the_order_of_decisions(
    who: Patient, woke: tuple[str, ...], autoencoder: float, cause: str
) -> None:
    told = found(who, woke, autoencoder=autoencoder)
    assert (told.cause, told.title) == (cause, CAUSES[cause])
    assert set(told.confirmed_by) <= set(woke)
    assert (told.prescription is None) == (cause in ("healthy", "unsettled"))
    if told.prescription is not None:
        assert told.prescription.settings.seed != who.settings.seed
        predicted = linear_kl(EIGENVALUES[:2], told.prescription.beta_sigma2)
        assert told.prescription.predicted_kl == predicted > COLLAPSED_TOTAL_KL


def test_the_weight_is_prescribed_in_the_units_of_the_loss() -> None:
    units = found(patient(20.0, 0.3), ("plain sums",)).prescription
    weight = found(patient(20.0, 3.0), ("lower weight",)).prescription
    assert units is not None and weight is not None
    assert units.beta_sigma2 == pytest.approx(0.3 * EIGENVALUES[0])
    assert units.kl_weight == pytest.approx(0.3 / 20)
    assert weight.beta_sigma2 == pytest.approx(EIGENVALUES[0] / 4)
    assert weight.settings.beta * weight.settings.sigma2 == pytest.approx(weight.beta_sigma2)
    assert "15 % less" in outcome(weight, certificate(weight.predicted_kl * 0.85, 0.5, 0.25))


def test_a_loss_barely_below_delta_is_not_awake() -> None:
    barely = certificate(0.003, 0.98, 0.3)
    assert barely.verdict == "certified" and not wakes(barely)
    assert "KL below" in state_of(barely) and state_of(certificate(1, 0.5, 0.3)) == "awake"
    # δ-VAE holds its KL up, but its posteriors are alike: that is no information.
    alike = replace(certificate(1.0, 0.98, 3.0), mutual_information=0.003)
    assert not wakes(alike) and "I(x; z) below" in state_of(alike)
    unknown = replace(alike, mutual_information=math.nan, mutual_information_error=math.nan)
    assert wakes(unknown)


def test_an_autoencoder_that_diverges_is_called_so() -> None:
    told = found(patient(0.3), ("more steps",), autoencoder=math.nan)
    assert told.cause == "nets" and "diverges" in told.sentence and "nan" not in told.sentence
    lost = found(patient(0.3), (), autoencoder=math.nan)
    assert "smaller learning rate" in lost.sentence and "nan" not in lost.sentence


@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=8), st.floats(1e-6, 20))
def test_the_prediction_is_that_of_a_linear_vae(values: list[float], c: float) -> None:
    expected = 0.5 * np.log(np.maximum(np.array(values) / c, 1.0)).sum()
    assert linear_kl(values, c) == pytest.approx(expected, abs=1e-9)
    assert linear_kl(values, max(values)) == 0 <= linear_kl(values, c / 2) - linear_kl(values, c)


def test_each_rerun_changes_what_it_says() -> None:
    runs = {run.name: run.settings for run in suspects(patient(20.0, 0.3, arch="resmlp"))}
    assert set(runs) <= set(CHANGES)
    stated = runs["as stated"]

    def changed(name: str) -> set[str]:
        pairs = ((item.name, getattr(runs[name], item.name)) for item in fields(Settings))
        return {key for key, value in pairs if value != getattr(stated, key)}

    assert changed("autoencoder") == {"beta", "sigma2"}
    assert changed("plain sums") == changed("lower weight") == {"sigma2"}
    assert changed("learned σ²") == changed("band") == {"method"}
    assert changed("more steps") == {"epochs"} and changed("shallower nets") == {"arch"}
    first = runs["autoencoder first"]
    assert settings_at(first, 10**6) == replace(stated, changes=())
    assert "plain decoder" not in runs and "usual start" not in runs
    held = patient(0.3, start="collapsed", changes=((9, "beta", 2.0),))
    runs = {run.name: run.settings for run in suspects(held, trained=True)}
    assert "as stated" not in runs and held.beta_sigma2 == pytest.approx(0.6 * EIGENVALUES[0])
    assert runs["usual start"].beta == 2.0 and runs["more steps"].changes == held.settings.changes


def test_a_stated_loss_keeps_its_gauge() -> None:
    points = np.random.default_rng(0).normal(size=(60, 4)) * [2.0, 1.0, 0.5, 0.1]
    loss = TrainingLoss(over_coordinates="mean", kl_over_batch="sum", kl_weight=0.5)
    gauges = tuple(diagnose_losses((loss, loss.plain_sums()), points, 2, 128))
    who = patient_of(BASE, EIGENVALUES, 60, loss, gauges)
    assert who.beta_sigma2 / who.lambda_max == pytest.approx(gauges[0].gauge)
    assert who.plain_sums / who.beta_sigma2 == pytest.approx(1 / (4 * 128))
    assert gauges[1].ratio == pytest.approx(0.5)
    constant = np.ones((9, 2))
    with pytest.raises(RequestError, match="do not vary"):
        patient_of(BASE, EIGENVALUES, 9, loss, tuple(diagnose_losses((loss, loss), constant, 2)))


def test_a_method_that_weights_the_kl_itself() -> None:
    options = (("multiple", 4.0),)
    weighted = replace(BASE, method="beta_vae", method_options=options, sigma2=0.05)
    who = patient_of(weighted, EIGENVALUES, 178)
    assert who.beta_sigma2 == pytest.approx(0.2)
    lower = next(run for run in suspects(who) if run.name == "lower weight")
    assert lower.settings.sigma2 == pytest.approx(0.05 / 4)
    for method in ("sigma_vae", "geco"):
        who = patient_of(replace(BASE, method=method), EIGENVALUES, 9)
        lower = next(run for run in suspects(who) if run.name == "lower weight")
        assert who.learned and lower.settings.method == "baseline"
    assert not patient_of(BASE, EIGENVALUES, 9).learned


def test_impossible_reruns_have_a_reason() -> None:
    empty = replace(BASE, method="spherical", collapse_loss="between", clusters=2)
    conv = replace(BASE, arch="conv")
    parts = Reruns((Rerun("band", empty), Rerun("as stated", conv))).plan()
    rows = {row.name: row for part in parts for row in part.rows}
    assert all(part.done for part in parts) and "images" in rows["as stated"].refused
    assert rows["band"].refused and rows["band"].certificate is None


@pytest.mark.slow
def test_the_command_names_a_planted_cause(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["diagnose", "--dataset", "wine", "--clusters", "3", "--latent-dim", "2"]
    asked += ["--epochs", "60", "--over-coordinates", "mean", "--json"]
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cause"] == "units" and "plain sums" in told["confirmed_by"]
    assert {row["name"] for row in told["reruns"]} >= {"as stated", "autoencoder", "band"}
    assert told["prescription"]["outcome"]["woke"]
    assert told["prescription"]["predicted_kl"] == pytest.approx(
        told["prescription"]["outcome"]["kl"], rel=0.4
    )
