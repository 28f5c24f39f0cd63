"""What training derives from the settings alone: points, weight layout, objective, minibatches.

    context = batch_context(members, step);  context.batches(step, last) -> minibatches

A context is computed once and cached. Each epoch's order and noise come from (seed, epoch), so the
minibatches do not depend on the step at which a slice of training begins.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.config.settings import MEMBER_FIELDS, settings_at
from svae_core.methods import method_for
from svae_core.nets.networks import Architecture, architecture, stream
from svae_core.problem import prepared_data
from svae_core.records import PreparedData, RequestError, Settings
from svae_core.training.batch_loss import Batch
from svae_core.training.groups import own_parameters
from svae_core.training.objective import Objective, check_autoregressive, objective

_SMALLEST_RATE = 0.005  # final learning rate as a fraction of the initial one
#: Floats of points gathered from the data in one operation; small minibatches are fetched together.
_FETCHED_FLOATS = 500_000


def total_steps(settings: Settings, n: int) -> int:
    """Optimiser steps of the whole run on n points."""
    return settings.epochs * steps_per_epoch(settings, n)


def steps_per_epoch(settings: Settings, n: int) -> int:
    """Minibatches per epoch; their sizes differ by at most one, so none is a tiny remainder."""
    return math.ceil(n / settings.batch_size)


@dataclass(frozen=True, eq=False)
class Piece:
    """Consecutive minibatches of one epoch, `first` … `last` − 1 of the run's steps."""

    first: int
    last: int
    edges: np.ndarray  # [last − first + 1] where each minibatch begins in the order
    _orders: dict[int, np.ndarray]
    _noise: dict[int, np.ndarray]

    def of(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The order [n] of the points in this epoch, and the noise [n, k] in that order."""
        return self._orders[seed], self._noise[seed]


@dataclass(frozen=True, eq=False)
class BatchContext:
    """What a slice of training needs and the settings alone determine."""

    settings: tuple[Settings, ...]
    member_data: tuple[PreparedData, ...]
    arch: Architecture
    objective: Objective
    points: Tensor  # [n, d]
    steps: int
    device: torch.device

    def batches(self, step: int, last: int) -> Iterator[Batch]:
        """The minibatches of steps `step` … `last` − 1, randomness from (seed, epoch)."""
        n = len(self.points)
        per_epoch = steps_per_epoch(self.settings[0], n)
        edges = [round(i * n / per_epoch) for i in range(per_epoch + 1)]
        while step < last:
            epoch, first = divmod(step, per_epoch)
            end = min(per_epoch, first + last - step)
            order, noise = self._epoch(epoch, n)
            for at in range(first, end, self._batches_per_fetch):
                steps = edges[at : min(at + self._batches_per_fetch, end) + 1]
                window = slice(steps[0], steps[-1])
                sizes = [high - low for low, high in itertools.pairwise(steps)]
                points = self._per_member(self.points.index_select(0, order[:, window].flatten()))
                yield from map(
                    Batch,
                    points.split(sizes, dim=1),
                    self._per_member(noise[:, window].flatten(0, 1)).split(sizes, dim=1),
                )
            step += end - first

    def epoch_pieces(self, step: int, last: int, most: int) -> Iterator[Piece]:
        """The same minibatches up to the end of this epoch, at most `most` steps to a piece."""
        n = len(self.points)
        per_epoch = steps_per_epoch(self.settings[0], n)
        edges = np.array([round(i * n / per_epoch) for i in range(per_epoch + 1)])
        epoch, first = divmod(step, per_epoch)
        orders, noise = (
            dict(zip(self._distinct_seeds, each.numpy(), strict=True))
            for each in self._epoch(epoch, n)
        )
        end = min(per_epoch, first + last - step)
        for at in range(first, end, most):
            to = min(at + most, end)
            start = epoch * per_epoch
            yield Piece(start + at, start + to, edges[at : to + 1], orders, noise)

    @functools.cached_property
    def _batches_per_fetch(self) -> int:
        """Minibatches whose points are gathered in one operation."""
        numbers = self.settings[0].batch_size * self.points.shape[1] * len(self._distinct_seeds)
        return max(1, _FETCHED_FLOATS // numbers)

    @functools.cached_property
    def _seeds(self) -> list[int]:
        return [settings.seed for settings in self.settings]

    @functools.cached_property
    def _distinct_seeds(self) -> list[int]:
        """Each seed once: members of equal seed see the same minibatches."""
        return list(dict.fromkeys(self._seeds))

    def _per_member(self, rows: Tensor) -> Tensor:
        """Rows [m, b, ·] of each member, from the rows of each distinct seed, concatenated.

        A view where all members have the same seed.
        """
        seeds = self._distinct_seeds
        each = rows.unflatten(0, (len(seeds), -1))
        if len(seeds) == 1:
            return each.expand(len(self._seeds), -1, -1)
        if seeds == self._seeds:
            return each
        return each[[seeds.index(seed) for seed in self._seeds]]

    def _epoch(self, epoch: int, n: int) -> tuple[Tensor, Tensor]:
        """The order [s, n] of the points and the noise [s, n, k] of an epoch, for each seed."""
        order, noise = _epoch(tuple(self._distinct_seeds), epoch, n, self.arch.latent_dim)
        return order.to(self.device), noise.to(self.device)


@functools.lru_cache(maxsize=4)  # frames and slices come back to an epoch several times
def _epoch(seeds: tuple[int, ...], epoch: int, n: int, k: int) -> tuple[Tensor, Tensor]:
    orders = [torch.randperm(n, generator=stream(seed, epoch, "order")) for seed in seeds]
    noise = [torch.randn(n, k, generator=stream(seed, epoch, "noise")) for seed in seeds]
    return torch.stack(orders), torch.stack(noise)


def learning_rate(context: BatchContext, step: int) -> float:
    """The learning rate: constant in the first half of the run, then decaying exponentially.

    With a linear decay, weakly active dimensions of the linear VAE ended up to 12 % off their
    closed form: gradient noise averages out only if many steps are taken at small rates.
    """
    second_half = max(0.0, 2.0 * step / context.steps - 1.0)
    return float(context.settings[0].learning_rate * _SMALLEST_RATE**second_half)


def batch_context(members: tuple[Settings, ...], step: int) -> BatchContext:
    """The context of these members at a step, with the settings that hold there."""
    return _cached_context(tuple(settings_at(settings, step) for settings in members))


@functools.lru_cache(maxsize=8)  # slices of several runs alternate on one worker
def _cached_context(members: tuple[Settings, ...]) -> BatchContext:
    first = _check_members(members)
    device = pick_device(first.device)
    member_data = tuple(prepared_data(settings) for settings in members)
    points = member_data[0].shell.points
    return BatchContext(
        settings=members,
        member_data=member_data,
        arch=weight_layout(members, member_data[0]),
        objective=objective(members, member_data, device),
        points=torch.from_numpy(points).to(device),
        steps=total_steps(first, len(points)),
        device=device,
    )


def weight_layout(members: tuple[Settings, ...], prepared: PreparedData) -> Architecture:
    """The layout of one member's row of weights, long enough for every member of the batch."""
    first, image = members[0], prepared.dataset.image_shape
    extra = max(len(own_parameters(settings)) for settings in members)
    d = len(prepared.shell.center)
    return architecture(first.arch, d, first.latent_dim, first.hidden, extra, image)


def check_run(settings: Settings) -> dict[str, float]:
    """The constants that the method fixes before training; raises RequestError if invalid.

    Invalid are, for example, an empty band, an image architecture for data that are not images, or
    a method that does not go with the architecture.
    """
    prepared = prepared_data(settings)
    weight_layout((settings,), prepared)
    check_autoregressive(settings)
    return method_for(settings).constants(prepared, settings)


def _check_members(members: tuple[Settings, ...]) -> Settings:
    if not members:
        raise RequestError("There is nothing to train; give at least one method and one seed.")
    first = members[0]
    for settings in members[1:]:
        for item in dataclasses.fields(Settings):
            mine, theirs = getattr(settings, item.name), getattr(first, item.name)
            if item.name not in MEMBER_FIELDS and mine != theirs:
                raise RequestError(
                    f"Runs trained together must agree in {item.name}, but have {theirs} "
                    f"and {mine}."
                )
    return first


def pick_device(name: str) -> torch.device:
    """The device of that name; auto prefers CUDA. Raises RequestError if CUDA is missing."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise RequestError("--device is cuda, but PyTorch finds no CUDA device; use cpu or auto.")
    return torch.device("cuda" if available and name in ("auto", "cuda") else "cpu")
