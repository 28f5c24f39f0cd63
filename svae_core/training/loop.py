"""The only training loop: members as one batch, in slices that can go on anywhere.

    state = begin(members);  advance(state, budget) -> Advance(state, moments);  certify(state)

A run is a pure function of its settings. Random streams belong to (seed, epoch), so nothing
depends on how training was sliced or who trains beside it: resumed equals uninterrupted, and a
member equals its solo run, bit for bit on one CPU thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.certificate.certify import Posteriors
from svae_core.config.limits import check_epochs
from svae_core.methods import method_for
from svae_core.nets.architectures import padded
from svae_core.nets.networks import (
    GradientBuffers,
    Networks,
    gradient_buffers,
    initial_weights,
    networks,
)
from svae_core.nets.stack import constant
from svae_core.problem import prepare, prepared_data
from svae_core.records import (
    Advance,
    Budget,
    Certificate,
    Decoded,
    Moment,
    PreparedData,
    Settings,
    State,
)
from svae_core.training.batch_loss import Batch
from svae_core.training.context import (
    BatchContext,
    batch_context,
    layout,
    pick_device,
    steps_per_epoch,
)
from svae_core.training.evaluate import Clock, Model, certificate, encode, frame, reconstruction
from svae_core.training.groups import (
    Memory,
    first_memory,
    memory_prefix,
    own_parameters,
    recall,
    remembered,
)
from svae_core.training.objective import Now, objective

#: A run gives about this many frames, whatever its length.
FRAMES = 200
#: Floats that the members of a chunk touch in a step (measured: tests/benchmarks/scaling.md).
_CACHE_FLOATS = 4_500_000
_SMALLEST_RATE = 0.005  # of the first learning rate, reached at the last step


def begin(members: tuple[Settings, ...]) -> State:
    """The state before the first step.

    Members of equal seed share their initial weights. Raises RequestError where settings make no
    sense, or where members differ in something that a batch shares (MEMBER_FIELDS may differ).
    """
    check_epochs(max((settings.epochs for settings in members), default=0))
    context = batch_context(members, 0)
    center = context.points.mean(dim=0).cpu() if members[0].start == "collapsed" else None
    rows = [initial_weights(context.arch, settings.seed, center) for settings in members]
    flat = torch.stack(rows).numpy()
    for row, settings in zip(flat, members, strict=True):
        own = own_parameters(settings)
        row[context.arch.extra][: len(own)] = own
    return State(
        settings=members,
        step=0,
        parameters=flat,
        first_moment=np.zeros_like(flat),
        second_moment=np.zeros_like(flat),
        memory=first_memory(context.settings, context.grounds),
    )


def chunk_size(settings: Settings) -> int:
    """How many members like this one are best trained as one batch: a power of 2, from 2 to 32.

    A batch shares the bookkeeping of a step, but what its members touch in a step must stay in the
    cache beside the core: weights with gradient and moments, and what passes through the layers.
    """
    arch = layout((settings,), prepared_data(settings))
    through = 3 * arch.ambient_dim + sum(layer.fan_out for layer in arch.layers)
    fitting = _CACHE_FLOATS // (arch.size + settings.batch_size * through)
    return 1 << max(1, min(fitting, 32).bit_length() - 1)


def is_frame_step(step: int, steps: int) -> bool:
    """Whether a frame is made at this step: about 200 evenly spread, the first and the last."""
    count = min(FRAMES, steps)
    return step * count // steps != (step - 1) * count // steps or step == 0


def member(state: State, index: int) -> State:
    """The state of one member alone, as if it had trained by itself."""
    settings = state.settings[index]
    row = slice(index, index + 1)
    # Rows are as long as the longest member needs; what it needs less lies at the end.
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
    """How many points these members train on."""
    return len(batch_context(state.settings, state.step).points)


def finished(state: State) -> bool:
    """Whether all epochs are done."""
    context = batch_context(state.settings, state.step)
    return state.step >= context.steps


def first_frames(state: State) -> Moment:
    """The frames of a state as it stands, one per member; for the moment before training."""
    context = batch_context(state.settings, state.step)
    return _moment(context, _restore(context, state), state.step)


def advance(state: State, budget: Budget | None = None) -> Advance:
    """Train until the budget is used up or the run is done.

    Pure: the same state and number of steps give the same result, bit for bit on one CPU thread.
    Frames come at steps fixed by the settings, not by the budget.
    """
    budget = budget or Budget()
    check_epochs(state.settings[0].epochs)  # of a run that began elsewhere, too
    steps = batch_context(state.settings, state.step).steps
    last = steps if budget.steps is None else min(steps, state.step + budget.steps)
    deadline = math.inf if budget.seconds is None else time.perf_counter() + budget.seconds
    moments: list[Moment] = []
    step, weights = state.step, None
    while step < last:
        context = batch_context(state.settings, step)
        weights = weights or _restore(context, state)
        for batch in context.batches(step, min(last, _next_change(state.settings, step))):
            _train_step(context, weights, batch, step)
            step += 1
            if budget.frames and is_frame_step(step, steps):
                moments.append(_moment(context, weights, step))  # as it was trained
            if time.perf_counter() >= deadline:
                last = step
                break
    if weights is not None:
        state = _save(context, state, weights, step)
    return Advance(state, tuple(moments))


def _next_change(members: tuple[Settings, ...], step: int) -> int:
    """The first step after this one at which a member's settings change."""
    later = (since for settings in members for since, _, _ in settings.changes if since > step)
    return min(later, default=sys.maxsize)


