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


class Linear(nn.Linear):
    """An affine map, then tanh where it says so."""

    def __init__(self, given: int, made: int, tanh: bool) -> None:
        super().__init__(given, made)
        self.tanh = tanh

    def forward(self, rows: Tensor) -> Tensor:
        out = super().forward(rows)
        return out.tanh() if self.tanh else out


class Halving(nn.Module):
    """A 4 × 4 convolution of stride 2 with a bias for each output number; channels come last."""

    def __init__(self, given: list[int], made: list[int], tanh: bool) -> None:
        super().__init__()
        self.tanh = tanh
        self.given = tuple(given)  # height, width, channels
        self.weight = nn.Parameter(torch.empty(made[2], given[2], 4, 4))
        self.bias = nn.Parameter(torch.empty(math.prod(made)))

    def forward(self, rows: Tensor) -> Tensor:
        image = rows.reshape(-1, *self.given).permute(0, 3, 1, 2)
        out = functional.conv2d(image, self.weight, stride=2, padding=1)
        rows = out.permute(0, 2, 3, 1).flatten(1) + self.bias
        return rows.tanh() if self.tanh else rows


class Doubling(nn.Module):
    """The transpose of such a convolution: to twice the height and width, and one more if odd."""

    def __init__(self, given: list[int], made: list[int], tanh: bool) -> None:
        super().__init__()
        self.tanh = tanh
        self.given = tuple(given)
        self.more = made[0] - 2 * given[0], made[1] - 2 * given[1]
        self.weight = nn.Parameter(torch.empty(given[2], made[2], 4, 4))
        self.bias = nn.Parameter(torch.empty(math.prod(made)))

    def forward(self, rows: Tensor) -> Tensor:
        image = rows.reshape(-1, *self.given).permute(0, 3, 1, 2)
        out = functional.conv_transpose2d(
            image, self.weight, stride=2, padding=1, output_padding=self.more
        )
        rows = out.permute(0, 2, 3, 1).flatten(1) + self.bias
        return rows.tanh() if self.tanh else rows


class Block(nn.Linear):
    """x + tanh(W x + b)/√depth."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__(width, width)
        self.scale = 1 / math.sqrt(depth)

    def forward(self, rows: Tensor) -> Tensor:
        return rows + torch.tanh(super().forward(rows)) * self.scale


class FreeVariances(nn.Module):
    """Means [n, k] -> means and log-variances [n, 2k]: one log-variance per dimension for all."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(latent_dim))

    def forward(self, mean: Tensor) -> Tensor:
        return torch.cat((mean, self.log_variance.expand_as(mean)), dim=1)


class Coupling(nn.Linear):
    """A decoder's answer to its own outputs, (I − L)⁻¹, as one product."""

    def __init__(self, size: int) -> None:
        super().__init__(size, size, bias=False)


class Steps(nn.Module):
    """A layer that goes through the steps of a point; its matrices lie in one row of weights."""

    def __init__(self, steps: list[int], hidden: int, shapes: list[list[int]], made: int) -> None:
        super().__init__()
        self.count, self.width = steps
        self.hidden = hidden
        self.shapes = shapes
        self.weight = nn.Parameter(torch.empty(sum(rows * columns for rows, columns in shapes)))
        self.bias = nn.Parameter(torch.empty(made))

    def parts(self) -> list[Tensor]:
        """The matrices, one after another."""
        sizes = [rows * columns for rows, columns in self.shapes]
        split = self.weight.split(sizes)
        return [part.view(*shape) for part, shape in zip(split, self.shapes, strict=True)]

    def read(self, points: Tensor) -> list[Tensor]:
        """The steps of points, each [n, width], at the scale of 1."""
        rows = points.reshape(-1, self.count, self.width) * math.sqrt(self.count)
        return list(rows.unbind(1))

    def fed_back(self, written: list[Tensor]) -> Tensor:
        """The step that was written last, as the next one reads it."""
        bias = self.bias.view(self.count, self.width)[len(written) - 1]
        return written[-1] + bias * math.sqrt(self.count)

    def answers(self, written: list[Tensor]) -> Tensor:
        """Predictions [n, count · width]."""
        return torch.cat(written, dim=1) / math.sqrt(self.count) + self.bias


def _gru(given: Tensor, state: Tensor, by_state: Tensor, inner: Tensor) -> Tensor:
    """One step of a gated recurrent unit; `given` is what its gates have beside the state."""
    h = state.shape[1]
    product = state @ by_state
    gates = torch.sigmoid(product[:, : 2 * h] + given[:, : 2 * h])
    new = torch.tanh(given[:, 2 * h :] + gates[:, :h] * (product[:, 2 * h :] + inner))
    return new + gates[:, h:] * (state - new)


