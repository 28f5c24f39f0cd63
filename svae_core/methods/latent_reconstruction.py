"""Latent reconstruction

Adds a loss that asks the encoder for the latent back: λ·E‖m(g(z)) − z‖²/k over latents z from the
prior, with m the encoder's means and g the decoder. A decoder that ignores a dimension cannot
answer for it, so each collapsed dimension costs λ/k. It is a penalty and no bound: the data may
cost less where a dimension stays dead. A linear VAE at its optimum answers (1 − βσ²/λⱼ)·zⱼ in
place of each zⱼ.

Source: after the abstract of arXiv 2508.12530 v1; the form of the loss and its weight are ours
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.methods import Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Config:
    """The weight of the loss."""

    weight: float = option(
        1.0, "weight of the latent's loss, in nats", label="weight λ", low=0.0, high=1e4
    )


@final
class Method:
    """The common loss and that of latents that are not found again."""

    mark = ("orange", "circle", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config
        self.samples = 2  # the second one's noise is a draw from the prior, apart from the first

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·KL + λ·mean ‖m(g(z)) − z‖²/k, [m]; D over both draws."""
        drawn = terms.draws
        assert drawn.noise is not None and drawn.encoded_again is not None
        z = drawn.noise[:, 1]
        return base_objective(terms) + self.config.weight * defect(drawn.encoded_again(z), z)


def defect(found: Tensor, z: Tensor) -> Tensor:
    """mean ‖m(g(z)) − z‖²/k, [m], of latents [m, b, k]: 1 where nothing of z comes back."""
    return (found - z).square().mean(dim=(1, 2))
