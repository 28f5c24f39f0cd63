"""Strided convolutions for a batch of members, as layers of a `Stack`.

`Halving` is a 4 × 4 convolution of stride 2 and padding 1, `Doubling` its transpose. Images are
flat rows with channels last: [m, b, height · width · channels]. Windows are gathered into rows
(im2col), so that a layer is one matrix product per member: members then equal their solo runs bit
for bit, which grouped convolutions do not guarantee. Each output pixel has a bias of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from svae_core.nets.layer_stack import Backward, LayerTensors, Placed, multiply

_SIDE, _STEP, _EDGE = 4, 2, 1  # kernel size, stride and padding


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
    def pixels(self) -> int:
        return self.height * self.width

    def halved(self, channels: int) -> Grid:
        """The output grid of `Halving`; an odd size is rounded down."""
        return Grid(self.height // _STEP, self.width // _STEP, channels)


@dataclass(frozen=True)
class _Windowed(Placed, ABC):
    """A layer that links each pixel of the coarse image with a 4 × 4 window of the fine one."""

    name: str
    given: Grid  # of the inputs
    made: Grid  # of the outputs
    start: int  # offset of its weights in a member's row
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
        """The shape of the weight matrix, (inputs, outputs) of the matrix product."""

    def forward(self, tensors: LayerTensors, values: Tensor, scale: int) -> Tensor:
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
    """A convolution to half the height and width."""

    @property
    def receptive_field(self) -> int:
        """Inputs that one output depends on."""
        return _SIDE * _SIDE * self.given.channels

    @property
    def shape(self) -> tuple[int, int]:
        """(numbers of a window, output channels)."""
        return self.receptive_field, self.made.channels

    def product(self, weight: Tensor, values: Tensor) -> Tensor:
        """The outputs [m, b, fan_out] without bias."""
        rows = im2col(values, self.given, self.made)
        return torch.bmm(rows, weight).view(*values.shape[:2], self.fan_out)

    def backward(self, back: Backward, needs_input_grad: bool) -> Tensor | None:
        """Write the gradients of weight and bias; return that of the inputs if asked."""
        rows = im2col(back.values, self.given, self.made)
        by_rows = back.grad_output.reshape(len(back.grad_output), -1, self.made.channels)
        multiply(rows.mT, by_rows, back.grads.weight)
        torch.sum(back.grad_output, 1, True, out=back.grads.bias)
        if not needs_input_grad:
            return None
        return col2im(torch.bmm(by_rows, back.tensors.weight_t), self.given, self.made)


@final
@dataclass(frozen=True)
class Doubling(_Windowed):
    """A transposed convolution to twice the height and width."""

    @property
    def receptive_field(self) -> int:
        """Inputs that one output depends on: windows overlap, two in each direction."""
        return (_SIDE // _STEP) ** 2 * self.given.channels

    @property
    def shape(self) -> tuple[int, int]:
        """(input channels, numbers of a window)."""
        return self.given.channels, _SIDE * _SIDE * self.made.channels

    def product(self, weight: Tensor, values: Tensor) -> Tensor:
        """The outputs [m, b, fan_out] without bias."""
        pixels = values.reshape(len(values), -1, self.given.channels)
        return col2im(torch.bmm(pixels, weight), self.made, self.given)

    def backward(self, back: Backward, needs_input_grad: bool) -> Tensor | None:
        """Write the gradients of weight and bias; return that of the inputs if asked."""
        # The transpose of the forward pass, hence an ordinary convolution of the gradient.
        rows = im2col(back.grad_output, self.made, self.given)
        pixels = back.values.reshape(len(back.values), -1, self.given.channels)
        multiply(pixels.mT, rows, back.grads.weight)
        torch.sum(back.grad_output, 1, True, out=back.grads.bias)
        if not needs_input_grad:
            return None
        return torch.bmm(rows, back.tensors.weight_t).view(*back.values.shape)


def im2col(values: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The windows of fine images [m, b, size] as rows, [m, b · coarse pixels, window]."""
    m, b, _ = values.shape
    image = values.reshape(m * b, fine.height, fine.width, fine.channels)
    image = pad(image, (0, 0, _EDGE, _EDGE, _EDGE, _EDGE))
    windows = image.unfold(1, _SIDE, _STEP).unfold(2, _SIDE, _STEP)  # …, channels, side, side
    rows = windows[:, : coarse.height, : coarse.width].permute(0, 1, 2, 4, 5, 3)
    return rows.reshape(m, b * coarse.pixels, _SIDE * _SIDE * fine.channels)


def col2im(rows: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The transpose of `im2col`: windows summed where they overlap, [m, b, size]."""
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
