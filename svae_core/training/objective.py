"""The objective of a batch of models: each method's loss from D and KL, and its gradient.

Members whose methods need only D and KL averaged over the minibatch share one computation, whose
gradient is written by hand (`batch_loss`); their methods give slopes by those averages. Methods
that need more are computed group by group, by autograd down to the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from svae_core.methods import (
    Averages,
    Draws,
    MultiSample,
    Terms,
    method_for,
    needs_points,
    parts_of,
    title_of,
)
from svae_core.nets.networks import GradientBuffers, Networks, project_on_shell, stream
from svae_core.records import PreparedData, RequestError, Settings
from svae_core.training.batch_loss import Batch, autoregressive_loss, batch_loss
from svae_core.training.groups import (
    Group,
    LossParameters,
    MemberMethod,
    Memory,
    encode_group,
    group_members,
    posterior_of,
)


@dataclass(frozen=True)
class TrainingStep:
    """The position of one optimiser step in the whole run, for schedules."""

    number: int
    total: int

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.number / max(1, self.total - 1)


@dataclass(frozen=True, eq=False)
class Slopes:
    """Derivatives of all members' objectives."""

    by_loss: Tensor  # [m]
    by_distortion: Tensor  # [m]
    by_kl: Tensor  # [m, k]


@dataclass(frozen=True, eq=False)
class Objective:
    """The objectives of m members, grouped by method, with their gradient by the weights."""

    groups: tuple[Group, ...]
    loss_parameters: LossParameters

    @cached_property
    def _any_pointwise(self) -> bool:
        """Whether some members need more than averages, hence autograd down to the weights."""
        return any(group.pointwise for group in self.groups)

    @cached_property
    def _any_averaged(self) -> bool:
        return not all(group.pointwise for group in self.groups)

    @cached_property
    def _any_frozen(self) -> bool:
        return any(group.freezes_decoder is not None for group in self.groups)

    @torch.no_grad()
    def gradient(
        self,
        nets: Networks,
        batch: Batch,
        step: TrainingStep,
        memory: Memory,
        buffers: GradientBuffers,
    ) -> Tensor:
        """The gradient of all objectives by all weights [m, p]; also updates `memory` in place.

        Members do not share weights, so the gradient of the sum of all objectives holds each
        member's own gradient in its row. The result may be `buffers.flat` itself, which the next
        call overwrites.
        """
        if nets.coupled:
            return self._autoregressive_gradient(nets, batch, step, memory)
        rows = torch.zeros_like(buffers.flat)
        if self._any_averaged:
            radii = self.loss_parameters.r_min, self.loss_parameters.r_max
            averaged = batch_loss(nets, batch, *radii)
            slopes = self._slopes(averaged.loss, averaged.loss, averaged.kl_per_dim, step, memory)
            averaged.gradient(slopes.by_loss + slopes.by_distortion, slopes.by_kl, buffers.networks)
            rows = buffers.flat
        if self._any_pointwise:
            rows = rows + self._pointwise_gradient(nets, batch, step, memory)
        return rows

    def _slopes(
        self,
        loss: Tensor,
        distortion: Tensor,
        kl_per_dim: Tensor,
        step: TrainingStep,
        memory: Memory,
    ) -> Slopes:
        """The methods' slopes by D [m] and KL_j [m, k]; 0 for members that need more.

        Their objectives are plain functions of one member's averages, so a graph is not needed.
        """
        losses, distortions, kl = (each.double().cpu() for each in (loss, distortion, kl_per_dim))
        found = np.zeros((2 + kl.shape[1], len(losses)))
        for index, group in enumerate(self.groups):
            if group.pointwise:
                continue
            carried = memory[index]
            numbers = [
                carried[name].cpu().reshape(len(group.seeds), -1) for name in group.memory_names
            ]
            remembered = torch.cat(numbers, dim=1).numpy() if numbers else np.zeros((0, 0))
            shared = group.loss_parameters
            for at, member in enumerate(group.members.tolist()):
                given = Averages(
                    *(float(losses[member]), float(distortions[member]), float(kl[member].sum())),
                    *(float(shared.half_precision[at]), float(shared.beta[at])),
                    *(float(shared.sigma2[at]), float(step.number), step.progress),
                )
                by_kl, own = found[2:, member], remembered[at] if numbers else np.zeros(0, "f4")
                constants = group.numbers[at]
                slopes = group.method.slopes  # type: ignore[attr-defined]
                _, found[0, member], found[1, member] = slopes(
                    given, kl[member].numpy(), constants, own, by_kl
                )
            sizes = [each.shape[1] for each in numbers]
            after = torch.from_numpy(remembered).split(sizes, dim=1) if numbers else ()
            memory[index] = {
                name: part.to(loss.device).view_as(carried[name])
                for name, part in zip(group.memory_names, after, strict=True)
            }
        slopes = torch.from_numpy(found).to(loss)
        return Slopes(slopes[0], slopes[1], slopes[2:].T)

    def _autoregressive_gradient(
        self, nets: Networks, batch: Batch, step: TrainingStep, memory: Memory
    ) -> Tensor:
        """By autograd from the averages on: D of g(z) and the teacher-forced error differ."""
        with torch.enable_grad():
            radii = self.loss_parameters.r_min, self.loss_parameters.r_max
            loss, distortion, kl_per_dim = autoregressive_loss(nets, batch, *radii)
            averages = loss.detach(), distortion.detach(), kl_per_dim.detach()
            slopes = self._slopes(*averages, step, memory)
            # A sum with the same gradient as the objectives.
            total = (slopes.by_loss * loss + slopes.by_distortion * distortion).sum()
            total = total + (slopes.by_kl * kl_per_dim).sum()
        return torch.cat(torch.autograd.grad(total, nets.trained_leaves()), dim=1)

    def _pointwise_gradient(
        self, nets: Networks, batch: Batch, step: TrainingStep, memory: Memory
    ) -> Tensor:
        """The gradient of the groups that need more than averages; 0 in the rows of the others."""
        pointwise = [index for index, group in enumerate(self.groups) if group.pointwise]
        with torch.enable_grad():
            terms = {
                index: self._pointwise_terms(self.groups[index], nets, batch, step, memory[index])
                for index in pointwise
            }
            total = torch.stack(
                [self.groups[index].objective(each).sum() for index, each in terms.items()]
            ).sum()
            leaves = nets.trained_leaves()
            found = torch.autograd.grad(total, leaves, allow_unused=True)
        for index, each in terms.items():
            group = self.groups[index]
            if group.stateful is not None:
                memory[index] = group.stateful.update(each, group.constants)
        return torch.cat(
            [
                torch.zeros_like(leaf) if part is None else part
                for leaf, part in zip(leaves, found, strict=True)
            ],
            dim=1,
        )

    def _pointwise_terms(
        self,
        group: Group,
        nets: Networks,
        batch: Batch,
        step: TrainingStep,
        memory: dict[str, Tensor],
    ) -> Terms:
        """The terms of one group with its latent draws and per-point losses, all on autograd."""
        nets, radii = nets.rows(group.members), group.loss_parameters
        points, noise = batch.points[group.members], batch.noise[group.members]
        encoded = encode_group(group, nets, points, memory, training=True)
        posterior = posterior_of(group.method, encoded)
        count = group.method.samples if isinstance(group.method, MultiSample) else 1
        drawn = [noise, *more_noise(group.seeds, step.number, count - 1, noise)]
        z = torch.stack([posterior.draw(each) for each in drawn], dim=1)
        # The samples of all points are one long minibatch to the decoder: [g, s·b, k].
        outputs = project_on_shell(nets.decode(z.flatten(1, 2)), radii.r_min, radii.r_max)
        error = outputs.view(*z.shape[:3], -1) - points.unsqueeze(1)
        losses = (error * error).sum(dim=3)
        draws = Draws(encoded, posterior, z, losses)
        loss, kl_per_dim = losses.mean(dim=(1, 2)), posterior.kl().mean(dim=1)
        return _terms(group, step, memory, _parts(group, loss, kl_per_dim), draws=draws)

    def member_method(self, index: int, memory: Memory) -> MemberMethod:
        """The method of one member with its own constants and memory, for evaluation."""
        which, at, group = self._single_members[index]
        return MemberMethod(group, {name: value[at] for name, value in memory[which].items()})

    @cached_property
    def _single_members(self) -> dict[int, tuple[int, Tensor, Group]]:
        """By member: the index of its group, its position in it, and a group of it alone."""
        return {
            int(group.members[position]): (which, position, group.single_member(position))
            for which, group in enumerate(self.groups)
            for position in torch.arange(len(group.seeds), device=group.members.device).split(1)
        }

    def decoder_frozen(self, memory: Memory, step: int) -> Tensor | None:
        """[m] whether each member's decoder is frozen in this step; None: all decoders train."""
        if not self._any_frozen:
            return None
        frozen = torch.zeros_like(self.loss_parameters.sigma2, dtype=torch.bool)
        for group, carried in zip(self.groups, memory, strict=True):
            if group.freezes_decoder is not None:
                frozen[group.members] = group.freezes_decoder.decoder_frozen(carried, step)
        return frozen


