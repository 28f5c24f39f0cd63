"""Training steps of a group of members by torch: what native code does not serve, and CUDA.

trainer = TorchTrainer(state, rows);  trainer.train(step, end, deadline) -> step
"""

from __future__ import annotations

import time
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam

from svae_core.methods import FreezesDecoder, FreezesEncoder
from svae_core.nets.networks import networks
from svae_core.records import State
from svae_core.training.batch_context import BatchContext, batch_context, learning_rate
from svae_core.training.members import Group
from svae_core.training.objective import Batch, TrainingStep, losses


@final
class TorchTrainer:
    """The tensors that steps change in place."""

    def __init__(self, state: State, rows: list[int]) -> None:
        self._rows = np.array(rows)
        self._settings = tuple(state.settings[row] for row in rows)
        context = batch_context(self._settings, state.step)
        part = self._rows, slice(context.arch.size)
        self._changing = tuple(
            torch.tensor(array[part], device=context.device)  # a copy
            for array in (state.parameters, state.first_moment, state.second_moment)
        )
        self._networks = networks(context.arch, self._changing[0])
        self._gradient = torch.zeros_like(self._changing[0])
        self._into = networks(context.arch, self._gradient).leaves()
        self._leaves = [leaf.requires_grad_(True) for leaf in self._networks.leaves()]
        self._taken = torch.tensor(float(state.step), device=context.device)
        self._memory = {name: value[self._rows] for name, value in state.memory.items()}

    def train(self, step: int, end: int, deadline: float) -> int:
        """Train to `end`, or until the deadline; the step that was reached."""
        context = batch_context(self._settings, step)
        group = Group(context.members, context.device)
        seeds = [settings.seed for settings in self._settings]
        while step < end:
            (piece,) = context.pieces(step, end, end)
            for first, last in zip(piece.edges, piece.edges[1:], strict=False):
                seen = {
                    seed: (
                        context.points[order[first:last]],
                        torch.from_numpy(noise[first:last]),
                        torch.from_numpy(order[first:last]),
                    )
                    for seed, (order, noise) in piece.of.items()
                }
                batch = Batch(
                    *(
                        torch.stack([seen[seed][i] for seed in seeds]).to(context.device)
                        for i in range(3)
                    )
                )
                self._step(context, group, batch, step)
                step += 1
                if time.perf_counter() >= deadline:
                    return step
        return step

    def _step(self, context: BatchContext, group: Group, batch: Batch, step: int) -> None:
        # Asked before the memory moves on to the next step.
        resting = self._resting(context, group, step)
        position = TrainingStep(step, context.steps)
        total = losses(group, self._networks, batch, position, self._memory).sum()
        # Members share no weights, so each row holds its own member's gradient.
        found = torch.autograd.grad(total, self._leaves, allow_unused=True)
        for into, gradient in zip(self._into, found, strict=True):
            if gradient is not None:
                into.copy_(gradient)
        self._adam(learning_rate(context, step))
        for frozen, part, kept in resting:
            for values, before in zip(self._changing, kept, strict=True):
                # Moments too: with a zero gradient alone, their momentum would move the weights.
                values[:, part] = torch.where(frozen, before, values[:, part])

    def _resting(
        self, context: BatchContext, group: Group, step: int
    ) -> list[tuple[Tensor, slice, list[Tensor]]]:
        """Which members' halves rest in this step: [g, 1] bool, their place, and their numbers."""
        method, asked = group.method, []
        if isinstance(method, FreezesEncoder):
            asked.append((method.encoder_frozen, context.arch.encoder_part))
        if isinstance(method, FreezesDecoder):
            asked.append((method.decoder_frozen, context.arch.decoder_part))
        return [
            (
                frozen(group.recall(self._memory), step).unsqueeze(1),
                part,
                [values[:, part].clone() for values in self._changing],
            )
            for frozen, part in asked
        ]

    def _adam(self, rate: float) -> None:
        """One step of Adam (arXiv 1412.6980) for all members, in place."""
        flat, first, second = self._changing
        adam(
            *([flat], [self._gradient], [first], [second], [], [self._taken]),
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def save(self, state: State) -> None:
        """Write what has changed into the arrays of all members."""
        arrays = state.parameters, state.first_moment, state.second_moment
        for array, values in zip(arrays, self._changing, strict=True):
            array[self._rows, : values.shape[1]] = values.cpu().numpy()
        for name, value in self._memory.items():
            state.memory[name][self._rows] = value
