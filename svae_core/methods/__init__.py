"""Training methods, one file each: what a method adds to the common loss.

A method file has a docstring (title, explanation, source), a frozen `Config` of options, and one
final class `Method` that keeps the contract `TrainingMethod`:

* `mark`: the colour (of figures/palette.py), symbol and dash it is drawn with, unlike any other's;
  a file without one gets a look that its name decides;
* `projected`: whether its decoder ends on the shell;
* `guards_kl`, `guards_information`: what it keeps up by construction, a short phrase or "". They
  are two things: a KL can be large while the decoder ignores the latent code;
* `Method(config)`, then `constants(ground, settings)`: named numbers fixed before training,
  from data and settings alone (RequestError where the request makes no sense);
* `objective(terms, constants)`: the value to minimise for each of its members, shape [m].

It may play further roles, by having what they name: `Remembers` (numbers carried from step to
step), `Samples` (per-point latents, several of them), `Encodes` (a posterior of its own), `Priored`
(a prior other than N(0, I)), `Parametrised` (weights beside the networks'), `Rests` (steps that
leave the decoder alone), `Gauged` (a βσ² that is not that of the settings).

Files must not import torch at the top: the tensors in `terms` bring their own operators, and the
web server, which lists methods, stays free of torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from svae_core.config.plugins import Plugin, configure, find, scan
from svae_core.distributions.gaussian import Posterior
from svae_core.records import PreparedData, Settings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the encoders of some members give for points, before it is read as a posterior."""

    mean: Tensor  # [m, b, k]
    log_variance: Tensor  # [m, b, k] within LOG_VARIANCE_RANGE
    constants: dict[str, Tensor]  # [m] each
    memory: dict[str, Tensor]  # [m, …]
    parameters: Tensor  # [m, e] of the role Parametrised; e may be 0
    training: bool  # on a minibatch, or looked at


@dataclass(frozen=True, eq=False)
class Draws:
    """A minibatch point by point, with s latents for each."""

    encoded: Encoded
    posterior: Posterior
    z: Tensor  # [m, s, b, k]
    losses: Tensor  # [m, s, b] squared error summed over coordinates


@dataclass(frozen=True, eq=False)
class Terms:
    """What one minibatch gives, one entry per member."""

    parts: Mapping[str, Tensor]  # loss, kl, kl_per_dim, base; each made when it is asked for
    sigma2: Tensor  # [m]
    half_precision: Tensor  # [m] 1/(2σ²)
    beta: Tensor  # [m]
    step: int
    progress: float  # 0 at the first step, 1 at the last
    memory: dict[str, Tensor]  # [m, …] of the role Remembers, else empty
    draws: Draws | None = None  # for the roles Samples, Encodes and Parametrised
    freely: Tensor | None = None  # [m] D of g(z), where an autoregressive decoder's `loss` is not

    @property
    def loss(self) -> Tensor:
        """[m] D: squared error summed over coordinates, mean over the minibatch."""
        return self.parts["loss"]

    @property
    def kl(self) -> Tensor:
        """[m] nats, mean over the minibatch."""
        return self.parts["kl"]

    @property
    def kl_per_dim(self) -> Tensor:
        """[m, k] nats; [m, 1] where a posterior's KL does not split by dimension."""
        return self.parts["kl_per_dim"]

    @property
    def reconstruction(self) -> Tensor:
        """[m] D/(2σ²) in nats: what a Gaussian likelihood of variance σ² makes of the loss."""
        return self.loss * self.half_precision

    @property
    def distortion(self) -> Tensor:
        """[m] D of g(z), the one that a band is about.

        It is the loss that is fitted, but for autoregressive decoders: those are fitted with the
        true coordinates before each one at hand, and that is no loss of a decoder g(z).
        """
        return self.loss if self.freely is None else self.freely


class TrainingMethod(Protocol):
    """The contract of a `Method` class."""

    projected: bool
    guards_kl: str
    guards_information: str

    def __init__(self, config: Any) -> None: ...

    def constants(self, ground: PreparedData, settings: Settings) -> dict[str, float]:
        """Numbers fixed before training; RequestError where the request makes no sense."""
        ...

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """What its members minimise, [m] nats; differentiable in the terms. Constants are [m]."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """Carries numbers from step to step: multipliers, moving averages."""

    def memory(self, ground: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """What each member starts with, float32; [] or [k] and the like."""
        ...

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """The memory [m, …] after a step, from the terms (and memory) before it; no gradients."""
        ...


@runtime_checkable
class Samples(Protocol):
    """Needs `terms.draws`, with this many latents per point; the first is the one all share."""

    samples: int


@runtime_checkable
class Encodes(Protocol):
    """Reads the encoders' outputs as posteriors of its own, in training and when looked at."""

    def posterior(self, encoded: Encoded) -> Posterior:
        """The posteriors of its members' points, [m, b, k]."""
        ...


@runtime_checkable
class Priored(Protocol):
    """Has a prior other than N(0, I)."""

    def from_prior(self, noise: Tensor, parameters: Tensor) -> Tensor:
        """Latents [n, k] from the prior, of standard normal noise [n, k] and own weights [e]."""
        ...


@runtime_checkable
class Parametrised(Protocol):
    """Has weights [e] beside those of the networks, trained with them."""

    def parameters(self, settings: Settings) -> np.ndarray:
        """What they start with, [e]; e is the same for all seeds."""
        ...


@runtime_checkable
class Rests(Protocol):
    """Leaves the decoder (and its moments) alone in some steps."""

    def decoder_rests(self, memory: dict[str, Tensor], step: int) -> Tensor:
        """[m] bool."""
        ...


@runtime_checkable
class Gauged(Protocol):
    """Trains at a βσ² that is not the product of the settings."""

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """βσ² of a trained member with this loss D on d-dimensional points."""
        ...


def needs_points(method: TrainingMethod) -> bool:
    """Whether it needs a minibatch point by point, more than the averages that all share."""
    return isinstance(method, Samples | Encodes | Parametrised)


def base_objective(terms: Terms) -> Tensor:
    """D/(2σ²) + β·KL, [m] nats: the negative (β-)ELBO up to a constant. arXiv 1312.6114."""
    return terms.parts["base"]


def parts_of(
    loss: Tensor, kl_per_dim: Tensor, half_precision: Tensor, beta: Tensor
) -> dict[str, Tensor]:
    """The parts of terms, of D [m] and KL [m, k] with 1/(2σ²) and β [m]."""
    kl = kl_per_dim.sum(dim=1)
    base = base_of(loss, kl, half_precision, beta)
    return {"loss": loss, "kl": kl, "kl_per_dim": kl_per_dim, "base": base}


def base_of(loss: Tensor, kl: Tensor, half_precision: Tensor, beta: Tensor) -> Tensor:
    """D/(2σ²) + β·KL, [m]."""
    return (loss * half_precision).addcmul(kl, beta)


def scan_methods() -> dict[str, Plugin]:
    """All methods by name."""
    return scan("svae_core.methods", "Method")


def method_for(settings: Settings) -> TrainingMethod:
    """The configured method of a run; RequestError for an unknown name or option."""
    plugin = find("svae_core.methods", "Method", settings.method)
    method: TrainingMethod = plugin.module.Method(configure(plugin, settings.method_options))
    return method


def guards(method: TrainingMethod) -> str:
    """What a method guards, in one word: "information", "KL" or ""."""
    return "information" if method.guards_information else "KL" if method.guards_kl else ""
