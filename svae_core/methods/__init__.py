"""Training methods, one file each: how a method turns D and KL into the loss it minimises.

A method file has a docstring (title, explanation, source), a frozen `Config` of options, and one
final class `Method` that implements the protocol `TrainingMethod`:

* `mark`: the colour (of figures/palette.py), symbol and dash of its traces, unlike all others;
  without it they follow from the file's name;
* `projected`: whether its decoder is projected on the shell;
* `guards_kl`, `guards_information`: what it keeps above 0 by construction, a short phrase or "".
  The two differ: the KL can be large while the decoder ignores the latent code;
* `Method(config)`, then `constants(prepared, settings)`: named numbers fixed before training,
  from data and settings alone (raises RequestError if invalid);
* either `slopes`, a static method of the averages of one member's minibatch (see `Averaged`): the
  package `training` compiles it to native code;
* or `objective(terms, constants)`: the value to minimise for each of its members, shape [m], on
  tensors: for losses point by point, several latents per point, posteriors of its own.

Its file may name the ready-made comparisons in which it is instructive, `COMPARISONS`: "pair",
"against collapse" or "large KL" (the Compare page says what each is).

Optional protocols, recognised by their attributes: `Stateful` (numbers updated at every step),
`MultiSample` (several latents per point), `CustomPosterior`, `CustomPrior` (other than N(0, I)),
`Chains` (latents at the end of T further steps, each with noise), `ExtraParameters` (weights beside
those of the networks), `OwnLayers` (layers beside them: further heads of the encoder, networks),
`WithArrays` (arrays fixed before training), `FreezesDecoder` and `FreezesEncoder` (steps that train
the other half only), `CustomBetaSigma2` (a βσ² other than that of the settings).

A decoder may be autoregressive. It is fitted by its error under teacher forcing, `loss`, and D is
that of the decoder running free, `distortion`; of other decoders the two are one. A method needs to
know nothing of it: it fits by `loss` and constrains `distortion`.

Method files must not import torch at module level: the tensors in `terms` have their own operators,
and the web server, which lists the methods, runs without torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from svae_core.config.home import own_plugins
from svae_core.config.plugins import Plugins, configure, find, scan
from svae_core.distributions.gaussian import Posterior
from svae_core.records import PreparedData, RequestError, Settings

if TYPE_CHECKING:
    from torch import Tensor

__path__ += own_plugins("methods")


@dataclass(frozen=True, eq=False)
class Encoded:
    """Encoder outputs of some members, from which a method makes its posterior."""

    mean: Tensor  # [m, b, k]
    log_variance: Tensor  # [m, b, k] within LOG_VARIANCE_RANGE
    constants: dict[str, Tensor]  # [m] each
    memory: dict[str, Tensor]  # [m, …]
    parameters: Tensor  # [m, e] weights of ExtraParameters; e may be 0
    training: bool  # True on a minibatch, False in evaluation
    features: Tensor | None = None  # [m, b, f] what the encoder's last layer is given
    arrays: dict[str, Tensor] = field(default_factory=dict)  # [m, …] of WithArrays
    layers: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)  # of OwnLayers
    rows: Tensor | None = None  # [m, b] the points' rows in the data; None in evaluation

    def layer(self, name: str, values: Tensor) -> Tensor:
        """One of the method's own layers of values [m, b, inputs]: values · W + b."""
        weight, bias = self.layers[name]
        return bias + values @ weight


