"""Our nets, initial weights and random streams, for loops that are not ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import torch
from torch import Tensor

from svae_core.integrations.exchange import plain
from svae_core.integrations.plain_model import PlainVAE
from svae_core.integrations.pytorch import CollapseMonitor, FeasibleBand
from svae_core.records import Budget, Settings
from svae_core.training import loop
from svae_core.training.batch_context import batch_context


@dataclass
class OurRun:
    """A run of ours, to be repeated step by step elsewhere."""

    settings: Settings

    @cached_property
    def context(self) -> Any:
        return batch_context((self.settings,), 0)

    @cached_property
    def points(self) -> Any:
        return self.context.points.numpy()

    @property
    def radii(self) -> tuple[float, float]:
        return self.settings.r_min, self.settings.r_max

    def start(self) -> PlainVAE:
        """The nets before the first step."""
        return plain(loop.models(loop.begin((self.settings,)))[0]).train()

    def band(self) -> FeasibleBand:
        return FeasibleBand.from_data(self.points, collapse_loss="shell", shell=self.radii)

    def monitor(self, model: PlainVAE) -> CollapseMonitor:
        return CollapseMonitor(model.encode, model.decode, self.points, shell=self.radii)

    def batches(self, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Points [b, d] and noise [b, k] of steps."""
        while first < last:
            (piece,) = self.context.pieces(first, last, last)
            order, noise = (torch.from_numpy(part) for part in piece.of[self.settings.seed])
            for low, high in zip(piece.edges, piece.edges[1:], strict=False):
                yield self.context.points[order[low:high]], noise[low:high]
            first = piece.last

    def loss(self, model: PlainVAE, band: FeasibleBand, x: Tensor, noise: Tensor) -> Tensor:
        """A plain VAE's loss, with the second of the two lines: the penalty."""
        mean, log_variance = model.encode(x)
        answers = model.decode(mean + (0.5 * log_variance).exp() * noise)
        error = (answers - x).square().sum(dim=1).mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return error / 2 + kl + band.penalty(error)

    def assert_it_ends_there(self, monitor: CollapseMonitor, steps: int) -> None:
        """D and KL are ours to 1e-4 after so many steps, and the verdict is the same."""
        state = loop.advance(loop.begin((self.settings,)), Budget(steps=steps, frames=False)).state
        (frame,), (ours,) = loop.first_frames(state), loop.certify(state)
        reading, theirs = monitor.step(), monitor.certify()
        assert reading.loss == pytest.approx(frame.loss, abs=1e-4)
        assert reading.kl == pytest.approx(frame.kl, abs=1e-4)
        assert reading.delta == pytest.approx(frame.delta)
        assert reading.active_units == frame.active.sum()
        assert theirs.verdict == ours.verdict
        margins = ours.loss_margin + theirs.loss_margin
        assert theirs.loss == pytest.approx(ours.loss, abs=margins)
