"""The training loop: members train as one batch, in slices that any process can continue.

    state = begin(members);  advance(state, budget) -> Advance(state, moments);  certify(state)

A run is a pure function of its settings. Random streams belong to (seed, epoch), so the result
depends neither on how training is sliced nor on the other members of the batch: a resumed run
equals an uninterrupted one, and a member equals its solo run, bit for bit on one CPU thread.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from svae_core.certificate.posteriors import Posteriors
from svae_core.config.limits import check_epochs
from svae_core.methods import method_for
from svae_core.nets.layers import padded
from svae_core.nets.networks import initial_weights
from svae_core.problem import prepare, prepared_data, sharpened
from svae_core.records import (
    Advance,
    Budget,
    Certificate,
    Forecast,
    Moment,
    PreparedData,
    Settings,
    State,
)
from svae_core.training.batch_context import (
    BatchContext,
    batch_context,
    pick_device,
    steps_per_epoch,
    weight_layout,
)
from svae_core.training.evaluate import (
    Model,
    NativePass,
    RunPosition,
    certificate,
    encode,
    forecast,
    frame,
)
from svae_core.training.frame_steps import DENSE_CHANGES, changed_steps, next_frame
from svae_core.training.members import (
    Member,
    initial_memory,
    member_method,
    member_of,
    memory_prefix,
    own_parameters,
)
from svae_core.training.ordinary_modes import ordinary_modes
from svae_core.training.trainer import Trainer, engine_of, native_rows

#: Floats that a batch may touch in one step and still fit the cache (tests/benchmarks/scaling.md).
_CACHE_FLOATS = 4_500_000


@ordinary_modes()
def begin(members: tuple[Settings, ...]) -> State:
    """The state before the first step.

    Members of equal seed share their initial weights. Raises RequestError if settings are invalid,
    or if members differ in a field other than MEMBER_FIELDS.
    """
    check_epochs(max((settings.epochs for settings in members), default=0))
    context = batch_context(members, 0)
    center = context.points.mean(dim=0).cpu() if members[0].start == "collapsed" else None
    rows = [initial_weights(context.arch, settings.seed, center) for settings in members]
    flat = torch.stack(rows).numpy()
    for row, settings, prepared in zip(flat, members, context.member_data, strict=True):
        own = own_parameters(settings, prepared)
        row[context.arch.extra][: len(own)] = own
    return State(
        settings=members,
        step=0,
        parameters=flat,
        first_moment=np.zeros_like(flat),
        second_moment=np.zeros_like(flat),
        memory=initial_memory(context.members),
        engine=engine_of(members),
        frame_rule=DENSE_CHANGES,
    )


def chunk_size(settings: Settings) -> int:
    """The fastest number of members of this size per batch: a power of 2 from 2 to 32.

    A larger batch spreads the fixed cost of a step over more members, but weights, gradients,
    moments and activations of all members should fit into the core's cache.
    """
    arch = weight_layout((settings,), prepared_data(settings))
    activations = 3 * arch.ambient_dim + sum(layer.biases for layer in arch.layers)
    fitting = _CACHE_FLOATS // (arch.size + settings.batch_size * activations)
    return 1 << max(1, min(fitting, 32).bit_length() - 1)


def member(state: State, index: int) -> State:
    """The state of one member, equal to that of its solo run."""
    settings = state.settings[index]
    row = slice(index, index + 1)
    # All rows have the length of the longest member's; a shorter member's padding is at the end.
    needs = [padded(len(own_parameters(each))) for each in state.settings]
    size = state.parameters.shape[1] - max(needs) + needs[index]
    mine = memory_prefix(method_for(settings))
    return dataclasses.replace(
        state,
        settings=(settings,),
        parameters=state.parameters[row, :size],
        first_moment=state.first_moment[row, :size],
        second_moment=state.second_moment[row, :size],
        memory={name: value[row] for name, value in state.memory.items() if name.startswith(mine)},
    )


def point_count(state: State) -> int:
    """The number of points that these members train on."""
    return len(batch_context(state.settings, state.step).points)


def finished(state: State) -> bool:
    """Whether the run has completed all its epochs."""
    return state.step >= step_count(state)


def step_count(state: State) -> int:
    """The number of steps of the whole run."""
    return batch_context(state.settings, state.step).steps


@ordinary_modes()
def first_frames(state: State) -> Moment:
    """The frames of a state, one per member, without training; used before the first step."""
    context = batch_context(state.settings, state.step)
    return _moment(context, state)


@ordinary_modes()
def advance(state: State, budget: Budget | None = None) -> Advance:
    """Train until the budget is used up or the run is complete.

    Pure: the same state and number of steps give the same result, bit for bit on one CPU thread.
    The settings, not the budget, determine which steps have frames.
    """
    budget = budget or Budget()
    check_epochs(state.settings[0].epochs)  # the state may come from a server with other limits
    steps = batch_context(state.settings, state.step).steps
    last = steps if budget.steps is None else min(steps, state.step + budget.steps)
    deadline = math.inf if budget.seconds is None else time.perf_counter() + budget.seconds
    moments: list[Moment] = []
    step, trainer, changed = state.step, None, changed_steps(state.settings)
    spent = 0.0
    while step < last:
        # A context holds the settings up to the next change of a running member's settings.
        context = batch_context(state.settings, step)
        trainer = trainer or Trainer(context, state)
        # Without frames nothing ends a piece early: native code is called once for an epoch.
        measured = last
        if budget.frames:
            measured = next_frame(step, steps, state.frame_rule, changed)
        end = min(last, _next_change(state.settings, step), measured)
        started = time.thread_time()
        step = trainer.train(step, end, deadline)
        # Of this thread, so that what else the machine does is not counted.
        spent += time.thread_time() - started if _one_thread(context) else math.nan
        if budget.frames and step == measured:
            # Measured under the settings that the step was trained with.
            moments.append(_moment(context, trainer.save(step)))
        if time.perf_counter() >= deadline:
            break
    if trainer is not None:
        state = trainer.save(step)
    return Advance(state, tuple(moments), spent)


def _one_thread(context: BatchContext) -> bool:
    """Whether the thread that trains does all the work of a step."""
    return context.device.type == "cpu" and torch.get_num_threads() == 1


def _next_change(members: tuple[Settings, ...], step: int) -> int:
    """The first step after this one at which a member's settings change."""
    later = (since for settings in members for since, _, _ in settings.changes if since > step)
    return min(later, default=sys.maxsize)


