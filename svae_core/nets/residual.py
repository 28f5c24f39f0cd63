"""One block of a deep residual network, as a layer of a `Stack`: y = x + tanh(x·W + b)/√depth.

What enters a block also leaves it, so gradients reach the first block of many undiminished. The
share 1/√depth keeps the sum of all blocks as large as one, whatever the depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from svae_core.nets.stack import Affine, Tensors, activated


@final
@dataclass(frozen=True)
class Block:
    """One of `depth` blocks of this width, by where its affine map lies in a member's row."""

    name: str
    width: int
    depth: int
    start: int
    activated = False  # but for the tangent inside

    @property
    def fan_in(self) -> int:
        return self.width

    @property
    def fan_out(self) -> int:
        return self.width

    @property
    def reach(self) -> int:
        """How many inputs an output depends on."""
        return self.width

    @property
    def weight(self) -> slice:
        return self._inside.weight

    @property
    def bias(self) -> slice:
        return self._inside.bias

    @property
    def stop(self) -> int:
        return self._inside.stop

    @property
    def _inside(self) -> Affine:
        return Affine(self.name, self.width, self.width, self.start)

    @property
    def _share(self) -> float:
        return 1.0 / math.sqrt(self.depth)

    def tensors(self, row: Tensor, start: int) -> Tensors:
        """Weight [m, width, width] and bias [m, 1, width], views of rows that start there."""
        return self._inside.tensors(row, start)

    def forward(self, tensors: Tensors, values: Tensor, scale: int) -> Tensor:
        """`scale` times the outputs [m, b, width] of values [m, b, width]."""
        # One operation at a time: fused, the last floats of a member would be rounded otherwise
        # alone than in a batch.
        added = activated(self._inside, tensors, values).mul_(self._share)
        added += values
        return added if scale == 1 else added.mul_(scale)

    def backward(
        self, tensors: Tensors, values: Tensor, gradient: Tensor, own: Tensors, through: bool
    ) -> Tensor | None:
        """Writes the gradients of weight and bias into `own`; gives that of the values if asked."""
        tangent = activated(self._inside, tensors, values)
        inner = torch.ops.aten.tanh_backward(gradient * self._share, tangent)
        back = self._inside.backward(tensors, values, inner, own, through)
        return None if back is None else back.add_(gradient)
