"""The mlp, whose decoder also predicts each coordinate from those before it.

    x̂_j = G_j(z) + Σ_{i<j} L_ji x_i          trained on the data's own x_<j ("teacher forcing")

Powerful decoders of this kind are the classical cause of posterior collapse (arXiv 1511.06349): the
teacher-forced error falls to the innovation variances of the data, Σ_j Var(x_j | x_<j), without any
information from z. That error is not the loss of a decoder g(z), since x̂ depends on x itself, so a
value below δ does not exclude collapse. The free-running decoder, on its own outputs, depends on x
through z alone:

    x̂ = G(z) + L x̂,  so  g(z) = (I − L)⁻¹ G(z).

Its loss is the D that bands, frames and certificates use.
"""

from __future__ import annotations

import torch
from torch import Tensor

from svae_core.nets.architectures import mlp
from svae_core.nets.layers import Image, Layer

AUTOREGRESSIVE = True


def layers(d: int, k: int, hidden: int, image: Image) -> list[Layer]:
    """The layers of the mlp, then the couplings L, which start at 0."""
    coupling = Layer(
        *("decoder.coupling", (d, d), 0, free_running),
        teacher_forced=teacher_forced,
        plain=("coupling", d),
    )
    return [*mlp.layers(d, k, hidden, image), coupling]


def free_running(outputs: Tensor, couplings: Tensor, _bias: Tensor | None = None) -> Tensor:
    """g(z) = (I − L)⁻¹ G(z), [m, b, d], from G(z) [m, b, d]; L is below the diagonal of [m, d, d].

    Points are rows, so the equation is x̂ (I − L)ᵀ = G: unit upper triangular, solved from the
    right by substitution.
    """
    triangle = -couplings.tril(-1).mT
    return torch.linalg.solve_triangular(
        triangle, outputs, upper=True, left=False, unitriangular=True
    )


def teacher_forced(outputs: Tensor, couplings: Tensor, _bias: Tensor, points: Tensor) -> Tensor:
    """G(z) + L x, [m, b, d]: each coordinate predicted from z and the true x_<j [m, b, d]."""
    return outputs + torch.bmm(points, couplings.tril(-1).mT)
