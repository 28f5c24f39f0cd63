"""Evaluation of one model: its frame (a live measurement) and its certificate.

Both use sampled latents z ~ q(z|x), never the posterior mean. With q = N(εx, I) and the decoder
g(z) = r·z/‖z‖ the mean is decoded without error for every ε, while KL = ε²‖x‖²/2 goes to 0.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from svae_core.certificate import residual_spectrum
from svae_core.certificate.certify import Reference, measure, with_run
from svae_core.certificate.diagnostics import (
    active_units,
    live_sentence,
    structure,
    variance_of_means,
)
from svae_core.certificate.population_floor import candidate_lambdas
from svae_core.certificate.posteriors import Posteriors
from svae_core.certificate.symbols import sequence_errors
from svae_core.distributions.gaussian import Gaussian, array
from svae_core.geometry.region import applicable_definition
from svae_core.geometry.shell import shell_view
from svae_core.nets.networks import Architecture, Networks, networks, stream
from svae_core.problem import off_shell, references
from svae_core.records import (
    Certificate,
    Forecast,
    Frame,
    PreparedData,
    Problem,
    SequenceErrors,
)
from svae_core.training.members import MemberMethod
from svae_core.training.ordinary_modes import ordinary_modes

_BLOCK = 4_096  # points evaluated at once
_SAMPLES = 8  # reconstructions kept in a frame


@dataclass(frozen=True, eq=False)
class Seen:
    """Posteriors of n points, and the decoder's outputs for one draw from each.

    Outputs lie on the shell if the method projects.
    """

    mean: np.ndarray  # [n, k] float32
    spreads: np.ndarray  # [k] float64, Var_x m_j(x)
    variances: np.ndarray  # [k] float64, means over points
    kl_per_dim: np.ndarray  # [k] float64 nats, mean over points
    samples: np.ndarray  # [≤ n, d] float32, the outputs of the first points
    view: np.ndarray  # [n, 3] float32, all outputs in the 3-D view
    losses: np.ndarray  # [n] float32, ‖x − output‖²


class NativePass(Protocol):
    """A member's forward pass by native code, equal to torch's to float32 rounding."""

    def outputs(self, points: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The decoder's outputs [n, d] of one draw for each of the points [n, d]; noise [n, k]."""

    def seen(self, points: np.ndarray, noise: np.ndarray, basis: np.ndarray, samples: int) -> Seen:
        """What a frame shows of them; basis [d, 3] of the view, as many outputs as `samples`."""


@dataclass(frozen=True, eq=False)
class Model:
    """One member of a batch with the data it was trained on.

    `native`: its forward pass by native code. Members that native code trains have one, for their
    frames and for the draws of their certificates.
    """

    prepared: PreparedData
    arch: Architecture
    row: Tensor  # [1, p] its weights
    member_method: MemberMethod
    native: NativePass | None = None

    @cached_property
    def networks(self) -> Networks:
        """Its networks, a batch of one member; a frame by native code needs none."""
        return networks(self.arch, self.row)


@dataclass(frozen=True)
class RunPosition:
    """The position of a model in its run."""

    step: int
    epoch: int
    steps: int


@torch.no_grad()
def frame(model: Model, position: RunPosition) -> Frame:
    """Everything that figures show of a member at this step, measured on the viewed points.

    Latents are sampled with the same noise in every frame, so that frames differ by the model only.
    """
    prepared = model.prepared
    points = _viewed_points(prepared)
    seen = _seen(model, points, view_noise(model))
    losses = seen.losses.astype(np.float64)
    loss = float(losses.mean())
    kl_per_dim = seen.kl_per_dim
    region = prepared.region
    definition = applicable_definition(region.collapse_loss, model.member_method.method.projected)
    delta = region.deltas[definition]
    kl = float(kl_per_dim.sum())
    return Frame(
        method=prepared.settings.method,
        step=position.step,
        epoch=position.epoch,
        steps=position.steps,
        loss=loss,
        delta=delta,
        lo=region.lo,
        hi=region.hi,
        kl=kl,
        kl_per_dim=kl_per_dim.astype(np.float32),
        active=active_units(seen.spreads, len(kl_per_dim)),
        structure=structure(seen.spreads, seen.variances),
        latent_mean=seen.mean,
        shell_view=seen.view,
        samples=seen.samples,
        sentence=live_sentence(losses, delta, definition, kl),
    )


