"""Encoders and decoders for a batch of members: every tensor has a leading member axis.

All weights of a member lie in one row of a flat tensor [m, p], so that one optimiser step serves
all members; layers are views into it. Two architectures: `linear` (an affine posterior mean and a
free variance per dimension, the pPCA of arXiv 1911.02469) and `mlp` (two hidden tanh layers:
with ReLU, collapsed units die and even at a healthy β σ² some seeds stayed collapsed).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.posterior import LOG_VARIANCE_RANGE

# Rows are padded to a multiple of this many floats, so that a member's numbers meet the same
# vector instructions in a batch as alone: members then equal solo runs bit for bit.
_ALIGN = 16


@dataclass(frozen=True)
class Layer:
    """One affine map, by where its weight [fan_in, fan_out] and bias lie in a flat row."""

    name: str
    fan_in: int
    fan_out: int
    start: int

    @property
    def weight(self) -> slice:
        return slice(self.start, self.start + self.fan_in * self.fan_out)

    @property
    def bias(self) -> slice:
        return slice(self.weight.stop, self.weight.stop + self.fan_out)


@dataclass(frozen=True)
class Architecture:
    """The layout of one member's weights; `linear` or `mlp`."""

    name: str
    ambient_dim: int
    latent_dim: int
    layers: tuple[Layer, ...]
    size: int  # p: floats per member, padded
    extra: slice  # weights beside the networks', which methods may have

    @property
    def encoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name.startswith("encoder"))

    @property
    def parts(self) -> tuple[slice, ...]:
        """Where each weight, then each bias, lies in a row; those without entries left out."""
        parts = [layer.weight for layer in self.layers] + [layer.bias for layer in self.layers]
        parts.append(self.extra)
        return tuple(part for part in parts if part.stop > part.start)

    @property
    def decoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name.startswith("decoder"))

    @property
    def decoder_part(self) -> slice:
        """Where all of the decoder lies in a row."""
        return slice(self.decoder[0].start, self.decoder[-1].bias.stop)


def architecture(
    name: str, ambient_dim: int, latent_dim: int, hidden: int, extra: int = 0
) -> Architecture:
    """Lay out the weights of an encoder d → 2k (mlp) or d → k (linear) and a decoder k → d.

    `extra` more floats per member, for what methods train beside the networks, come last.
    """
    if name == "linear":
        shapes = [("encoder", ambient_dim, latent_dim), ("variance", 0, latent_dim)]
        shapes += [("decoder", latent_dim, ambient_dim)]
    else:
        h = hidden
        shapes = [("encoder", ambient_dim, h), ("encoder", h, h), ("encoder", h, 2 * latent_dim)]
        shapes += [("decoder", latent_dim, h), ("decoder", h, h), ("decoder", h, ambient_dim)]
    layers, start = [], 0
    for index, (part, fan_in, fan_out) in enumerate(shapes):
        layers.append(Layer(f"{part}.{index}", fan_in, fan_out, start))
        start = padded(layers[-1].bias.stop)
    beside = slice(start, start + extra)
    return Architecture(name, ambient_dim, latent_dim, tuple(layers), start + padded(extra), beside)


def initial_weights(arch: Architecture, seed: int, constant: Tensor | None = None) -> Tensor:
    """One member's row [p]: uniform in ±1/√fan_in, each layer from its own stream.

    Members of equal seed and shape therefore start with the same weights whatever their method.
    With `constant` [d] the member starts collapsed: its posterior is the prior, N(0, I), and its
    decoder answers with that constant.
    """
    row = torch.zeros(arch.size)
    for index, layer in enumerate(arch.layers):
        if layer.fan_in == 0:
            continue  # the linear posterior's log-variances start at 0: the prior's
        generator = stream(seed, index, "weights")
        bound = 1.0 / math.sqrt(layer.fan_in)
        for part in (layer.weight, layer.bias):
            row[part].uniform_(-bound, bound, generator=generator)
    if constant is not None:
        for layer in (arch.encoder[-1], arch.decoder[-1]):
            row[layer.weight] = 0.0
            row[layer.bias] = 0.0
        row[arch.decoder[-1].bias] = constant
    return row


