"""Training steps of a batch of members by torch: what native code does not serve, and CUDA.

trainer = TorchTrainer(context, state);  trainer.train(context, step, end, deadline) -> step
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from svae_core.nets.layer_stack import constant
from svae_core.nets.networks import (
    GradientBuffers,
    Networks,
    gradient_buffers,
    networks,
)
from svae_core.records import State
from svae_core.training.batch_context import BatchContext, learning_rate
from svae_core.training.batch_loss import Batch
from svae_core.training.groups import Memory, memory_from_state, memory_to_state
from svae_core.training.objective import TrainingStep


@final
class TorchTrainer:
    """The tensors that steps change in place."""

    def __init__(self, context: BatchContext, state: State) -> None:
        self._weights = restore(context, state)

    def train(self, context: BatchContext, step: int, end: int, deadline: float) -> int:
        """Train to `end`, or until the deadline; the step that was reached."""
        for batch in context.batches(step, end):
            _train_step(context, self._weights, batch, step)
            step += 1
            if time.perf_counter() >= deadline:
                break
        return step

    def save(self, context: BatchContext, state: State, step: int) -> State:
        """The state at a step."""
        return save(context, state, self._weights, step)


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors that a step changes in place, and the networks that are views of them."""

    flat: Tensor  # [m, p]
    first_moment: Tensor  # [m, p]
    second_moment: Tensor  # [m, p]
    taken: Tensor  # [] float: steps so far, for Adam's bias correction
    networks: Networks
    buffers: GradientBuffers
    memory: Memory


def restore(context: BatchContext, state: State) -> Weights:
    def tensor(array: np.ndarray) -> Tensor:
        return torch.tensor(array, device=context.device)  # a copy: states are never written to

    flat = tensor(state.parameters)
    nets = networks(context.arch, flat)
    for leaf in nets.leaves():
        leaf.requires_grad_(True)
    return Weights(
        flat=flat,
        first_moment=tensor(state.first_moment),
        second_moment=tensor(state.second_moment),
        taken=torch.tensor(float(state.step), device=context.device),
        networks=nets,
        buffers=gradient_buffers(context.arch, flat),
        memory=memory_from_state(context.objective.groups, state.memory),
    )


def save(context: BatchContext, state: State, weights: Weights, step: int) -> State:
    return dataclasses.replace(
        state,
        step=step,
        parameters=weights.flat.cpu().numpy(),
        first_moment=weights.first_moment.cpu().numpy(),
        second_moment=weights.second_moment.cpu().numpy(),
        memory=memory_to_state(context.objective.groups, weights.memory, state.memory),
    )


def _train_step(context: BatchContext, weights: Weights, batch: Batch, step: int) -> None:
    # Asked before the gradient, which moves the memory on to the next step.
    frozen = context.objective.decoder_frozen(weights.memory, step)
    position = TrainingStep(step, context.steps)
    gradient = context.objective.gradient(
        weights.networks, batch, position, weights.memory, weights.buffers
    )
    if frozen is None:
        _adam(weights, gradient, learning_rate(context, step))
    else:
        with _freeze_decoder(context, weights, frozen):
            _adam(weights, gradient, learning_rate(context, step))


def _adam(weights: Weights, gradient: Tensor, rate: float) -> None:
    """One step of Adam (arXiv 1412.6980) for all members, in place.

    The kernel call inside torch.optim.Adam(fused=True), without its grouping of parameters.
    """
    weights.taken.add_(constant(1.0, weights.taken))
    torch._fused_adam_(
        [weights.flat],
        [gradient],
        [weights.first_moment],
        [weights.second_moment],
        [],
        [weights.taken],
        lr=rate,
        beta1=0.9,
        beta2=0.999,
        weight_decay=0.0,
        eps=1e-8,
        amsgrad=False,
        maximize=False,
    )


@contextlib.contextmanager
def _freeze_decoder(context: BatchContext, weights: Weights, frozen: Tensor) -> Iterator[None]:
    """Restores the decoders of members `frozen` [m] after the optimiser step inside the block.

    Weights and both moments are restored: with a zero gradient alone, Adam's momentum would still
    move the weights.
    """
    part = context.arch.decoder_part
    changing = (weights.flat, weights.first_moment, weights.second_moment)
    decoders = [values[:, part] for values in changing]
    before = [values.clone() for values in decoders]
    yield
    for values, kept in zip(decoders, before, strict=True):
        values.copy_(torch.where(frozen.unsqueeze(1), kept, values))
