"""What a batch of members minimises: a minibatch's terms, put together by each one's method.

Members whose methods ask for no more than averages share one computation; those that need points
one by one, or a posterior of their own, are computed group by group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from svae_core.methods import Draws, Samples, Terms, method_for, needs_points, parts_of
from svae_core.nets.networks import GradientBuffers, Networks, project_on_shell, stream
from svae_core.records import PreparedData, RequestError, Settings
from svae_core.training.autograd_boundary import Leaves, MemberIndex
from svae_core.training.batch_loss import Batch, averages, foretelling
from svae_core.training.groups import Group, Memory, Shared, Solo, encoded_by, grouped, posterior_of


@dataclass(frozen=True)
class Now:
    """When a minibatch is seen."""

    step: int
    steps: int

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.step / max(1, self.steps - 1)


@dataclass(frozen=True, eq=False)
class Objective:
    """All that turns outputs into a value to minimise, for each of m members."""

    groups: tuple[Group, ...]
    shared: Shared

    @cached_property
    def any_apart(self) -> bool:
        """Whether some members are computed point by point, by autograd down to the weights."""
        return any(group.apart for group in self.groups)

    @cached_property
    def all_apart(self) -> bool:
        """Whether all of them are."""
        return all(group.apart for group in self.groups)

    @cached_property
    def _any_rests(self) -> bool:
        return any(group.rests is not None for group in self.groups)

    @cached_property
    def _ones(self) -> tuple[Tensor, ...]:
        """Where differentiation begins: each member's objective counts once."""
        return tuple(torch.ones_like(group.shared.sigma2) for group in self.groups)

    @cached_property
    def _places(self) -> MemberIndex:
        return MemberIndex(self.groups)

    @torch.no_grad()
    def gradient(
        self, nets: Networks, batch: Batch, now: Now, memory: Memory, buffers: GradientBuffers
    ) -> Tensor:
        """Of the sum of all members' objectives by all weights [m, p]; then memories move on.

        Members do not share weights, so each row is that member's own gradient. What is returned
        may be `room`'s, and is then gone with the next call.
        """
        ends = None
        if not (nets.coupled or self.all_apart):
            averaged = averages(nets, batch, self.shared.r_min, self.shared.r_max)
            ends = Leaves(averaged, self._places, self.shared)
        with torch.enable_grad():
            terms = self._terms(nets, batch, now, memory, ends)
            values = [
                group.method.objective(each, group.constants)
                for group, each in zip(self.groups, terms, strict=True)
            ]
            direct = nets.used() if nets.coupled or self.any_apart else []
            leaves = [] if ends is None else ends.leaves()
            found = _backward(tuple(values), self._ones, (*leaves, *direct))
        rows = torch.cat(found[len(leaves) :], dim=1) if direct else None  # type: ignore[arg-type]
        if ends is not None:
            ends.averaged.gradient(*ends.gradient(found[: len(leaves)]), buffers.networks)
            rows = buffers.flat if rows is None else buffers.flat + rows
        for index, (group, each) in enumerate(zip(self.groups, terms, strict=True)):
            if group.remembers is not None:
                memory[index] = group.remembers.update(each, group.constants)
        assert rows is not None
        return rows

    def _terms(
        self, nets: Networks, batch: Batch, now: Now, memory: Memory, ends: Leaves | None
    ) -> list[Terms]:
        """The terms of every group; of those averaged, as ends of autograd."""
        shared = self.shared
        foretold = foretelling(nets, batch, shared.r_min, shared.r_max) if nets.coupled else None
        terms: list[Terms] = []
        for index, (group, carried) in enumerate(zip(self.groups, memory, strict=True)):
            if group.apart:
                terms.append(self._point_by_point(group, nets, batch, now, carried))
            elif foretold is not None:
                loss, freely, kl = (each[group.rows] for each in foretold)
                terms.append(_terms(group, now, carried, _parts(group, loss, kl), freely=freely))
            else:
                assert ends is not None
                terms.append(_terms(group, now, carried, ends.parts[index]))
        return terms

    def _point_by_point(
        self, group: Group, nets: Networks, batch: Batch, now: Now, memory: dict[str, Tensor]
    ) -> Terms:
        """The terms of one group, with its draws."""
        nets, shared = nets.rows(group.members), group.shared
        points, noise = batch.points[group.members], batch.noise[group.members]
        encoded = encoded_by(group, nets, points, memory, training=True)
        posterior = posterior_of(group.method, encoded)
        count = group.method.samples if isinstance(group.method, Samples) else 1
        drawn = [noise, *more_noise(group.seeds, now.step, count - 1, noise)]
        z = torch.stack([posterior.draw(each) for each in drawn], dim=1)
        outputs = project_on_shell(nets.decode(z.flatten(1, 2)), shared.r_min, shared.r_max)
        error = outputs.view(*z.shape[:3], -1) - points.unsqueeze(1)
        losses = (error * error).sum(dim=3)
        draws = Draws(encoded, posterior, z, losses)
        loss, kl_per_dim = losses.mean(dim=(1, 2)), posterior.kl().mean(dim=1)
        return _terms(group, now, memory, _parts(group, loss, kl_per_dim), draws=draws)

    def solo(self, index: int, memory: Memory) -> Solo:
        """One member by itself."""
        which, at, group = self._alone[index]
        return Solo(group, {name: value[at] for name, value in memory[which].items()})

    @cached_property
    def _alone(self) -> dict[int, tuple[int, Tensor, Group]]:
        """Of each member: the number of its group, its place there, and a group of its own."""
        return {
            int(group.members[place]): (which, place, group.only(place))
            for which, group in enumerate(self.groups)
            for place in torch.arange(len(group.seeds), device=group.members.device).split(1)
        }

    def decoder_rests(self, memory: Memory, step: int) -> Tensor | None:
        """[m] which members' decoders stay as they are in this step; None: all of them train."""
        if not self._any_rests:
            return None
        rests = torch.zeros_like(self.shared.sigma2, dtype=torch.bool)
        for group, carried in zip(self.groups, memory, strict=True):
            if group.rests is not None:
                rests[group.members] = group.rests.decoder_rests(carried, step)
        return rests


