"""Annealed variational objectives

Latents end a chain of T steps that begins at the encoder's Gaussian and looks at its features, with
a reverse step for each. In a share of the training steps each step of the chain learns alone: it
leads from where it stands to a target between the encoder's Gaussian and the posterior, a little
nearer to the posterior each time, so several modes can be kept for long. In the others all is
trained by the bound of the whole chain, which is also the rate shown. A freer posterior does not
prevent collapse: no KL is guaranteed. The law of the last latent has no density in closed form, so
I(x; z) is unknown. The KL does not split by dimension.

Source: after the abstract of arXiv 1809.01818 (Huang et al., NeurIPS 2018) and the code of coix;
the mixture with steps of the bound, T and the gates are those of a reproduction
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.distributions.annealed import Steps, gated, log_normal
from svae_core.distributions.chain import Chain
from svae_core.distributions.gaussian import Gaussian
from svae_core.methods import Encoded, Sizes, Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_WIDTH = 40  # of the one hidden layer of each step
_SHIFT = 4.0  # the first steps hardly move: gates and deviations are about .02


@dataclass(frozen=True)
class Config:
    """The chain, and how often its steps learn alone."""

    steps: int = option(3, "steps of the chain", label="steps T", low=1, high=20)
    share: float = option(
        0.2,
        "share of training steps in which each step of the chain learns alone",
        label="annealed share",
        low=0.0,
        high=1.0,
    )


@final
class Method:
    """The hierarchical bound, and annealed targets in a share of the steps."""

    mark = ("orange", "diamond", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config
        self.chain_steps = config.steps

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def own_layers(self, sizes: Sizes) -> dict[str, tuple[int, int]]:
        """Two layers for each step q_t and each reverse step r_t: [z, features] → [g, m, sd]."""
        shapes = (sizes.latent_dim + sizes.features, _WIDTH), (_WIDTH, 3 * sizes.latent_dim)
        return {
            f"{way}{t}.{i}": shapes[i]
            for way in "qr"
            for t in range(self.config.steps)
            for i in (0, 1)
        }

    def posterior(self, encoded: Encoded) -> Chain:
        """The end of the chain from the encoder's Gaussian."""
        start = Gaussian(encoded.mean, encoded.log_variance)
        return Chain(start, self.steps(encoded).walk, encoded.features, self.config.steps)

    def steps(self, encoded: Encoded) -> Steps:
        """The steps with the members' weights."""
        forward, backward = (
            tuple(partial(_step, encoded, f"{way}{t}") for t in range(self.config.steps))
            for way in "qr"
        )
        return Steps(forward, backward)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """loss/(2σ²) + β·rate, or in the annealed share of steps the sum over the chain's, [m]."""
        # By the step alone, so that members of any seed agree with their solo runs.
        if np.random.default_rng([terms.step, 73]).random() >= self.config.share:
            return base_objective(terms)
        return self.annealed(terms).sum(dim=1)

    def annealed(self, terms: Terms) -> Tensor:
        """β·(log q_t − log r_t − log f_t) of each step of the chain on its own, [m, T].

        p(x|z) is raised to 1/β in the targets, as it is in the bound; (k/2)·log 2π is left out.
        """
        import torch

        draws, chain = terms.draws, terms.draws.posterior
        assert isinstance(chain, Chain) and draws.noise is not None and draws.losses_of is not None
        k, noise = chain.start.mean.shape[-1], draws.noise[:, 0]
        z_0, further = chain.start.draw(noise[..., :k]), noise[..., k:]
        taken = list(self.steps(draws.encoded).taken(z_0, further, chain.seen, apart=True))
        fitted = draws.losses_of(torch.stack([z for z, _ in taken], dim=1))
        found = []
        for t, (z, ratio) in enumerate(taken):
            alpha = (t + 1) / len(taken)
            near = (1.0 - alpha) * log_normal(z, chain.start) - alpha * 0.5 * (z * z).sum(-1)
            rate, fit = (ratio - near).mean(dim=1), fitted[:, t].mean(dim=1)
            found.append(terms.beta * rate + alpha * terms.half_precision * fit)
        return torch.stack(found, dim=1)


def _step(encoded: Encoded, name: str, z: Tensor, seen: Tensor) -> Gaussian:
    import torch

    hidden = encoded.layer(f"{name}.0", torch.cat((z, seen), dim=-1)).tanh()
    return gated(z, encoded.layer(f"{name}.1", hidden), _SHIFT)
