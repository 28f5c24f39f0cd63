"""An over-powerful decoder: each coordinate may be foretold from those before it.

    x̂_j = G_j(z) + Σ_{i<j} L_ji x_i          trained on the data's own x_<j ("teacher forcing")

Strong decoders of this kind are the classical cause of posterior collapse (arXiv 1511.06349): the
error under teacher forcing falls to the innovation variances of the data, Σ_j Var(x_j | x_<j),
without a word from z. That error is not the loss of a decoder g(z), since x̂ sees x itself, so a
value below δ excludes nothing. What depends on x through z alone is the decoder running freely, on
its own outputs,

    x̂ = G(z) + L x̂,  so  g(z) = (I − L)⁻¹ G(z),

and its loss is the D that bands, frames and certificates speak of here.
"""

from __future__ import annotations

import torch
from torch import Tensor


def strictly_lower(square: Tensor) -> Tensor:
    """L [m, d, d] of any numbers [m, d, d]: those on and above the diagonal count for nothing."""
    return square.tril(-1)


def free_running(outputs: Tensor, couplings: Tensor) -> Tensor:
    """g(z) = (I − L)⁻¹ G(z), [m, b, d], of G(z) [m, b, d] and L [m, d, d]."""
    # As rows: x̂ (I − L)ᵀ = G, an upper triangle with ones along its diagonal.
    triangle = -couplings.mT
    return torch.linalg.solve_triangular(
        triangle, outputs, upper=True, left=False, unitriangular=True
    )


def foretold(outputs: Tensor, couplings: Tensor, points: Tensor) -> Tensor:
    """G(z) + L x, [m, b, d]: each coordinate given the true ones before it, of points [m, b, d]."""
    return outputs + torch.bmm(points, couplings.mT)
