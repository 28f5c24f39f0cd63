"""Has anyone's model collapsed? What its arrays say of it, and what they cannot say.

    diagnose_arrays(points, reconstructions=x_hat, mean=mu, log_variance=logvar) -> Examination

Loss with margin against δ and the band, KL per dimension, active units, information and a
certificate of the encoder alone: each from the arrays that it needs. Stored arrays cannot be asked
again, so what a certificate checks of a live model (that it samples, that it does not go by
row number) is assumed here and said. Losses are squared errors summed over coordinates;
information is in nats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from svae_core.certificate.arrays import underflow_is_zero
from svae_core.certificate.certify import (
    Reference,
    inconsistency,
    information_of,
    lets_through,
    measure,
    reference,
    with_run,
)
from svae_core.certificate.confidence import TELLING_DRAWS
from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL
from svae_core.certificate.encoder import EncoderCertificate, certify_latents
from svae_core.certificate.losses import DRAWS
from svae_core.certificate.posteriors import Posteriors, gaussian_posteriors
from svae_core.clinic.array_checks import checked
from svae_core.clinic.model_arrays import ModelArrays, model_arrays
from svae_core.clinic.training_loss import TrainingLoss, thresholds
from svae_core.clinic.unit_gauge import diagnose_loss
from svae_core.config.settings import Settings
from svae_core.config.shares import at_least
from svae_core.own_data.names import some
from svae_core.records import Certificate, RequestError

#: Draws of z from a given posterior, where none were given.
_DRAWS = 16


@dataclass(frozen=True, eq=False)
class Examination:
    """What is known of a model from its arrays; None or nan where they do not tell."""

    verdict: str  # awake | awake if sampled | collapsed | not settled
    sentence: str
    n_points: int
    points_given: int  # more, where n_points are a sample of them
    coordinates: int
    latent_dim: int  # 0 where no array tells
    lambda_max: float  # of the points as given
    beta_sigma2: float
    gauge: float
    within: float  # W, of K-means on the points
    delta: float  # total variance T: the loss of the best constant
    band_hi: float  # W + b(δ − W) with the default b
    certificate: Certificate | None  # of the reconstructions
    kl_per_dim: tuple[float, ...]
    active_units: int
    mutual_information: float
    mutual_information_error: float
    encoder: EncoderCertificate | None
    findings: tuple[str, ...]  # what does not fit together
    unknown: tuple[str, ...]  # what these arrays cannot say

    @property
    def kl(self) -> float:
        """Nats over all dimensions; nan where the posterior is not known."""
        return math.fsum(self.kl_per_dim) if self.kl_per_dim else math.nan


def diagnose_arrays(
    points: Any,
    *,
    z: Any = None,
    reconstructions: Any = None,
    mean: Any = None,
    log_variance: Any = None,
    labels: Any = None,
    beta_sigma2: float | None = None,
    clusters: int = 10,
    seed: int = 0,
) -> Examination:
    """Examine a model by its arrays on the same points [n, d] (or images), row by row.

    `z` [n, k] or [draws, n, k], sampled; `reconstructions` [n, d] or [draws, n, d], of sampled z;
    `mean`, `log_variance` [n, k] of its Gaussian posterior; `labels` [n]; `beta_sigma2`: β times
    the decoder's σ², as it was trained. `clusters`: K of the band and, without labels, of the
    classes that are looked for in z. RequestError, one sentence, where arrays do not fit.
    """
    if clusters < 0 or seed < 0:
        raise RequestError(
            f"clusters is {clusters} and seed {seed}, but neither can be negative (clusters 0: "
            "proposed by silhouette)."
        )
    given = {"points": points, "z": z, "reconstructions": reconstructions, "mean": mean}
    given |= {"log_variance": log_variance, "labels": labels, "beta_sigma2": beta_sigma2}
    return examine(model_arrays(given, seed), clusters, seed)


@underflow_is_zero
def examine(arrays: ModelArrays, clusters: int = 10, seed: int = 0) -> Examination:
    """The examination of a model's arrays."""
    arrays, findings = checked(arrays)
    against = reference(arrays.points, None, min(clusters, len(arrays.points) - 1), seed)
    posteriors = None
    if arrays.mean is not None and arrays.log_variance is not None:
        posteriors = gaussian_posteriors(arrays.mean, arrays.log_variance)
    known = information_of(posteriors, seed)
    encoder = _encoder(arrays, posteriors, clusters, seed, findings)
    if encoder and posteriors and (why := _too_much(encoder, math.fsum(known[0]), *known[2])):
        findings.append(why)
        arrays = replace(arrays, z=None, mean=None, log_variance=None)
        encoder = posteriors = None
        known = information_of(None, seed)
    certificate = None
    if arrays.reconstructions is not None:
        certificate = _certificate(arrays, against, posteriors, seed)
        if why := inconsistency(certificate):
            findings.append(why)
            certificate = None
    kl_per_dim, active, (information, error) = known
    lambda_max = float(against.floors.eigenvalues[0])
    found = Examination(
        verdict="",
        sentence="",
        n_points=len(arrays.points),
        points_given=arrays.of,
        coordinates=arrays.points.shape[1],
        latent_dim=arrays.latent_dim,
        lambda_max=lambda_max,
        beta_sigma2=arrays.beta_sigma2,
        gauge=arrays.beta_sigma2 / lambda_max,
        within=against.floors.within,
        delta=against.delta,
        band_hi=_band(against)[1],
        certificate=certificate,
        kl_per_dim=kl_per_dim,
        active_units=active,
        mutual_information=information,
        mutual_information_error=error,
        encoder=encoder,
        findings=tuple(findings),
        unknown=tuple(_unknown(arrays)),
    )
    verdict, sentence = _verdict(found)
    return replace(found, verdict=verdict, sentence=sentence)


