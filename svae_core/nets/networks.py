"""Encoders and decoders for a batch of members: every tensor has a leading member axis.

All weights of a member lie in one row of a flat tensor [m, p], so that one optimiser step serves
all members; layers are views into it. Which layers an architecture has, `layouts` says.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE
from svae_core.nets.architectures import laid_out, padded
from svae_core.nets.autoregressive import free_running, strictly_lower
from svae_core.nets.stack import Layer, Stack


@dataclass(frozen=True)
class Architecture:
    """The layout of one member's weights."""

    name: str
    ambient_dim: int
    latent_dim: int
    layers: tuple[Layer, ...]
    size: int  # p: floats per member, padded
    coupling: slice  # of an autoregressive decoder: L [d, d]; else empty
    extra: slice  # weights beside the networks', which methods may have

    @property
    def encoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name.startswith("encoder"))

    @property
    def parts(self) -> tuple[slice, ...]:
        """Where encoder, free variances, decoder, coupling and extra weights lie, without gaps."""
        decoder = self.decoder[0].start
        free = next((layer.start for layer in self.layers if layer.fan_in == 0), decoder)
        edges = (0, free, decoder, self.coupling.start, self.extra.start, self.size)
        return tuple(slice(*pair) for pair in itertools.pairwise(edges))

    @property
    def decoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name.startswith("decoder"))

    @property
    def decoder_part(self) -> slice:
        """Where all of the decoder lies in a row."""
        return slice(self.decoder[0].start, self.extra.start)


def architecture(
    name: str,
    ambient_dim: int,
    latent_dim: int,
    hidden: int,
    extra: int = 0,
    image: tuple[int, int] | None = None,
) -> Architecture:
    """Lay out the weights of an encoder d → 2k (linear: d → k) and a decoder k → d.

    `extra` more floats per member, for what methods train beside the networks, come last. `image`:
    height and width, where points are images. RequestError where the architecture needs them and
    there are none, or too small ones.
    """
    layers = laid_out(name, ambient_dim, latent_dim, hidden, image)
    end = padded(layers[-1].stop)
    coupling = slice(end, end + ambient_dim**2 if name == "autoregressive" else end)
    end = padded(coupling.stop)
    beside = slice(end, end + extra)
    size = end + padded(extra)
    return Architecture(name, ambient_dim, latent_dim, layers, size, coupling, beside)


def initial_weights(arch: Architecture, seed: int, constant: Tensor | None = None) -> Tensor:
    """One member's row [p]: uniform in ±1/√reach, each layer from its own stream; couplings 0.

    Members of equal seed and shape therefore start with the same weights whatever their method.
    With `constant` [d] the member starts collapsed: its posterior is the prior, N(0, I), and its
    decoder answers with that constant.
    """
    row = torch.zeros(arch.size)
    for index, layer in enumerate(arch.layers):
        if layer.fan_in == 0:
            continue  # the linear posterior's log-variances start at 0: the prior's
        generator = stream(seed, index, "weights")
        bound = 1.0 / math.sqrt(layer.reach)
        for part in (layer.weight, layer.bias):
            row[part].uniform_(-bound, bound, generator=generator)
    if constant is not None:
        for layer in (arch.encoder[-1], arch.decoder[-1]):
            row[layer.weight] = 0.0
            row[layer.bias] = 0.0
        row[arch.decoder[-1].bias] = constant
    return row