def _seen(model: Model, points: np.ndarray, noise: np.ndarray) -> Seen:
    basis = model.prepared.view_basis
    if model.native is not None:
        return model.native.seen(points, noise, basis, _SAMPLES)
    posteriors = encode(model, points)
    kl_per_dim = posteriors.kl.mean(axis=0, dtype=np.float64)
    outputs = decode(model, posteriors.draw(noise))
    gap = outputs - points
    losses = np.einsum("nd,nd->n", gap, gap)
    variances = posteriors.variance.mean(axis=0, dtype=np.float64)
    view, samples = shell_view(outputs, basis), outputs[:_SAMPLES].copy()
    mean = posteriors.mean
    return Seen(mean, variance_of_means(mean), variances, kl_per_dim, samples, view, losses)


@torch.no_grad()
def certificate(
    model: Model,
    epochs: int,
    draws: int | None = None,
    own_floors: bool = True,
    purpose: str = "certify",
) -> Certificate:
    """Certify a member on its training points and on its held-out points, if it has any.

    `epochs`: completed epochs. `draws`: latents per point; None takes the certificate's default.
    `own_floors`: also the floors that belong to this model's answers, and its forecast. `purpose`:
    of the draws; other purposes have other noise.
    """
    problem = model.prepared
    assert isinstance(problem, Problem)
    training, held_out = references(problem)
    found = _measured(model, training, purpose, draws, own_floors)
    kept_out = None
    if held_out is not None:
        # λ comes from the training points alone, as a claim on new points requires.
        lambdas = candidate_lambdas(training.floors, found.loss + found.loss_margin)
        against = dataclasses.replace(held_out, population_lambdas=lambdas)
        kept_out = dataclasses.replace(
            _measured(model, against, "held-out", draws, own_floors), part="held-out"
        )
    found = dataclasses.replace(
        found, prefix_edge=problem.prefix_edge, sequences=_sequence_errors(model)
    )
    return with_run(
        found,
        epochs=epochs,
        lo=problem.region.lo,
        hi=problem.region.hi,
        held_out=kept_out,
        forecast=forecast(model, found.loss) if own_floors else None,
    )


@torch.no_grad()
def _sequence_errors(model: Model) -> SequenceErrors | None:
    """The errors of one draw of answers to all training points, where these are sequences."""
    prepared = model.prepared
    symbols, true = len(prepared.dataset.symbols), prepared.dataset.points
    if not symbols:
        return None
    posteriors = encode(model, prepared.shell.points)
    generator = stream(prepared.settings.seed, 0, "symbols")
    noise = torch.randn(posteriors.noise_shape, generator=generator).numpy()
    answers = off_shell(prepared, decode(model, posteriors.draw(noise)))
    return sequence_errors(true, answers, symbols)


@torch.no_grad()
def forecast(model: Model, loss: float) -> Forecast | None:
    """The next birth and death of a dimension, for a loss D; None where there is none.

    It is for losses D/(2σ²) + β·KL of Gaussian posteriors and a free decoder.
    """
    method, settings = model.member_method.method, model.prepared.settings
    if method.guards_kl or method.projected or not has_standard_posterior(model):
        return None
    points = model.prepared.shell.points
    found = encode(model, points)
    if not (np.isfinite(found.mean).all() and np.isfinite(found.variance).all()):
        return None  # it has diverged
    told = residual_spectrum.forecast(
        points,
        found.mean,
        found.variance,
        partial(decode, model),
        model.member_method.effective_beta_sigma2(settings, loss, points.shape[1]),
        settings.seed,
        linear=settings.arch == "linear",
    )
    return told if math.isfinite(told.birth_below) else None


