"""Stacks of layers for a batch of members at once, with the gradient written by hand.

At the sizes of this program autograd's bookkeeping costs as much as the arithmetic. So a whole
stack is one node of the graph: its backward hands back one gradient for its whole row of weights.
What is done with the outputs stays on plain autograd. `tests/test_averages.py` holds the same
stack written layer by layer on autograd, and compares.

A kind of layer keeps the contract `Layer`; `Stack` asks for no more.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Vector loops take this many floats at a time and do what is left over by other instructions.
# Where a member's values are no multiple, its rest would be done so alone, but not in a batch.
_VECTOR = 32


class Tensors(NamedTuple):
    """A layer's weight and bias, or room for the gradients of both."""

    weight: Tensor  # [m, ·, ·]
    bias: Tensor  # [m, 1, fan_out]
    turned: Tensor  # the weight's transpose, a view: to make one takes as long as a small operation


def tensors_of(weight: Tensor, bias: Tensor) -> Tensors:
    """The two of a layer."""
    return Tensors(weight, bias, weight.mT)


class Layer(Protocol):
    """One layer of a stack, by where weight and bias lie in a member's row."""

    @property
    def name(self) -> str: ...

    @property
    def fan_in(self) -> int: ...

    @property
    def fan_out(self) -> int: ...

    @property
    def reach(self) -> int:
        """How many inputs an output depends on."""
        ...

    @property
    def activated(self) -> bool:
        """Whether a hyperbolic tangent follows, where it is not the last layer."""
        ...

    @property
    def start(self) -> int: ...

    @property
    def weight(self) -> slice: ...

    @property
    def bias(self) -> slice: ...

    @property
    def stop(self) -> int: ...

    def tensors(self, row: Tensor, start: int) -> Tensors:
        """Weight and bias, views of rows [m, ·] that start there."""
        ...

    def forward(self, tensors: Tensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        ...

    def backward(
        self, tensors: Tensors, values: Tensor, gradient: Tensor, own: Tensors, through: bool
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        ...


@final
@dataclass(frozen=True)
class Affine:
    """values @ weight + bias, by where weight [fan_in, fan_out] and bias lie in a member's row."""

    name: str
    fan_in: int
    fan_out: int
    start: int
    activated = True

    @property
    def reach(self) -> int:
        return self.fan_in

    @property
    def weight(self) -> slice:
        return slice(self.start, self.start + self.fan_in * self.fan_out)

    @property
    def bias(self) -> slice:
        return slice(self.weight.stop, self.weight.stop + self.fan_out)

    @property
    def stop(self) -> int:
        return self.bias.stop

    def tensors(self, row: Tensor, start: int) -> Tensors:
        """Weight [m, fan_in, fan_out] and bias [m, 1, fan_out], views of rows that start there."""
        weight = row[:, self.weight.start - start : self.weight.stop - start]
        bias = row[:, self.bias.start - start : self.bias.stop - start]
        m = len(row)
        return tensors_of(weight.view(m, self.fan_in, self.fan_out), bias.view(m, 1, self.fan_out))

    def forward(self, tensors: Tensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        return torch.baddbmm(tensors.bias, values, tensors.weight, beta=scale, alpha=scale)

    def backward(
        self, tensors: Tensors, values: Tensor, gradient: Tensor, own: Tensors, through: bool
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        multiply(values.mT, gradient, own.weight)
        torch.sum(gradient, 1, True, out=own.bias)
        return torch.bmm(gradient, tensors.turned) if through else None


def multiply(one: Tensor, other: Tensor, into: Tensor) -> None:
    """Writes the products [m, ·, ·] of two batches of matrices where they belong."""
    if into.is_contiguous():  # of one member
        torch.bmm(one, other, out=into)
    else:  # here PyTorch would multiply member by member
        into.copy_(torch.bmm(one, other))


@final
class Stack:
    """Layers with tanh between them, over rows [m, ·] of weights, looked into and not copied."""

    def __init__(self, layers: Sequence[Layer], row: Tensor) -> None:
        self.row = row  # [m, ·], from the first layer's start
        self.layers = tuple(layers)
        inside = row.detach()
        self.tensors = tuple(layer.tensors(inside, layers[0].start) for layer in layers)

    def __call__(self, values: Tensor) -> Tensor:
        """Outputs [m, b, o] of values [m, b, i]; differentiable, once, in values and rows."""
        outputs: Tensor = _Run.apply(values, self.row, self)
        return outputs

    def rows(self, rows: Tensor) -> Stack:
        """The same of some members."""
        return Stack(self.layers, self.row[rows])

    def forward(self, values: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Outputs [m, b, o], and what entered each layer, for the way back; outside autograd."""
        entered = [values]
        for layer, tensors in zip(self.layers[:-1], self.tensors, strict=False):
            if layer.activated:
                values = activated(layer, tensors, values)
            else:
                values = layer.forward(tensors, values, 1)
            entered.append(values)
        return self.layers[-1].forward(self.tensors[-1], values, 1), entered

    def backward(
        self, entered: list[Tensor], gradient: Tensor, into: Stack, *, through: bool
    ) -> Tensor | None:
        """From the gradient [m, b, o] of the outputs, that of the weights and of the values.

        That of the weights is written where `into`, a stack of the same layers, has its own; what
        lies unused between them is not touched. That of the values is returned if asked for.
        """
        back: Tensor | None = gradient
        for i in reversed(range(len(self.layers))):
            assert back is not None
            back = self.layers[i].backward(
                self.tensors[i], entered[i], back, into.tensors[i], through or i > 0
            )
            if i > 0 and self.layers[i - 1].activated:
                torch.ops.aten.tanh_backward.grad_input(back, entered[i], grad_input=back)
        return back


def activated(layer: Layer, tensors: Tensors, values: Tensor) -> Tensor:
    """The hyperbolic tangent of a layer's outputs, [m, b, fan_out]."""
    if layer.fan_out % _VECTOR == 0:
        # tanh(u) = 2σ(2u) − 1, to 2e-7 absolute: a sixth of the time of torch.tanh.
        halved = layer.forward(tensors, values, 2).sigmoid_()
        return torch.add(constant(-1.0, halved), halved, alpha=2.0)
    return layer.forward(tensors, values, 1).tanh_()


def constant(value: float, like: Tensor) -> Tensor:
    """A number as a tensor [], kept: as an operand it would be made into one in every call."""
    return _constant(value, like.dtype, like.device)


@functools.lru_cache
@torch.inference_mode(False)  # whoever asks first: autograd takes nothing made in inference mode
def _constant(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(value, dtype=dtype, device=device)


class _Run(torch.autograd.Function):
    """A stack as one node of the graph."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, row: Tensor, stack: Stack) -> Tensor:
        outputs, ctx.entered = stack.forward(values)
        ctx.stack = stack
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        through = ctx.needs_input_grad[0]
        row = torch.zeros_like(ctx.stack.row, memory_format=torch.contiguous_format)
        # Sums run along memory: in another order where it lies another way.
        gradient = gradient.contiguous()
        into = Stack(ctx.stack.layers, row)
        values = ctx.stack.backward(ctx.entered, gradient, into, through=through)
        return values, row, None
