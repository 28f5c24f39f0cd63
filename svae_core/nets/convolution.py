"""Convolutions for a batch of members, as layers of a `Stack`: halving an image, and doubling it.

Values are images channel by channel at each place, flat: [m, b, height · width · channels]. Both
layers gather windows of 4 × 4 places, two apart, into rows, so that the arithmetic is one matrix
product per member: members then equal their solo runs bit for bit, which grouped convolutions do
not promise. `Doubling` is the transpose of `Halving`. Each place has a bias of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from svae_core.nets.stack import Tensors, multiply, tensors_of

_SIDE, _STEP, _EDGE = 4, 2, 1  # of a window: its side, the way to the next, what is added around


@dataclass(frozen=True)
class Grid:
    """An image's height, width and number of channels."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> int:
        return self.height * self.width * self.channels

    @property
    def places(self) -> int:
        return self.height * self.width

    def halved(self, channels: int) -> Grid:
        """What `Halving` makes of it; an odd last row or column is seen, but has no place."""
        return Grid(self.height // _STEP, self.width // _STEP, channels)


@dataclass(frozen=True)
class _Windowed(ABC):
    """What both share: a window of the fine image for each place of the coarse one."""

    name: str
    given: Grid
    made: Grid
    start: int  # of its weights in a member's row
    activated = True

    @property
    def fan_in(self) -> int:
        return self.given.size

    @property
    def fan_out(self) -> int:
        return self.made.size

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Of the weight: what a row of its matrix product holds, and what it becomes."""

    @property
    def weight(self) -> slice:
        return slice(self.start, self.start + self.shape[0] * self.shape[1])

    @property
    def bias(self) -> slice:
        return slice(self.weight.stop, self.weight.stop + self.fan_out)

    @property
    def stop(self) -> int:
        return self.bias.stop

    def tensors(self, row: Tensor, start: int) -> Tensors:
        """Weight [m, *shape] and bias [m, 1, fan_out], views of rows that start there."""
        weight = row[:, self.weight.start - start : self.weight.stop - start]
        bias = row[:, self.bias.start - start : self.bias.stop - start]
        return tensors_of(weight.unflatten(1, self.shape), bias.unsqueeze(1))

    def forward(self, tensors: Tensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        outputs = self.product(tensors.weight, values)
        outputs += tensors.bias
        return outputs if scale == 1 else outputs.mul_(scale)

    @abstractmethod
    def product(self, weight: Tensor, values: Tensor) -> Tensor:
        """The outputs [m, b, fan_out] without bias."""


@final
@dataclass(frozen=True)
class Halving(_Windowed):
    """A convolution to half the height and width, by where its weights lie in a member's row."""

    @property
    def reach(self) -> int:
        """How many inputs an output depends on."""
        return _SIDE * _SIDE * self.given.channels

    @property
    def shape(self) -> tuple[int, int]:
        """A window, and the channels it becomes."""
        return self.reach, self.made.channels

    def product(self, weight: Tensor, values: Tensor) -> Tensor:
        """The outputs [m, b, fan_out] without bias."""
        rows = gathered(values, self.given, self.made)
        return torch.bmm(rows, weight).view(*values.shape[:2], self.fan_out)

    def backward(
        self, tensors: Tensors, values: Tensor, gradient: Tensor, own: Tensors, through: bool
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        rows = gathered(values, self.given, self.made)
        by_rows = gradient.reshape(len(gradient), -1, self.made.channels)
        multiply(rows.mT, by_rows, own.weight)
        torch.sum(gradient, 1, True, out=own.bias)
        if not through:
            return None
        return scattered(torch.bmm(by_rows, tensors.turned), self.given, self.made)


@final
@dataclass(frozen=True)
class Doubling(_Windowed):
    """A transposed convolution to twice the height and width."""

    @property
    def reach(self) -> int:
        """How many inputs an output depends on."""
        return (_SIDE // _STEP) ** 2 * self.given.channels

    @property
    def shape(self) -> tuple[int, int]:
        """The channels of a place, and the window they become."""
        return self.given.channels, _SIDE * _SIDE * self.made.channels

    def product(self, weight: Tensor, values: Tensor) -> Tensor:
        """The outputs [m, b, fan_out] without bias."""
        places = values.reshape(len(values), -1, self.given.channels)
        return scattered(torch.bmm(places, weight), self.made, self.given)

    def backward(
        self, tensors: Tensors, values: Tensor, gradient: Tensor, own: Tensors, through: bool
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        rows = gathered(gradient, self.made, self.given)
        places = values.reshape(len(values), -1, self.given.channels)
        multiply(places.mT, rows, own.weight)
        torch.sum(gradient, 1, True, out=own.bias)
        return torch.bmm(rows, tensors.turned).view(*values.shape) if through else None


def gathered(values: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The windows of fine images [m, b, size], a row for each: [m, b · places, window]."""
    m, b, _ = values.shape
    image = values.reshape(m * b, fine.height, fine.width, fine.channels)
    image = pad(image, (0, 0, _EDGE, _EDGE, _EDGE, _EDGE))
    windows = image.unfold(1, _SIDE, _STEP).unfold(2, _SIDE, _STEP)  # …, channels, side, side
    rows = windows[:, : coarse.height, : coarse.width].permute(0, 1, 2, 4, 5, 3)
    return rows.reshape(m, b * coarse.places, _SIDE * _SIDE * fine.channels)


def scattered(rows: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The transpose of `gathered`: windows added up where they overlap, [m, b, size]."""
    m = len(rows)
    side = (_SIDE, _SIDE, fine.channels)
    windows = rows.reshape(-1, coarse.height, coarse.width, *side)
    height, width = fine.height + 2 * _EDGE, fine.width + 2 * _EDGE
    image = rows.new_zeros(len(windows), height, width, fine.channels)
    down, across = _STEP * coarse.height, _STEP * coarse.width
    for i in range(_SIDE):
        for j in range(_SIDE):
            part = image[:, i : i + down : _STEP, j : j + across : _STEP]
            part += windows[:, :, :, i, j]
    inside = image[:, _EDGE : _EDGE + fine.height, _EDGE : _EDGE + fine.width]
    return inside.reshape(m, -1, fine.size)
