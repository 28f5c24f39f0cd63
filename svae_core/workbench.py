"""What a slice of training needs that follows from the settings alone, made once and kept.

    bench = workbench(members, step);  bench.batches(step, last) -> minibatches

Points, networks' layout, objective and the random streams: each epoch's order and noise come from
(seed, epoch), so nothing depends on where a slice begins.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from svae_core.networks import Architecture, architecture, stream
from svae_core.objective import Batch, Objective, objective, own_parameters
from svae_core.problem import groundwork
from svae_core.records import MEMBER_FIELDS, Groundwork, RequestError, Settings, settings_at


def total_steps(settings: Settings, n: int) -> int:
    """Optimiser steps of the whole run on n points."""
    return settings.epochs * steps_per_epoch(settings, n)


def steps_per_epoch(settings: Settings, n: int) -> int:
    """Minibatches per epoch: as equal in size as can be, so none is a tiny remainder."""
    return math.ceil(n / settings.batch_size)


@dataclass(frozen=True, eq=False)
class Workbench:
    """Everything a slice needs that follows from the settings alone."""

    settings: tuple[Settings, ...]
    grounds: tuple[Groundwork, ...]
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
            order, noise = self._epoch(epoch, n)
            for i in range(first, min(per_epoch, first + last - step)):
                part = slice(edges[i], edges[i + 1])
                yield Batch(self._gather(order[:, part]), noise[:, part].contiguous())
                step += 1

    def _gather(self, rows: Tensor) -> Tensor:
        """Each member's points [m, b, d]; fetched once where all members have the same seed."""
        m, b = rows.shape
        if self.one_seed:
            return self.points.index_select(0, rows[0]).expand(m, -1, -1)
        return self.points.index_select(0, rows.flatten()).view(m, b, -1)

    @functools.cached_property
    def one_seed(self) -> bool:
        """Whether all members see the same points in the same order."""
        return len({settings.seed for settings in self.settings}) == 1

    def _epoch(self, epoch: int, n: int) -> tuple[Tensor, Tensor]:
        drawn: dict[int, tuple[Tensor, Tensor]] = {}
        for settings in self.settings:
            if settings.seed not in drawn:
                order = torch.randperm(n, generator=stream(settings.seed, epoch, "order"))
                noise = torch.randn(
                    n, self.arch.latent_dim, generator=stream(settings.seed, epoch, "noise")
                )
                drawn[settings.seed] = order, noise
        pairs = [drawn[settings.seed] for settings in self.settings]
        orders = torch.stack([order for order, _ in pairs]).to(self.device)
        return orders, torch.stack([noise for _, noise in pairs]).to(self.device)


def workbench(members: tuple[Settings, ...], step: int) -> Workbench:
    """The bench of these members at a step."""
    return _make_workbench(tuple(settings_at(settings, step) for settings in members))


@functools.lru_cache(maxsize=8)  # slices of many runs alternate, and come from several threads
def _make_workbench(members: tuple[Settings, ...]) -> Workbench:
    first = _check_members(members)
    device = pick_device(first.device)
    grounds = tuple(groundwork(settings) for settings in members)
    points = grounds[0].shell.points
    extra = max(len(own_parameters(settings)) for settings in members)
    image = grounds[0].dataset.image_shape
    arch = architecture(first.arch, points.shape[1], first.latent_dim, first.hidden, extra, image)
    return Workbench(
        settings=members,
        grounds=grounds,
        arch=arch,
        objective=objective(members, grounds, device),
        points=torch.from_numpy(points).to(device),
        steps=total_steps(first, len(points)),
        device=device,
    )


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