def stream(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """The CPU generator of (seed, epoch, purpose): where all randomness of a run comes from."""
    words = np.frombuffer(purpose.encode().ljust(8), dtype=np.uint64)
    key = np.random.SeedSequence([seed, epoch, int(words[0])]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(key[0] >> np.uint64(1)))


@dataclass(frozen=True)
class Networks:
    """The members' weights as tensors per layer, views of one flat tensor [m, p]."""

    arch: Architecture
    weights: dict[str, Tensor]  # [m, fan_in, fan_out]
    biases: dict[str, Tensor]  # [m, 1, fan_out]
    extra: Tensor  # [m, e]

    def leaves(self) -> list[Tensor]:
        """The layers' tensors in the order of `Architecture.parts`."""
        tensors = [self.weights[layer.name] for layer in self.arch.layers]
        tensors += [self.biases[layer.name] for layer in self.arch.layers]
        tensors.append(self.extra)
        return [tensor for tensor in tensors if tensor.numel() > 0]

    def rows(self, rows: Tensor) -> Networks:
        """The networks of some members."""
        weights = {name: value[rows] for name, value in self.weights.items()}
        biases = {name: value[rows] for name, value in self.biases.items()}
        return Networks(self.arch, weights, biases, self.extra[rows])

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, each [m, b, k], of points [m, b, d]."""
        low, high = LOG_VARIANCE_RANGE
        out = self._stack(self.arch.encoder, points)
        if self.arch.name == "linear":
            free = next(layer for layer in self.arch.layers if layer.name.startswith("variance"))
            return out, self.biases[free.name].expand_as(out).clamp(low, high)
        mean, log_variance = out.chunk(2, dim=-1)
        return mean.contiguous(), log_variance.clamp(low, high)

    def decode(self, z: Tensor) -> Tensor:
        """Decoder outputs [m, b, d] before any projection, of latents [m, b, k]."""
        return self._stack(self.arch.decoder, z)

    def _stack(self, layers: tuple[Layer, ...], values: Tensor) -> Tensor:
        for layer in layers[:-1]:
            values = self._affine(layer, values).tanh()
        return self._affine(layers[-1], values)

    def _affine(self, layer: Layer, values: Tensor) -> Tensor:
        return torch.baddbmm(self.biases[layer.name], values, self.weights[layer.name])


def networks(arch: Architecture, flat: Tensor) -> Networks:
    """Networks over flat weights [m, p], by views: a change of `flat` changes the networks."""
    weights, biases = {}, {}
    m = len(flat)
    for layer in arch.layers:
        weights[layer.name] = flat[:, layer.weight].view(m, layer.fan_in, layer.fan_out)
        biases[layer.name] = flat[:, layer.bias].view(m, 1, layer.fan_out)
    return Networks(arch, weights, biases, flat[:, arch.extra])


def project_on_shell(outputs: Tensor, r_min: Tensor, r_max: Tensor, projected: Tensor) -> Tensor:
    """Move outputs [m, b, d] radially into [r_min, r_max]: the nearest points of the shell.

    Applied where `projected` [m, 1, 1] is 1; other members' outputs pass unchanged. Source of the
    layer: arXiv 2603.10935 v4.
    """
    squared = (outputs * outputs).sum(dim=-1, keepdim=True)
    radius = squared.clamp_min(1e-24).sqrt()
    scale = torch.minimum(torch.maximum(radius, r_min), r_max) / radius
    return outputs * torch.where(projected > 0, scale, torch.ones_like(scale))


def padded(size: int) -> int:
    """The floats that so many take up in a row."""
    return (size + _ALIGN - 1) // _ALIGN * _ALIGN
