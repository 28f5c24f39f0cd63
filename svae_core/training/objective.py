"""The losses of members that torch trains, as values whose gradient autograd finds.

    D = mean_x ‖ĝ(z) − x‖², z ~ q(z|x), ĝ the decoder on its shell;  KL_j = mean_x KL(q(z_j|x) ‖ p)

A method that states slopes by such averages is taken by its word; all else is plain autograd.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.methods import Averages, Draws, Terms, needs_points, title_of
from svae_core.nets.networks import Networks, stream
from svae_core.records import RequestError
from svae_core.training.members import Group, Member, Memory, memory_prefix


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of every member."""

    points: Tensor  # [g, b, d]
    noise: Tensor  # [g, b, k]


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
    encoded, posterior = group.encode(nets, batch.points, remembered, training=True)
    more = getattr(group.method, "samples", 1) - 1
    noise = [batch.noise, *more_noise(group.members, step.number, more, batch.noise)]
    z = torch.stack([posterior.draw(each) for each in noise], dim=1)
    # The samples of all points are one long minibatch to the decoder: [g, s·b, k].
    outputs, fitted = nets.predict(z.flatten(1, 2), batch.points)
    error = group.project(outputs).view(*z.shape[:3], -1) - batch.points.unsqueeze(1)
    squared = error.square().sum(dim=3)
    distortion, kl_per_dim = squared.mean(dim=(1, 2)), posterior.kl().mean(dim=1)
    if group.averaged:
        loss = distortion
        if fitted is not outputs:
            loss = (fitted - batch.points).square().sum(dim=2).mean(dim=1)
        by_loss, by_distortion, by_kl = _slopes(group, (loss, distortion, kl_per_dim), step, memory)
        # Not the losses, but with the same gradient.
        return by_loss * loss + by_distortion * distortion + (by_kl * kl_per_dim).sum(dim=1)
    _, _, half_precision, beta, sigma2 = group.given
    terms = Terms(
        loss=distortion,
        kl_per_dim=kl_per_dim,
        sigma2=sigma2,
        half_precision=half_precision,
        beta=beta,
        step=step.number,
        progress=step.progress,
        memory=remembered,
        draws=Draws(encoded, posterior, z, squared),
    )
    if remembered:
        with torch.no_grad():
            after = group.method.update(terms, group.constants)
        for name, value in after.items():
            memory[memory_prefix(group.method) + name][...] = value.cpu().numpy()
    found: Tensor = group.method.objective(terms, group.constants)
    return found


def _slopes(
    group: Group, averages: tuple[Tensor, Tensor, Tensor], step: TrainingStep, memory: Memory
) -> tuple[Tensor, Tensor, Tensor]:
    """The methods' slopes by D that is fitted, D of g(z), both [g], and KL_j, [g, k]."""
    loss, distortion, kl_per_dim = (each.detach().double().cpu().numpy() for each in averages)
    by_loss, by_distortion = np.zeros_like(loss), np.zeros_like(loss)
    by_kl = np.zeros_like(kl_per_dim)
    for at, member in enumerate(group.members):
        own = member.recall(memory, at)
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


def check_autoregressive(member: Member) -> None:
    """Raises RequestError if a method with per-point losses meets an autoregressive decoder.

    Such a decoder has two losses, teacher-forced and free-running; per-point terms hold only one.
    """
    if member.settings.arch == "autoregressive" and needs_points(member.method):
        raise RequestError(
            f"{title_of(member.settings.method)} needs losses point by point, which an "
            "autoregressive decoder does not give; choose another --arch or method."
        )
