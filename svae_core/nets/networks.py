"""Encoders and decoders for a batch of members: every tensor has a leading member axis.

All weights of a member form one row of a flat tensor [m, p], so that one optimiser call serves all
members; layers are views of it. `architectures` lists the layers of each architecture.
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
from svae_core.nets.layer_stack import Layer, Stack


@dataclass(frozen=True)
class Architecture:
    """The layers of one member and the layout of its weights in a row."""

    name: str
    ambient_dim: int
    latent_dim: int
    layers: tuple[Layer, ...]
    size: int  # p: floats per member, padded
    coupling: slice  # L [d, d] of an autoregressive decoder; else empty
    extra: slice  # weights that belong to the method, not to the networks

    @property
    def encoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name.startswith("encoder"))

    @property
    def parts(self) -> tuple[slice, ...]:
        """Slices of encoder, free log-variances, decoder, coupling and extra weights; no gaps."""
        decoder = self.decoder[0].start
        log_variances = next((layer.start for layer in self.layers if layer.fan_in == 0), decoder)
        edges = (0, log_variances, decoder, self.coupling.start, self.extra.start, self.size)
        return tuple(slice(*pair) for pair in itertools.pairwise(edges))

    @property
    def decoder(self) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.name.startswith("decoder"))

    @property
    def decoder_part(self) -> slice:
        """The slice of all decoder weights, couplings included."""
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

    `extra` floats per member for the method's own weights come last. `image`: height and width,
    where points are images. Raises RequestError if the architecture needs images and the points are
    none, or too small ones.
    """
    layers = laid_out(name, ambient_dim, latent_dim, hidden, image)
    end = padded(layers[-1].stop)
    coupling = slice(end, end + ambient_dim**2 if name == "autoregressive" else end)
    end = padded(coupling.stop)
    beside = slice(end, end + extra)
    size = end + padded(extra)
    return Architecture(name, ambient_dim, latent_dim, layers, size, coupling, beside)


def initial_weights(arch: Architecture, seed: int, constant: Tensor | None = None) -> Tensor:
    """Initial weights of one member, a row [p]: uniform in ±1/√receptive_field; couplings 0.

    Each layer has its own random stream, so members of equal seed and shape start with the same
    weights whatever their method. With `constant` [d] the member starts collapsed: its posterior is
    the prior N(0, I) and its decoder outputs that constant.
    """
    row = torch.zeros(arch.size)
    for index, layer in enumerate(arch.layers):
        if layer.fan_in == 0:
            continue  # free log-variances start at 0, those of the prior
        generator = stream(seed, index, "weights")
        bound = 1.0 / math.sqrt(layer.receptive_field)
        for part in (layer.weight, layer.bias):
            row[part].uniform_(-bound, bound, generator=generator)
    if constant is not None:
        for layer in (arch.encoder[-1], arch.decoder[-1]):
            row[layer.weight] = 0.0
            row[layer.bias] = 0.0
        row[arch.decoder[-1].bias] = constant
    return row