def with_loss(arrays: ModelArrays, loss: TrainingLoss, batch_size: int = 128) -> ModelArrays:
    """The arrays with the βσ² that this loss has on their points; RequestError if k is unknown."""
    if not arrays.latent_dim:
        raise RequestError("A stated loss needs the latent dimensions: give mean or z as well.")
    gauge = diagnose_loss(loss, arrays.points, arrays.latent_dim, batch_size).gauge
    # The gauge is what carries over from other losses and scalings; for squared error Λ = 2λ_max.
    lambda_max = float(thresholds(TrainingLoss(), arrays.points.astype(np.float64))[0]) / 2
    return replace(arrays, beta_sigma2=gauge * lambda_max)


def _certificate(
    arrays: ModelArrays, against: Reference, posteriors: Posteriors | None, seed: int
) -> Certificate:
    """The certificate of stored reconstructions, each draw once."""
    assert arrays.reconstructions is not None
    center = arrays.points.mean(axis=0, dtype=np.float64)
    drawn = iter(arrays.reconstructions)
    found = measure(
        against,
        lambda: next(drawn) - center,
        posteriors=posteriors,
        draws=len(arrays.reconstructions),
        seed=seed,
        gauge=lambda loss: arrays.beta_sigma2 / float(against.floors.eigenvalues[0]),
        own_floors=False,
    )
    low, high = _band(against)
    return with_run(found, epochs=0, lo=low, hi=high, held_out=None)


def _band(against: Reference) -> tuple[float, float]:
    """The default band between W and δ."""
    within, width = against.floors.within, against.delta - against.floors.within
    a, b = Settings().band
    return within + a * width, within + b * width


