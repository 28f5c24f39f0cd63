"""A model looked at: the frame that is drawn, and the certificate that is signed.

Both measure with sampled latents z ~ q(z|x), never with the posterior mean: a mean can be decoded
to perfection while the posterior says nothing (see the counter-example in the tests).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.certificate import Yardstick, measure, with_run
from svae_core.collapse import active_units, structure
from svae_core.networks import Networks, project_on_shell, stream
from svae_core.posterior import gaussian_kl, sample
from svae_core.problem import yardsticks
from svae_core.records import Certificate, Frame, Groundwork, Problem
from svae_core.region import applicable_definition
from svae_core.shell import shell_view

_BLOCK = 4_096  # points evaluated at once
_SAMPLES = 8  # reconstructions kept in a frame


@dataclass(frozen=True, eq=False)
class Model:
    """One trained member with what it was trained on."""

    ground: Groundwork
    networks: Networks  # of one member
    projected: bool


@dataclass(frozen=True)
class Clock:
    """Where in its run a model is."""

    step: int
    epoch: int
    steps: int


@torch.no_grad()
def frame(model: Model, clock: Clock) -> Frame:
    """The complete picture of a member now, on the viewed points.

    Latents are sampled with the run's own noise, the same in every frame.
    """
    ground = model.ground
    points = ground.shell.points[ground.view_index]
    mean, log_variance = encode(model, points)
    outputs = decode(model, sample(mean, log_variance, _view_noise(model, mean.shape[1])))
    loss = float(((outputs - points) ** 2).sum(axis=1, dtype=np.float64).mean())
    kl_per_dim = gaussian_kl(mean, log_variance).mean(axis=0, dtype=np.float64)
    region = ground.region
    definition = applicable_definition(region.collapse_loss, model.projected)
    delta = region.deltas[definition]
    kl = float(kl_per_dim.sum())
    return Frame(
        method=ground.settings.method,
        step=clock.step,
        epoch=clock.epoch,
        steps=clock.steps,
        loss=loss,
        delta=delta,
        lo=region.lo,
        hi=region.hi,
        kl=kl,
        kl_per_dim=kl_per_dim.astype(np.float32),
        active=active_units(mean),
        structure=structure(mean, log_variance),
        latent_mean=mean,
        shell_view=shell_view(outputs, ground.view_basis),
        samples=outputs[:_SAMPLES].astype(np.float32),
        sentence=_live_sentence(loss, delta, definition, kl),
    )


@torch.no_grad()
def reconstruction(model: Model, index: int) -> np.ndarray:
    """What a member gives back [d] for one viewed point: the very output that its frame shows."""
    ground = model.ground
    row = slice(index, index + 1)
    mean, log_variance = encode(model, ground.shell.points[ground.view_index[row]])
    noise = _view_noise(model, mean.shape[1])[row]
    return decode(model, sample(mean, log_variance, noise))[0]


@torch.no_grad()
def certificate(model: Model, draws: int | None = None) -> Certificate:
    """Certify a member on its training points and, where there are any, on its held-out ones."""
    problem = model.ground
    assert isinstance(problem, Problem)
    training, held_out = yardsticks(problem)
    kept_out = None
    if held_out is not None:
        kept_out = dataclasses.replace(
            _measured(model, held_out, "held-out", draws), part="held-out"
        )
    return with_run(
        _measured(model, training, "certify", draws),
        epochs=problem.settings.epochs,
        lo=problem.region.lo,
        hi=problem.region.hi,
        held_out=kept_out,
    )


def _measured(model: Model, against: Yardstick, purpose: str, draws: int | None) -> Certificate:
    settings = model.ground.settings
    mean, log_variance = encode(model, against.points)
    generator = stream(settings.seed, 0, purpose)

    def reconstruct(_points: np.ndarray) -> np.ndarray:
        noise = torch.randn(mean.shape, generator=generator).numpy()
        return decode(model, sample(mean, log_variance, noise))

    return measure(
        against,
        reconstruct,
        posterior=lambda _points: (mean, log_variance),
        draws=draws,
        seed=settings.seed,
        name=settings.method,
        gauge=settings.beta * settings.sigma2 / model.ground.lambda_max,
    )


def encode(model: Model, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and log-variance, each [n, k] float32, of shell points [n, d]."""
    parts = [model.networks.encode(block) for block in _blocks(model, points)]
    mean, log_variance = (
        torch.cat(column, dim=1)[0].cpu().numpy() for column in zip(*parts, strict=True)
    )
    return mean, log_variance


def decode(model: Model, z: np.ndarray) -> np.ndarray:
    """Decoder outputs [n, d] float32 of latents [n, k], on the shell where it is projected."""
    ground = model.ground
    parts = []
    for block in _blocks(model, z):
        outputs = model.networks.decode(block)
        like = outputs.new_tensor
        parts.append(
            project_on_shell(
                outputs, like(ground.shell.r_min), like(ground.shell.r_max), like(model.projected)
            )
        )
    return torch.cat(parts, dim=1)[0].cpu().numpy()


def _view_noise(model: Model, latent_dim: int) -> np.ndarray:
    """The noise [v, k] of a run's pictures: the same in all of them, so only the model moves."""
    ground = model.ground
    shape = (len(ground.view_index), latent_dim)
    return torch.randn(shape, generator=stream(ground.settings.seed, 0, "view")).numpy()


def _blocks(model: Model, rows: np.ndarray) -> Iterator[Tensor]:
    device = next(iter(model.networks.biases.values())).device
    for start in range(0, len(rows), _BLOCK):
        yield torch.from_numpy(rows[start : start + _BLOCK]).to(device).unsqueeze(0)


def _drawn_loss(
    model: Model, mean: np.ndarray, log_variance: np.ndarray, generator: torch.Generator
) -> float:
    noise = torch.randn(mean.shape, generator=generator).numpy()
    outputs = decode(model, sample(mean, log_variance, noise))
    gap = outputs - model.ground.shell.points
    return float((gap * gap).sum(axis=1, dtype=np.float64).mean())


def _live_sentence(loss: float, delta: float, definition: str, kl: float) -> str:
    """What a frame shows, in words; a frame has no margin, so it certifies nothing."""
    shown, limit = f"{loss:.3f}", f"{delta:.3f}"
    # Two numbers that read the same are told as the same.
    side = "at" if shown == limit else "below" if loss < delta else "not below"
    return f"Loss {shown} is {side} δ = {limit} ({definition}); KL {kl:.2f} nats."
