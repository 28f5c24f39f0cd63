"""Members in training: a configured method with its numbers, memory and posteriors.

The memory of a method is its running state: multipliers, moving averages and the like. In a state
it is one array [m, …] for each name, which begins with the method's.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from svae_core.distributions.gaussian import Gaussian, Posterior
from svae_core.methods import (
    Chains,
    CustomBetaSigma2,
    CustomPosterior,
    CustomPrior,
    Encoded,
    ExtraParameters,
    FreezesDecoder,
    FreezesEncoder,
    Own,
    OwnLayers,
    Remembers,
    Sizes,
    TrainingMethod,
    WithArrays,
    method_for,
    needs_points,
)
from svae_core.nets.layers import Layer, affine, padded, placed
from svae_core.nets.networks import (
    Architecture,
    Networks,
    architecture,
    project_on_shell,
    uniform_weights,
)
from svae_core.problem import prepared_data
from svae_core.records import PreparedData, Settings

#: The memory of a batch's methods as in a state: [m, …] by name.
Memory = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Member:
    """One member's method, and the numbers that its settings and data fix."""

    settings: Settings
    method: TrainingMethod
    constants: dict[str, float]
    memory: Memory  # before the first step, of one member
    layers: tuple[Layer, ...] = ()  # the method's own, placed after its own weights
    arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @cached_property
    def given(self) -> np.ndarray:
        """r_min, r_max, 1/(2σ²), β, σ²; radii 0 and ∞ if the decoder is not projected."""
        each = self.settings
        radii = (each.r_min, each.r_max) if self.method.projected else (0.0, math.inf)
        return np.array([*radii, 0.5 / each.sigma2, each.beta, each.sigma2])

    @cached_property
    def numbers(self) -> np.ndarray:
        """The constants in their order."""
        return np.array([*self.constants.values()], np.float64)

    @cached_property
    def parameters(self) -> int:
        """e: weights of the method beside those of the networks and of its own layers."""
        return len(extra_parameters(self.settings))

    @cached_property
    def noise_dim(self) -> int:
        """Standard normal numbers that a latent is drawn from: k, or (T + 1)·k of a chain."""
        steps = self.method.chain_steps if isinstance(self.method, Chains) else 0
        return self.settings.latent_dim * (1 + steps)

    @property
    def together(self) -> tuple[object, ...]:
        """Equal for members that torch can compute in one group."""
        if needs_points(self.method) or isinstance(self.method, FreezesDecoder | FreezesEncoder):
            return self.settings.method, self.settings.method_options
        return ()

    def recall(self, memory: Memory, row: int) -> np.ndarray:
        """What it remembers, one number after another, from a row of a batch's memory."""
        parts = [memory[name][row].ravel() for name in self.memory]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def remember(self, numbers: np.ndarray, memory: Memory, row: int) -> None:
        """Put such numbers back."""
        for name in self.memory:
            part = memory[name][row : row + 1]
            part[...] = numbers[: part.size].reshape(part.shape)
            numbers = numbers[part.size :]


def member_of(
    settings: Settings, prepared: PreparedData, arrays: dict[str, np.ndarray] | None = None
) -> Member:
    """Raises RequestError if the method's options are invalid.

    `arrays`: the method's own, where they were kept and `prepared` has no points to find them from.
    """
    method = method_for(settings)
    start = method.memory(prepared, settings) if isinstance(method, Remembers) else {}
    memory = {
        memory_prefix(method) + name: np.asarray(value, np.float32) for name, value in start.items()
    }
    if arrays is None:
        arrays = method.arrays(prepared, settings) if isinstance(method, WithArrays) else {}
    return Member(
        settings,
        method,
        method.constants(prepared, settings),
        memory,
        own_layers(settings, prepared),
        {name: np.asarray(value, np.float32) for name, value in arrays.items()},
    )


def arrays_of_no_point(settings: Settings, prepared: PreparedData) -> dict[str, np.ndarray]:
    """A method's own arrays by name, without those that have a row for each point."""
    method, count = method_for(settings), len(prepared.shell.points)
    made = method.arrays(prepared, settings) if isinstance(method, WithArrays) else {}
    return {name: value for name, value in made.items() if len(value) != count}


def memory_prefix(method: TrainingMethod) -> str:
    """The prefix of a method's names in a state's memory: its module's name."""
    return f"{type(method).__module__.rsplit('.', 1)[-1]}:"


def initial_memory(members: Sequence[Member]) -> Memory:
    """The memory before the first step; 0 for members of other methods."""
    memory: Memory = {}
    for index, member in enumerate(members):
        for name, value in member.memory.items():
            start = np.zeros((len(members), *value.shape), np.float32)
            memory.setdefault(name, start)[index] = value
    return memory


def networks_of(settings: Settings, prepared: PreparedData, extra: int = 0) -> Architecture:
    """The layout of one member's row of weights, with so many of the method's own."""
    dataset, d = prepared.dataset, len(prepared.shell.center)
    return architecture(
        *(settings.arch, d, settings.latent_dim, settings.hidden, extra),
        image=dataset.image_shape,
        symbols=len(dataset.symbols),
    )


def extra_parameters(settings: Settings) -> np.ndarray:
    """Initial values [e] of the method's own weights; e is 0 for most methods."""
    method = method_for(settings)
    if isinstance(method, ExtraParameters):
        return np.asarray(method.parameters(settings), dtype=np.float32)
    return np.zeros(0, np.float32)