def _encoder(
    arrays: ModelArrays,
    posteriors: Posteriors | None,
    clusters: int,
    seed: int,
    findings: list[str],
) -> EncoderCertificate | None:
    """What passes through sampled z, given or drawn from the posterior."""
    z = arrays.z
    if z is None and posteriors is not None:
        rng = np.random.default_rng([seed, 97])
        size = posteriors.mean.shape
        z = np.stack([posteriors.draw(rng.standard_normal(size)) for _ in range(_DRAWS)])
    if z is None:
        return None
    try:
        return certify_latents(z, arrays.points, arrays.labels, clusters=clusters, seed=seed)
    except RequestError as error:
        findings.append(f"The encoder is not certified: {error}")
        return None


def _too_much(encoder: EncoderCertificate, kl: float, information: float, error: float) -> str:
    """Why z cannot be of this posterior, in a sentence; "" if it can: KL ≥ I(x; z) is a theorem."""
    if encoder.nats <= lets_through(kl, information, error):
        return ""
    known = f"I(x; z) of the posterior is {max(information, 0.0):.3g} nats"
    if encoder.nats > lets_through(kl):
        known = f"the posterior's KL lets through {kl:.3g} nats at most"
    return (
        f"At least {encoder.nats:.3g} nats pass through z, but {known}, so z was not sampled from "
        "it. Both are left out."
    )


def _collapse(found: Examination) -> str:
    """Why its posterior shows that the model has collapsed, a sentence; "" where it does not."""
    if found.kl < COLLAPSED_TOTAL_KL:
        return (
            f"This model has collapsed: by mean and log_variance the KL is {found.kl:.3g} nats, "
            f"below {COLLAPSED_TOTAL_KL} in all, so z says next to nothing of the "
            f"points{_loss(found.certificate)}."
        )
    # The KL is I(x; z) plus the distance of the mean posterior from the prior, so it may be large
    # of a model that has collapsed. Three standard errors: I(x; z) is an estimate.
    if found.mutual_information + 3 * found.mutual_information_error < COLLAPSED_TOTAL_KL:
        return (
            f"This model has collapsed: by mean and log_variance I(x; z) is "
            f"{max(found.mutual_information, 0.0):.3g} nats, below {COLLAPSED_TOTAL_KL}, so z says "
            f"next to nothing of the points; the KL of {found.kl:.3g} nats is how far all "
            f"posteriors are from the prior{_loss(found.certificate)}."
        )
    return ""


def _verdict(found: Examination) -> tuple[str, str]:
    """One of the verdicts, and the sentence that says why.

    Where it cannot be seen that z was sampled, "awake" is conditional: of encoder means, or of what
    is decoded from them, neither certificate says anything.
    """
    certificate, encoder = found.certificate, found.encoder
    certified = certificate is not None and certificate.verdict == "certified"
    # As on a certificate: where the loss is below δ it decides, however little the KL is. One
    # stored draw may be of means, and rows of two may share noise: then the KL does.
    decided = certificate is not None and certified and certificate.draws >= TELLING_DRAWS
    if not decided and (collapsed := _collapse(found)):
        return "collapsed", collapsed
    # z is drawn here from a known posterior, or was compared with it.
    known = not math.isnan(found.kl)
    if decided and known:
        assert certificate is not None
        return "awake", f"This model has not collapsed. {certificate.sentence}"
    passing = encoder if encoder is not None and encoder.nats > 0 else None
    if certificate is not None and certified:
        given = (
            "If these reconstructions were decoded from samples of z, each row from its own, and "
            f"not from means, this model has not collapsed. {certificate.sentence}"
        )
        if passing is None or not known:
            return "awake if sampled", given
        return "awake", f"The encoder has not collapsed. {passing.sentence} {given}"
    if certificate is None:
        return _verdict_of_encoder(encoder, passing, known)
    ignored = ""
    if passing is not None:
        given = "" if known else "if z was sampled, "
        ignored = (
            f" Yet {given}at least {at_least(passing.nats)} nats pass through z, so the decoder "
            "makes little of it, or these reconstructions are of other rows or in other units."
        )
    return "not settled", f"{certificate.sentence}{ignored}"


