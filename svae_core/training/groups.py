"""Members that train by the same configured method, and what their methods carry along.

A batch of members is a few groups; what is looked at is one member by itself.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from svae_core.distributions.gaussian import Gaussian, Posterior
from svae_core.methods import (
    Encoded,
    Encodes,
    Gauged,
    Parametrised,
    Priored,
    Remembers,
    Rests,
    TrainingMethod,
    method_for,
    needs_points,
)
from svae_core.nets.networks import Networks
from svae_core.records import PreparedData, Settings

#: What the methods of a batch carry, group by group.
Memory = list[dict[str, Tensor]]


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

    # FrameRequest in every step: looking a role up takes longer than most of the step's operations.
    @cached_property
    def apart(self) -> bool:
        """Whether it needs more than the averages that all members share."""
        return needs_points(self.method)

    @cached_property
    def remembers(self) -> Remembers | None:
        """Its method, if it carries numbers from step to step."""
        return self.method if isinstance(self.method, Remembers) else None

    @cached_property
    def rests(self) -> Rests | None:
        """Its method, if it has steps that leave the decoder alone."""
        return self.method if isinstance(self.method, Rests) else None

    def only(self, at: Tensor) -> Group:
        """A group of one member [1], by its place in this one."""
        return dataclasses.replace(
            self,
            members=at.new_zeros(1),
            rows=slice(0, 1),
            shared=self.shared.rows(at),
            constants={name: value[at] for name, value in self.constants.items()},
            seeds=(self.seeds[int(at)],),
        )

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

    def effective_beta_sigma2(self, settings: Settings, loss: float, d: int) -> float:
        """The βσ² it was trained at, on d-dimensional points that it reconstructs at this loss."""
        if isinstance(self.method, Gauged):
            memory = {name: float(value) for name, value in self.memory.items() if value.dim() == 1}
            return self.method.effective_beta_sigma2(settings, loss, d, memory)
        return settings.beta * settings.sigma2


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


# ------------------------------------------------------------------ what methods carry


def memory_prefix(method: TrainingMethod) -> str:
    """What the names of a method's memory begin with in a state."""
    return f"{type(method).__module__.rsplit('.', 1)[-1]}:"


def first_memory(
    members: tuple[Settings, ...], grounds: tuple[PreparedData, ...]
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


# ----------------------------------------------------------------------- into groups


def own_parameters(settings: Settings) -> np.ndarray:
    """The weights [e] that a member starts with beside its networks'; e is 0 for most methods."""
    method = method_for(settings)
    if isinstance(method, Parametrised):
        return np.asarray(method.parameters(settings), dtype=np.float32)
    return np.zeros(0, np.float32)


def grouped(
    members: tuple[Settings, ...], grounds: tuple[PreparedData, ...], device: torch.device
) -> tuple[Shared, tuple[Group, ...]]:
    """What the members share, and their groups; RequestError where a method's request is no use."""
    methods = [method_for(settings) for settings in members]
    shared = _shared(members, methods, device)
    together: dict[tuple[object, ...], list[int]] = {}
    for index, settings in enumerate(members):
        together.setdefault((settings.method, settings.method_options), []).append(index)
    groups = []
    for rows in together.values():
        where = _evenly(rows, device)
        constants = [methods[i].constants(grounds[i], members[i]) for i in rows]
        groups.append(
            Group(
                method=methods[rows[0]],
                members=torch.tensor(rows, device=device),
                rows=where,
                shared=shared.rows(where),
                constants={
                    name: torch.tensor([c[name] for c in constants], device=device)
                    for name in constants[0]
                },
                seeds=tuple(members[i].seed for i in rows),
                parameters=len(own_parameters(members[rows[0]])),
            )
        )
    return shared, tuple(groups)


def _shared(
    members: tuple[Settings, ...], methods: list[TrainingMethod], device: torch.device
) -> Shared:
    radii = [
        (settings.r_min, settings.r_max) if method.projected else (0.0, math.inf)
        for settings, method in zip(members, methods, strict=True)
    ]

    def per_member(values: Sequence[float], *shape: int) -> Tensor:
        return torch.tensor(values, device=device).view(-1, *shape)

    return Shared(
        r_min=per_member([low for low, _ in radii], 1, 1),
        r_max=per_member([high for _, high in radii], 1, 1),
        sigma2=per_member([settings.sigma2 for settings in members]),
        half_precision=per_member([0.5 / settings.sigma2 for settings in members]),
        beta=per_member([settings.beta for settings in members]),
    )


def _evenly(rows: list[int], device: torch.device) -> slice | Tensor:
    """Ascending row numbers as a slice where they can be one: looking is cheaper than picking."""
    stride = rows[1] - rows[0] if len(rows) > 1 else 1
    if rows == list(range(rows[0], rows[-1] + 1, stride)):
        return slice(rows[0], rows[-1] + 1, stride)
    return torch.tensor(rows, device=device)
