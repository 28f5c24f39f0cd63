"""Encoders and decoders for a batch of members: every tensor has a leading member axis.

All weights of a member form one row of a flat tensor [m, p], so that one optimiser call serves all
members; layers are views of it. `architectures` has the layers of each architecture.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.config.architectures import ARCHITECTURES, AUTOREGRESSIVE
from svae_core.config.fields import RequestError
from svae_core.config.plugins import loading
from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE
from svae_core.nets.layers import Image, Layer, Steps, padded, placed

_PACKAGE = "svae_core.nets.architectures"


@dataclass(frozen=True)
class Architecture:
    """The layers of one member and the layout of its weights in a row."""

    ambient_dim: int
    latent_dim: int
    layers: tuple[Layer, ...]
    extra: slice  # weights that belong to the method, not to the networks
    size: int  # p: floats per member, padded
    steps: Steps  # of a point, for decoders that predict it step by step

    @property
    def encoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if not layer.name.startswith("decoder"))

    @property
    def decoder(self) -> tuple[Layer, ...]:
        return self.layers[len(self.encoder) :]

    @property
    def reads_out(self) -> int:
        """The index of the layer that turns the encoder's features into means and log-variances."""
        return max(i for i, layer in enumerate(self.encoder) if layer.receptive_field > 0)

    @property
    def features(self) -> int:
        """f: numbers that the encoder's last layer is given."""
        return self.layers[self.reads_out].shape[0]

    @property
    def encoder_part(self) -> slice:
        """The slice of all encoder weights in a row."""
        return slice(0, self.decoder[0].start)

    @property
    def decoder_part(self) -> slice:
        """The slice of all decoder weights in a row."""
        return slice(self.decoder[0].start, self.extra.start)

    @property
    def autoregressive(self) -> bool:
        """Whether the decoder is fitted under teacher forcing."""
        return self.layers[-1].teacher_forced is not None