class GRUReader(Steps):
    """Points [n, d] -> the states after each step, [n, steps · hidden]."""

    def forward(self, points: Tensor) -> Tensor:
        by_input, by_state, bias, inner = self.parts()
        state, states = points.new_zeros(points.shape[0], self.hidden), []
        for step in self.read(points):
            state = _gru(step @ by_input + bias, state, by_state, inner)
            states.append(state)
        return torch.cat(states, dim=1)


class GRUWriter(Steps):
    """First states [n, hidden] -> points [n, d], each step from those that it wrote before."""

    def forward(self, start: Tensor) -> Tensor:
        by_input, by_state, gates, inner, by_start, out = self.parts()
        always, state = start @ by_start + gates, start
        written: list[Tensor] = []
        for _ in range(self.count):
            given = always
            if written:
                given = given + self.fed_back(written) @ by_input
            state = _gru(given, state, by_state, inner)
            written.append(state @ out)
        return self.answers(written)


class CausalReader(Steps):
    """Points [n, d] -> features of each step, [n, steps · hidden]."""

    def forward(self, points: Tensor) -> Tensor:
        by_input, places, *layers = self.parts()
        found: list[list[Tensor]] = []
        for t, step in enumerate(self.read(points)):
            _causal(found, step @ by_input + places[t], layers)
        return torch.cat([each[-1] for each in found], dim=1)


class CausalWriter(Steps):
    """What z adds to each step, [n, hidden], -> points [n, d], by what was written before."""

    def forward(self, added: Tensor) -> Tensor:
        by_input, places, *layers, out = self.parts()
        found: list[list[Tensor]] = []
        written: list[Tensor] = []
        for t in range(self.count):
            value = added + places[t]
            if written:
                value = value + self.fed_back(written) @ by_input
            _causal(found, value, layers)
            written.append(found[-1][-1] @ out)
        return self.answers(written)


def _causal(found: list[list[Tensor]], value: Tensor, layers: list[Tensor]) -> None:
    """Add one step's outputs of all dilated layers to those of the steps before."""
    depth = len(layers) // 3
    outputs = [value]
    for i in range(depth):
        now, then, bias = layers[3 * i : 3 * i + 3]
        inside = value @ now + bias
        if len(found) >= 2**i:
            inside = inside + found[-(2**i)][i] @ then
        value = value + torch.tanh(inside) / math.sqrt(depth)
        outputs.append(value)
    found.append(outputs)


class Encoder(nn.Module):
    """Points on the shell [n, d] -> means and log-variances of the posterior, each [n, k]."""

    def __init__(self, layers: list[list[Any]], latent_dim: int) -> None:
        super().__init__()
        self.layers = _stack(layers)
        self.latent_dim = latent_dim

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.layers(points).split(self.latent_dim, dim=1)
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
        self.encoder = Encoder(about["encoder"], about["latent_dim"])
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
    """The model of a file of weights, ready for evaluation; nothing in it is executed.

    ValueError, one sentence, where the file is damaged, or another one.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        model = PlainVAE(saved["about"])
        model.load_state_dict(saved["weights"])
    except OSError:
        raise  # no such file, or no right to read it: Python says so itself
    except Exception as error:  # torch names no end of them
        raise ValueError(
            f"{path} is damaged, or no file of weights that `svae export RUN --what module` wrote; "
            "give a whole copy of it, or export the run again."
        ) from error
    return model.eval()


def _stack(layers: list[list[Any]]) -> nn.Sequential:
    """Layers from their descriptions: a kind and its sizes."""
    kinds = {
        "linear": Linear,
        "halving": Halving,
        "doubling": Doubling,
        "block": Block,
        "free_variances": FreeVariances,
        "coupling": Coupling,
        "gru_reader": GRUReader,
        "gru_writer": GRUWriter,
        "causal_reader": CausalReader,
        "causal_writer": CausalWriter,
    }
    return nn.Sequential(*(kinds[kind](*sizes) for kind, *sizes in layers))


def _between(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Linear interpolation between knots, constant beyond them."""
    if len(knots) == 1:
        return values.expand_as(x)
    right = torch.searchsorted(knots, x.contiguous()).clamp(1, len(knots) - 1)
    low, high = knots[right - 1], knots[right]
    share = ((x - low) / (high - low)).clamp(0, 1)
    return values[right - 1] + share * (values[right] - values[right - 1])
