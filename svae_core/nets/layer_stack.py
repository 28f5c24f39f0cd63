"""Stacks of layers for a batch of members at once, with the gradient written by hand.

At the sizes of this program autograd's bookkeeping costs as much as the arithmetic, so a whole
stack is one node of the autograd graph: its backward returns one gradient for its whole row of
weights. `tests/test_averages.py` compares with the same stack written layer by layer on autograd.

A layer type implements the protocol `Layer`; `Stack` needs nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Vectorised loops process this many floats at a time and the remainder by other instructions, with
# other rounding. Where a member's values are no multiple of it, its remainder would be rounded
# differently in a batch than alone.
_VECTOR = 32


class LayerTensors(NamedTuple):
    """A layer's weight and bias, or the buffers for their gradients."""

    weight: Tensor  # [m, ·, ·]
    bias: Tensor  # [m, 1, fan_out]
    weight_t: Tensor  # [m, ·, ·] transposed view; kept, as creating one takes time


class Backward(NamedTuple):
    """What a layer's backward pass is given."""

    tensors: LayerTensors
    values: Tensor  # [m, b, fan_in] inputs of the forward pass
    grad_output: Tensor  # [m, b, fan_out]
    grads: LayerTensors  # to be written


def layer_tensors(weight: Tensor, bias: Tensor) -> LayerTensors:
    """A layer's tensors, with the transposed view."""
    return LayerTensors(weight, bias, weight.mT)


class Layer(Protocol):
    """The protocol of a layer: its sizes, its slices in a member's row, forward and backward."""

    @property
    def name(self) -> str: ...

    @property
    def fan_in(self) -> int: ...

    @property
    def fan_out(self) -> int: ...

    @property
    def receptive_field(self) -> int:
        """Inputs that one output depends on; sets the scale of the initial weights."""
        ...

    @property
    def activated(self) -> bool:
        """Whether tanh follows, unless it is the last layer."""
        ...

    @property
    def start(self) -> int: ...

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the weight matrix, (inputs, outputs) of the matrix product."""
        ...

    @property
    def weight(self) -> slice: ...

    @property
    def bias(self) -> slice: ...

    @property
    def stop(self) -> int: ...

    def tensors(self, row: Tensor, start: int) -> LayerTensors: ...

    def forward(self, tensors: LayerTensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        ...

    def backward(self, back: Backward, needs_input_grad: bool) -> Tensor | None:
        """Write the gradients of weight and bias; return that of the inputs if asked."""
        ...


class Placed:
    """Where a layer's weight, of its `shape`, and its bias are in a member's row."""

    @property
    def weight(self: Layer) -> slice:
        """The weight's numbers, from the layer's start."""
        return slice(self.start, self.start + self.shape[0] * self.shape[1])

    @property
    def bias(self: Layer) -> slice:
        """The bias's numbers, after the weight."""
        return slice(self.weight.stop, self.weight.stop + self.fan_out)

    @property
    def stop(self: Layer) -> int:
        """Where the next layer may begin."""
        return self.bias.stop

    def tensors(self: Layer, row: Tensor, start: int) -> LayerTensors:
        """Weight [m, *shape] and bias [m, 1, fan_out], views of rows that begin at `start`."""
        weight = row[:, self.weight.start - start : self.weight.stop - start]
        bias = row[:, self.bias.start - start : self.bias.stop - start]
        m = len(row)
        return layer_tensors(weight.view(m, *self.shape), bias.view(m, 1, self.fan_out))