def architecture(
    name: str,
    ambient_dim: int,
    latent_dim: int,
    hidden: int,
    extra: int = 0,
    image: Image = None,
    symbols: int = 0,
) -> Architecture:
    """Lay out the weights of an encoder d → 2k (linear: d → k) and a decoder k → d.

    `extra` floats per member for the method's own weights come last. `image`: height and width,
    where points are images; `symbols`: how many there are, where points are one-hot sequences.
    Raises RequestError for an unknown name, or if the architecture needs
    images and the points are none, or too small ones.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise RequestError(f"Unknown architecture {name!r}; there are: {known}.")
    with loading(_PACKAGE, name):
        module = importlib.import_module(f"{_PACKAGE}.{name}")
        if not (hasattr(module, "layers") or hasattr(module, "step_layers")):
            raise TypeError(f"{_PACKAGE}.{name}: it needs layers or step_layers.")
    steps = (ambient_dim // symbols, symbols) if symbols else image or (ambient_dim, 1)
    made = (
        module.step_layers(ambient_dim, latent_dim, hidden, steps)
        if hasattr(module, "step_layers")
        else module.layers(ambient_dim, latent_dim, hidden, image)
    )
    layers = placed(made)
    end = padded(layers[-1].bias.stop)
    own = slice(end, end + extra)
    laid = Architecture(ambient_dim, latent_dim, layers, own, end + padded(extra), steps)
    with loading(_PACKAGE, name):
        if laid.autoregressive != (name in AUTOREGRESSIVE):
            says = f"it {'needs' if laid.autoregressive else 'must not have'} AUTOREGRESSIVE = True"
            raise TypeError(f"{_PACKAGE}.{name}: {says}, as its last layer has it.")
    return laid


def initial_weights(arch: Architecture, seed: int, constant: Tensor | None = None) -> Tensor:
    """Initial weights of one member, a row [p]: uniform in ±1/√receptive_field.

    Each layer has its own random stream, so members of equal seed and shape start with the same
    weights whatever their method. With `constant` [d] the member starts collapsed: its posterior is
    the prior N(0, I) and its decoder outputs that constant.
    """
    row = torch.zeros(arch.size)
    uniform_weights(row, arch.layers, seed, "weights")
    if constant is not None:
        for half in (arch.encoder, arch.decoder):
            last = [layer for layer in half if layer.receptive_field > 0][-1]
            row[last.weight] = 0.0
            row[last.bias] = 0.0
        row[last.bias] = constant
    return row


def uniform_weights(row: Tensor, layers: tuple[Layer, ...], seed: int, purpose: str) -> None:
    """Write the initial weights of layers into a row, in place."""
    for index, layer in enumerate(layers):
        if layer.receptive_field == 0:
            continue
        generator = stream(seed, index, purpose)
        bound = 1.0 / math.sqrt(layer.receptive_field)
        for part in (layer.weight, layer.bias):
            row[part].uniform_(-bound, bound, generator=generator)


def stream(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """The CPU random generator of (seed, epoch, purpose); all randomness of a run comes from these.

    A purpose has at most eight ASCII letters.
    """
    words = np.frombuffer(purpose.encode().ljust(8), dtype=np.uint64)
    key = np.random.SeedSequence([seed, epoch, int(words[0])]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(key[0] >> np.uint64(1)))


@dataclass(frozen=True, eq=False)
class Networks:
    """The encoders and decoders of all members, as views of their rows of weights."""

    arch: Architecture
    tensors: tuple[tuple[Tensor, Tensor], ...]  # weight [m, ·, ·] and bias [m, 1, ·] of each layer
    extra: Tensor  # [m, e] weights of the method

    def leaves(self) -> list[Tensor]:
        """All weights, as leaves of autograd."""
        return [each for each in (*sum(self.tensors, ()), self.extra) if each.numel() > 0]

    def own(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """Weight [m, ·, ·] and bias [m, 1, ·] of a layer of the method's own."""
        weight = self.extra[:, layer.weight].unflatten(1, layer.shape)
        return weight, self.extra[:, layer.bias].unsqueeze(1)

    def named(self) -> dict[str, Tensor]:
        """Each layer's weight [m, ·, ·] and bias [m, 1, ·] by name; a layer's one tensor by its."""
        found: dict[str, Tensor] = {}
        for layer, (weight, bias) in zip(self.arch.layers, self.tensors, strict=True):
            found[f"{layer.name}.weight" if layer.biases else layer.name] = weight
            found[f"{layer.name}.bias"] = bias
        return found

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, each [m, b, k], of points [m, b, d]."""
        return self.read_out(self.features(points))

    def features(self, points: Tensor) -> Tensor:
        """What the encoder's last layer is given, [m, b, f]."""
        return self._through(slice(None, self.arch.reads_out), points)

    def read_out(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, each [m, b, k], of features [m, b, f]."""
        outputs = self._through(slice(self.arch.reads_out, len(self.arch.encoder)), features)
        mean, log_variance = outputs.chunk(2, dim=2)
        return mean.contiguous(), log_variance.clamp(*LOG_VARIANCE_RANGE)

    def decode(self, z: Tensor) -> Tensor:
        """Decoder outputs g(z) [m, b, d] before any projection, of latents [m, b, k].

        An autoregressive decoder runs free, on its own outputs.
        """
        return self._through(slice(len(self.arch.encoder), None), z)

    def predict(self, z: Tensor, points: Tensor) -> Tensor:
        """Predictions [m, b, d] of points by an autoregressive decoder that sees those before.

        Every coordinate is predicted from z and the coordinates of the points in earlier steps.
        """
        before = self._through(slice(len(self.arch.encoder), -1), z)
        layer, (weight, bias) = self.arch.layers[-1], self.tensors[-1]
        assert layer.teacher_forced is not None
        return layer.teacher_forced(before, weight, bias, points)

    def _through(self, some: slice, values: Tensor) -> Tensor:
        for layer, (weight, bias) in zip(self.arch.layers[some], self.tensors[some], strict=True):
            values = layer.forward(values, weight, bias)
        return values


def networks(arch: Architecture, flat: Tensor) -> Networks:
    """Networks whose weights are views of `flat` [m, p]: changing `flat` changes the networks."""
    m = len(flat)
    tensors = tuple(
        (flat[:, layer.weight].view(m, *layer.shape), flat[:, layer.bias].unsqueeze(1))
        for layer in arch.layers
    )
    return Networks(arch, tensors, flat[:, arch.extra])


def project_on_shell(outputs: Tensor, r_min: Tensor | float, r_max: Tensor | float) -> Tensor:
    """Project outputs o [m, b, d] on the shell: o · clamp(‖o‖, r_min, r_max)/‖o‖.

    A radial clamp gives the nearest point of the shell, because only the radius is constrained.
    Radii are [m, 1, 1], or plain numbers; with 0 and infinity a member's outputs pass unchanged.
    Source of the layer: arXiv 2603.10935 v4.
    """
    radius = torch.linalg.vector_norm(outputs, dim=-1, keepdim=True).clamp_min(1e-12)
    return outputs * (radius.clamp(r_min, r_max) / radius)
