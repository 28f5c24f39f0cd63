"""What a batch of members minimises: a minibatch's terms, put together by each one's method.

Members whose methods ask for no more than averages share one computation; those that need points
one by one, or a posterior of their own, are computed group by group.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from svae_core.averages import Batch, averages, foretelling
from svae_core.methods import (
    Draws,
    Encoded,
    Encodes,
    Gauged,
    Parametrised,
    Priored,
    Remembers,
    Rests,
    Samples,
    Terms,
    TrainingMethod,
    method_for,
)
from svae_core.networks import Networks, Room, project_on_shell, stream
from svae_core.posterior import Gaussian, Posterior
from svae_core.records import Groundwork, RequestError, Settings


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
class Shared:
    """What the loss of any member depends on, [m, …]."""

    r_min: Tensor  # [m, 1, 1] of the shell that its decoder is projected on,
    r_max: Tensor  # [m, 1, 1] 0 and infinity where it is not
    sigma2: Tensor  # [m]
    half_precision: Tensor  # [m] 1/(2σ²)
    beta: Tensor  # [m]

    def rows(self, rows: slice | Tensor) -> Shared:
        """The same of some members."""
        return Shared(**{name: value[rows] for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Group:
    """Members trained by the same configured method."""

    method: TrainingMethod
    members: Tensor  # [g] indices
    rows: slice | Tensor  # the same as a slice, where they are evenly spaced
    shared: Shared  # [g, …]
    constants: dict[str, Tensor]  # [g] each
    seeds: tuple[int, ...]  # [g]
    parameters: int  # e: weights beside the networks'

    # Asked in every step: looking a role up takes longer than most of the step's operations.
    @cached_property
    def apart(self) -> bool:
        """Whether it needs more than the averages that all members share."""
        return isinstance(self.method, Samples | Encodes | Parametrised)

    @cached_property
    def remembers(self) -> Remembers | None:
        """Its method, if it carries numbers from step to step."""
        return self.method if isinstance(self.method, Remembers) else None

    @cached_property
    def rests(self) -> Rests | None:
        """Its method, if it has steps that leave the decoder alone."""
        return self.method if isinstance(self.method, Rests) else None

    @property
    def prefix(self) -> str:
        """Of the names in a state's memory."""
        return memory_prefix(self.method)


@dataclass(frozen=True, eq=False)
class Solo:
    """A member by itself, with what its method carries."""

    group: Group  # of one
    memory: dict[str, Tensor]  # [1, …]

    @property
    def method(self) -> TrainingMethod:
        return self.group.method

    def posterior(self, nets: Networks, points: Tensor) -> Posterior:
        """Its posteriors for points [1, b, d], as they are looked at."""
        encoded = encoded_by(self.group, nets, points, self.memory, training=False)
        return posterior_of(self.method, encoded)

    def from_prior(self, nets: Networks, noise: Tensor) -> Tensor:
        """Latents [n, k] from its prior, of standard normal noise [n, k]."""
        if isinstance(self.method, Priored):
            return self.method.from_prior(noise, nets.extra[0, : self.group.parameters])
        return noise

    def pressure(self, settings: Settings, loss: float, d: int) -> float:
        """The βσ² it was trained at, on d-dimensional points that it reconstructs at this loss."""
        if isinstance(self.method, Gauged):
            memory = {name: float(value) for name, value in self.memory.items() if value.dim() == 1}
            return self.method.pressure(settings, loss, d, memory)
        return settings.beta * settings.sigma2


