"""A residual block as a layer of a `Stack`: y = x + tanh(x·W + b)/√depth.

The identity path carries gradients to the first block undiminished. The factor 1/√depth keeps the
sum over all blocks at the scale of one block, whatever the depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from svae_core.nets.layer_stack import Affine, Backward, LayerTensors, Placed, activated


@final
@dataclass(frozen=True)
class Block(Placed):
    """One of `depth` residual blocks of this width; `start` is its offset in a member's row."""

    name: str
    width: int
    depth: int
    start: int
    activated = False  # no tanh after the block; its own tanh is inside

    @property
    def fan_in(self) -> int:
        return self.width

    @property
    def fan_out(self) -> int:
        return self.width

    @property
    def receptive_field(self) -> int:
        """Inputs that one output depends on."""
        return self.width

    @property
    def shape(self) -> tuple[int, int]:
        """(inputs, outputs)."""
        return self.width, self.width

    @property
    def _affine(self) -> Affine:
        return Affine(self.name, self.width, self.width, self.start)

    @property
    def _scale(self) -> float:
        return 1.0 / math.sqrt(self.depth)

    def forward(self, tensors: LayerTensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, width] of values [m, b, width]."""
        # Not fused: a fused multiply-add rounds the last floats of a row differently in a batch.
        added = activated(self._affine, tensors, values).mul_(self._scale)
        added += values
        return added if scale == 1 else added.mul_(scale)

    def backward(self, back: Backward, needs_input_grad: bool) -> Tensor | None:
        """Write the gradients of weight and bias; return that of the inputs if asked."""
        # With t = tanh(x·W + b): ∂L/∂x = g + (g/√depth ⊙ (1 − t²))·Wᵀ for the gradient g by y.
        tangent = activated(self._affine, back.tensors, back.values)
        inner = torch.ops.aten.tanh_backward(back.grad_output * self._scale, tangent)
        by_values = self._affine.backward(back._replace(grad_output=inner), needs_input_grad)
        return None if by_values is None else by_values.add_(back.grad_output)