def _measured(
    model: Model, against: Reference, purpose: str, draws: int | None, own_floors: bool
) -> Certificate:
    settings = model.prepared.settings
    posteriors = encode(model, against.points)
    generator = stream(settings.seed, 0, purpose)

    # Of few points several draws are decoded at once: a call costs more than their arithmetic.
    together = max(1, _BLOCK // 2 // len(against.points))
    ready: list[np.ndarray] = []

    def noise() -> np.ndarray:
        return torch.randn(posteriors.noise_shape, generator=generator).numpy()

    def draw() -> np.ndarray:
        if model.native is not None:
            return model.native.outputs(against.points, noise())
        if not ready:
            drawn = [posteriors.draw(noise()) for _ in range(together)]
            ready.extend(np.split(decode(model, np.concatenate(drawn)), together)[::-1])
        return ready.pop()

    def gauge(loss: float) -> float:
        d = against.points.shape[1]
        return (
            model.member_method.effective_beta_sigma2(settings, loss, d) / model.prepared.lambda_max
        )

    return measure(
        against,
        draw,
        posteriors=posteriors,
        draws=draws,
        seed=settings.seed,
        name=settings.method,
        gauge=gauge,
        own_floors=own_floors,
    )


@ordinary_modes()
@torch.no_grad()
def encode(model: Model, points: np.ndarray) -> Posteriors:
    """The posteriors of shell points [n, d] by the model's encoder and method."""
    blocks = [
        model.member_method.posterior(model.networks, block) for block in _blocks(model, points)
    ]
    device = model.row.device
    starts = [*range(0, len(points), _BLOCK), len(points)]

    def draw(noise: np.ndarray) -> np.ndarray:
        rows = torch.from_numpy(noise.astype(np.float32)).to(device).unsqueeze(0)
        parts = rows.split(_BLOCK, dim=1)
        drawn = [block.draw(part) for block, part in zip(blocks, parts, strict=True)]
        return array(torch.cat(drawn, dim=1)[0])

    def log_density(z: np.ndarray, some: slice) -> np.ndarray:
        """log q(z_a | x_b) for the points x_b in a slice, [a, b] nats, block by block."""
        pairs = []
        for block, start, stop in zip(blocks, starts[:-1], starts[1:], strict=True):
            part = slice(max(some.start, start) - start, min(some.stop, stop) - start)
            if part.start < part.stop:
                pairs.append(block.rows(part).log_density(z))
        return pairs[0] if len(pairs) == 1 else np.concatenate(pairs, axis=1)

    return Posteriors(
        mean=np.concatenate([array(block.mean[0]) for block in blocks]),
        variance=np.concatenate([array(block.variance[0]) for block in blocks]),
        kl=np.concatenate([array(block.kl()[0]) for block in blocks]),
        draw=draw,
        log_density=log_density,
        noise_dim=model.member_method.group.members[0].noise_dim,
    )


@torch.no_grad()
def has_standard_posterior(model: Model) -> bool:
    """Whether its posteriors are Gaussians under the prior N(0, I), whatever its method is."""
    point = next(_blocks(model, model.prepared.shell.points[:1]))
    return isinstance(model.member_method.posterior(model.networks, point), Gaussian)


@ordinary_modes()
def decode(model: Model, z: np.ndarray) -> np.ndarray:
    """Decoder outputs [n, d] float32 of latents [n, k], on the shell if the method projects."""
    project = model.member_method.group.project
    parts = [project(model.networks.decode(block)) for block in _blocks(model, z)]
    return torch.cat(parts, dim=1)[0].cpu().numpy()


@ordinary_modes()
@torch.no_grad()
def draw_prior(model: Model, noise: np.ndarray) -> np.ndarray:
    """Latents [n, k] from the model's prior, transformed from standard normal noise [n, k]."""
    rows = torch.from_numpy(noise).to(model.row.device)
    return array(model.member_method.sample_prior(model.networks, rows))


def view_noise(model: Model) -> np.ndarray:
    """The noise [v, k] of all frames of a run: the same, so that only the model changes."""
    prepared = model.prepared
    return _cached_view_noise(
        prepared.settings.seed,
        len(prepared.view_index),
        model.member_method.group.members[0].noise_dim,
    )


@lru_cache(maxsize=16)
def _cached_view_noise(seed: int, count: int, width: int) -> np.ndarray:
    noise = torch.randn(count, width, generator=stream(seed, 0, "view")).numpy()
    noise.flags.writeable = False  # the cached array is shared
    return noise


def _viewed_points(prepared: PreparedData) -> np.ndarray:
    """The viewed points [v, d]; the data themselves, uncopied, where all points are viewed."""
    points = prepared.shell.points
    return points if len(prepared.view_index) == len(points) else points[prepared.view_index]


def _blocks(model: Model, rows: np.ndarray) -> Iterator[Tensor]:
    device = model.row.device
    for start in range(0, len(rows), _BLOCK):
        yield torch.from_numpy(rows[start : start + _BLOCK]).to(device).unsqueeze(0)
