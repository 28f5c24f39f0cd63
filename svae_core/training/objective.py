"""The losses of members that torch trains, as values whose gradient autograd finds.

    D = mean_x ‖ĝ(z) − x‖², z ~ q(z|x), ĝ the decoder on its shell;  KL_j = mean_x KL(q(z_j|x) ‖ p)

An autoregressive decoder is fitted by its error under teacher forcing; D is that of its free run.

Where a method states its slopes, the gradient by these averages is what it states; autograd finds
the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from svae_core.distributions.chain import Pathwise
from svae_core.distributions.gaussian import Posterior
from svae_core.methods import Averages, Draws, Encoded, Terms, needs_free_run
from svae_core.nets.networks import Networks, stream
from svae_core.training.members import Group, Member, Memory, memory_prefix


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of every member."""

    points: Tensor  # [g, b, d]
    noise: Tensor  # [g, b, k]
    rows: Tensor | None = None  # [g, b] of the points in the data


@dataclass(frozen=True)
class TrainingStep:
    """The position of one optimiser step in the whole run, for schedules."""

    number: int
    total: int

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.number / max(1, self.total - 1)


def losses(
    group: Group, nets: Networks, batch: Batch, step: TrainingStep, memory: Memory
) -> Tensor:
    """A value per member, [g], whose gradient is that of its loss; updates `memory` in place."""
    remembered = {} if group.averaged else group.recall(memory)
    encoded, posterior = group.encode(
        nets, batch.points, remembered, training=True, rows=batch.rows
    )
    draws = _drawn(group, nets, batch, step, encoded, posterior)
    kl_per_dim = posterior.kl().mean(dim=1) if not draws.paths else _mean_rate(draws)
    loss = draws.losses.mean(dim=(1, 2))
    if group.averaged:
        # The free run of an autoregressive decoder is made for methods that look at its loss.
        distortion = draws.distortions.mean(dim=(1, 2)) if _runs_free(group) else loss
        by_loss, by_distortion, by_kl = _slopes(group, (loss, distortion, kl_per_dim), step, memory)
        # Not the losses, but with the same gradient.
        return by_loss * loss + by_distortion * distortion + (by_kl * kl_per_dim).sum(dim=1)
    _, _, half_precision, beta, sigma2 = group.given
    terms = Terms(
        loss=loss,
        kl_per_dim=kl_per_dim,
        sigma2=sigma2,
        half_precision=half_precision,
        beta=beta,
        step=step.number,
        progress=step.progress,
        memory=remembered,
        draws=draws,
    )
    if remembered:
        with torch.no_grad():
            after = group.method.update(terms, group.constants)
        for name, value in after.items():
            memory[memory_prefix(group.method) + name][...] = value.cpu().numpy()
    found: Tensor = group.method.objective(terms, group.constants)
    return found


def _noise_of_latents(group: Group, batch: Batch, step: TrainingStep) -> list[Tensor]:
    """The noise of each of a point's s latents, [g, b, w]; w is k, or (T + 1)·k of chains.

    The first latent begins with the minibatch's own noise, which all methods share, so that a
    method of one latent draws the same z as every other.
    """
    samples, first = getattr(group.method, "samples", 1), group.members[0]
    width = first.noise_dim // first.settings.latent_dim
    more = more_noise(group.members, step.number, samples * width - 1, batch.noise)
    each = [batch.noise, *more]
    # Of a chain, each latent takes `width` parts; the first latent begins with the shared one.
    return each if width == 1 else [torch.cat(each[i::samples], dim=2) for i in range(samples)]