@dataclass(frozen=True, eq=False)
class Draws:
    """Latent draws of a minibatch, s per point, and their losses."""

    encoded: Encoded
    posterior: Posterior
    z: Tensor  # [m, s, b, k]
    losses: Tensor  # [m, s, b] squared error summed over coordinates, by which decoders are fitted
    noise: Tensor | None = None  # [m, s, b, w] that z is made of; w is k, or (T + 1)·k of Chains
    paths: tuple[Any, ...] = ()  # of a `chain.Pathwise` posterior, one for each of the s latents
    running_free: Callable[[], Tensor] | None = None  # of an autoregressive decoder
    #: Other latents [m, t, b, k] of the same points -> their losses [m, t, b], as `losses`.
    losses_of: Callable[[Tensor], Tensor] | None = None
    #: z [m, b', k] -> the encoder's means of g(z), its answer to "which z made this?".
    encoded_again: Callable[[Tensor], Tensor] | None = None

    @cached_property
    def distortions(self) -> Tensor:
        """[m, s, b] squared error of g(z): `losses`, or of an autoregressive decoder running free.

        The free run is made when it is first asked for: it takes longer than all else in a step.
        """
        return self.losses if self.running_free is None else self.running_free()


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of one minibatch from which objectives are built, one entry per member."""

    loss: Tensor  # [m] squared error summed over coordinates, mean over the minibatch
    kl_per_dim: Tensor  # [m, k] nats; [m, 1] where a posterior's KL does not split by dimension
    sigma2: Tensor  # [m]
    half_precision: Tensor  # [m] 1/(2σ²)
    beta: Tensor  # [m]
    step: int
    progress: float  # 0 at the first step, 1 at the last
    memory: dict[str, Tensor]  # [m, …] of a Stateful method, else empty
    draws: Draws

    @property
    def distortion(self) -> Tensor:
        """[m] D of g(z); other than `loss` for autoregressive decoders only."""
        return self.draws.distortions.mean(dim=(1, 2))

    @property
    def kl(self) -> Tensor:
        """[m] nats, mean over the minibatch."""
        return self.kl_per_dim.sum(dim=1)

    @property
    def reconstruction(self) -> Tensor:
        """[m] loss/(2σ²) in nats: −log N(x; prediction, σ²I) up to a constant."""
        return self.loss * self.half_precision


class Averages(NamedTuple):
    """What `slopes` is given of one member's minibatch, and where it writes."""

    loss: float  # squared error summed over coordinates, mean over the minibatch
    distortion: float  # D of g(z); other than `loss` for autoregressive decoders only
    kl: float  # nats, mean over the minibatch
    half_precision: float  # 1/(2σ²)
    beta: float
    sigma2: float
    step: float
    progress: float  # 0 at the first step, 1 at the last
    kl_per_dim: np.ndarray  # [k] nats
    constants: np.ndarray  # the method's, in their order
    memory: np.ndarray  # the numbers of its memory, one after another; those after the step
    by_kl: np.ndarray  # [k] ∂/∂KL_j, to be written


class TrainingMethod(Protocol):
    """The protocol of a `Method` class."""

    projected: bool
    guards_kl: str
    guards_information: str

    def __init__(self, config: Any) -> None: ...

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """Numbers fixed before training; raises RequestError if the options are invalid."""
        ...


@runtime_checkable
class Averaged(Protocol):
    """A method whose objective depends on averages of the minibatch only; posteriors are Gaussian.

    `slopes(batch)` -> (value, ∂/∂loss, ∂/∂distortion), a static method. It writes ∂/∂KL_j into
    `batch.by_kl`, and into `batch.memory` what is remembered after the step. It is compiled, so it
    may use arithmetic, `math` and plain numbers of its file, and nothing else.
    """

    slopes: Callable[[Averages], tuple[float, float, float]]


