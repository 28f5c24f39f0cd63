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

from svae_core.certificate.arrays import check_finite, is_whole, numbers
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
#: Curvatures that agree to this share are equal: a loss may be computed in float32.
_ROUGHLY = 1e-3


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
    def compared(self) -> tuple[str, float]:
        """What collapse depends on, by the name that the loss has for it: βσ² if it has a σ²."""
        if math.isnan(self.beta_sigma2):
            return "KL weight / loss weight", self.ratio
        return "βσ²", self.beta_sigma2


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
    points = _checked(points, latent_dim)
    _check_meant(batch_size, beta, sigma2)
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
    twice differentiable loss plus one multiple of the KL to a Gaussian prior, of any mean and
    variance in each dimension: scaling z changes nothing, so it is taken in units of the prior.
    noise_scale is taken to be 1.
    `start` [d]: from where the best constant answer is sought (default: the mean of the points).
    RequestError where the function is flat in answers or mean, so that no gauge exists, and where
    it is no such sum: coordinates that are coupled, another penalty than a KL, another value at
    every call, or KL weights that differ by dimension or point. Collapse is then stable in a
    dimension whose weight is above Λ, and no single ratio says so of all.
    """
    import torch

    points = _checked(points, latent_dim).astype(np.float64)
    x = torch.from_numpy(points)
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
    _check_steady(lambda *posterior: function(x, best.expand(n, d), *posterior), nothing)
    _check_apart(lambda answers: function(x, answers, nothing, nothing), best.expand(n, d))
    v = _kl_weight(lambda *posterior: function(x, best.expand(n, d), *posterior), nothing)
    # The loss of a batch is w·mean; slopes of one point are n times those of the batch.
    found = spectrum(slope.numpy() * n, curvature.numpy() * n)
    return _diagnosis(found, v, latent_dim, 1.0, math.nan, False)


def _checked(points: Any, latent_dim: int) -> np.ndarray:
    """The points as a copy [n, d], any array or tensor; RequestError where no gauge can be."""
    given = numbers(points, "The points")
    if given.ndim != 2 or not given.size:
        raise RequestError(
            f"The points have shape {given.shape}, but must be a table, a row for each point."
        )
    check_finite(given, "The points")
    if not is_whole(latent_dim, 1):
        raise RequestError(f"latent_dim is {latent_dim!r}, but must be a whole number, 1 or more.")
    return given


def _check_meant(batch_size: int, beta: float, sigma2: float) -> None:
    if not is_whole(batch_size, 1):
        raise RequestError(f"batch_size is {batch_size!r}, but must be a whole number, 1 or more.")
    for name, value in ("beta", beta), ("sigma2", sigma2):
        if not 0 < value < math.inf:
            raise RequestError(f"{name} is {value!r}, but must be a number above 0.")


def _check_steady(loss: Callable[[Any, Any], Any], nothing: Any) -> None:
    """Refuse a loss of (means, log-variances) [n, k] that is another at every call."""
    away = nothing + 1
    first, *others = (float(_one_number(loss(away, away)).detach()) for _ in range(3))
    if max(abs(other - first) for other in others) > 1e-6 * abs(first):
        raise RequestError(
            "The loss has another value at every call, as with noise or a weight that follows the "
            "step: give it as it is at one step, without chance."
        )


def _check_apart(loss: Callable[[Any], Any], answers: Any) -> None:
    """Refuse a loss of answers [n, d] that couples coordinates, which a sum over them does not.

    Its curvature along any direction r is then that along the axes, times r. Rows may be coupled,
    as by a root of the whole: at the best constant, where slopes cancel, that adds nothing.
    """
    import torch

    along = torch.from_numpy(np.random.default_rng(0).normal(size=answers.shape[1]))

    def curvature(direction: Any) -> Any:
        at = answers.clone().requires_grad_()
        return _twice(_one_number(loss(at)), at, direction)[1].mean(dim=0)

    plain = curvature(torch.ones_like(along))
    if float((curvature(along) - along * plain).abs().max()) > _ROUGHLY * float(plain.abs().max()):
        raise RequestError(
            "The loss couples the coordinates of a point, as a norm without its square, a filter "
            "or a perceptual loss does, and its gauge is known only of sums over coordinates: give "
            "a loss that compares each coordinate by itself."
        )


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
    weights = curved * log_variance.exp() * len(nothing)  # of each point and dimension
    low, high, weight = float(weights.min()), float(weights.max()), float(weights.mean())
    if high > low * (1 + _ROUGHLY):
        raise RequestError(
            f"The loss weighs the KL of some dimensions of z, or of some points, {high / low:.4g} "
            "times as much as that of others, and a gauge is that of one weight: give all the "
            "same; of dimensions with different weights, ask for each alone, with latent_dim=1."
        )
    # The curvature of a KL is v/s² in the mean, and v/2 in the log-variance.
    if float((2 * log_curved * len(nothing) - weight).abs().max()) > _ROUGHLY * weight:
        raise RequestError(
            "What the loss asks of the log-variance does not go with what it asks of the mean, so "
            "it holds no multiple of a KL to a Gaussian prior: give both terms of the KL, with one "
            "weight."
        )
    return weight


def _twice(value: Any, where: Any, along: Any = None) -> tuple[Any, Any]:
    """First and second derivatives of a sum over the entries of `where`, zero where it is flat.

    `along` [k]: the second of them in this direction, of every row at once (default: all ones).
    """
    import torch

    flat = torch.zeros_like(where)
    if not value.requires_grad:
        return flat, flat
    (first,) = torch.autograd.grad(value, where, create_graph=True, materialize_grads=True)
    if not first.requires_grad:
        return first, flat
    turned = first if along is None else first * along
    (second,) = torch.autograd.grad(turned.sum(), where, materialize_grads=True)
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
