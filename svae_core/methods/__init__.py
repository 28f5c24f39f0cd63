"""Training methods, one file each: what a method adds to the common loss.

A method file has a docstring (title, explanation, source), a frozen `Config` of options, and one
final class `Method`:

* `projected`: whether its decoder ends on the shell;
* `guards`: what it keeps up by construction: "" (nothing), "KL", or "information";
* `Method(config)`, then `constants(ground, settings)`: named numbers fixed before training,
  from data and settings alone (RequestError where the request makes no sense);
* `objective(terms, constants)`: the value to minimise for each of its members, shape [m].

Files must not import torch at the top: the tensors in `terms` bring their own operators, and the
web server, which lists methods, stays free of torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from svae_core.records import Groundwork, Settings
from svae_core.registry import Plugin, configure, find, scan

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Terms:
    """What one minibatch gives, one entry per member."""

    loss: Tensor  # [m] D: squared error summed over coordinates, mean over the minibatch
    kl: Tensor  # [m] nats, mean over the minibatch
    kl_per_dim: Tensor  # [m, k] nats
    sigma2: Tensor  # [m]
    beta: Tensor  # [m]
    progress: float  # 0 at the first step, 1 at the last


class TrainingMethod(Protocol):
    """The contract of a `Method` class."""

    projected: bool
    guards: str

    def __init__(self, config: Any) -> None: ...

    def constants(self, ground: Groundwork, settings: Settings) -> dict[str, float]: ...

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor: ...


def base_objective(terms: Terms) -> Tensor:
    """D/(2σ²) + β·KL, [m] nats: the negative (β-)ELBO up to a constant. arXiv 1312.6114."""
    return terms.loss / (2.0 * terms.sigma2) + terms.beta * terms.kl


def scan_methods() -> dict[str, Plugin]:
    """All methods by name."""
    return scan("svae_core.methods", "Method")


def method_for(settings: Settings) -> TrainingMethod:
    """The configured method of a run; RequestError for an unknown name or option."""
    plugin = find("svae_core.methods", "Method", settings.method)
    method: TrainingMethod = plugin.module.Method(configure(plugin, settings.method_options))
    return method
