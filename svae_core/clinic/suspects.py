"""Which suspect? The counterfactual reruns of one model, each with one thing changed.

    patient = patient_of(settings, eigenvalues, points)
    suspects(patient) -> runs for studies.reruns

The suspects are those of arXiv 1912.10702: the weight of the KL (their decoder variance γ), bad
local minima of the nets, and a strong autoregressive decoder; beside them the units, which give a
weight that was not meant, and the state that training started from. What follows from the results
is in `diagnosis`.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from svae_core.clinic.training_loss import TrainingLoss
from svae_core.clinic.unit_gauge import UnitDiagnosis
from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.config.settings import Settings, settings_at
from svae_core.methods import CustomBetaSigma2, method_for
from svae_core.records import RequestError, knobs
from svae_core.studies.reruns import Rerun

#: What is changed in each rerun: its name, and the change in words.
CHANGES = {
    "as stated": "nothing",
    "autoencoder": "βσ² = 10⁻⁶, so z has hardly any noise; the same nets and steps",
    "plain sums": "the weight by the numbers in the loss alone, with every reduction a sum",
    "lower weight": "a quarter of βσ², or of λₘₐₓ where that is less",
    "learned σ²": "σ² follows the measured loss",
    "usual start": "random first weights, and the final βσ² from the first step on",
    "autoencoder first": "hardly any KL in the first half of the steps",
    "plain decoder": "a decoder that does not see the coordinates before",
    "shallower nets": "fewer layers",
    "more steps": "three times as many",
    "band": "the spherical VAE, whose loss is held below the band's upper edge",
}
#: Times the steps of the run that takes more of them.
LONGER = 3
_TINY = 1e-6
SHALLOWER = {"resmlp": "mlp", "conv": "mlp", "mlp": "linear"}


@dataclass(frozen=True)
class Patient:
    """A run that is to be diagnosed, by its settings, on data with these eigenvalues."""

    settings: Settings
    eigenvalues: tuple[float, ...]  # of the shell points, decreasing
    points: int  # that it trains on
    multiple: float = 1.0  # what its method makes of βσ²
    learned: bool = False  # whether its method's βσ² follows from training instead
    plain_sums: float = math.nan  # βσ² by the numbers of a stated loss, were all reductions sums
    kl_weight: float = math.nan  # the stated loss's

    @property
    def final(self) -> Settings:
        """The settings in force at the end, as if they had held from the start."""
        return settings_at(self.settings, sys.maxsize)

    @property
    def beta_sigma2(self) -> float:
        """βσ² at the end."""
        return self.final.beta * self.final.sigma2 * self.multiple

    def at(self, settings: Settings, beta_sigma2: float) -> Settings:
        """These settings with this βσ², by σ²; a conventional VAE's where the method learns it."""
        if self.learned:
            settings = dataclasses.replace(settings, method="baseline", method_options=())
        return dataclasses.replace(
            settings, sigma2=_within(beta_sigma2 / (settings.beta * self.multiple))
        )

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return self.settings.epochs * math.ceil(self.points / self.settings.batch_size)

    @property
    def lambda_max(self) -> float:
        """The edge: total collapse is a stable state at and above this βσ²."""
        return self.eigenvalues[0]

    def predicted(self, beta_sigma2: float) -> float:
        """KL of a linear VAE at this βσ²."""
        return linear_kl(self.eigenvalues[: self.settings.latent_dim], beta_sigma2)


def patient_of(
    settings: Settings,
    eigenvalues: Iterable[float],
    points: int,
    loss: TrainingLoss | None = None,
    gauges: Sequence[UnitDiagnosis] = (),
) -> Patient:
    """The patient of these settings or, with a loss, of a conventional VAE at that loss's gauge.

    `gauges`: of the loss, and of `loss.plain_sums()`, on the data as they were given. Runs are
    trained on the shell, so it is the gauge that is kept, not βσ².
    """
    spectrum = tuple(map(float, eigenvalues))
    if loss is None:
        multiple = _multiple(settings)
        return Patient(settings, spectrum, points, multiple or 1.0, learned=multiple is None)
    stated, plain = gauges
    if not math.isfinite(stated.gauge):
        raise RequestError(stated.sentence)
    settings = dataclasses.replace(
        settings,
        method="baseline",
        method_options=(),
        beta=1.0,
        sigma2=_within(stated.gauge * spectrum[0]),
    )
    meant = plain.gauge * spectrum[0]
    return Patient(settings, spectrum, points, plain_sums=meant, kl_weight=loss.kl_weight)


def _multiple(settings: Settings) -> float | None:
    """What a method makes of βσ² before training; None where training decides it."""
    method = method_for(settings)
    if not isinstance(method, CustomBetaSigma2):
        return 1.0
    try:
        own = method.effective_beta_sigma2(settings, math.nan, 1, {})
    except KeyError:  # it follows from a multiplier
        return None
    return own / (settings.beta * settings.sigma2) if own > 0 else None  # nan: from the loss


def _within(sigma2: float) -> float:
    """σ² within the bounds of the setting."""
    about = knobs(Settings)["sigma2"]
    assert about.low is not None and about.high is not None
    return min(max(sigma2, about.low), about.high)


def linear_kl(eigenvalues: Iterable[float], beta_sigma2: float) -> float:
    """½ Σ log(λ_i/βσ²) over λ_i > βσ²: the KL of a linear VAE, arXiv 1911.02469."""
    return 0.5 * sum(math.log(value / beta_sigma2) for value in eigenvalues if value > beta_sigma2)


def suspects(patient: Patient, trained: bool = False) -> tuple[Rerun, ...]:
    """The reruns, each with one thing changed; `trained`: the run as it stands is there already."""
    now = dataclasses.replace(patient.final, changes=())
    free = dataclasses.replace(now, method="baseline", method_options=(), start="usual")
    runs = {} if trained else {"as stated": patient.settings}
    runs["autoencoder"] = dataclasses.replace(free, beta=_TINY, sigma2=1.0)
    if not math.isnan(patient.plain_sums) and not math.isclose(
        patient.plain_sums, patient.beta_sigma2, rel_tol=1e-6
    ):
        runs["plain sums"] = patient.at(now, patient.plain_sums)
    runs["lower weight"] = patient.at(now, min(patient.beta_sigma2, patient.lambda_max) / 4)
    runs["learned σ²"] = dataclasses.replace(free, method="sigma_vae", start=now.start)
    if now.start != "usual" or patient.settings.changes:
        runs["usual start"] = dataclasses.replace(now, start="usual")
    half = patient.steps // 2
    warm = dataclasses.replace(now, start="usual", beta=_TINY)
    runs["autoencoder first"] = dataclasses.replace(
        warm, changes=((max(1, half), "beta", now.beta),)
    )
    if now.arch in AUTOREGRESSIVE:
        runs["plain decoder"] = dataclasses.replace(now, arch="mlp")
    if now.arch in SHALLOWER:
        runs["shallower nets"] = dataclasses.replace(now, arch=SHALLOWER[now.arch])
    runs["more steps"] = dataclasses.replace(patient.settings, epochs=LONGER * now.epochs)
    runs["band"] = dataclasses.replace(free, method="spherical")
    return tuple(Rerun(name, settings) for name, settings in runs.items())