def _position(context: BatchContext, step: int) -> RunPosition:
    epoch = step // steps_per_epoch(context.settings[0], len(context.points))
    return RunPosition(step, epoch, context.steps)


def _moment(context: BatchContext, state: State) -> Moment:
    position = _position(context, state.step)
    return tuple(frame(model, position) for model in _models(context, state, context.member_data))


def _models(
    context: BatchContext, state: State, member_data: Iterable[PreparedData]
) -> Iterator[Model]:
    """Each member as a model for evaluation."""
    flat = torch.from_numpy(state.parameters).to(context.device)
    native = native_rows(state)
    for index, prepared in enumerate(member_data):
        member = context.members[index]
        method = member_method(member, index, state.memory, context.device)
        passes = _native_pass(context, state, index, member) if index in native else None
        yield Model(prepared, context.arch, flat[index : index + 1], method, passes)


def _native_pass(context: BatchContext, state: State, index: int, member: Member) -> NativePass:
    from svae_core.training.native.steps import ForwardPass

    return ForwardPass(context.arch.layers, state.parameters[index], member.given[:2])


@ordinary_modes()
def certify(
    state: State,
    draws: int | None = None,
    own_floors: bool = True,
    sharp: bool = True,
    purpose: str = "certify",
) -> tuple[Certificate, ...]:
    """Certificates of all members at this state, measured on all points.

    `draws`: latents per point; None takes the certificate's default. `own_floors`: also the
    floors that belong to a model's own answers, which cost most of a certificate. `sharp`: with
    the kernel bounds in the proved floor, which cost some seconds for each data set. `purpose`: of
    the draws; the confidence is that of draws which did not choose the state that they certify.
    """
    context = batch_context(state.settings, state.step)
    prepared = map(prepare, context.settings)
    problems = map(sharpened, prepared) if sharp else prepared
    epochs = state.step // steps_per_epoch(context.settings[0], len(context.points))
    return tuple(
        certificate(model, epochs, draws, own_floors, purpose)
        for model in _models(context, state, problems)
    )


@ordinary_modes()
def forecasts(state: State) -> tuple[Forecast | None, ...]:
    """The next birth and death of each member; None where its loss has no such forecast."""
    return tuple(
        forecast(model, frame.loss)
        for model, frame in zip(models(state), first_frames(state), strict=True)
    )


@ordinary_modes()
def encode_points(state: State, index: int) -> Posteriors:
    """The posteriors of one member on all its training points."""
    model = models(state)[index]
    return encode(model, model.prepared.shell.points)


@ordinary_modes()
def models(state: State) -> tuple[Model, ...]:
    """All members of a state as models for evaluation."""
    context = batch_context(state.settings, state.step)
    return tuple(_models(context, state, context.member_data))


@ordinary_modes()
def model_of(
    state: State, prepared: PreparedData, arrays: dict[str, np.ndarray] | None = None
) -> Model:
    """The model of a one-member state, given prepared data whose points may have been dropped.

    `arrays`: the method's own, which are not found without points.
    """
    (settings,) = state.settings
    device = pick_device(settings.device)
    arch = weight_layout((settings,), prepared)
    member = member_of(settings, prepared, arrays)
    flat = torch.from_numpy(state.parameters).to(device)
    method = member_method(member, 0, state.memory, device)
    return Model(prepared, arch, flat, method)