def _verdict_of_encoder(
    encoder: EncoderCertificate | None, passing: EncoderCertificate | None, known: bool
) -> tuple[str, str]:
    """The verdict without reconstructions; `passing`: the certificate, if any nats pass for sure.

    `known`: that z was sampled.
    """
    if passing is not None:
        told = f"encoder has not collapsed, whatever the decoder does with z. {passing.sentence}"
        if known:
            return "awake", f"The {told}"
        return "awake if sampled", f"If z was sampled, each row with noise of its own, the {told}"
    told = encoder.sentence if encoder else "Nothing that is given here tells."
    return "not settled", f"Not settled. {told}"


def _loss(certificate: Certificate | None) -> str:
    if certificate is None:
        return ""
    return (
        f"; the loss is {certificate.loss:.3f} (+{certificate.loss_margin:.3f} margin), and the "
        f"best constant's is δ = {certificate.delta:.3f}"
    )


def _unknown(arrays: ModelArrays) -> list[str]:
    """What these arrays cannot say, a sentence each, with what would."""
    said = []
    if arrays.others:
        said.append(
            f"What is in {some(arrays.others)}: such names are not known here, or arrays further "
            "out have them, so it was not read."
        )
    if arrays.of > len(arrays.points):
        said.append(
            f"All numbers are of a sample of {len(arrays.points):,} of the {arrays.of:,} points."
        )
    if arrays.reconstructions is None:
        said.append("Whether the decoder uses z: that needs reconstructions from sampled z.")
    else:
        said += _unknown_of_reconstructions(len(arrays.reconstructions), arrays.mean is not None)
    if arrays.z is not None and arrays.mean is None:
        shape = f"{len(arrays.z)} draws" if len(arrays.z) > 1 else "one draw"
        said.append(
            f"Whether z was sampled: read as {shape} of {arrays.latent_dim:,} numbers a point, but "
            "without the posterior nothing tells it from means."
        )
    if arrays.mean is None:
        said.append("KL, active units and information: they need mean and log_variance.")
    elif arrays.z is None:
        said.append(
            "Whether log_variance holds natural logarithms of variances, and not of standard "
            "deviations: that takes sampled z."
        )
    if math.isnan(arrays.beta_sigma2):
        said.append(
            "Whether the KL's weight is to blame: that needs βσ² of training, as the number "
            "beta_sigma2 among the arrays, or the loss it was trained with."
        )
    said.append(
        "When a dead dimension would come alive and which dies next: a forecast asks the decoder "
        "itself."
    )
    said.append(
        "Nets, start and decoder as causes: that takes reruns with one thing changed in each."
    )
    return said


def _unknown_of_reconstructions(draws: int, posterior: bool) -> list[str]:
    """What reconstructions cannot say; `posterior`: whether mean and log_variance are there."""
    said = []
    if draws == 1:
        said.append(
            "Whether the reconstructions were decoded from samples or from means, and whether rows "
            "share noise: one draw cannot tell, several can, as (draws, points, …), and they make "
            "the margin smaller."
        )
    elif draws < TELLING_DRAWS:
        said.append(f"Whether rows share noise: {TELLING_DRAWS} draws or more can tell.")
    if TELLING_DRAWS <= draws < DRAWS:
        said.append(f"Whether whole draws fail at once, where fewer than one in {draws} does.")
    if draws > 1 and not posterior:
        said.append(
            "Whether each draw is of z sampled anew, or of noise added to decoded means: that "
            "takes mean and log_variance, whose KL such draws exceed."
        )
    return [
        *said,
        "Whether the decoder saw anything but z, as by teacher forcing, skip connections or "
        "labels: then its loss says nothing of z, and reconstructions from z alone are needed.",
        "Whether reconstructions depend on their own row alone: stored arrays cannot be asked "
        "again in another order; a certificate of the live model does so.",
    ]
