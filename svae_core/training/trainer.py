"""A batch of members in training, in parts: native code for those that it serves, torch for others.

    trainer = Trainer(context, state);  trainer.train(step, end, deadline) -> step

Which engine trains a member follows from its own settings, so it does not depend on the batch.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from typing import TYPE_CHECKING, final

from svae_core.records import Settings, State
from svae_core.training.batch_context import BatchContext
from svae_core.training.torch_steps import TorchTrainer

if TYPE_CHECKING:
    from svae_core.training.native.steps import NativeTrainer

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


def native_rows(state: State) -> tuple[int, ...]:
    """The members that native code trains here, and draws the frames of."""
    from svae_core.training.native import steps

    if state.engine != NATIVE or steps.compiled.load().train is None:
        return ()
    return _native_among(state.settings)


@functools.lru_cache(maxsize=64)
def _native_among(members: tuple[Settings, ...]) -> tuple[int, ...]:
    """Asked at every frame, of the same members."""
    from svae_core.training.native import steps

    return tuple(index for index, settings in enumerate(members) if steps.is_native(settings))


@final
class Trainer:
    """The arrays that steps change in place, of both engines."""

    def __init__(self, context: BatchContext, state: State) -> None:
        from svae_core.training.native import steps

        wanted = state.engine == NATIVE and any(map(steps.is_native, state.settings))
        if wanted and steps.compiled.load().train is None:
            state = dataclasses.replace(state, engine=BOTH)
        self._state = dataclasses.replace(
            state,
            parameters=state.parameters.copy(),
            first_moment=state.first_moment.copy(),
            second_moment=state.second_moment.copy(),
            memory={name: value.copy() for name, value in state.memory.items()},
        )
        parts: dict[tuple[object, ...], list[int]] = {}
        for index, settings in enumerate(state.settings):
            native = state.engine == NATIVE and steps.is_native(settings)
            together = (native,) if native else context.members[index].together
            parts.setdefault(together, []).append(index)
        self._parts: list[TorchTrainer | NativeTrainer] = [
            steps.NativeTrainer(self._state, rows)
            if together == (True,)
            else TorchTrainer(self._state, rows)
            for together, rows in parts.items()
        ]

    def train(self, step: int, end: int, deadline: float) -> int:
        """Train to `end`, or until the deadline; the step that was reached."""
        now = time.perf_counter()
        deadline = now + (deadline - now) / len(self._parts)
        for part in self._parts:
            end = part.train(step, end, deadline)
            deadline = math.inf  # the others follow to the same step
        return end

    def save(self, step: int) -> State:
        """The state at a step, in arrays that the next steps change."""
        for part in self._parts:
            part.save(self._state)
        return dataclasses.replace(self._state, step=step)