# ------------------------------------------------------------------------- one step


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors that a step changes in place, and the layers that look into them."""

    flat: Tensor  # [m, p]
    first_moment: Tensor  # [m, p]
    second_moment: Tensor  # [m, p]
    taken: Tensor  # [] float: steps so far
    networks: Networks
    buffers: GradientBuffers  # for their gradients
    memory: Memory  # what methods carry


def _restore(context: BatchContext, state: State) -> Weights:
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
        memory=recall(context.objective.groups, state.memory),
    )


def _save(context: BatchContext, state: State, weights: Weights, step: int) -> State:
    return dataclasses.replace(
        state,
        step=step,
        parameters=weights.flat.cpu().numpy(),
        first_moment=weights.first_moment.cpu().numpy(),
        second_moment=weights.second_moment.cpu().numpy(),
        memory=remembered(context.objective.groups, weights.memory, state.memory),
    )


def _train_step(context: BatchContext, weights: Weights, batch: Batch, step: int) -> None:
    now = Now(step, context.steps)
    rests = context.objective.decoder_rests(weights.memory, step)
    gradient = context.objective.gradient(
        weights.networks, batch, now, weights.memory, weights.buffers
    )
    if rests is None:
        _adam(weights, gradient, _learning_rate(context, step))
    else:
        with _decoder_kept(context, weights, rests):
            _adam(weights, gradient, _learning_rate(context, step))


def _adam(weights: Weights, gradient: Tensor, rate: float) -> None:
    """One step of Adam (arXiv 1412.6980) for all members, in place.

    What torch.optim.Adam(fused=True) comes down to, without its search for what there is to do.
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
def _decoder_kept(context: BatchContext, weights: Weights, rests: Tensor) -> Iterator[None]:
    """A step of the optimiser that leaves the decoders of members `rests` [m] as they were.

    Their moments too: a zero gradient alone would let momentum move them on.
    """
    part = context.arch.decoder_part
    changing = (weights.flat, weights.first_moment, weights.second_moment)
    decoders = [values[:, part] for values in changing]
    before = [values.clone() for values in decoders]
    yield
    for values, kept in zip(decoders, before, strict=True):
        values.copy_(torch.where(rests.unsqueeze(1), kept, values))


def _learning_rate(context: BatchContext, step: int) -> float:
    """Constant for the first half, then falling exponentially, so that runs end settled.

    A linear fall left weakly active dimensions of the linear VAE up to 12 % off their closed form:
    most of the time must be spent at small rates, where the gradient noise averages out.
    """
    second_half = max(0.0, 2.0 * step / context.steps - 1.0)
    return float(context.settings[0].learning_rate * _SMALLEST_RATE**second_half)


def _moment(context: BatchContext, weights: Weights, step: int) -> Moment:
    epoch = step // steps_per_epoch(context.settings[0], len(context.points))
    clock = Clock(step, epoch, context.steps)
    models = _models(context, weights.flat, weights.memory, context.grounds)
    return tuple(frame(model, clock) for model in models)


def _models(
    context: BatchContext, flat: Tensor, memory: Memory, grounds: Iterable[PreparedData]
) -> Iterator[Model]:
    """Each member by itself, to be looked at."""
    for index, ground in enumerate(grounds):
        nets = networks(context.arch, flat[index : index + 1])
        yield Model(ground, nets, context.objective.solo(index, memory))


def _models_of(
    context: BatchContext, state: State, grounds: Iterable[PreparedData]
) -> Iterator[Model]:
    flat = torch.from_numpy(state.parameters).to(context.device)
    return _models(context, flat, recall(context.objective.groups, state.memory), grounds)


def certify(state: State, draws: int | None = None) -> tuple[Certificate, ...]:
    """Certificates of all members as they stand, measured on all points.

    `draws`: of every latent; as many as a certificate asks for unless another number is given.
    """
    context = batch_context(state.settings, state.step)
    problems = (prepare(settings) for settings in context.settings)
    epochs = state.step // steps_per_epoch(context.settings[0], len(context.points))
    return tuple(
        certificate(model, epochs, draws) for model in _models_of(context, state, problems)
    )


def encode_points(state: State, index: int) -> Posteriors:
    """The posteriors of one member for all its training points."""
    context = batch_context(state.settings, state.step)
    model = list(_models_of(context, state, context.grounds))[index]
    return encode(model, model.ground.shell.points)


def models(state: State) -> tuple[Model, ...]:
    """All members as they stand, to be looked at."""
    context = batch_context(state.settings, state.step)
    return tuple(_models_of(context, state, context.grounds))


def fitted(state: State, ground: PreparedData) -> Model:
    """A one-member state on prepared data that may have lost its points; to be looked at."""
    (settings,) = state.settings
    device = pick_device(settings.device)
    arch = layout((settings,), ground)
    parts = objective((settings,), (ground,), device)
    flat = torch.from_numpy(state.parameters).to(device)
    memory = recall(parts.groups, state.memory)
    return Model(ground, networks(arch, flat), parts.solo(0, memory))


def decode(state: State, index: int) -> Decoded:
    """One viewed point as all members give it back, beside the point and its centroid."""
    members = models(state)
    ground = members[0].ground
    row = ground.view_index[index]
    return Decoded(
        index=index,
        step=state.step,
        original=ground.shell.points[row],
        centroid=ground.clusters.centroids[ground.clusters.labels[row]].astype(np.float32),
        outputs=np.stack([reconstruction(model, index) for model in members]),
    )
