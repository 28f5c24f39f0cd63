"""Groups of members trained by the same configured method, and the methods' memory.

The memory of a method is its running state: multipliers, moving averages and the like.
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
    CustomBetaSigma2,
    CustomPosterior,
    CustomPrior,
    Encoded,
    ExtraParameters,
    FreezesDecoder,
    Remembers,
    Stateful,
    Terms,
    TrainingMethod,
    method_for,
    needs_points,
)
from svae_core.nets.networks import Networks
from svae_core.records import PreparedData, Settings

#: The memory of a batch's methods, one dictionary per group.
Memory = list[dict[str, Tensor]]


@dataclass(frozen=True, eq=False)
class LossParameters:
    """The numbers that every member's loss depends on, [m, …]."""

    r_min: Tensor  # [m, 1, 1] inner radius of the decoder's shell; 0 if it is not projected
    r_max: Tensor  # [m, 1, 1] outer radius of the decoder's shell; ∞ if it is not projected
    sigma2: Tensor  # [m]
    half_precision: Tensor  # [m] 1/(2σ²)
    beta: Tensor  # [m]

    def rows(self, rows: slice | Tensor) -> LossParameters:
        """The parameters of some members."""
        return LossParameters(**{name: value[rows] for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Group:
    """Members trained by the same configured method, g of the batch's m."""

    method: TrainingMethod
    members: Tensor  # [g] their indices in the batch
    rows: slice | Tensor  # the same indices, as a slice where they are evenly spaced
    loss_parameters: LossParameters  # [g, …]
    constants: dict[str, Tensor]  # [g] each
    numbers: tuple[np.ndarray, ...]  # [g] the constants of each member, float64
    memory_names: tuple[str, ...]  # in the order in which `slopes` has them
    seeds: tuple[int, ...]  # [g]
    parameters: int  # e: weights of the method beside those of the networks

    # Cached because every step asks: isinstance with a protocol takes longer than most operations
    # of a step.
    @cached_property
    def pointwise(self) -> bool:
        """Whether its method needs per-point losses or draws, not only D and KL."""
        return needs_points(self.method)

    def objective(self, terms: Terms) -> Tensor:
        """The losses of its members, [g] nats; for methods that state them on tensors."""
        value: Tensor = self.method.objective(terms, self.constants)  # type: ignore[attr-defined]
        return value

    @cached_property
    def stateful(self) -> Stateful | None:
        """Its method, if it has a memory."""
        return self.method if isinstance(self.method, Stateful) else None

    @cached_property
    def freezes_decoder(self) -> FreezesDecoder | None:
        """Its method, if it freezes the decoder in some steps."""
        return self.method if isinstance(self.method, FreezesDecoder) else None

    def single_member(self, at: Tensor) -> Group:
        """A group of one member, at position `at` [1] of this one."""
        return dataclasses.replace(
            self,
            members=at.new_zeros(1),
            rows=slice(0, 1),
            loss_parameters=self.loss_parameters.rows(at),
            constants={name: value[at] for name, value in self.constants.items()},
            numbers=(self.numbers[int(at)],),
            seeds=(self.seeds[int(at)],),
        )

    @property
    def prefix(self) -> str:
        """The prefix of this method's names in a state's memory."""
        return memory_prefix(self.method)


@dataclass(frozen=True, eq=False)
class MemberMethod:
    """The method of one member with its constants and memory, for evaluation."""

    group: Group  # g = 1
    memory: dict[str, Tensor]  # [1, …]

    @property
    def method(self) -> TrainingMethod:
        return self.group.method

    def posterior(self, nets: Networks, points: Tensor) -> Posterior:
        """The posteriors of points [1, b, d] in evaluation mode."""
        encoded = encode_group(self.group, nets, points, self.memory, training=False)
        return posterior_of(self.method, encoded)

    def sample_prior(self, nets: Networks, noise: Tensor) -> Tensor:
        """Latents [n, k] from its prior, transformed from standard normal noise [n, k]."""
        if isinstance(self.method, CustomPrior):
            return self.method.sample_prior(noise, nets.extra[0, : self.group.parameters])
        return noise

    def effective_beta_sigma2(self, settings: Settings, loss: float, d: int) -> float:
        """The βσ² that its training amounts to, for a loss D on d-dimensional points."""
        if isinstance(self.method, CustomBetaSigma2):
            memory = {name: float(value) for name, value in self.memory.items() if value.dim() == 1}
            return self.method.effective_beta_sigma2(settings, loss, d, memory)
        return settings.beta * settings.sigma2


def encode_group(
    group: Group, nets: Networks, points: Tensor, memory: dict[str, Tensor], *, training: bool
) -> Encoded:
    """Encoder outputs of a group's members for points [g, b, d]."""
    mean, log_variance = nets.encode(points)
    own = nets.extra[:, : group.parameters]
    return Encoded(mean, log_variance, group.constants, memory, own, training)


def posterior_of(method: TrainingMethod, encoded: Encoded) -> Posterior:
    """The method's posteriors for these encoder outputs; Gaussian unless it has its own."""
    if isinstance(method, CustomPosterior):
        return method.posterior(encoded)
    return Gaussian(encoded.mean, encoded.log_variance)


# ------------------------------------------------------------------ memory of methods


def memory_prefix(method: TrainingMethod) -> str:
    """The prefix of a method's names in a state's memory: its module's name."""
    return f"{type(method).__module__.rsplit('.', 1)[-1]}:"


def initial_memory(
    members: tuple[Settings, ...], member_data: tuple[PreparedData, ...]
) -> dict[str, np.ndarray]:
    """The memory before the first step, [m, …] by name; 0 for members of other methods."""
    memory: dict[str, np.ndarray] = {}
    for index, (settings, prepared) in enumerate(zip(members, member_data, strict=True)):
        method = method_for(settings)
        if isinstance(method, Remembers):
            for name, value in method.memory(prepared, settings).items():
                start = np.zeros((len(members), *np.shape(value)), np.float32)
                memory.setdefault(memory_prefix(method) + name, start)[index] = value
    return memory


def memory_from_state(groups: tuple[Group, ...], memory: dict[str, np.ndarray]) -> Memory:
    """The memory of a state as tensors, one dictionary per group."""
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


def memory_to_state(
    groups: tuple[Group, ...], memory: Memory, before: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The memory as arrays [m, …] by name, for a state; the inverse of `memory_from_state`."""
    after = {name: value.copy() for name, value in before.items()}
    for group, carried in zip(groups, memory, strict=True):
        rows = group.members.cpu().numpy()
        for name, value in carried.items():
            after[group.prefix + name][rows] = value.cpu().numpy()
    return after


# ------------------------------------------------------------------ grouping of members


def own_parameters(settings: Settings) -> np.ndarray:
    """Initial values [e] of the method's own weights; e is 0 for most methods."""
    method = method_for(settings)
    if isinstance(method, ExtraParameters):
        return np.asarray(method.parameters(settings), dtype=np.float32)
    return np.zeros(0, np.float32)


def group_members(
    members: tuple[Settings, ...], member_data: tuple[PreparedData, ...], device: torch.device
) -> tuple[LossParameters, tuple[Group, ...]]:
    """Loss parameters of all members, and their groups; raises RequestError for invalid options."""
    methods = [method_for(settings) for settings in members]
    loss_parameters = _loss_parameters(members, methods, device)
    together: dict[tuple[object, ...], list[int]] = {}
    for index, settings in enumerate(members):
        together.setdefault((settings.method, settings.method_options), []).append(index)
    groups = []
    for rows in together.values():
        where = _as_slice(rows, device)
        constants = [methods[i].constants(member_data[i], members[i]) for i in rows]
        groups.append(
            Group(
                method=methods[rows[0]],
                members=torch.tensor(rows, device=device),
                rows=where,
                loss_parameters=loss_parameters.rows(where),
                constants={
                    name: torch.tensor([c[name] for c in constants], device=device)
                    for name in constants[0]
                },
                numbers=tuple(np.array([*each.values()], np.float64) for each in constants),
                memory_names=_memory_names(
                    methods[rows[0]], member_data[rows[0]], members[rows[0]]
                ),
                seeds=tuple(members[i].seed for i in rows),
                parameters=len(own_parameters(members[rows[0]])),
            )
        )
    return loss_parameters, tuple(groups)


def _memory_names(
    method: TrainingMethod, prepared: PreparedData, settings: Settings
) -> tuple[str, ...]:
    return tuple(method.memory(prepared, settings)) if isinstance(method, Remembers) else ()


def _loss_parameters(
    members: tuple[Settings, ...], methods: list[TrainingMethod], device: torch.device
) -> LossParameters:
    radii = [
        (settings.r_min, settings.r_max) if method.projected else (0.0, math.inf)
        for settings, method in zip(members, methods, strict=True)
    ]

    def per_member(values: Sequence[float], *shape: int) -> Tensor:
        return torch.tensor(values, device=device).view(-1, *shape)

    return LossParameters(
        r_min=per_member([low for low, _ in radii], 1, 1),
        r_max=per_member([high for _, high in radii], 1, 1),
        sigma2=per_member([settings.sigma2 for settings in members]),
        half_precision=per_member([0.5 / settings.sigma2 for settings in members]),
        beta=per_member([settings.beta for settings in members]),
    )


def _as_slice(rows: list[int], device: torch.device) -> slice | Tensor:
    """Ascending row numbers as a slice if evenly spaced: a slice is a view, an index a copy."""
    stride = rows[1] - rows[0] if len(rows) > 1 else 1
    if rows == list(range(rows[0], rows[-1] + 1, stride)):
        return slice(rows[0], rows[-1] + 1, stride)
    return torch.tensor(rows, device=device)
