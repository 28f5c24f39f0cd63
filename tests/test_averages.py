"""D and KL of the networks, and their gradients, against the formulas written out once more."""

import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE, Gaussian
from svae_core.nets.networks import (
    architecture,
    initial_weights,
    networks,
    project_on_shell,
)

MEMBERS = 3


class Seen(NamedTuple):
    """A minibatch, and the shells that decoders end on."""

    points: torch.Tensor
    noise: torch.Tensor
    r_min: torch.Tensor
    r_max: torch.Tensor


def weights(arch, dtype, spread=1.0):
    """Rows [m, p]; what is unused in a row is not zero, so that nothing may rest on it."""
    rows = torch.stack([initial_weights(arch, seed) for seed in range(MEMBERS)]).to(dtype)
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(5), dtype=dtype)
    return (spread * rows + 0.05 * noise).requires_grad_(True)


def seen(arch, b, dtype):
    """A minibatch; the second member's decoder is not projected, the third's shell is narrow."""
    generator = torch.Generator().manual_seed(b)

    def normal(width):
        return torch.randn(MEMBERS, b, width, generator=generator, dtype=dtype)

    def each(*values):
        return torch.tensor(values, dtype=dtype).view(-1, 1, 1)

    return Seen(
        points=normal(arch.ambient_dim),
        noise=normal(arch.latent_dim),
        r_min=each(0.8, 0.0, 0.4),
        r_max=each(1.2, math.inf, 0.5),
    )


def stack(layers, flat, values):
    """Affine maps with tanh between them."""
    layers = [layer for layer in layers if layer.shape[0] > 0]
    for index, layer in enumerate(layers):
        weight = flat[:, layer.weight].view(MEMBERS, *layer.shape)
        values = values @ weight + flat[:, layer.bias].unsqueeze(1)
        if index < len(layers) - 1:
            values = torch.tanh(values)
    return values


def oracle(arch, flat, on):
    """D and KL per dimension, written out once more."""
    out = stack(arch.encoder, flat, on.points)
    k = arch.latent_dim
    mean, log_variance = out[..., :k], out[..., k:]
    for free in (layer for layer in arch.layers if layer.shape[0] == 0):
        log_variance = flat[:, None, free.bias].expand_as(mean)
    log_variance = torch.clamp(log_variance, *LOG_VARIANCE_RANGE)
    variance = log_variance.exp()
    outputs = stack(arch.decoder, flat, mean + variance.sqrt() * on.noise)
    radius = outputs.norm(dim=-1, keepdim=True)
    outputs = outputs / radius * torch.minimum(torch.maximum(radius, on.r_min), on.r_max)
    kl = 0.5 * (mean.square() + variance - 1.0 - log_variance)
    return (outputs - on.points).square().sum(dim=2).mean(dim=1), kl.mean(dim=1)


def objective(loss, kl, constant=0.7):
    """Something that is not linear in either."""
    return (loss.square() + 0.3 * loss + (kl * constant).sum(dim=1) + kl.square().sum(dim=1)).sum()


SHAPES = [("mlp", 5, 3, 8), ("mlp", 6, 2, 32), ("linear", 7, 3, 8), ("linear", 4, 4, 8)]


def found(arch, flat, on):
    """D and KL per dimension, as methods see them."""
    nets = networks(arch, flat)
    posterior = Gaussian(*nets.encode(on.points))
    outputs = project_on_shell(nets.decode(posterior.draw(on.noise)), on.r_min, on.r_max)
    return (outputs - on.points).square().sum(dim=2).mean(dim=1), posterior.kl().mean(dim=1)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    shape=st.sampled_from(SHAPES),
    b=st.integers(1, 40),
    spread=st.sampled_from([0.0, 1.0, 30.0]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_values_and_gradients_are_those_of_the_formulas(shape, b, spread, dtype):
    """Also with saturated units and log-variances at the ends of their range (spread 30)."""
    arch = architecture(*shape)
    flat, on = weights(arch, dtype, spread), seen(arch, b, dtype)
    mine, wanted = found(arch, flat, on), oracle(arch, flat, on)
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 2e-4}
    for one, other in zip(mine, wanted, strict=True):
        atol = {"atol": 2e-5 * float(other.detach().abs().max())} if dtype == torch.float32 else {}
        torch.testing.assert_close(one, other, **(tolerance | atol))
    (slope,) = torch.autograd.grad(objective(*mine), flat)
    (theirs,) = torch.autograd.grad(objective(*wanted), flat)
    scale = float(theirs.abs().max())
    if dtype == torch.float64:
        torch.testing.assert_close(slope / scale, theirs / scale, rtol=1e-8, atol=1e-10)
        return
    # Saturated nets amplify the rounding of float32, differently on every processor: ours may be
    # no worse than that of the formulas themselves.
    exact = flat.detach().double().requires_grad_()
    as_doubles = Seen(*(part.double() for part in on))
    wanted = oracle(arch, exact, as_doubles)
    (true,) = torch.autograd.grad(objective(*wanted), exact)
    rounding = float((theirs - true).abs().max())
    assert float((slope - true).abs().max()) <= 1e-4 * scale + 5 * rounding


def test_an_output_at_the_centre_of_the_shell_has_a_finite_gradient():
    arch = architecture("mlp", 4, 2, 8)
    flat = torch.zeros(MEMBERS, arch.size, requires_grad=True)
    loss = objective(*found(arch, flat, seen(arch, 3, torch.float32)))
    (gradient,) = torch.autograd.grad(loss, flat)
    assert torch.isfinite(gradient).all()


def test_projection_is_the_nearest_point_of_the_shell():
    outputs = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
    one = torch.ones(2, 1, 1)
    moved = project_on_shell(outputs, 0.8 * one, 1.2 * one)
    radii = moved.norm(dim=2)
    assert radii.min() >= 0.8 - 1e-6 and radii.max() <= 1.2 + 1e-6
    torch.testing.assert_close(project_on_shell(moved, 0.8 * one, 1.2 * one), moved)
    assert torch.equal(project_on_shell(outputs, 0.0 * one, math.inf * one), outputs)
