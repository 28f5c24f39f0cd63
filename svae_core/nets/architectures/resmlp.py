"""A hidden layer and eight residual blocks each way.

A block is y = x + tanh(x·W + b)/√depth. The identity path carries gradients to the first block
undiminished. The factor 1/√depth keeps the sum over all blocks at the scale of one block, whatever
the depth.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from svae_core.nets.layers import Image, Layer, affine

_DEPTH = 8


def layers(d: int, k: int, hidden: int, _image: Image) -> list[Layer]:
    """Ten layers each way."""
    return [*_half("encoder", 0, d, hidden, 2 * k), *_half("decoder", 10, k, hidden, d)]


def _half(half: str, at: int, first: int, hidden: int, last: int) -> list[Layer]:
    return [
        affine(f"{half}.{at}", first, hidden),
        *(block(f"{half}.{at + 1 + i}", hidden, _DEPTH) for i in range(_DEPTH)),
        affine(f"{half}.{at + 1 + _DEPTH}", hidden, last, tanh=False),
    ]


def block(name: str, width: int, depth: int) -> Layer:
    """One of `depth` residual blocks of this width."""

    def forward(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # Not fused: a fused multiply-add rounds the last floats of a row differently in a batch.
        return values + torch.baddbmm(bias, values, weight).tanh() * (1.0 / math.sqrt(depth))

    plain = "block", width, depth
    return Layer(name, (width, width), width, forward, receptive_field=width, plain=plain)