def _terms(
    group: Group,
    now: Now,
    memory: dict[str, Tensor],
    parts: Mapping[str, Tensor],
    *,
    draws: Draws | None = None,
    freely: Tensor | None = None,
) -> Terms:
    """A minibatch's terms of one group [g]."""
    return Terms(
        parts=parts,
        sigma2=group.shared.sigma2,
        half_precision=group.shared.half_precision,
        beta=group.shared.beta,
        step=now.step,
        progress=now.progress,
        memory=memory,
        draws=draws,
        freely=freely,
    )


def _parts(group: Group, loss: Tensor, kl_per_dim: Tensor) -> dict[str, Tensor]:
    return parts_of(loss, kl_per_dim, group.shared.half_precision, group.shared.beta)


def _backward(
    values: tuple[Tensor, ...], ones: tuple[Tensor, ...], ends: tuple[Tensor, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients at the ends, None where nothing depends on one.

    What torch.autograd.grad(allow_unused=True) comes down to, without its checks of the request.
    """
    engine = torch.autograd.Variable._execution_engine
    found: tuple[Tensor | None, ...] = engine.run_backward(
        values, ones, False, False, ends, True, accumulate_grad=False
    )
    return found


def more_noise(seeds: tuple[int, ...], step: int, count: int, like: Tensor) -> list[Tensor]:
    """Standard normal noise for further latents of a step, `count` times the shape [g, b, k]."""
    if count < 1:
        return []
    drawn = {
        seed: torch.randn(count, *like.shape[1:], generator=stream(seed, step, "samples"))
        for seed in set(seeds)
    }
    return list(torch.stack([drawn[seed] for seed in seeds], dim=1).to(like.device))


def objective(
    members: tuple[Settings, ...], grounds: tuple[PreparedData, ...], device: torch.device
) -> Objective:
    """The objective of these members; RequestError where a method's request makes no sense."""
    for settings in members:
        check_autoregressive(settings)
    shared, groups = grouped(members, grounds, device)
    return Objective(groups, shared)


def check_autoregressive(settings: Settings) -> None:
    """RequestError where an autoregressive decoder meets a method that it does not go with.

    Point by point there is no telling apart what is foretold and what is decoded.
    """
    if settings.arch == "autoregressive" and needs_points(method_for(settings)):
        raise RequestError(
            f"The method {settings.method} needs losses point by point, which an autoregressive "
            "decoder does not give; choose another --arch or method."
        )