class WithObjective(Protocol):
    """A method whose objective needs more than averages."""

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """The loss of its members, [m] nats, differentiable in the terms. Constants are [m]."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A method with numbers that each step updates: multipliers, moving averages."""

    def memory(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """Initial values of one member by name, float32, of any shape ([] or [k], for example)."""
        ...


@runtime_checkable
class Stateful(Remembers, Protocol):
    """A method with an `objective` and a memory."""

    def update(self, terms: Terms, constants: dict[str, Tensor]) -> dict[str, Tensor]:
        """The memory [m, …] after a step, from the terms and memory before it; no gradients."""
        ...


@runtime_checkable
class MultiSample(Protocol):
    """A method that needs `terms.draws`, with `samples` latents per point.

    The first latent uses the noise that all members of equal seed share.
    """

    samples: int


@runtime_checkable
class CustomPosterior(Protocol):
    """A method with posteriors other than N(mean, diag exp(log_variance))."""

    def posterior(self, encoded: Encoded) -> Posterior:
        """The posteriors of its members' points, [m, b, k], in training and evaluation."""
        ...


@dataclass(frozen=True, eq=False)
class Own:
    """What one member has beside its networks."""

    parameters: Tensor  # [e] weights of ExtraParameters
    arrays: dict[str, Tensor] = field(default_factory=dict)  # of WithArrays


@runtime_checkable
class CustomPrior(Protocol):
    """A method with a prior other than N(0, I)."""

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """Latents [n, k] from the prior, given standard normal noise [n, k]."""
        ...


@runtime_checkable
class ExtraParameters(Protocol):
    """A method with e weights beside those of the networks, trained with them."""

    def parameters(self, settings: Settings) -> np.ndarray:
        """Their initial values [e]; e does not depend on the seed."""
        ...


class Sizes(NamedTuple):
    """What own layers may be given and make."""

    ambient_dim: int  # d
    latent_dim: int  # k
    features: int  # f of the encoder's features
    hidden: int  # width of the networks


@runtime_checkable
class OwnLayers(Protocol):
    """A method with affine layers beside the networks: heads of the encoder, networks of its own.

    `encoded.layer(name, values)` applies one; on `encoded.features` it is a further encoder head.
    Their initial weights are uniform in ±1/√inputs, from the run's seed.
    """

    def own_layers(self, sizes: Sizes) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer by name."""
        ...


@runtime_checkable
class Chains(Protocol):
    """A method whose latents end a Markov chain of T steps that begins at the encoder's posterior.

    `chain_steps` is T. Each latent takes (T + 1)·k noise, of which the first k is what all members
    of equal seed share. Where its `posterior` is `chain.Pathwise`, as a `Chain` is, `terms.kl` is
    the mean rate of the minibatch's own paths, which `terms.draws.paths` holds; any other posterior
    is given all the noise.
    """

    chain_steps: int


@runtime_checkable
class WithArrays(Protocol):
    """A method with arrays that are fixed before training, from data and settings alone."""

    def arrays(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """Arrays by name; `encoded.arrays` has them as [m, …], and `encoded.rows` the points."""
        ...


@runtime_checkable
class FreezesEncoder(Protocol):
    """A method that freezes the encoder and its optimiser moments in some steps."""

    def encoder_frozen(self, memory: dict[str, Tensor], step: int) -> Tensor:
        """[m] bool: whether each member's encoder is frozen in this step."""
        ...


@runtime_checkable
class FreezesDecoder(Protocol):
    """A method that freezes the decoder and its optimiser moments in some steps."""

    def decoder_frozen(self, memory: dict[str, Tensor], step: int) -> Tensor:
        """[m] bool: whether each member's decoder is frozen in this step."""
        ...


@runtime_checkable
class CustomBetaSigma2(Protocol):
    """A method whose effective βσ² is not the product of the two settings."""

    def effective_beta_sigma2(
        self, settings: Settings, loss: float, d: int, memory: dict[str, float]
    ) -> float:
        """βσ² of a trained member with this loss D on d-dimensional points."""
        ...


def needs_free_run(method: TrainingMethod) -> bool:
    """Whether a method with slopes looks at D of g(z), by the names in its code."""
    slopes = getattr(method, "slopes", None)
    code = getattr(slopes, "__code__", None)
    return code is None or "distortion" in code.co_names


def needs_points(method: TrainingMethod) -> bool:
    """Whether a method's objective needs more than averages of the minibatch."""
    return not isinstance(method, Averaged)


def check_directions(settings: Settings) -> None:
    """RequestError if k < 2, which leaves no sphere of directions for the method's latents."""
    if settings.latent_dim < 2:
        raise RequestError(
            f"--latent-dim is 1, but {settings.method} needs at least 2: a sphere of directions."
        )


def base_objective(terms: Terms) -> Tensor:
    """loss/(2σ²) + β·KL, [m] nats: the negative (β-)ELBO up to a constant. arXiv 1312.6114."""
    return terms.reconstruction + terms.beta * terms.kl


def scan_methods() -> Plugins:
    """All methods by name."""
    return scan("svae_core.methods", "Method")


def title_of(name: str) -> str:
    """A method's title for the screen, "Conventional VAE"; its name if it no longer exists."""
    plugin = scan_methods().get(name)
    return plugin.title if plugin else name.replace("_", " ")


def method_for(settings: Settings) -> TrainingMethod:
    """The configured method of a run; raises RequestError for an unknown name or option."""
    plugin = find("svae_core.methods", "Method", settings.method)
    method: TrainingMethod = plugin.module.Method(configure(plugin, settings.method_options))
    return method


def guards(method: TrainingMethod) -> str:
    """What a method keeps above 0: "information", "KL" or ""."""
    return "information" if method.guards_information else "KL" if method.guards_kl else ""