#: What the methods of a batch carry, group by group.
Memory = list[dict[str, Tensor]]


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
    def _order(self) -> Tensor | None:
        """Where each member is in the groups one after another; None: where it is anyway."""
        order = torch.cat([group.members for group in self.groups]).argsort()
        return None if order.tolist() == list(range(len(order))) else order

    @torch.no_grad()
    def gradient(
        self, nets: Networks, batch: Batch, now: Now, memory: Memory, room: Room
    ) -> Tensor:
        """Of the sum of all members' objectives by all weights [m, p]; then memories move on.

        Members do not share weights, so each row is that member's own gradient. What is returned
        may be `room`'s, and is then gone with the next call.
        """
        radii = self.shared.r_min, self.shared.r_max
        apart = nets.coupled or self.all_apart
        averaged = None if apart else averages(nets, batch, *radii)
        with torch.enable_grad():
            foretold = foretelling(nets, batch, *radii) if nets.coupled else None
            terms, ends = [], []
            for group, carried in zip(self.groups, memory, strict=True):
                if group.apart:
                    terms.append(self._point_by_point(group, nets, batch, now, carried))
                elif foretold is not None:
                    loss, freely, kl = (each[group.rows] for each in foretold)
                    total = kl.sum(dim=1)
                    terms.append(_terms(group, now, carried, loss, total, kl, freely=freely))
                else:
                    # Autograd ends here; from here on the gradient is written by hand. A sum is an
                    # end beside its summands, so that most methods' graphs go without it.
                    assert averaged is not None
                    parts = averaged.loss, averaged.kl, averaged.kl_per_dim
                    end = [part[group.rows].requires_grad_(True) for part in parts]
                    terms.append(_terms(group, now, carried, *end))
                    ends += end
            values = [
                group.method.objective(each, group.constants)
                for group, each in zip(self.groups, terms, strict=True)
            ]
            direct = nets.used() if nets.coupled or self.any_apart else []
            found = _backward(tuple(values), self._ones, (*ends, *direct))
        for index, (group, each) in enumerate(zip(self.groups, terms, strict=True)):
            if group.remembers is not None:
                memory[index] = group.remembers.update(each, group.constants)
        rows = torch.cat(found[len(ends) :], dim=1) if direct else None  # type: ignore[arg-type]
        if averaged is None:
            assert rows is not None
            return rows
        by_loss, by_kl, by_kl_per_dim = (found[i : len(ends) : 3] for i in range(3))
        by_kl_of_all = self._of_all(by_kl, averaged.kl).unsqueeze(1)
        if any(part is not None for part in by_kl_per_dim):
            by_kl_of_all = by_kl_of_all + self._of_all(by_kl_per_dim, averaged.kl_per_dim)
        averaged.gradient(self._of_all(by_loss, averaged.loss), by_kl_of_all, room.networks)
        return room.flat if rows is None else room.flat + rows

    def _of_all(self, parts: tuple[Tensor | None, ...], like: Tensor) -> Tensor:
        """What each group that is averaged has, put together for all members; 0 for None."""
        rest = iter(parts)
        whole = []
        for group in self.groups:
            part = None if group.apart else next(rest)
            whole.append(
                like.new_zeros(len(group.seeds), *like.shape[1:]) if part is None else part
            )
        together = torch.cat(whole) if len(whole) > 1 else whole[0]
        return together if self._order is None else together[self._order]

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
        return _terms(group, now, memory, loss, kl_per_dim.sum(dim=1), kl_per_dim, draws=draws)

    def solo(self, index: int, memory: Memory) -> Solo:
        """One member by itself."""
        for group, carried in zip(self.groups, memory, strict=True):
            at = (group.members == index).nonzero().flatten()
            if len(at):
                constants = {name: value[at] for name, value in group.constants.items()}
                one = dataclasses.replace(
                    group,
                    members=at.new_zeros(1),
                    rows=slice(0, 1),
                    shared=group.shared.rows(at),
                    constants=constants,
                    seeds=(group.seeds[int(at)],),
                )
                return Solo(one, {name: value[at] for name, value in carried.items()})
        raise IndexError(index)

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
    loss: Tensor,
    kl: Tensor,
    kl_per_dim: Tensor,
    *,
    draws: Draws | None = None,
    freely: Tensor | None = None,
) -> Terms:
    """A minibatch's terms of one group [g]."""
    return Terms(
        loss=loss,
        kl=kl,
        kl_per_dim=kl_per_dim,
        sigma2=group.shared.sigma2,
        half_precision=group.shared.half_precision,
        beta=group.shared.beta,
        step=now.step,
        progress=now.progress,
        memory=memory,
        draws=draws,
        freely=freely,
    )


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


def encoded_by(
    group: Group, nets: Networks, points: Tensor, memory: dict[str, Tensor], *, training: bool
) -> Encoded:
    """What the encoders of a group's members [g] give for points [g, b, d]."""
    mean, log_variance = nets.encode(points)
    own = nets.extra[:, : group.parameters]
    return Encoded(mean, log_variance, group.constants, memory, own, training)


def posterior_of(method: TrainingMethod, encoded: Encoded) -> Posterior:
    """The posteriors as their method reads them; Gaussian where it says nothing."""
    if isinstance(method, Encodes):
        return method.posterior(encoded)
    return Gaussian(encoded.mean, encoded.log_variance)


def more_noise(seeds: tuple[int, ...], step: int, count: int, like: Tensor) -> list[Tensor]:
    """Standard normal noise for further latents of a step, `count` times the shape [g, b, k]."""
    if count < 1:
        return []
    drawn = {
        seed: torch.randn(count, *like.shape[1:], generator=stream(seed, step, "samples"))
        for seed in set(seeds)
    }
    return list(torch.stack([drawn[seed] for seed in seeds], dim=1).to(like.device))


# ------------------------------------------------------------------ what methods carry


def memory_prefix(method: TrainingMethod) -> str:
    """What the names of a method's memory begin with in a state."""
    return f"{type(method).__module__.rsplit('.', 1)[-1]}:"


