"""The objective of a batch of models: each method's loss from D and KL, and its gradient.

Members whose methods need only D and KL averaged over the minibatch share one computation, whose
gradient is written by hand (`batch_loss`). Methods that need per-point losses, several latents per
point or a posterior of their own are computed group by group, by autograd down to the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from svae_core.methods import (
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
from svae_core.training.autograd_leaves import Leaves, MemberIndex
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
class Objective:
    """The objectives of m members, grouped by method, with their gradient by the weights."""

    groups: tuple[Group, ...]
    loss_parameters: LossParameters

    @cached_property
    def any_pointwise(self) -> bool:
        """Whether some members need per-point losses, hence autograd down to the weights."""
        return any(group.pointwise for group in self.groups)

    @cached_property
    def all_pointwise(self) -> bool:
        """Whether all members need per-point losses."""
        return all(group.pointwise for group in self.groups)

    @cached_property
    def _any_frozen(self) -> bool:
        return any(group.freezes_decoder is not None for group in self.groups)

    @cached_property
    def _ones(self) -> tuple[Tensor, ...]:
        """∂(Σ objectives)/∂(each objective) = 1, [g] for each group: where backward starts."""
        return tuple(torch.ones_like(group.loss_parameters.sigma2) for group in self.groups)

    @cached_property
    def _member_index(self) -> MemberIndex:
        return MemberIndex(self.groups)

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
        # The chain rule in three parts: D and KL of the minibatch without autograd, the methods'
        # objectives on top of them by autograd, and back to the weights by hand.
        boundary = None
        if not (nets.coupled or self.all_pointwise):
            averaged = batch_loss(
                nets, batch, self.loss_parameters.r_min, self.loss_parameters.r_max
            )
            boundary = Leaves(averaged, self._member_index, self.loss_parameters)
        with torch.enable_grad():
            terms = self._terms(nets, batch, step, memory, boundary)
            values = [
                group.method.objective(each, group.constants)
                for group, each in zip(self.groups, terms, strict=True)
            ]
            direct = nets.trained_leaves() if nets.coupled or self.any_pointwise else []
            leaves = [] if boundary is None else boundary.leaves()
            found = _backward(tuple(values), self._ones, (*leaves, *direct))
        rows = torch.cat(found[len(leaves) :], dim=1) if direct else None  # type: ignore[arg-type]
        if boundary is not None:
            by_loss, by_kl = boundary.gradient(found[: len(leaves)])
            boundary.averaged.gradient(by_loss, by_kl, buffers.networks)
            rows = buffers.flat if rows is None else buffers.flat + rows
        for index, (group, each) in enumerate(zip(self.groups, terms, strict=True)):
            if group.stateful is not None:
                memory[index] = group.stateful.update(each, group.constants)
        assert rows is not None
        return rows

    def _terms(
        self,
        nets: Networks,
        batch: Batch,
        step: TrainingStep,
        memory: Memory,
        boundary: Leaves | None,
    ) -> list[Terms]:
        """The terms of every group; where they are averages, as leaves of the autograd graph."""
        autoregressive = None
        if nets.coupled:
            radii = self.loss_parameters.r_min, self.loss_parameters.r_max
            autoregressive = autoregressive_loss(nets, batch, *radii)
        terms: list[Terms] = []
        for index, (group, carried) in enumerate(zip(self.groups, memory, strict=True)):
            if group.pointwise:
                terms.append(self._pointwise_terms(group, nets, batch, step, carried))
            elif autoregressive is not None:
                loss, free_running, kl = (each[group.rows] for each in autoregressive)
                parts = _parts(group, loss, kl)
                terms.append(_terms(group, step, carried, parts, free_running_loss=free_running))
            else:
                assert boundary is not None
                terms.append(_terms(group, step, carried, boundary.parts[index]))
        return terms

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
    free_running_loss: Tensor | None = None,
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
        free_running_loss=free_running_loss,
    )


def _parts(group: Group, loss: Tensor, kl_per_dim: Tensor) -> dict[str, Tensor]:
    return parts_of(
        loss, kl_per_dim, group.loss_parameters.half_precision, group.loss_parameters.beta
    )


def _backward(
    values: tuple[Tensor, ...], ones: tuple[Tensor, ...], leaves: tuple[Tensor, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients at the leaves, None for a leaf that no value depends on.

    The engine call inside torch.autograd.grad(allow_unused=True), without the argument checks,
    which take longer than the small graphs here.
    """
    engine = torch.autograd.Variable._execution_engine
    found: tuple[Tensor | None, ...] = engine.run_backward(
        values, ones, False, False, leaves, True, accumulate_grad=False
    )
    return found


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
