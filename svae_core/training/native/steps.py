"""Training steps of a batch of members, and the forward pass of one, by the compiled functions.

    trainer = NativeTrainer(state, rows);  trainer.train(step, end, deadline) -> step
    passes = ForwardPass(layers, row, radii);  passes.seen(points, noise, basis) -> Seen

Members are trained one after another, each for a piece of an epoch: its numbers stay in the core's
cache. They share nothing but the minibatches of equal seeds, so a member equals its solo run, and
as many train at a time as torch has threads.
"""

from __future__ import annotations

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from svae_core.methods import method_for
from svae_core.nets.layers import Layer
from svae_core.records import Settings, State
from svae_core.training.batch_context import (
    BatchContext,
    Piece,
    batch_context,
    learning_rate,
    pick_device,
)
from svae_core.training.evaluate import Seen
from svae_core.training.members import Member
from svae_core.training.native import compiled

#: Seconds of a piece, about: no deadline is passed by much more.
_PIECE = 0.1
#: Floats of weights and activations that a step touches in about a second, on a slow machine.
_FLOATS_PER_SECOND = 2e8


def is_native(settings: Settings) -> bool:
    """Whether a member is one for native code: by its settings and its method's file alone."""
    return (
        settings.arch in ("mlp", "linear")
        and pick_device(settings.device).type == "cpu"
        and compiled.is_for_native(type(method_for(settings)))
    )


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """The forward pass of a member.

    Points [n, d] and noise [n, k] are float32 in row order. Outputs are equal to torch's to
    float32 rounding.
    """

    layers: tuple[Layer, ...]
    row: np.ndarray  # [p] its weights
    radii: np.ndarray  # [2] float64, to which outputs are projected

    def outputs(self, points: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The decoder's outputs [n, d] of one draw for each point."""
        return self._forward(points, noise, np.zeros((points.shape[1], 3)), len(points), 0).samples

    def seen(self, points: np.ndarray, noise: np.ndarray, basis: np.ndarray, samples: int) -> Seen:
        """What a frame shows; basis [d, 3] of the view, `samples` outputs are kept."""
        return self._forward(points, noise, basis, min(samples, len(points)), len(points))

    def _forward(
        self, points: np.ndarray, noise: np.ndarray, basis: np.ndarray, kept: int, viewed: int
    ) -> Seen:
        kernel = compiled.load().forward
        assert kernel is not None
        (n, d), k = points.shape, noise.shape[1]
        mean, (spreads, variances, kl) = np.empty_like(noise), np.empty((3, k))
        outputs, view = np.empty((kept, d), np.float32), np.empty((viewed, 3), np.float32)
        losses = np.empty(n, np.float32)
        onto = np.ascontiguousarray(basis, np.float32)
        given = (self.row, *_layout(self.layers), points, noise, self.radii, onto)
        kernel(*given, mean, spreads, variances, kl, outputs, view, losses)
        return Seen(mean, spreads, variances, kl, outputs, view, losses)


@final
class NativeTrainer:
    """The arrays that steps change in place: those of the state."""

    def __init__(self, state: State, rows: list[int]) -> None:
        self._state, self._rows = state, rows
        self._settings = tuple(state.settings[row] for row in rows)
        self._threads = min(torch.get_num_threads(), len(rows))

    def train(self, step: int, end: int, deadline: float) -> int:
        """Train to `end`, or until the deadline; the step that was reached."""
        context = batch_context(self._settings, step)
        members = list(zip(self._rows, context.members, strict=True))
        each = map if self._threads == 1 else _pool(self._threads).map
        while step < end:
            for piece in context.pieces(step, end, self._piece(context)):
                train = functools.partial(self._train, context, piece)
                for _ in each(train, members):
                    pass  # an error is raised here
                step = piece.last
                if time.perf_counter() >= deadline:
                    return step
        return step

    def _piece(self, context: BatchContext) -> int:
        """Steps between two looks at the clock."""
        batch = context.settings[0].batch_size
        floats = sum(layer.shape[0] * layer.shape[1] for layer in context.arch.layers)
        seconds = len(self._rows) * batch * floats / _FLOATS_PER_SECOND / 40
        return max(1, int(_PIECE / max(seconds, 1e-6)))

    def _train(self, context: BatchContext, piece: Piece, placed: tuple[int, Member]) -> None:
        """One member's steps of a piece; without the interpreter's lock."""
        native, state = compiled.load(), self._state
        row, member = placed
        assert native.train is not None
        memory = member.recall(state.memory, row)
        order, noise = piece.of[member.settings.seed]
        rates = [learning_rate(context, step) for step in range(piece.first, piece.last)]
        native.train(
            *(state.parameters[row], state.first_moment[row], state.second_moment[row]),
            *(memory, *_layout(context.arch.layers)),
            *(context.points.numpy(), order, noise),
            *(piece.edges, np.array(rates), piece.first, context.steps),
            *(member.given, member.numbers, compiled.slopes_of(type(member.method)).function),
        )
        member.remember(memory, state.memory, row)

    def save(self, state: State) -> None:
        """Nothing: the state's own arrays have changed."""


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "svae-train")


@functools.lru_cache(maxsize=16)
def _layout(every: tuple[Layer, ...]) -> tuple[np.ndarray, int, int]:
    """Start, fan_in and fan_out of each layer; the encoder's number; free log-variances or −1."""
    layers = [layer for layer in every if layer.shape[0] > 0]
    free = [layer.start for layer in every if layer.shape[0] == 0]
    table = np.array([[each.start, *each.shape] for each in layers], np.int64)
    encoders = sum(layer.name.startswith("encoder") for layer in layers)
    return table, encoders, free[0] if free else -1
