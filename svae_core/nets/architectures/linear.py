"""An affine posterior mean and a free variance per dimension: pPCA, arXiv 1911.02469."""

from __future__ import annotations

import torch
from torch import Tensor

from svae_core.nets.layers import Image, Layer, affine


def layers(d: int, k: int, _hidden: int, _image: Image) -> list[Layer]:
    """One affine layer each way; a log-variance per dimension that serves all points."""
    return [
        affine("encoder.0", d, k, tanh=False),
        Layer("variance", (0, k), k, _free_log_variances, plain=("free_variances", k)),
        affine("decoder.2", k, d, tanh=False),
    ]


def _free_log_variances(mean: Tensor, _weight: Tensor, bias: Tensor) -> Tensor:
    return torch.cat((mean, bias.expand_as(mean)), dim=2)
