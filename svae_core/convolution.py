"""Convolutions for a batch of members, as layers of a `Stack`: halving an image, and doubling it.

Values are images channel by channel at each place, flat: [m, b, height · width · channels]. Both
layers gather windows of 4 × 4 places, two apart, into rows, so that the arithmetic is one matrix
product per member: members then equal their solo runs bit for bit, which grouped convolutions do
not promise. `Doubling` is the transpose of `Halving`. Each place has a bias of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

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


@final
@dataclass(frozen=True)
class Halving:
    """A convolution to half the height and width, by where its weights lie in a member's row."""

    name: str
    fine: Grid
    coarse: Grid
    start: int

    @property
    def fan_in(self) -> int:
        return self.fine.size

    @property
    def fan_out(self) -> int:
        return self.coarse.size

    @property
    def reach(self) -> int:
        """How many inputs an output depends on."""
        return _SIDE * _SIDE * self.fine.channels

    @property
    def weight(self) -> slice:
        return slice(self.start, self.start + self.reach * self.coarse.channels)

    @property
    def bias(self) -> slice:
        return slice(self.weight.stop, self.weight.stop + self.fan_out)

    @property
    def stop(self) -> int:
        return self.bias.stop

    activated = True

    def tensors(self, row: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Weight [m, window, channels] and bias [m, 1, fan_out], views of rows starting there."""
        weight = row[:, self.weight.start - start : self.weight.stop - start]
        bias = row[:, self.bias.start - start : self.bias.stop - start]
        return weight.unflatten(1, (self.reach, self.coarse.channels)), bias.unsqueeze(1)

    def forward(self, tensors: tuple[Tensor, Tensor], values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        weight, bias = tensors
        rows = gathered(values, self.fine, self.coarse)
        outputs = torch.bmm(rows, weight).view(*values.shape[:2], self.fan_out)
        outputs += bias
        return outputs if scale == 1 else outputs.mul_(scale)

    def backward(
        self,
        tensors: tuple[Tensor, Tensor],
        values: Tensor,
        gradient: Tensor,
        own: tuple[Tensor, Tensor],
        through: bool,
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        rows = gathered(values, self.fine, self.coarse)
        by_rows = gradient.reshape(len(gradient), -1, self.coarse.channels)
        own[0].copy_(torch.bmm(rows.mT, by_rows))
        torch.sum(gradient, 1, True, out=own[1])
        if not through:
            return None
        return scattered(torch.bmm(by_rows, tensors[0].mT), self.fine, self.coarse)


@final
@dataclass(frozen=True)
class Doubling:
    """A transposed convolution to twice the height and width."""

    name: str
    coarse: Grid
    fine: Grid
    start: int

    @property
    def fan_in(self) -> int:
        return self.coarse.size

    @property
    def fan_out(self) -> int:
        return self.fine.size

    @property
    def reach(self) -> int:
        """How many inputs an output depends on."""
        return (_SIDE // _STEP) ** 2 * self.coarse.channels

    @property
    def weight(self) -> slice:
        window = _SIDE * _SIDE * self.fine.channels
        return slice(self.start, self.start + self.coarse.channels * window)

    @property
    def bias(self) -> slice:
        return slice(self.weight.stop, self.weight.stop + self.fan_out)

    @property
    def stop(self) -> int:
        return self.bias.stop

    activated = True

    def tensors(self, row: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Weight [m, channels, window] and bias [m, 1, fan_out], views of rows starting there."""
        weight = row[:, self.weight.start - start : self.weight.stop - start]
        bias = row[:, self.bias.start - start : self.bias.stop - start]
        return weight.unflatten(1, (self.coarse.channels, -1)), bias.unsqueeze(1)

    def forward(self, tensors: tuple[Tensor, Tensor], values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        weight, bias = tensors
        places = values.reshape(len(values), -1, self.coarse.channels)
        outputs = scattered(torch.bmm(places, weight), self.fine, self.coarse)
        outputs += bias
        return outputs if scale == 1 else outputs.mul_(scale)

    def backward(
        self,
        tensors: tuple[Tensor, Tensor],
        values: Tensor,
        gradient: Tensor,
        own: tuple[Tensor, Tensor],
        through: bool,
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        rows = gathered(gradient, self.fine, self.coarse)
        places = values.reshape(len(values), -1, self.coarse.channels)
        own[0].copy_(torch.bmm(places.mT, rows))
        torch.sum(gradient, 1, True, out=own[1])
        return torch.bmm(rows, tensors[0].mT).view(*values.shape) if through else None


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