def stream(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """The CPU random generator of (seed, epoch, purpose); all randomness of a run comes from these.

    A purpose has at most eight ASCII letters.
    """
    words = np.frombuffer(purpose.encode().ljust(8), dtype=np.uint64)
    key = np.random.SeedSequence([seed, epoch, int(words[0])]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(key[0] >> np.uint64(1)))


@dataclass(frozen=True, eq=False)
class Networks:
    """The encoders and decoders of all members, as views of their weights."""

    arch: Architecture
    encoder: Stack
    log_variances: Tensor  # [m, ≥k] free ones of the linear posterior; empty otherwise
    decoder: Stack
    coupling: Tensor  # [m, ≥d²] of an autoregressive decoder; empty otherwise
    extra: Tensor  # [m, ≥e] weights of the method

    def leaves(self) -> list[Tensor]:
        """The weights [m, ·] in the order of `Architecture.parts`, as leaves of autograd."""
        return [
            self.encoder.row,
            self.log_variances,
            self.decoder.row,
            self.coupling,
            self.extra,
        ]

    def trained_leaves(self) -> list[Tensor]:
        """The leaves that have entries."""
        return [leaf for leaf in self.leaves() if leaf.numel() > 0]

    def named(self) -> dict[str, Tensor]:
        """Each layer's weight [m, ·, ·] and bias [m, 1, fan_out] by name."""
        found: dict[str, Tensor] = {}
        for stack in (self.encoder, self.decoder):
            for layer, (weight, bias, _) in zip(stack.layers, stack.tensors, strict=True):
                found |= {f"{layer.name}.weight": weight, f"{layer.name}.bias": bias}
        if self.linear:
            found["variance.bias"] = self.log_variances[:, None, : self.arch.latent_dim]
        if self.coupled:
            found["decoder.coupling"] = self.couplings()
        return found

    def rows(self, rows: Tensor) -> Networks:
        """Networks of some members."""
        encoder, decoder = self.encoder.rows(rows), self.decoder.rows(rows)
        coupling, extra = self.coupling[rows], self.extra[rows]
        return Networks(self.arch, encoder, self.log_variances[rows], decoder, coupling, extra)

    @property
    def linear(self) -> bool:
        """Whether log-variances are free parameters, one per dimension, not encoder outputs."""
        return self.log_variances.shape[1] > 0

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and log-variance, each [m, b, k], of points [m, b, d]."""
        return self.split_posterior(self.encoder(points))

    def split_posterior(self, out: Tensor) -> tuple[Tensor, Tensor]:
        """Split encoder outputs [m, b, ·] into posterior mean and log-variance, each [m, b, k]."""
        low, high = LOG_VARIANCE_RANGE
        if self.linear:
            log_variances = self.log_variances[:, None, : out.shape[2]]
            return out, log_variances.expand_as(out).clamp(low, high)
        k = self.arch.latent_dim
        mean, log_variance = out.split_with_sizes((k, k), 2)
        return mean.contiguous(), log_variance.clamp(low, high)

    def decode(self, z: Tensor) -> Tensor:
        """Decoder outputs g(z) [m, b, d] before any projection, of latents [m, b, k].

        An autoregressive decoder runs free, on its own outputs.
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
    """Networks whose weights are views of `flat` [m, p]: changing `flat` changes the networks."""
    encoder, log_variances, decoder, coupling, extra = (flat[:, part] for part in arch.parts)
    stacks = Stack(arch.encoder, encoder), Stack(arch.decoder, decoder)
    return Networks(arch, stacks[0], log_variances, stacks[1], coupling, extra)


@dataclass(frozen=True, eq=False)
class GradientBuffers:
    """Buffers for gradients: rows laid out like the weights, and networks that are views of them.

    Padding in a row is 0 and stays 0.
    """

    flat: Tensor  # [m, p]
    networks: Networks


def gradient_buffers(arch: Architecture, flat: Tensor) -> GradientBuffers:
    """Zeroed gradient buffers for weights [m, p]."""
    zeros = torch.zeros_like(flat)
    return GradientBuffers(zeros, networks(arch, zeros))


def project_on_shell(outputs: Tensor, r_min: Tensor | float, r_max: Tensor | float) -> Tensor:
    """Project outputs o [m, b, d] on the shell: o · clamp(‖o‖, r_min, r_max)/‖o‖.

    A radial clamp gives the nearest point of the shell, because only the radius is constrained.
    Radii are [m, 1, 1], or plain numbers; with 0 and infinity a member's outputs pass unchanged.
    Source of the layer: arXiv 2603.10935 v4.
    """
    radius, allowed = shell_radii(outputs, r_min, r_max)
    return outputs * (allowed / radius)


def shell_radii(
    outputs: Tensor, r_min: Tensor | float, r_max: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Radii of outputs [m, b, d], and the radii of their projections, each [m, b, 1]."""
    radius = torch.linalg.vector_norm(outputs, dim=-1, keepdim=True).clamp_min(1e-12)
    return radius, radius.clamp(r_min, r_max)
