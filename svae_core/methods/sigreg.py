"""SIGReg on means

Instead of the KL a statistic holds the distribution of the posterior means at N(0, I). Along each
of some random unit directions, drawn anew at every step, it is n·∫|φ(t) − e^{−t²/2}|² e^{−t²/2} dt
with φ the characteristic function of the n means of a minibatch. Means that are all 0 score .41·n,
means that look normal 1.06 for every n: so collapsed means cost, but no bound forbids them. No KL
holds the posterior wide: it narrows, and the KL shown grows. Of drawn latents the statistic guards
nothing, since a collapsed posterior scores as well as a perfect one (choose "draws").

Source: after the code of LeJEPA, arXiv 2511.08544 (Balestriero & LeCun); used here in a VAE by us
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from svae_core.methods import Terms
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_REACH, _NODES = 3.0, 17  # t from 0 to 3 in 16 steps; e^{−t²/2} leaves little beyond


@dataclass(frozen=True)
class Config:
    """The statistic, and what it is taken of."""

    weight: float = option(
        1.0, "weight of the statistic in units of β", label="weight", low=0.0, high=1e4
    )
    directions: int = option(
        64, "random directions at each step", label="directions", low=1, high=4096
    )
    of: str = option(
        "means",
        "what is held at N(0, I): the posterior means, or latents drawn from the posteriors",
        label="statistic of",
        choices=("means", "draws"),
    )


@final
class Method:
    """D/(2σ²) and a test of normality."""

    mark = ("vermillion", "diamond", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config
        self.samples = 1

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·weight·statistic, [m]."""
        drawn = terms.draws
        values = drawn.z[:, 0] if self.config.of == "draws" else drawn.encoded.mean
        directions = _directions(terms.step, values.shape[2], self.config.directions)
        found = statistic(values @ directions.to(values))
        return terms.reconstruction + terms.beta * self.config.weight * found.mean(dim=1)


def statistic(projected: Tensor) -> Tensor:
    """n·∫|φ̂(t) − e^{−t²/2}|² e^{−t²/2} dt for t from −3 to 3, [m, u], of values [m, n, u].

    √(2π) − √(2π/3) = 1.059 on average for standard normal values (1.053 within ±3), whatever n.
    """
    import torch

    t = torch.linspace(0.0, _REACH, _NODES, dtype=projected.dtype, device=projected.device)
    weight = (-0.5 * t * t).exp()
    angles = projected.unsqueeze(3) * t
    # The integrand is even: twice the half from 0 on.
    real, imaginary = angles.cos().mean(dim=1) - weight, angles.sin().mean(dim=1)
    integrand = (real.square() + imaginary.square()) * weight
    return 2.0 * projected.shape[1] * torch.trapezoid(integrand, t, dim=2)


@functools.lru_cache(maxsize=2)
def _directions(step: int, k: int, count: int) -> Tensor:
    """Unit vectors [k, count] of this step, the same for every member and seed."""
    import torch

    drawn = torch.randn(k, count, generator=torch.Generator().manual_seed(step))
    return torch.nn.functional.normalize(drawn, dim=0)