def stream(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """The CPU generator of (seed, epoch, purpose): where all randomness of a run comes from.

    A purpose has at most eight letters.
    """
    words = np.frombuffer(purpose.encode().ljust(8), dtype=np.uint64)
    key = np.random.SeedSequence([seed, epoch, int(words[0])]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(key[0] >> np.uint64(1)))


@dataclass(frozen=True, eq=False)
class Networks:
    """The members' encoders and decoders, over weights that are looked into, not copied."""

    arch: Architecture
    encoder: Stack
    free: Tensor  # [m, ≥k] log-variances of the linear posterior; without entries otherwise
    decoder: Stack
    coupling: Tensor  # [m, ≥d²] of an autoregressive decoder; without entries otherwise
    extra: Tensor  # [m, ≥e] weights beside the networks'

    def leaves(self) -> list[Tensor]:
        """The weights [m, ·] in the order of `Architecture.parts`."""
        return [self.encoder.row, self.free, self.decoder.row, self.coupling, self.extra]

    def used(self) -> list[Tensor]:
        """Those of them that have entries."""
        return [leaf for leaf in self.leaves() if leaf.numel() > 0]

    def named(self) -> dict[str, Tensor]:
        """Each layer's weight [m, ·, ·] and bias [m, 1, fan_out] by name."""
        found: dict[str, Tensor] = {}
        for stack in (self.encoder, self.decoder):
            for layer, (weight, bias, _) in zip(stack.layers, stack.tensors, strict=True):
                found |= {f"{layer.name}.weight": weight, f"{layer.name}.bias": bias}
        if self.linear:
            found["variance.bias"] = self.free[:, None, : self.arch.latent_dim]
        if self.coupled:
            found["decoder.coupling"] = self.couplings()
        return found

    def rows(self, rows: Tensor) -> Networks:
        """The networks of some members."""
        encoder, decoder = self.encoder.rows(rows), self.decoder.rows(rows)
        coupling, extra = self.coupling[rows], self.extra[rows]
        return Networks(self.arch, encoder, self.free[rows], decoder, coupling, extra)

    @property
    def linear(self) -> bool:
        """Whether log-variances are free, one per dimension, rather than the encoder's outputs."""
        return self.free.shape[1] > 0

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, each [m, b, k], of points [m, b, d]."""
        return self.read(self.encoder(points))

    def read(self, out: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's outputs [m, b, ·] as posterior mean and log-variance, each [m, b, k]."""
        low, high = LOG_VARIANCE_RANGE
        if self.linear:
            free = self.free[:, None, : out.shape[2]]
            return out, free.expand_as(out).clamp(low, high)
        k = self.arch.latent_dim
        mean, log_variance = out.split_with_sizes((k, k), 2)
        return mean.contiguous(), log_variance.clamp(low, high)

    def decode(self, z: Tensor) -> Tensor:
        """Decoder outputs g(z) [m, b, d] before any projection, of latents [m, b, k].

        Of an autoregressive decoder: what it gives when it runs freely, on its own outputs.
        """
        outputs = self.decoder(z)
        return free_running(outputs, self.couplings()) if self.coupled else outputs

    @property
    def coupled(self) -> bool:
        """Whether the decoder is autoregressive."""
        return self.coupling.shape[1] > 0

    def couplings(self) -> Tensor:
        """L [m, d, d] of an autoregressive decoder."""
        d = self.arch.ambient_dim
        return strictly_lower(self.coupling[:, : d * d].view(-1, d, d))


def networks(arch: Architecture, flat: Tensor) -> Networks:
    """Networks over flat weights [m, p], by views: a change of `flat` changes the networks."""
    encoder, free, decoder, coupling, extra = (flat[:, part] for part in arch.parts)
    stacks = Stack(arch.encoder, encoder), Stack(arch.decoder, decoder)
    return Networks(arch, stacks[0], free, stacks[1], coupling, extra)


@dataclass(frozen=True, eq=False)
class GradientBuffers:
    """Where gradients are written: rows like those of the weights, and networks looking into them.

    What is unused in a row is 0 and stays so.
    """

    flat: Tensor  # [m, p]
    networks: Networks


def gradient_buffers(arch: Architecture, flat: Tensor) -> GradientBuffers:
    """Room for the gradients of weights [m, p]."""
    zeros = torch.zeros_like(flat)
    return GradientBuffers(zeros, networks(arch, zeros))


def project_on_shell(outputs: Tensor, r_min: Tensor, r_max: Tensor) -> Tensor:
    """Move outputs [m, b, d] radially into [r_min, r_max]: the nearest points of the shell.

    Radii are [m, 1, 1]; from 0 to infinity, a member's outputs pass unchanged. Source of the layer:
    arXiv 2603.10935 v4.
    """
    radius, allowed = shell_radii(outputs, r_min, r_max)
    return outputs * (allowed / radius)


def shell_radii(outputs: Tensor, r_min: Tensor, r_max: Tensor) -> tuple[Tensor, Tensor]:
    """Radii of outputs [m, b, d], and the nearest ones on the shell, each [m, b, 1]."""
    radius = torch.linalg.vector_norm(outputs, dim=-1, keepdim=True).clamp_min(1e-12)
    return radius, radius.clamp(r_min, r_max)
