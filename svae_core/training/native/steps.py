"""Training steps of a batch of members, and the forward pass of one, by the compiled functions.

    trainer = NativeTrainer(state, rows);  trainer.train(context, step, end, deadline) -> step
    forward(layers, row, radii, points, noise) -> ForwardPass

Members are trained one after another, each for a piece of an epoch: its numbers stay in the core's
cache. They share nothing but the minibatches of equal seeds, so a member equals its solo run.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from svae_core.methods import method_for
from svae_core.nets.layer_stack import Layer
from svae_core.records import Settings, State
from svae_core.training.batch_context import BatchContext, Piece, learning_rate, pick_device
from svae_core.training.evaluate import ForwardPass
from svae_core.training.native import compiled

#: Seconds of a piece, about: no deadline is passed by much more.
_PIECE = 0.03
#: Floats of weights and activations that a step touches in about a second, on a slow machine.
_FLOATS_PER_SECOND = 2e8


def is_native(settings: Settings) -> bool:
    """Whether a member is one for native code: by its settings alone."""
    return (
        settings.arch in ("mlp", "linear")
        and pick_device(settings.device).type == "cpu"
        and compiled.is_built_in(method_for(settings))
    )


def forward(
    layers: tuple[Layer, ...],
    row: np.ndarray,
    radii: tuple[float, float],
    points: np.ndarray,
    noise: np.ndarray,
) -> ForwardPass:
    """The forward pass of a member with weights [p] and outputs projected to radii within `radii`.

    points [n, d], noise [n, k]; both float32 in row order.
    """
    kernel = compiled.load().forward
    assert kernel is not None
    k = noise.shape[1]
    mean, variances, kl = np.empty_like(noise), np.empty(k), np.empty(k)
    outputs, losses = np.empty_like(points), np.empty(len(points), np.float32)
    given = (row, *_layout(layers), points, noise, np.array(radii))
    kernel(*given, mean, variances, kl, outputs, losses)
    return ForwardPass(mean, variances, kl, outputs, losses)


@dataclass(frozen=True, eq=False)
class _Member:
    """What the compiled function needs of one member beside its weights."""

    seed: int
    prefix: str
    slopes: Any
    given: np.ndarray  # r_min, r_max, 1/(2σ²), β, σ²
    constants: np.ndarray
    names: tuple[str, ...]  # of its memory


@final
class NativeTrainer:
    """The arrays that steps change in place."""

    def __init__(self, state: State, rows: list[int]) -> None:
        self._state, self._rows = state, rows
        self._gradient = np.zeros(state.parameters.shape[1], np.float32)
        self._context: BatchContext | None = None
        self._members: list[_Member] = []

    def train(self, context: BatchContext, step: int, end: int, deadline: float) -> int:
        """Train to `end`, or until the deadline; the step that was reached."""
        if context is not self._context:
            self._context, self._members = context, _members(context)
        while step < end:
            for piece in context.epoch_pieces(step, end, self._piece(context)):
                for index in self._rows:
                    self._train(context, index, piece)
                step = piece.last
                if time.perf_counter() >= deadline:
                    return step
        return step

    def _piece(self, context: BatchContext) -> int:
        """Steps between two looks at the clock."""
        batch = context.settings[0].batch_size
        floats = sum(layer.fan_in * layer.fan_out for layer in context.arch.layers)
        seconds = len(self._rows) * batch * floats / _FLOATS_PER_SECOND / 40
        return max(1, int(_PIECE / max(seconds, 1e-6)))

    def _train(self, context: BatchContext, index: int, piece: Piece) -> None:
        kernel, state, member = compiled.load().train, self._state, self._members[index]
        assert kernel is not None
        parts = [state.memory[member.prefix + name][index] for name in member.names]
        memory = np.concatenate([np.zeros(0, np.float32), *(part.ravel() for part in parts)])
        order, noise = piece.of(member.seed)
        layers, encoders, free_at = _layout(context.arch.layers)
        kernel(
            *(state.parameters[index], state.first_moment[index], state.second_moment[index]),
            *(memory, self._gradient, layers, encoders, free_at),
            *(context.points.numpy(), order, noise),
            *(piece.edges, _rates(context, piece), piece.first, context.steps),
            *(member.given, member.constants, member.slopes),
        )
        at = 0
        for name, part in zip(member.names, parts, strict=True):
            after = memory[at : at + part.size]
            state.memory[member.prefix + name][index] = after.reshape(part.shape)
            at += part.size


@functools.lru_cache(maxsize=16)
def _layout(every: tuple[Layer, ...]) -> tuple[np.ndarray, int, int]:
    """Start, fan_in and fan_out of each layer; the encoder's number; free log-variances or −1."""
    layers = [layer for layer in every if layer.fan_in > 0]
    free = [layer.start for layer in every if layer.fan_in == 0]
    table = np.array([[each.start, each.fan_in, each.fan_out] for each in layers], np.int64)
    encoders = sum(layer.name.startswith("encoder") for layer in layers)
    return table, encoders, free[0] if free else -1


def _rates(context: BatchContext, piece: Piece) -> np.ndarray:
    return np.array([learning_rate(context, step) for step in range(piece.first, piece.last)])


def _members(context: BatchContext) -> list[_Member]:
    native = compiled.load()
    found: dict[int, _Member] = {}
    for group in context.objective.groups:
        slopes = None if group.pointwise else native.slopes(type(group.method))
        rows = group.members.tolist()
        for index, constants in zip(rows, group.numbers, strict=True):
            settings = context.settings[index]
            radii = (settings.r_min, settings.r_max) if group.method.projected else (0.0, np.inf)
            given = np.array([*radii, 0.5 / settings.sigma2, settings.beta, settings.sigma2])
            found[index] = _Member(
                settings.seed, group.prefix, slopes, given, constants, group.memory_names
            )
    return [found[index] for index in range(len(found))]