def own_layers(settings: Settings, prepared: PreparedData) -> tuple[Layer, ...]:
    """The method's own layers, placed in its part of a row after its own weights."""
    method = method_for(settings)
    if not isinstance(method, OwnLayers):
        return ()
    arch, first = networks_of(settings, prepared), padded(len(extra_parameters(settings)))
    sizes = Sizes(arch.ambient_dim, settings.latent_dim, arch.features, settings.hidden)
    made = method.own_layers(sizes).items()
    return tuple(
        dataclasses.replace(layer, start=layer.start + first)
        for layer in placed(affine(name, *shape, tanh=False) for name, shape in made)
    )


def own_parameters(settings: Settings, prepared: PreparedData | None = None) -> np.ndarray:
    """Initial values of the method's part of a row: its own weights, then those of its layers."""
    numbers = extra_parameters(settings)
    if not isinstance(method_for(settings), OwnLayers):
        return numbers
    layers = own_layers(settings, prepared or prepared_data(settings))
    row = torch.zeros(layers[-1].bias.stop if layers else len(numbers))
    row[: len(numbers)] = torch.from_numpy(numbers)
    uniform_weights(row, layers, settings.seed, "ownlayer")
    return row.numpy()


@dataclass(frozen=True, eq=False)
class Group:
    """Members that are computed together, their numbers as tensors [g].

    Either their methods need averages only, or all have the same configured method.
    """

    members: tuple[Member, ...]
    device: torch.device

    @cached_property
    def method(self) -> Any:
        """The first member's; that of all, unless they need averages only."""
        return self.members[0].method

    @cached_property
    def averaged(self) -> bool:
        """Whether the methods need averages of the minibatch only."""
        return not needs_points(self.method)

    @cached_property
    def given(self) -> tuple[Tensor, ...]:
        """r_min, r_max, 1/(2σ²), β, σ², [g] each."""
        return self._tensors([member.given for member in self.members])

    @cached_property
    def constants(self) -> dict[str, Tensor]:
        """The method's constants, [g] each; none where methods may differ."""
        if self.averaged:
            return {}
        values = self._tensors([member.numbers for member in self.members])
        return dict(zip(self.members[0].constants, values, strict=True))

    def _tensors(self, rows: list[np.ndarray]) -> tuple[Tensor, ...]:
        return torch.tensor(
            np.stack(rows, axis=1), dtype=torch.float32, device=self.device
        ).unbind()

    @cached_property
    def _radii(self) -> list[Tensor]:
        return [radius.view(-1, 1, 1) for radius in self.given[:2]]

    def project(self, outputs: Tensor) -> Tensor:
        """Decoder outputs [g, b, d], on the shell where the method projects."""
        return project_on_shell(outputs, *self._radii)

    def recall(self, memory: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """What the method remembers of its members, [g, …] by its own names; a copy."""
        prefix = memory_prefix(self.method)
        return {
            name.removeprefix(prefix): torch.tensor(memory[name], device=self.device)
            for name in self.members[0].memory
        }

    @cached_property
    def arrays(self) -> dict[str, Tensor]:
        """The method's arrays, [g, …] each."""
        return {
            name: torch.from_numpy(np.stack([member.arrays[name] for member in self.members])).to(
                self.device
            )
            for name in self.members[0].arrays
        }

    def encode(
        self,
        nets: Networks,
        points: Tensor,
        memory: dict[str, Tensor],
        *,
        training: bool,
        rows: Tensor | None = None,
    ) -> tuple[Encoded, Posterior]:
        """Encoder outputs for points [g, b, d], and the method's posteriors made of them.

        `rows`: their rows in the data [g, b], in training.
        """
        first, features = self.members[0], nets.features(points)
        encoded = Encoded(
            *nets.read_out(features),
            constants=self.constants,
            memory=memory,
            parameters=nets.extra[:, : first.parameters],
            training=training,
            features=features,
            arrays=self.arrays,
            layers={layer.name: nets.own(layer) for layer in first.layers},
            rows=rows,
        )
        if not self.averaged and isinstance(self.method, CustomPosterior):
            return encoded, self.method.posterior(encoded)
        return encoded, Gaussian(encoded.mean, encoded.log_variance)


@dataclass(frozen=True, eq=False)
class MemberMethod:
    """The method of one member with its constants and memory, for evaluation."""

    group: Group  # g = 1
    memory: dict[str, Tensor]  # [1, …]

    @property
    def method(self) -> TrainingMethod:
        method: TrainingMethod = self.group.method
        return method

    def posterior(self, nets: Networks, points: Tensor) -> Posterior:
        """The posteriors of points [1, b, d] in evaluation mode."""
        return self.group.encode(nets, points, self.memory, training=False)[1]

    def sample_prior(self, nets: Networks, noise: Tensor) -> Tensor:
        """Latents [n, k] from its prior, transformed from standard normal noise [n, k]."""
        if isinstance(self.method, CustomPrior):
            arrays = {name: rows[0] for name, rows in self.group.arrays.items()}
            weights = nets.extra[0, : self.group.members[0].parameters]
            return self.method.sample_prior(noise, Own(weights, arrays))
        return noise

    def effective_beta_sigma2(self, settings: Settings, loss: float, d: int) -> float:
        """The βσ² that its training amounts to, for a loss D on d-dimensional points."""
        if isinstance(self.method, CustomBetaSigma2):
            memory = {name: float(value) for name, value in self.memory.items() if value.dim() == 1}
            return self.method.effective_beta_sigma2(settings, loss, d, memory)
        return settings.beta * settings.sigma2


def member_method(member: Member, index: int, memory: Memory, device: torch.device) -> MemberMethod:
    """The method of one member with its own constants and memory, at an index of a batch."""
    group = Group((member,), device)
    own = {name: memory[name][index : index + 1] for name in member.memory}
    return MemberMethod(group, group.recall(own))
