"""A batch of members in training: native code for those that it serves, torch for the others.

    trainer = Trainer(context, state);  trainer.train(context, step, end, deadline) -> step

Which engine trains a member follows from its own settings, so it does not depend on the batch.
"""

from __future__ import annotations

import dataclasses
import math
from typing import final

import numpy as np

from svae_core.records import Settings, State
from svae_core.training.batch_context import BatchContext, batch_context
from svae_core.training.torch_steps import TorchTrainer

#: The engines of a state. A run that native code trained elsewhere and cannot train here goes on
#: with torch, and is known by it from then on.
NATIVE, TORCH, BOTH = "native", "torch", "native, then torch"


def engine_of(members: tuple[Settings, ...]) -> str:
    """The engine of new runs of these members on this machine."""
    from svae_core.training.native import steps

    return (
        NATIVE
        if any(map(steps.is_native, members)) and steps.compiled.load().train is not None
        else TORCH
    )


def native_rows(state: State) -> list[int]:
    """The members that native code trains here, and draws the frames of."""
    from svae_core.training.native import steps

    if state.engine != NATIVE or steps.compiled.load().train is None:
        return []
    return [index for index, settings in enumerate(state.settings) if steps.is_native(settings)]


@final
class Trainer:
    """The arrays that steps change in place, of both engines."""

    def __init__(self, context: BatchContext, state: State) -> None:
        from svae_core.training.native import steps

        native = native_rows(state)
        lost = state.engine == NATIVE and steps.compiled.load().train is None
        self._engine = BOTH if lost and any(map(steps.is_native, state.settings)) else state.engine
        self._rows = [index for index in range(len(state.settings)) if index not in native]
        self._state = dataclasses.replace(
            state,
            parameters=state.parameters.copy(),
            first_moment=state.first_moment.copy(),
            second_moment=state.second_moment.copy(),
            memory={name: value.copy() for name, value in state.memory.items()},
        )
        self._native = steps.NativeTrainer(self._state, native) if native else None
        self._torch: TorchTrainer | None = None
        if self._rows:
            self._torch = TorchTrainer(self._others(context, state.step), self._part())

    def _others(self, context: BatchContext, step: int) -> BatchContext:
        """The context of the members that torch trains."""
        if len(self._rows) == len(self._state.settings):
            return context
        return batch_context(tuple(self._state.settings[index] for index in self._rows), step)

    def _part(self) -> State:
        """The state of the members that torch trains."""
        whole, rows = self._state, np.array(self._rows)
        return dataclasses.replace(
            whole,
            settings=tuple(whole.settings[index] for index in self._rows),
            parameters=whole.parameters[rows],
            first_moment=whole.first_moment[rows],
            second_moment=whole.second_moment[rows],
            memory={name: value[rows] for name, value in whole.memory.items()},
        )

    def train(self, context: BatchContext, step: int, end: int, deadline: float) -> int:
        """Train to `end`, or until the deadline; the step that was reached."""
        if self._torch is not None:
            end = self._torch.train(self._others(context, step), step, end, deadline)
            deadline = math.inf  # the others follow to the same step
        if self._native is not None:
            end = self._native.train(context, step, end, deadline)
        return end

    def _collect(self, context: BatchContext, step: int) -> None:
        """Bring what torch has changed into the arrays of all members."""
        if self._torch is None:
            return
        part = self._torch.save(self._others(context, step), self._part(), step)
        rows = np.array(self._rows)
        for name in ("parameters", "first_moment", "second_moment"):
            getattr(self._state, name)[rows] = getattr(part, name)
        for name, value in part.memory.items():
            self._state.memory[name][rows] = value

    def save(self, context: BatchContext, step: int) -> State:
        """The state at a step; its arrays change with the next steps."""
        self._collect(context, step)
        return dataclasses.replace(self._state, step=step, engine=self._engine)