def _terms(
    group: Group,
    step: TrainingStep,
    memory: dict[str, Tensor],
    parts: Mapping[str, Tensor],
    *,
    draws: Draws | None = None,
) -> Terms:
    """The terms of one group [g] on one minibatch, as its method sees them."""
    return Terms(
        parts=parts,
        sigma2=group.loss_parameters.sigma2,
        half_precision=group.loss_parameters.half_precision,
        beta=group.loss_parameters.beta,
        step=step.number,
        progress=step.progress,
        memory=memory,
        draws=draws,
    )


def _parts(group: Group, loss: Tensor, kl_per_dim: Tensor) -> dict[str, Tensor]:
    return parts_of(
        loss, kl_per_dim, group.loss_parameters.half_precision, group.loss_parameters.beta
    )


def more_noise(seeds: tuple[int, ...], step: int, count: int, like: Tensor) -> list[Tensor]:
    """Standard normal noise for `count` more latents per point, each of the shape [g, b, k].

    It comes from (seed, step), so members of equal seed get equal noise.
    """
    if count < 1:
        return []
    drawn = {
        seed: torch.randn(count, *like.shape[1:], generator=stream(seed, step, "samples"))
        for seed in set(seeds)
    }
    return list(torch.stack([drawn[seed] for seed in seeds], dim=1).to(like.device))


def objective(
    members: tuple[Settings, ...], member_data: tuple[PreparedData, ...], device: torch.device
) -> Objective:
    """The objective of these members; raises RequestError if a method's options are invalid."""
    for settings in members:
        check_autoregressive(settings)
    loss_parameters, groups = group_members(members, member_data, device)
    return Objective(groups, loss_parameters)


def check_autoregressive(settings: Settings) -> None:
    """Raises RequestError if a method with per-point losses meets an autoregressive decoder.

    Such a decoder has two losses, teacher-forced and free-running; per-point terms hold only one.
    """
    if settings.arch == "autoregressive" and needs_points(method_for(settings)):
        raise RequestError(
            f"{title_of(settings.method)} needs losses point by point, which an autoregressive "
            "decoder does not give; choose another --arch or method."
        )
