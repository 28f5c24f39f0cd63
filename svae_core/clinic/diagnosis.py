"""Why a model has collapsed, from counterfactual reruns of it, and what would help.

    rows = …                              # of studies.reruns, made of suspects(patient)
    diagnose(patient, rows) -> Diagnosis  # a cause, the reruns that confirm it, a prescription

The order of decisions is derived here, after the causes of arXiv 1912.10702. The first question is
the weight, by the gauge βσ²/λ_max of the data; the second the autoencoder of the same nets and
steps, since no weight of the KL makes nets better than it; then the decoder, then where training
started. A cause is named only where a rerun without it wakes. Superfluous dimensions that rest at
the prior are no illness.

Predictions are those of a linear VAE at its optimum (arXiv 1911.02469): KL = ½ Σ log(λ_i/βσ²) over
the k largest λ_i above βσ². Information is in nats.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL
from svae_core.clinic.suspects import CHANGES, LONGER, SHALLOWER, Patient, suspects
from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.config.shares import percent
from svae_core.records import Certificate, Settings
from svae_core.studies.reruns import Reran

#: Causes as titles, in the order in which they are asked for.
CAUSES = {
    "healthy": "No collapse",
    "units": "Units: the reductions imply another weight",
    "weight": "The KL's weight is too large",
    "nets": "The nets or their training",
    "decoder": "The autoregressive decoder",
    "start": "Where training started",
    "unsettled": "Not settled",
}
#: An autoencoder whose loss is above this share of T is to blame, not the KL.
_BAD_AUTOENCODER = 0.9
#: The weight that is prescribed, as a gauge: nearer to 1 little lives and learning is slow.
_PRESCRIBED = 0.25
#: Units are prescribed as the loss states them where that gauge is at most this.
_CLEAR = 0.5


@dataclass(frozen=True)
class Prescription:
    """The smallest change that is predicted to help, and the KL predicted of it."""

    sentence: str
    settings: Settings  # with another seed than the reruns, so that its outcome is a test
    beta_sigma2: float
    predicted_kl: float
    kl_weight: float  # in the units of the stated loss; nan without one


@dataclass(frozen=True)
class Diagnosis:
    """The cause, in a sentence, and what follows."""

    cause: str  # one of CAUSES
    title: str
    sentence: str
    gauge: float  # βσ²/λ_max at the end
    predicted_kl: float  # of a linear VAE at that βσ²
    confirmed_by: tuple[str, ...]  # reruns without the cause that woke
    woke: tuple[str, ...]  # all reruns that woke
    prescription: Prescription | None


def diagnose(patient: Patient, rows: Iterable[Reran]) -> Diagnosis:
    """The cause, by the order above. `rows` must hold "as stated"; the more others, the better."""
    found = {row.name: row.certificate for row in rows if row.certificate is not None}
    stated = found["as stated"]
    # Methods that learn σ² or a multiplier have a βσ² of their own, which is measured.
    own = stated.gauge * patient.lambda_max
    c = own if math.isfinite(own) and own > 0 else patient.beta_sigma2
    woke = tuple(name for name in CHANGES if name in found and wakes(found[name]))
    cause, sentence, confirming = _cause(patient, c, found, woke)
    return Diagnosis(
        cause=cause,
        title=CAUSES[cause],
        sentence=sentence,
        gauge=c / patient.lambda_max,
        predicted_kl=patient.predicted(c),
        confirmed_by=confirming,
        woke=tuple(name for name in woke if name != "as stated"),
        prescription=_prescription(patient, cause, c, confirming),
    )


def wakes(certificate: Certificate) -> bool:
    """Whether a model is awake: its loss is below δ, with confidence, and its nats are not tiny.

    Few nats suffice for a loss below δ, so KL and information must also reach what a verdict calls
    collapsed: the KL of a method that holds it up, such as δ-VAE, is no information.
    """
    return certificate.verdict == "certified" and not _nats(certificate) < COLLAPSED_TOTAL_KL


def _nats(certificate: Certificate) -> float:
    """The smaller of KL and information, with three standard errors; of what is known."""
    information = certificate.mutual_information
    if math.isnan(information):
        return certificate.kl
    error = certificate.mutual_information_error
    return min(certificate.kl, information + (0.0 if math.isnan(error) else 3 * error))


def state_of(certificate: Certificate) -> str:
    """A run's state in a word or two."""
    if wakes(certificate):
        return "awake"
    if certificate.verdict != "certified":
        return certificate.verdict
    what = "KL" if certificate.kl < COLLAPSED_TOTAL_KL else "I(x; z)"
    return f"hardly anything passes ({what} below {COLLAPSED_TOTAL_KL})"


