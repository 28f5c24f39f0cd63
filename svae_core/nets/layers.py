"""A layer for a batch of members: its place in each member's row of weights, and its outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

#: Rows are padded to a multiple of this many floats, so that a member's numbers meet the same
#: vector instructions in a batch as alone: members then equal solo runs bit for bit.
_ALIGN = 16
#: Height and width, where points are images.
Image = tuple[int, int] | None
#: A point read step by step: the number of steps, and the coordinates of each.
Steps = tuple[int, int]


@final
@dataclass(frozen=True)
class Layer:
    """A weight matrix and a bias in a member's row, and a function of them."""

    name: str
    shape: tuple[int, int]  # of the weight: (inputs, outputs) of the matrix product
    biases: int  # the outputs have as many numbers, unless it is 0
    #: (values [m, b, ·], weight [m, *shape], bias [m, 1, biases]) -> outputs [m, b, ·]. Members
    #: are computed apart; autograd finds the gradient.
    forward: Callable[[Tensor, Tensor, Tensor], Tensor]
    #: Inputs that one output depends on: sets the scale of the initial weights. 0: they start at 0.
    receptive_field: int = 0
    #: Of an autoregressive decoder, its last layer: (values, weight, bias, points) -> predictions.
    teacher_forced: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None = None
    #: What a module of plain PyTorch is made of: a kind known to `integrations.plain_model`, sizes.
    plain: tuple[Any, ...] = ()
    start: int = 0

    @property
    def weight(self) -> slice:
        """The weight's numbers in a row."""
        return slice(self.start, self.start + self.shape[0] * self.shape[1])

    @property
    def bias(self) -> slice:
        """The bias's numbers, after the weight."""
        return slice(self.weight.stop, self.weight.stop + self.biases)


def affine(name: str, fan_in: int, fan_out: int, *, tanh: bool = True) -> Layer:
    """values @ weight + bias, then tanh."""

    def forward(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        outputs = torch.baddbmm(bias, values, weight)
        return outputs.tanh() if tanh else outputs

    plain = "linear", fan_in, fan_out, tanh
    return Layer(name, (fan_in, fan_out), fan_out, forward, receptive_field=fan_in, plain=plain)


def parts(packed: Tensor, shapes: Iterable[tuple[int, int]]) -> list[Tensor]:
    """The matrices [m, ·, ·] of a layer that has several, from its one weight [m, 1, size]."""
    shapes = tuple(shapes)
    flat = packed.flatten(1).split([rows * columns for rows, columns in shapes], dim=1)
    return [each.unflatten(1, shape) for each, shape in zip(flat, shapes, strict=True)]


def padded(size: int) -> int:
    """The floats that so many take up in a row."""
    return (size + _ALIGN - 1) // _ALIGN * _ALIGN


def placed(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers one after another in a row."""
    found: list[Layer] = []
    for layer in layers:
        start = padded(found[-1].bias.stop) if found else 0
        found.append(dataclasses.replace(layer, start=start))
    return tuple(found)