def first_memory(
    members: tuple[Settings, ...], grounds: tuple[Groundwork, ...]
) -> dict[str, np.ndarray]:
    """What all members carry before the first step: [m, …] by name, 0 where it is not theirs."""
    memory: dict[str, np.ndarray] = {}
    for index, (settings, ground) in enumerate(zip(members, grounds, strict=True)):
        method = method_for(settings)
        if isinstance(method, Remembers):
            for name, value in method.memory(ground, settings).items():
                start = np.zeros((len(members), *np.shape(value)), np.float32)
                memory.setdefault(memory_prefix(method) + name, start)[index] = value
    return memory


def recall(groups: tuple[Group, ...], memory: dict[str, np.ndarray]) -> Memory:
    """A state's memory, group by group, as tensors."""
    return [
        {
            name.removeprefix(group.prefix): torch.from_numpy(value).to(group.members.device)[
                group.members
            ]
            for name, value in memory.items()
            if name.startswith(group.prefix)
        }
        for group in groups
    ]


def remembered(
    groups: tuple[Group, ...], memory: Memory, before: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The memory of a state, [m, …] by name, from that of its groups; the inverse of `recall`."""
    after = {name: value.copy() for name, value in before.items()}
    for group, carried in zip(groups, memory, strict=True):
        rows = group.members.cpu().numpy()
        for name, value in carried.items():
            after[group.prefix + name][rows] = value.cpu().numpy()
    return after


# -------------------------------------------------------------------------- composing


def objective(
    members: tuple[Settings, ...], grounds: tuple[Groundwork, ...], device: torch.device
) -> Objective:
    """The objective of these members; RequestError where a method's request makes no sense."""
    methods = [method_for(settings) for settings in members]
    radii = [
        (settings.r_min, settings.r_max) if method.projected else (0.0, math.inf)
        for settings, method in zip(members, methods, strict=True)
    ]

    def per_member(values: list[float], *shape: int) -> Tensor:
        return torch.tensor(values, device=device).view(-1, *shape)

    shared = Shared(
        r_min=per_member([low for low, _ in radii], 1, 1),
        r_max=per_member([high for _, high in radii], 1, 1),
        sigma2=per_member([settings.sigma2 for settings in members]),
        half_precision=per_member([0.5 / settings.sigma2 for settings in members]),
        beta=per_member([settings.beta for settings in members]),
    )
    groups = _groups(members, methods, grounds, shared)
    _check_autoregressive(members, groups)
    return Objective(groups, shared)


def _check_autoregressive(members: tuple[Settings, ...], groups: tuple[Group, ...]) -> None:
    """Point by point there is no telling apart what is foretold and what is decoded."""
    if members[0].arch != "autoregressive":
        return
    for group in groups:
        if group.apart:
            name = members[int(group.members[0])].method
            raise RequestError(
                f"The method {name} needs losses point by point, which an autoregressive decoder "
                "does not give; choose another --arch or method."
            )


def own_parameters(settings: Settings) -> np.ndarray:
    """The weights [e] that a member starts with beside its networks'; e is 0 for most methods."""
    method = method_for(settings)
    if isinstance(method, Parametrised):
        return np.asarray(method.parameters(settings), dtype=np.float32)
    return np.zeros(0, np.float32)


def _groups(
    members: tuple[Settings, ...],
    methods: list[TrainingMethod],
    grounds: tuple[Groundwork, ...],
    shared: Shared,
) -> tuple[Group, ...]:
    device = shared.sigma2.device
    together: dict[tuple[object, ...], list[int]] = {}
    for index, settings in enumerate(members):
        together.setdefault((settings.method, settings.method_options), []).append(index)
    groups = []
    for rows in together.values():
        constants = [methods[i].constants(grounds[i], members[i]) for i in rows]
        groups.append(
            Group(
                method=methods[rows[0]],
                members=torch.tensor(rows, device=device),
                rows=_evenly(rows, device),
                shared=shared.rows(_evenly(rows, device)),
                constants={
                    name: torch.tensor([c[name] for c in constants], device=device)
                    for name in constants[0]
                },
                seeds=tuple(members[i].seed for i in rows),
                parameters=len(own_parameters(members[rows[0]])),
            )
        )
    return tuple(groups)


def _evenly(rows: list[int], device: torch.device) -> slice | Tensor:
    """Ascending row numbers as a slice where they can be one: looking is cheaper than picking."""
    stride = rows[1] - rows[0] if len(rows) > 1 else 1
    if rows == list(range(rows[0], rows[-1] + 1, stride)):
        return slice(rows[0], rows[-1] + 1, stride)
    return torch.tensor(rows, device=device)