@final
@dataclass(frozen=True)
class Affine(Placed):
    """values @ weight + bias; weight [fan_in, fan_out] and bias begin at `start` of a row."""

    name: str
    fan_in: int
    fan_out: int
    start: int
    activated = True

    @property
    def receptive_field(self) -> int:
        """Inputs that one output depends on."""
        return self.fan_in

    @property
    def shape(self) -> tuple[int, int]:
        """(inputs, outputs)."""
        return self.fan_in, self.fan_out

    def forward(self, tensors: LayerTensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, fan_out] of values [m, b, fan_in]."""
        return torch.baddbmm(tensors.bias, values, tensors.weight, beta=scale, alpha=scale)

    def backward(self, back: Backward, needs_input_grad: bool) -> Tensor | None:
        """Write the gradients of weight and bias; return that of the inputs if asked."""
        multiply(back.values.mT, back.grad_output, back.grads.weight)
        torch.sum(back.grad_output, 1, True, out=back.grads.bias)
        return torch.bmm(back.grad_output, back.tensors.weight_t) if needs_input_grad else None


def multiply(one: Tensor, other: Tensor, into: Tensor) -> None:
    """Write the products [m, ·, ·] of two batches of matrices into `into`."""
    if into.is_contiguous():  # one member
        torch.bmm(one, other, out=into)
    else:  # into a strided output PyTorch would multiply member by member
        into.copy_(torch.bmm(one, other))


@final
class Stack:
    """Layers with tanh between them; their weights are views of rows [m, ·]."""

    def __init__(self, layers: Sequence[Layer], row: Tensor) -> None:
        self.row = row  # [m, ·], from the first layer's start
        self.layers = tuple(layers)
        inside = row.detach()
        self.tensors = tuple(layer.tensors(inside, layers[0].start) for layer in layers)

    def __call__(self, values: Tensor) -> Tensor:
        """Outputs [m, b, o] of values [m, b, i]; differentiable once in values and rows."""
        outputs: Tensor = _StackFunction.apply(values, self.row, self)
        return outputs

    def rows(self, rows: Tensor) -> Stack:
        """The stack of some members."""
        return Stack(self.layers, self.row[rows])

    def forward(self, values: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Outputs [m, b, o] and the inputs of every layer, for `backward`; without autograd."""
        inputs = [values]
        for layer, tensors in zip(self.layers[:-1], self.tensors, strict=False):
            if layer.activated:
                values = activated(layer, tensors, values)
            else:
                values = layer.forward(tensors, values, 1)
            inputs.append(values)
        return self.layers[-1].forward(self.tensors[-1], values, 1), inputs

    def backward(
        self, inputs: list[Tensor], grad_output: Tensor, into: Stack, *, needs_input_grad: bool
    ) -> Tensor | None:
        """Backpropagate `grad_output` [m, b, o] to the weights and, if needed, the stack's inputs.

        The gradient by the weights is written into the rows of `into`, a stack of the same layers;
        padding between layers is not touched. Returns the gradient by the inputs, [m, b, i], if
        `needs_input_grad`.
        """
        back: Tensor | None = grad_output
        for i in reversed(range(len(self.layers))):
            assert back is not None
            given = Backward(self.tensors[i], inputs[i], back, into.tensors[i])
            back = self.layers[i].backward(given, needs_input_grad or i > 0)
            if i > 0 and self.layers[i - 1].activated:
                # A layer's input is the tanh t of the layer before: ∂t/∂u = 1 − t², in place.
                torch.ops.aten.tanh_backward.grad_input(back, inputs[i], grad_input=back)
        return back


def activated(layer: Layer, tensors: LayerTensors, values: Tensor) -> Tensor:
    """tanh of a layer's outputs, [m, b, fan_out]."""
    if layer.fan_out % _VECTOR == 0:
        # tanh(u) = 2σ(2u) − 1, to 2e-7 absolute, takes a sixth of the time of torch.tanh.
        halved = layer.forward(tensors, values, 2).sigmoid_()
        return torch.add(constant(-1.0, halved), halved, alpha=2.0)
    return layer.forward(tensors, values, 1).tanh_()


def constant(value: float, like: Tensor) -> Tensor:
    """A number as a cached tensor []: PyTorch would convert a Python number in every call."""
    return _constant(value, like.dtype, like.device)


@functools.lru_cache
@torch.inference_mode(False)  # a tensor made in inference mode could not enter an autograd graph
def _constant(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(value, dtype=dtype, device=device)


class _StackFunction(torch.autograd.Function):
    """A stack as one node of the autograd graph."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, row: Tensor, stack: Stack) -> Tensor:
        outputs, ctx.inputs = stack.forward(values)
        ctx.stack = stack
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, Tensor, None]:
        needs_input_grad = ctx.needs_input_grad[0]
        row = torch.zeros_like(ctx.stack.row, memory_format=torch.contiguous_format)
        # Sums follow the memory layout; another layout would add in another order.
        grad_output = grad_output.contiguous()
        into = Stack(ctx.stack.layers, row)
        values = ctx.stack.backward(
            ctx.inputs, grad_output, into, needs_input_grad=needs_input_grad
        )
        return values, row, None