def _cause(
    patient: Patient, c: float, found: Mapping[str, Certificate], woke: tuple[str, ...]
) -> tuple[str, str, tuple[str, ...]]:
    """(cause, its sentence, the reruns that confirm it)."""
    stated = found["as stated"]
    if wakes(stated):
        return "healthy", _healthy(stated, patient.predicted(c)), ()
    confirmed: tuple[str, ...]
    if patient.predicted(c) < COLLAPSED_TOTAL_KL:
        confirmed = _among(woke, "plain sums", "lower weight", "learned σ²")
        if not confirmed:
            return "unsettled", _unsettled(patient, c, woke, found.get("autoencoder")), ()
        cause = "units" if patient.predicted(patient.plain_sums) >= COLLAPSED_TOTAL_KL else "weight"
        return cause, _weight(patient, c, cause, confirmed), confirmed
    autoencoder = found.get("autoencoder")
    if autoencoder is None:
        return "unsettled", _unsettled(patient, c, woke, found.get("autoencoder")), ()
    if not _is_good(autoencoder):
        confirmed = _among(woke, "more steps", "shallower nets", "plain decoder")
        if confirmed and not _among(woke, "lower weight", "learned σ²"):
            return "nets", _nets(autoencoder, confirmed), confirmed
    elif "plain decoder" in woke:
        return "decoder", _decoder(patient, c, autoencoder), ("plain decoder",)
    elif patient.settings.arch not in AUTOREGRESSIVE:
        confirmed = _among(woke, "usual start", "autoencoder first", "more steps")
        if confirmed:
            return "start", _start(patient, c, autoencoder, confirmed), confirmed
    return "unsettled", _unsettled(patient, c, woke, found.get("autoencoder")), ()


def _prescription(
    patient: Patient, cause: str, c: float, confirmed: tuple[str, ...]
) -> Prescription | None:
    now = dataclasses.replace(patient.final, changes=(), seed=patient.settings.seed + 1)
    if cause in ("units", "weight"):
        prescribed = _PRESCRIBED * patient.lambda_max
        if cause == "units" and patient.plain_sums <= _CLEAR * patient.lambda_max:
            prescribed = patient.plain_sums
        weight = patient.kl_weight * prescribed / c
        told = f"Lower βσ² from {c:.3g} to {prescribed:.3g}"
        if not math.isnan(weight):
            told = f"Lower the KL weight from {patient.kl_weight:.3g} to {weight:.3g}"
        told += f", a gauge of {prescribed / patient.lambda_max:.2g}"
        return _prescribed(patient, told, patient.at(now, prescribed), prescribed, weight)
    changed = {
        "usual start": ("Start from random weights, with this weight from the first step on", {}),
        "autoencoder first": ("Train with hardly any KL first", {}),
        "more steps": ("Train three times as long", {"epochs": LONGER * now.epochs}),
        "shallower nets": ("Take fewer layers", {"arch": SHALLOWER.get(now.arch, now.arch)}),
        "plain decoder": ("Take a decoder that is not autoregressive", {"arch": "mlp"}),
    }
    if not confirmed:
        return None
    told, change = changed[confirmed[0]]
    settings = dataclasses.replace(now, start="usual", **change)  # type: ignore[arg-type]
    if confirmed[0] == "autoencoder first":
        first = next(run for run in suspects(patient) if run.name == confirmed[0])
        settings = dataclasses.replace(first.settings, seed=now.seed)
    if confirmed[0] == "more steps":
        settings = dataclasses.replace(patient.settings, epochs=LONGER * now.epochs, seed=now.seed)
    return _prescribed(patient, told, settings, c, math.nan)


def _prescribed(
    patient: Patient, told: str, settings: Settings, c: float, weight: float
) -> Prescription:
    predicted = patient.predicted(c)
    sentence = f"{told}. Predicted KL: {predicted:.2f} nats, that of a linear VAE."
    return Prescription(sentence, settings, c, predicted, weight)


def outcome(prescription: Prescription, certificate: Certificate) -> str:
    """One sentence on the prescription's run, beside what was predicted."""
    predicted, measured = prescription.predicted_kl, certificate.kl
    apart = (measured - predicted) / predicted if predicted > 0 else math.inf
    side = "more" if apart >= 0 else "less"
    state = "It is awake" if wakes(certificate) else "It is not awake"
    return (
        f"{state}: the loss is {_loss(certificate)}. Predicted KL {predicted:.2f} nats, measured "
        f"{measured:.2f}, {percent(abs(apart))} {side}; the prediction is that of linear nets."
    )


