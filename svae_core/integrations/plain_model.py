"""A variational autoencoder as plain PyTorch: needs torch, and nothing else.

    model = load("model.pt")
    mean, log_variance = model.encode(model.to_shell(x))     # x [n, d], in the units of the data
    x_again = model.from_shell(model.decode(z))              # z [n, k]

`svae export RUN --what module` writes this file beside a file of weights.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Halving(nn.Module):
    """A 4 × 4 convolution of stride 2 with a bias for each output number; channels come last."""

    def __init__(self, given: list[int], made: list[int]) -> None:
        super().__init__()
        self.given = tuple(given)  # height, width, channels
        self.weight = nn.Parameter(torch.empty(made[2], given[2], 4, 4))
        self.bias = nn.Parameter(torch.empty(math.prod(made)))

    def forward(self, rows: Tensor) -> Tensor:
        image = rows.reshape(-1, *self.given).permute(0, 3, 1, 2)
        out = functional.conv2d(image, self.weight, stride=2, padding=1)
        return out.permute(0, 2, 3, 1).flatten(1) + self.bias


class Doubling(nn.Module):
    """The transpose of such a convolution: to twice the height and width, and one more if odd."""

    def __init__(self, given: list[int], made: list[int]) -> None:
        super().__init__()
        self.given = tuple(given)
        self.more = made[0] - 2 * given[0], made[1] - 2 * given[1]
        self.weight = nn.Parameter(torch.empty(given[2], made[2], 4, 4))
        self.bias = nn.Parameter(torch.empty(math.prod(made)))

    def forward(self, rows: Tensor) -> Tensor:
        image = rows.reshape(-1, *self.given).permute(0, 3, 1, 2)
        out = functional.conv_transpose2d(
            image, self.weight, stride=2, padding=1, output_padding=self.more
        )
        return out.permute(0, 2, 3, 1).flatten(1) + self.bias


class Block(nn.Module):
    """x + tanh(W x + b)/√depth."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(width, width), 1 / math.sqrt(depth)

    def forward(self, rows: Tensor) -> Tensor:
        return rows + torch.tanh(self.linear(rows)) * self.scale


class Encoder(nn.Module):
    """Points on the shell [n, d] -> means and log-variances of the posterior, each [n, k]."""

    def __init__(self, layers: list[list[Any]], latent_dim: int, free_variances: bool) -> None:
        super().__init__()
        self.layers = _stack(layers)
        self.latent_dim = latent_dim
        free = torch.zeros(latent_dim) if free_variances else None
        self.free_log_variance = None if free is None else nn.Parameter(free)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        out = self.layers(points)
        if self.free_log_variance is not None:
            mean, log_variance = out, self.free_log_variance.expand_as(out)
        else:
            mean, log_variance = out.split(self.latent_dim, dim=1)
        return mean, log_variance.clamp(-16.0, 8.0)


class Decoder(nn.Module):
    """Latents [n, k] -> points [n, d], projected on the shell if the method does so."""

    def __init__(self, layers: list[list[Any]], radii: list[float] | None) -> None:
        super().__init__()
        self.layers = _stack(layers)
        self.radii = radii

    def forward(self, z: Tensor) -> Tensor:
        out = self.layers(z)
        if self.radii is None:
            return out
        radius = torch.linalg.vector_norm(out, dim=1, keepdim=True).clamp_min(1e-12)
        return out * (radius.clamp(self.radii[0], self.radii[1]) / radius)


class PlainVAE(nn.Module):
    """Encoder, decoder, and the map between the data and the shell that both work on."""

    center: Tensor  # [d]
    norms: Tensor  # [knots] of the data less their centre
    knots: Tensor  # [knots] the radii that these norms are mapped to

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        self.about = about
        self.encoder = Encoder(about["encoder"], about["latent_dim"], about["free_variances"])
        self.decoder = Decoder(about["decoder"], about["radii"])
        knots = about["knots"]
        self.register_buffer("center", torch.zeros(about["ambient_dim"], dtype=torch.float64))
        self.register_buffer("norms", torch.zeros(knots, dtype=torch.float64))
        self.register_buffer("knots", torch.zeros(knots, dtype=torch.float64))

    def encode(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances [n, k] of points on the shell [n, d]."""
        mean, log_variance = self.encoder(points)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Points [n, d] of latents [n, k]."""
        out: Tensor = self.decoder(z)
        return out

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions of points on the shell by one draw, with means and log-variances."""
        mean, log_variance = self.encode(points)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        return self.decode(z), mean, log_variance

    def to_shell(self, data: Tensor) -> Tensor:
        """Data [n, d] on the shell; norms that training did not see are clamped."""
        offset = data.double() - self.center
        norm = torch.linalg.vector_norm(offset, dim=1, keepdim=True)
        first = functional.one_hot(torch.zeros(1, dtype=torch.long), offset.shape[1]).to(offset)
        offset = torch.where(norm == 0, first, offset)  # the centre has no direction
        length = torch.where(norm == 0, 1.0, norm)
        return (offset * (_between(norm, self.norms, self.knots) / length)).to(data.dtype)

    def from_shell(self, points: Tensor) -> Tensor:
        """The data [n, d] of points on the shell; radii are clamped to it."""
        shell = points.double()
        radius = torch.linalg.vector_norm(shell, dim=1, keepdim=True)
        scale = _between(radius, self.knots, self.norms) / radius.clamp_min(1e-300)
        return (self.center + shell * scale).to(points.dtype)


def load(path: str | Path) -> PlainVAE:
    """The model of a file of weights, ready for evaluation; nothing in it is executed."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = PlainVAE(saved["about"])
    model.load_state_dict(saved["weights"])
    return model.eval()


def _stack(layers: list[list[Any]]) -> nn.Sequential:
    """Layers from their descriptions: a kind and its sizes."""
    kinds = {"linear": nn.Linear, "halving": Halving, "doubling": Doubling, "block": Block}
    made = [nn.Tanh() if kind == "tanh" else kinds[kind](*sizes) for kind, *sizes in layers]
    return nn.Sequential(*made)


def _between(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Linear interpolation between knots, constant beyond them."""
    if len(knots) == 1:
        return values.expand_as(x)
    right = torch.searchsorted(knots, x.contiguous()).clamp(1, len(knots) - 1)
    low, high = knots[right - 1], knots[right]
    share = ((x - low) / (high - low)).clamp(0, 1)
    return values[right - 1] + share * (values[right] - values[right - 1])
