"""The unit gauge of anyone's training loss: is collapse its stable state, whatever the nets?

    diagnose_loss(TrainingLoss(over_coordinates="mean"), points, latent_dim=16) -> UnitDiagnosis

What the gauge says is a property of data and units, to second order around the collapsed state:
above 1 a collapsed model stays collapsed; below 1 it does not stay, if its nets can move at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.clinic.training_loss import (
    TrainingLoss,
    check_loss,
    scaled,
    spectrum,
    thresholds,
)
from svae_core.config.fields import RequestError

#: Within this of 1 on either side the gauge alone does not decide what training ends in.
NEAR = 0.25


@dataclass(frozen=True, eq=False)
class UnitDiagnosis:
    """What the units of a training loss imply on some data."""

    ratio: float  # η²v/w
    beta_sigma2: float  # η²v/(2w), of squared error; nan of other losses
    threshold: float  # Λ: at and above this ratio total collapse is stable
    gauge: float  # ratio / Λ
    can_live: int  # latent dimensions that can leave the collapsed state
    most: int  # … at most, of this latent space on these data
    meant: float  # the KL weight that would give the stated β and σ² with the same reductions
    wakes: float  # the KL weight below which the first dimension can live
    wakes_all: float  # … and below which all can; 0 where the data have fewer directions
    sentence: str

    @property
    def has_sigma2(self) -> bool:
        """Whether the loss stands for a σ², as squared error does and others do not."""
        return not math.isnan(self.beta_sigma2)


def diagnose_loss(
    loss: TrainingLoss,
    points: np.ndarray,
    latent_dim: int,
    batch_size: int = 128,
    beta: float = 1.0,
    sigma2: float = 1.0,
) -> UnitDiagnosis:
    """The gauge of a stated loss on points [n, d], which are scaled as the loss says.

    `beta`, `sigma2`: of the VAE that was meant, SE/(2σ²) + β·KL, both summed; for binary
    cross-entropy β alone. RequestError for settings outside their range, or data that do not fit.
    """
    (found,) = diagnose_losses((loss,), points, latent_dim, batch_size, beta, sigma2)
    return found


def diagnose_losses(
    losses: Iterable[TrainingLoss],
    points: np.ndarray,
    latent_dim: int,
    batch_size: int = 128,
    beta: float = 1.0,
    sigma2: float = 1.0,
) -> Iterator[UnitDiagnosis]:
    """The same of each loss; those that differ in weights and reductions share one spectrum."""
    spectra: dict[tuple[str, float, str], np.ndarray] = {}
    for loss in losses:
        check_loss(loss)
        kind = loss.reconstruction, loss.sharpness, loss.scaling
        if kind not in spectra:
            spectra[kind] = thresholds(loss, scaled(points, loss.scaling))
        found = spectra[kind]
        ratio = loss.ratio(points.shape[1], latent_dim, batch_size)
        intended = beta if loss.reconstruction == "binary_cross_entropy" else 2 * beta * sigma2
        squared = loss.reconstruction == "squared_error"
        yield _diagnosis(found, ratio, latent_dim, loss.kl_weight, intended, squared)


def gauge_of(
    function: Callable[..., Any],
    points: np.ndarray,
    latent_dim: int,
    start: np.ndarray | None = None,
) -> UnitDiagnosis:
    """The gauge of any training loss that torch can differentiate, on points [n, d].

    `function(x, answers, mean, log_variance) -> scalar tensor`, with x and answers [n, d] and mean
    and log-variance [n, k], float64, is called as training would call it on one batch: answers
    are what the loss is given (logits, if it wants logits). It must be a sum over coordinates of a
    twice differentiable loss plus a multiple of the KL to a Gaussian prior, of any mean and
    variance: scaling z changes nothing, so it is taken in units of the prior. noise_scale is taken
    to be 1.
    `start` [d]: from where the best constant answer is sought (default: the mean of the points).
    RequestError where the function is flat in answers or mean, so that no gauge exists.
    """
    import torch

    x = torch.from_numpy(np.ascontiguousarray(points, np.float64))
    n, d = x.shape
    best = torch.from_numpy(np.asarray(points.mean(axis=0) if start is None else start, np.float64))
    nothing = torch.zeros(n, latent_dim, dtype=torch.float64)

    def derivatives(constant: Any) -> tuple[Any, Any]:
        answers = constant.expand(n, d).clone().requires_grad_()
        value = _one_number(function(x, answers, nothing, nothing))
        slope, curvature = _twice(value, answers)
        return slope, curvature.mean(dim=0)

    for _ in range(200):
        slope, curvature = derivatives(best)
        step = slope.mean(dim=0) / curvature
        if not bool(torch.isfinite(step).all()):
            raise RequestError(
                "The loss has no curvature at some coordinate, so its gauge does not exist: give a "
                "loss that is twice differentiable, and leave out coordinates that never vary."
            )
        best = best - step.clamp(-1.0, 1.0)
        if float(step.abs().max()) <= 1e-13 * (1 + float(best.abs().max())):
            break
    v = _kl_weight(lambda *posterior: function(x, best.expand(n, d), *posterior), nothing)
    # The loss of a batch is w·mean; slopes of one point are n times those of the batch.
    found = spectrum(slope.numpy() * n, curvature.numpy() * n)
    return _diagnosis(found, v, latent_dim, 1.0, math.nan, False)


def _one_number(value: Any) -> Any:
    """The loss, refused where it is no finite scalar tensor."""
    import torch

    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        given = f"shape {tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__
        raise RequestError(
            f"The loss must be one number, as a tensor that keeps its gradient, but is of {given}: "
            "take the mean or the sum over the points, without float() or .item()."
        )
    if not bool(torch.isfinite(value)):
        raise RequestError(
            "The loss is not a finite number where all answers are one constant: look there for a "
            "logarithm or a root of a number below 0."
        )
    return value.reshape(())


def _kl_weight(loss: Callable[[Any, Any], Any], nothing: Any) -> float:
    """v of v·KL in units of the prior, from the loss of means and log-variances [n, k].

    Newton's steps lead to the posterior that the KL asks for, the prior; with z in units of its
    deviation s the loss is curved by s² times as much.
    """
    import torch

    mean, log_variance = nothing[:1].clone(), nothing[:1].clone()
    for _ in range(100):
        means = mean.expand_as(nothing).clone().requires_grad_()
        logs = log_variance.expand_as(nothing).clone().requires_grad_()
        slopes, curved = _twice(_one_number(loss(means, logs.detach())), means)
        if not bool((curved.mean(0) > 0).all()):
            raise RequestError(
                "The loss does not grow with the posterior's mean in every dimension of z, so it "
                "has no KL there, or hides it below a threshold (free bits), or is to be "
                "maximised: give what is minimised, and the KL of all dimensions without its "
                "threshold."
            )
        log_slopes, log_curved = _twice(_one_number(loss(means.detach(), logs)), logs)
        step = slopes.mean(0) / curved.mean(0)
        log_step = log_slopes.mean(0) / log_curved.mean(0)
        log_step = torch.where(log_curved.mean(0) > 0, log_step, torch.zeros_like(log_step))
        mean, log_variance = mean - step, log_variance - log_step.clamp(-1.0, 1.0)
        if float(step.abs().max()) + float(log_step.abs().max()) <= 1e-12:
            break
    return float((curved.mean(0) * log_variance[0].exp()).mean()) * len(nothing)


def _twice(value: Any, where: Any) -> tuple[Any, Any]:
    """First and second derivatives of a sum over the entries of `where`, zero where it is flat."""
    import torch

    flat = torch.zeros_like(where)
    if not value.requires_grad:
        return flat, flat
    (first,) = torch.autograd.grad(value, where, create_graph=True, materialize_grads=True)
    if not first.requires_grad:
        return first, flat
    (second,) = torch.autograd.grad(first.sum(), where, materialize_grads=True)
    return first.detach(), second


def _diagnosis(
    found: np.ndarray, ratio: float, latent_dim: int, weight: float, intended: float, squared: bool
) -> UnitDiagnosis:
    """From eigenvalues [d] and η²v/w (or both in the same other unit)."""
    threshold = float(found[0])
    gauge = ratio / threshold if threshold > 0 else math.inf
    directions = int((found > 1e-12 * max(threshold, 1e-300)).sum())
    most = min(latent_dim, directions)
    can_live = min(int((found > ratio).sum()), latent_dim)
    wakes = weight / gauge
    meant = weight * intended / ratio
    last = float(found[most - 1]) if most == latent_dim else 0.0
    return UnitDiagnosis(
        ratio=ratio,
        beta_sigma2=ratio / 2 if squared else math.nan,
        threshold=threshold,
        gauge=gauge,
        can_live=can_live,
        most=most,
        meant=meant,
        wakes=wakes,
        wakes_all=weight * last / ratio,
        sentence=_sentence(gauge, can_live, latent_dim, weight, wakes, meant),
    )


def _sentence(
    gauge: float, can_live: int, latent_dim: int, weight: float, wakes: float, meant: float
) -> str:
    if not math.isfinite(gauge):
        return "These data do not vary, so no latent dimension can carry anything."
    stated = "" if math.isnan(meant) else f"; the weight that was meant is {meant:.3g}"
    if gauge >= 1:
        near = " (so near to 1 that training may take long)" if gauge < 1 + NEAR else ""
        return (
            f"The gauge is {gauge:.3g}, above 1{near}: with these units total collapse is a stable "
            f"state, whatever the nets. The KL weight is {weight:.3g}, and dimensions can live "
            f"below {wakes:.3g}{stated}."
        )
    near = " (so near to 1 that little lives and learning is slow)" if gauge > 1 - NEAR else ""
    return (
        f"The gauge is {gauge:.3g}, below 1{near}: with these units total collapse is not a stable "
        f"state, and {can_live} of {latent_dim} dimensions can live. If the model has collapsed "
        "all the same, units are not the cause."
    )
