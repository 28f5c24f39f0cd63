"""What a slice of training needs that follows from the settings alone, made once and kept.

    context = batch_context(members, step);  context.batches(step, last) -> minibatches

Points, networks' layout, objective and the random streams: each epoch's order and noise come from
(seed, epoch), so nothing depends on where a slice begins.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

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

#: Numbers of points that are fetched at once, before the batches that they make up are seen.
_GATHERED = 500_000


def total_steps(settings: Settings, n: int) -> int:
    """Optimiser steps of the whole run on n points."""
    return settings.epochs * steps_per_epoch(settings, n)


def steps_per_epoch(settings: Settings, n: int) -> int:
    """Minibatches per epoch: as equal in size as can be, so none is a tiny remainder."""
    return math.ceil(n / settings.batch_size)


@dataclass(frozen=True, eq=False)
class BatchContext:
    """Everything a slice needs that follows from the settings alone."""

    settings: tuple[Settings, ...]
    grounds: tuple[PreparedData, ...]
    arch: Architecture
    objective: Objective
    points: Tensor  # [n, d]
    steps: int
    device: torch.device

    def batches(self, step: int, last: int) -> Iterator[Batch]:
        """The minibatches of steps step … last−1, each epoch's randomness from (seed, epoch)."""
        n = len(self.points)
        per_epoch = steps_per_epoch(self.settings[0], n)
        edges = [round(i * n / per_epoch) for i in range(per_epoch + 1)]
        while step < last:
            epoch, first = divmod(step, per_epoch)
            end = min(per_epoch, first + last - step)
            order, noise = self._epoch(epoch, n)
            for at in range(first, end, self._gathered):
                steps = edges[at : min(at + self._gathered, end) + 1]
                some = slice(steps[0], steps[-1])
                sizes = [high - low for low, high in itertools.pairwise(steps)]
                points = self._of_members(self.points.index_select(0, order[:, some].flatten()))
                yield from map(
                    Batch,
                    points.split(sizes, dim=1),
                    self._of_members(noise[:, some].flatten(0, 1)).split(sizes, dim=1),
                )
            step += end - first

    @functools.cached_property
    def _gathered(self) -> int:
        """Batches whose points are fetched at once: many small ones, few large ones."""
        numbers = self.settings[0].batch_size * self.points.shape[1] * len(self._streams)
        return max(1, _GATHERED // numbers)

    @functools.cached_property
    def _seeds(self) -> list[int]:
        return [settings.seed for settings in self.settings]

    @functools.cached_property
    def _streams(self) -> list[int]:
        """Each seed once: members of the same one see the same."""
        return list(dict.fromkeys(self._seeds))

    def _of_members(self, rows: Tensor) -> Tensor:
        """For each member [m, b, ·] what there is for each seed, one after another in `rows`.

        Not copied where all members have the same.
        """
        seeds = self._streams
        each = rows.unflatten(0, (len(seeds), -1))
        if len(seeds) == 1:
            return each.expand(len(self._seeds), -1, -1)
        if seeds == self._seeds:
            return each
        return each[[seeds.index(seed) for seed in self._seeds]]

    def _epoch(self, epoch: int, n: int) -> tuple[Tensor, Tensor]:
        """Order [s, n] of the points and noise [s, n, k] of an epoch, for each seed."""
        seeds = self._streams
        orders = [torch.randperm(n, generator=stream(seed, epoch, "order")) for seed in seeds]
        noise = [
            torch.randn(n, self.arch.latent_dim, generator=stream(seed, epoch, "noise"))
            for seed in seeds
        ]
        return torch.stack(orders).to(self.device), torch.stack(noise).to(self.device)


def batch_context(members: tuple[Settings, ...], step: int) -> BatchContext:
    """The context of these members at a step."""
    return _make_context(tuple(settings_at(settings, step) for settings in members))


@functools.lru_cache(maxsize=8)  # slices of many runs alternate, and come from several threads
def _make_context(members: tuple[Settings, ...]) -> BatchContext:
    first = _check_members(members)
    device = pick_device(first.device)
    grounds = tuple(prepared_data(settings) for settings in members)
    points = grounds[0].shell.points
    return BatchContext(
        settings=members,
        grounds=grounds,
        arch=layout(members, grounds[0]),
        objective=objective(members, grounds, device),
        points=torch.from_numpy(points).to(device),
        steps=total_steps(first, len(points)),
        device=device,
    )


def layout(members: tuple[Settings, ...], ground: PreparedData) -> Architecture:
    """How the weights of a batch's members lie in a row: as the longest of them needs it."""
    first, image = members[0], ground.dataset.image_shape
    extra = max(len(own_parameters(settings)) for settings in members)
    d = len(ground.shell.center)
    return architecture(first.arch, d, first.latent_dim, first.hidden, extra, image)


def check_run(settings: Settings) -> dict[str, float]:
    """What the method fixes before training; RequestError where there cannot be such a run.

    The band may be empty, the data no images, the method not for this architecture.
    """
    ground = prepared_data(settings)
    layout((settings,), ground)
    check_autoregressive(settings)
    return method_for(settings).constants(ground, settings)


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
    """The device of that name; auto takes CUDA where there is one. RequestError if missing."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise RequestError("--device is cuda, but PyTorch finds no CUDA device; use cpu or auto.")
    return torch.device("cuda" if available and name in ("auto", "cuda") else "cpu")
