"""What a batch of members minimises: a minibatch's terms, put together by each one's method.

Members whose methods ask for no more than averages share one computation; those that need points
one by one, or a posterior of their own, are computed group by group.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from svae_core.averages import Averages, Seen, averages, foretelling
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
from svae_core.networks import Networks, project_on_shell, stream
from svae_core.posterior import Gaussian, Posterior
from svae_core.records import Groundwork, RequestError, Settings


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of every member."""

    points: Tensor  # [m, b, d]
    noise: Tensor  # [m, b, k]


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

    projected: Tensor  # [m, 1, 1] 1 or 0
    r_min: Tensor  # [m, 1, 1]
    r_max: Tensor  # [m, 1, 1]
    sigma2: Tensor  # [m]
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

    def gradient(self, nets: Networks, batch: Batch, now: Now, memory: Memory) -> Tensor:
        """Of the sum of all members' objectives by all weights [m, p]; then memories move on.

        Members do not share weights, so each row is that member's own gradient.
        """
        shared = self.shared
        on = Seen(batch.points, batch.noise, shared.r_min, shared.r_max, shared.projected)
        foretold = foretelling(nets, on) if nets.coupled else None
        measured = None if nets.coupled or self.all_apart else averages(nets, on)
        values, ends = [], []
        for index, group in enumerate(self.groups):
            if group.apart:
                terms = self._point_by_point(group, nets, batch, now, memory[index])
            elif measured is None:
                assert foretold is not None
                loss, freely, kl = (each[group.rows] for each in foretold)
                terms = _terms(group, now, memory[index], loss, kl, freely=freely)
            else:
                # Autograd ends here; from here on the gradient is written by hand.
                loss = measured.loss[group.rows].requires_grad_(True)
                kl = measured.kl_per_dim[group.rows].requires_grad_(True)
                ends += [loss, kl]
                terms = _terms(group, now, memory[index], loss, kl)
            values.append(group.method.objective(terms, group.constants))
            if group.remembers is not None:
                with torch.no_grad():
                    memory[index] = group.remembers.update(terms, group.constants)
        direct = nets.used() if nets.coupled or self.any_apart else []
        found = torch.autograd.grad(
            values, ends + direct, [torch.ones_like(value) for value in values]
        )
        rows = torch.cat(found[len(ends) :], dim=1) if direct else None
        if measured is None:
            assert rows is not None
            return rows
        by_hand = measured.gradient(*self._of_all(measured, found[: len(ends)]))
        return by_hand if rows is None else by_hand.add_(rows)

    def _of_all(self, measured: Averages, found: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Gradients of D [m] and KL [m, k] from those of each group; 0 for members apart."""
        if len(self.groups) == 1:
            return found[0], found[1]
        by_loss, by_kl = torch.zeros_like(measured.loss), torch.zeros_like(measured.kl_per_dim)
        groups = [group for group in self.groups if not group.apart]
        for group, loss, kl in zip(groups, found[0::2], found[1::2], strict=True):
            by_loss[group.rows] = loss
            by_kl[group.rows] = kl
        return by_loss, by_kl

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
        outputs = project_on_shell(
            nets.decode(z.flatten(1, 2)), shared.r_min, shared.r_max, shared.projected
        )
        error = outputs.view(*z.shape[:3], -1) - points.unsqueeze(1)
        losses = (error * error).sum(dim=3)
        draws = Draws(encoded, posterior, z, losses)
        loss, kl_per_dim = losses.mean(dim=(1, 2)), posterior.kl().mean(dim=1)
        return _terms(group, now, memory, loss, kl_per_dim, draws=draws)

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

    def decoder_rests(self, memory: Memory, step: int, m: int) -> Tensor | None:
        """[m] which members' decoders stay as they are in this step; None: all of them train."""
        rests = None
        for group, carried in zip(self.groups, memory, strict=True):
            if group.rests is not None:
                if rests is None:
                    rests = torch.zeros(m, dtype=torch.bool, device=group.members.device)
                rests[group.members] = group.rests.decoder_rests(carried, step)
        return rests


def _terms(
    group: Group,
    now: Now,
    memory: dict[str, Tensor],
    loss: Tensor,
    kl_per_dim: Tensor,
    *,
    draws: Draws | None = None,
    freely: Tensor | None = None,
) -> Terms:
    """A minibatch's terms of one group [g]."""
    return Terms(
        loss=loss,
        kl=kl_per_dim.sum(dim=1),
        kl_per_dim=kl_per_dim,
        sigma2=group.shared.sigma2,
        beta=group.shared.beta,
        step=now.step,
        progress=now.progress,
        memory=memory,
        draws=draws,
        freely=freely,
    )


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

    def per_member(values: list[float], *shape: int) -> Tensor:
        return torch.tensor(values, device=device).view(-1, *shape)

    shared = Shared(
        projected=per_member([float(method.projected) for method in methods], 1, 1),
        r_min=per_member([settings.r_min for settings in members], 1, 1),
        r_max=per_member([settings.r_max for settings in members], 1, 1),
        sigma2=per_member([settings.sigma2 for settings in members]),
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
