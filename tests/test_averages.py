"""Gradients written by hand, against the same nets written layer by layer on plain autograd."""

import itertools
import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE
from svae_core.nets.networks import (
    architecture,
    gradient_buffers,
    initial_weights,
    networks,
    project_on_shell,
)
from svae_core.training.batch_loss import Batch, batch_loss

MEMBERS = 3


class Seen(NamedTuple):
    """A minibatch, and the shells that decoders end on."""

    points: torch.Tensor
    noise: torch.Tensor
    r_min: torch.Tensor
    r_max: torch.Tensor


class Node(torch.autograd.Function):
    """Averages as a node of autograd's graph, so that it can be held against one."""

    @staticmethod
    def forward(ctx, flat, arch, on):
        ctx.found = batch_loss(networks(arch, flat), Batch(on.points, on.noise), on.r_min, on.r_max)
        ctx.buffers = gradient_buffers(arch, flat)
        return ctx.found.loss.clone(), ctx.found.kl_per_dim.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, loss, kl):
        ctx.found.gradient(loss, kl, ctx.buffers.networks)
        return ctx.buffers.flat, None, None


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
    """Affine maps with tanh between them, on plain autograd."""
    for index, layer in enumerate(layers):
        weight = flat[:, layer.weight].view(MEMBERS, layer.fan_in, layer.fan_out)
        values = values @ weight + flat[:, layer.bias].unsqueeze(1)
        if index < len(layers) - 1:
            values = torch.tanh(values)
    return values


def oracle(arch, flat, on):
    """D and KL per dimension, written out once more on plain autograd."""
    out = stack(arch.encoder, flat, on.points)
    k = arch.latent_dim
    mean, log_variance = out[..., :k], out[..., k:]
    if arch.name == "linear":
        (free,) = (layer for layer in arch.layers if layer.fan_in == 0)
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


@pytest.mark.parametrize(("name", "d", "k", "hidden"), SHAPES)
def test_the_gradient_is_that_of_finite_differences(name, d, k, hidden):
    arch = architecture(name, d, k, hidden)
    flat, on = weights(arch, torch.float64), seen(arch, 4, torch.float64)
    # Every entry of a large row would take minutes: one random direction mixes all of them.
    assert torch.autograd.gradcheck(lambda rows: Node.apply(rows, arch, on), flat, fast_mode=True)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    shape=st.sampled_from(SHAPES),
    b=st.integers(1, 40),
    spread=st.sampled_from([0.0, 1.0, 30.0]),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
def test_values_and_gradients_are_those_of_plain_autograd(shape, b, spread, dtype):
    """Also with saturated units and log-variances at the ends of their range (spread 30)."""
    arch = architecture(*shape)
    flat, on = weights(arch, dtype, spread), seen(arch, b, dtype)
    found = Node.apply(flat, arch, on)
    wanted = oracle(arch, flat, on)
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 2e-4}
    for one, other in zip(found, wanted, strict=True):
        atol = {"atol": 2e-5 * float(other.detach().abs().max())} if dtype == torch.float32 else {}
        torch.testing.assert_close(one, other, **(tolerance | atol))
    (mine,) = torch.autograd.grad(objective(*found), flat)
    (theirs,) = torch.autograd.grad(objective(*wanted), flat)
    scale = float(theirs.abs().max())
    torch.testing.assert_close(mine / scale, theirs / scale, rtol=1e-4, atol=1e-4)
    if dtype == torch.float64:
        torch.testing.assert_close(mine / scale, theirs / scale, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("name", "d", "k", "hidden"), SHAPES)
def test_a_stack_alone_hands_back_both_gradients(name, d, k, hidden):
    """What methods with draws of their own use: encoder and decoder as two nodes, some rows."""
    arch = architecture(name, d, k, hidden)
    flat, on = weights(arch, torch.float64), seen(arch, 9, torch.float64)
    rows = torch.tensor([2, 0])
    z = on.noise.clone().requires_grad_(True)
    some = networks(arch, flat).rows(rows)
    found = some.decode(z[rows]).sin().sum() + sum(
        part.sum() for part in some.encode(on.points[rows])
    )
    out = stack(arch.encoder, flat, on.points)
    if name == "linear":
        (free,) = (layer for layer in arch.layers if layer.fan_in == 0)
        out = torch.cat((out, flat[:, None, free.bias].expand_as(out)), dim=2)
    wanted = (stack(arch.decoder, flat, z).sin().sum(dim=(1, 2)) + out.sum(dim=(1, 2)))[rows].sum()
    torch.testing.assert_close(found, wanted)
    for one, other in zip(
        torch.autograd.grad(found, (flat, z)), torch.autograd.grad(wanted, (flat, z)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_an_output_at_the_centre_of_the_shell_has_a_finite_gradient():
    arch = architecture("mlp", 4, 2, 8)
    flat = torch.zeros(MEMBERS, arch.size, requires_grad=True)
    found = Node.apply(flat, arch, seen(arch, 3, torch.float32))
    (gradient,) = torch.autograd.grad(objective(*found), flat)
    assert torch.isfinite(gradient).all()


def test_parts_of_a_row_cover_it_without_overlap():
    for name, extra in itertools.product(("mlp", "linear"), (0, 5)):
        arch = architecture(name, 5, 3, 8, extra)
        edges = [edge for part in arch.parts for edge in (part.start, part.stop)]
        assert edges[0] == 0 and edges[-1] == arch.size and edges == sorted(edges)
        assert edges[1:-1:2] == edges[2:-1:2]


def test_projection_is_the_nearest_point_of_the_shell():
    outputs = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
    one = torch.ones(2, 1, 1)
    moved = project_on_shell(outputs, 0.8 * one, 1.2 * one)
    radii = moved.norm(dim=2)
    assert radii.min() >= 0.8 - 1e-6 and radii.max() <= 1.2 + 1e-6
    torch.testing.assert_close(project_on_shell(moved, 0.8 * one, 1.2 * one), moved)
    assert torch.equal(project_on_shell(outputs, 0.0 * one, math.inf * one), outputs)