def _among(woke: tuple[str, ...], *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name in woke)


# ------------------------------------------------------------------------------ sentences


def _loss(certificate: Certificate) -> str:
    return (
        f"{certificate.loss:.3f} (+{certificate.loss_margin:.3f} margin), "
        f"δ = {certificate.delta:.3f}"
    )


def _named(names: tuple[str, ...]) -> str:
    quoted = [f"“{name}”" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _wakes(names: tuple[str, ...]) -> str:
    return f"{_named(names)} {'wakes' if len(names) == 1 else 'wake'} it"


def _healthy(stated: Certificate, predicted: float) -> str:
    rest = len(stated.kl_per_dim) - stated.active_units
    idle = ""
    if 0 < rest < len(stated.kl_per_dim):
        idle = (
            f" {rest} of {len(stated.kl_per_dim)} dimensions rest at the prior, which is no harm."
        )
    little = ""
    if stated.kl < predicted / 2:
        little = f", though linear nets would have {predicted:.2f} nats"
    return (
        f"This model has not collapsed: its loss is {_loss(stated)}, and its KL is "
        f"{stated.kl:.2f} nats{little}.{idle}"
    )


def _weight(patient: Patient, c: float, cause: str, confirmed: tuple[str, ...]) -> str:
    gauge = c / patient.lambda_max
    if cause == "units":
        return (
            f"Units: by the numbers in the loss the gauge would be "
            f"{patient.plain_sums / patient.lambda_max:.2g}, but its reductions, a mean beside "
            f"a sum, make it {c / patient.plain_sums:.3g} times that, {gauge:.3g}, at which "
            f"total collapse is {_stable(gauge)}; {_wakes(confirmed)}."
        )
    known = "" if math.isnan(patient.plain_sums) else ", and the reductions are not the reason"
    return (
        f"The weight of the KL: the gauge βσ²/λₘₐₓ is {gauge:.3g}, at which total collapse is "
        f"{_stable(gauge)}{known}; {_wakes(confirmed)}."
    )


def _stable(gauge: float) -> str:
    if gauge >= 1:
        return "a stable state, whatever the nets"
    return "nearly all that is left for linear nets"


def _below(patient: Patient, c: float) -> str:
    return (
        f"the gauge {c / patient.lambda_max:.2g} is below 1 (linear nets would have "
        f"{patient.predicted(c):.2f} nats)"
    )


def _is_good(autoencoder: Certificate) -> bool:
    return autoencoder.loss <= _BAD_AUTOENCODER * autoencoder.delta


def _good(autoencoder: Certificate) -> str:
    return (
        f"the autoencoder of the same nets is good (loss {autoencoder.loss:.3f} of "
        f"T = {autoencoder.delta:.3f})"
    )


def _bad(autoencoder: Certificate) -> str:
    if not math.isfinite(autoencoder.loss):
        return "even the autoencoder of the same nets and steps diverges"
    return (
        f"even the autoencoder of the same nets and steps has a loss of {autoencoder.loss:.3f}, of "
        f"T = {autoencoder.delta:.3f}"
    )


def _nets(autoencoder: Certificate, confirmed: tuple[str, ...]) -> str:
    return (
        f"The nets or their training: {_bad(autoencoder)}, and no lower weight of the KL wakes it; "
        f"{_wakes(confirmed)}."
    )


def _decoder(patient: Patient, c: float, autoencoder: Certificate) -> str:
    return (
        f"The autoregressive decoder: {_below(patient, c)} and {_good(autoencoder)}, but each "
        "coordinate is predicted from those before it without z; “plain decoder” wakes it."
    )


def _start(patient: Patient, c: float, autoencoder: Certificate, confirmed: tuple[str, ...]) -> str:
    return (
        f"Where training started: {_below(patient, c)} and {_good(autoencoder)}, so this state "
        f"is one that training has not left, or not yet; {_wakes(confirmed)}."
    )


def _unsettled(
    patient: Patient, c: float, woke: tuple[str, ...], autoencoder: Certificate | None
) -> str:
    others = _among(woke, *(name for name in CHANGES if name != "as stated"))
    said = f"Not settled: the gauge is {c / patient.lambda_max:.3g}"
    if autoencoder is not None and not _is_good(autoencoder):
        diverges = not math.isfinite(autoencoder.loss)
        mend = "take a smaller learning rate" if diverges else "train longer first"
        said += f", and {_bad(autoencoder)}: {mend}"
    if not others:
        return f"{said}. No rerun wakes this model."
    return f"{said}. {_wakes(others)}, but that does not single out one cause."