def _drawn(
    group: Group,
    nets: Networks,
    batch: Batch,
    step: TrainingStep,
    encoded: Encoded,
    posterior: Posterior,
) -> Draws:
    """Latents of the minibatch, s per point, and their losses."""
    parts = _noise_of_latents(group, batch, step)
    paths = tuple(map(posterior.path, parts)) if isinstance(posterior, Pathwise) else ()
    z = torch.stack([path.z for path in paths] or [posterior.draw(part) for part in parts], dim=1)
    forced = (
        _with_dropped_steps(group, nets, batch.points, step) if nets.arch.autoregressive else None
    )

    def error(outputs: Tensor, like: Tensor) -> Tensor:
        gap = outputs.view(*like.shape[:3], -1) - batch.points.unsqueeze(1)
        return gap.square().sum(dim=3)

    # The latents of all points are one long minibatch to the decoder: [g, s·b, k].
    def free(latents: Tensor) -> Tensor:
        return error(group.project(nets.decode(latents.flatten(1, 2))), latents)

    def fitted(latents: Tensor) -> Tensor:
        if forced is None:
            return free(latents)
        seen = forced.repeat(1, latents.shape[1], 1)
        return error(nets.predict(latents.flatten(1, 2), seen), latents)

    def encoded_again(latents: Tensor) -> Tensor:
        return nets.encode(group.project(nets.decode(latents)))[0]

    return Draws(
        encoded=encoded,
        posterior=posterior,
        z=z,
        losses=fitted(z),
        losses_of=fitted,
        noise=torch.stack(parts, dim=1),
        paths=paths,
        running_free=None if forced is None else partial(free, z),
        encoded_again=encoded_again,
    )


def _mean_rate(draws: Draws) -> Tensor:
    """The mean rate of the minibatch's own paths, [g, 1] nats."""
    rates = torch.stack([path.rate for path in draws.paths], dim=1)
    return rates.mean(dim=(1, 2)).unsqueeze(1)


def _runs_free(group: Group) -> bool:
    """Whether one of these methods looks at D of g(z), by which it differs from the loss."""
    return any(needs_free_run(member.method) for member in group.members)


def _with_dropped_steps(group: Group, nets: Networks, points: Tensor, step: TrainingStep) -> Tensor:
    """The points as an autoregressive decoder sees them in training, with word dropout.

    A dropped step is 0, the mean of the data, which tells nothing (the unknown word of arXiv
    1511.06349). Only what the decoder reads is dropped, not what it predicts.
    """
    rates = [member.settings.word_dropout for member in group.members]
    if not any(rates):
        return points
    seeds = [member.settings.seed for member in group.members]
    shape = points.shape[1], nets.arch.steps[0]
    drawn = {
        seed: torch.rand(*shape, generator=stream(seed, step.number, "dropout"))
        for seed in set(seeds)
    }
    kept = torch.stack([drawn[seed] >= rate for seed, rate in zip(seeds, rates, strict=True)])
    kept = kept.to(points.device).unsqueeze(3)
    return torch.where(kept, points.unflatten(2, nets.arch.steps), 0.0).flatten(2)


def _slopes(
    group: Group, averages: tuple[Tensor, Tensor, Tensor], step: TrainingStep, memory: Memory
) -> tuple[Tensor, Tensor, Tensor]:
    """The methods' slopes by D that is fitted, D of g(z), both [g], and KL_j, [g, k]."""
    loss, distortion, kl_per_dim = (each.detach().double().cpu().numpy() for each in averages)
    by_loss, by_distortion = np.zeros_like(loss), np.zeros_like(loss)
    by_kl = np.zeros_like(kl_per_dim)
    for at, member in enumerate(group.members):
        own = member.recall(memory, at).astype(np.float64)  # compiled code counts in double as well
        means = loss[at], distortion[at], kl_per_dim[at].sum(), *member.given[2:]
        numbers = *map(float, means), float(step.number), step.progress
        given = Averages._make((*numbers, kl_per_dim[at], member.numbers, own, by_kl[at]))
        _, by_loss[at], by_distortion[at] = member.method.slopes(given)  # type: ignore[attr-defined]
        member.remember(own, memory, at)
    found = (torch.from_numpy(each).to(averages[0]) for each in (by_loss, by_distortion, by_kl))
    return next(found), next(found), next(found)


def more_noise(
    members: tuple[Member, ...], step: int, count: int, like: Tensor
) -> tuple[Tensor, ...]:
    """Standard normal noise for `count` more latents per point, each of the shape [g, b, k].

    It comes from (seed, step), so members of equal seed get equal noise.
    """
    if count < 1:
        return ()
    seeds = [member.settings.seed for member in members]
    drawn = {
        seed: torch.randn(count, *like.shape[1:], generator=stream(seed, step, "samples"))
        for seed in set(seeds)
    }
    return torch.stack([drawn[seed] for seed in seeds], dim=1).to(like.device).unbind()
