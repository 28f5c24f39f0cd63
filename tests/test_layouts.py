"""Architectures beyond the mlp: layers against torch's own, hand-written gradients, whole runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from svae_core.nets.architectures import laid_out
from svae_core.nets.convolution import Doubling, Grid, Halving, col2im, im2col
from svae_core.nets.layer_stack import Affine, Layer, Stack, layer_tensors
from svae_core.nets.networks import architecture, initial_weights, networks
from svae_core.nets.residual import Block
from svae_core.records import Budget, RequestError, Settings, knobs
from svae_core.training.loop import advance, begin, certify, chunk_size

SIZES = st.tuples(st.integers(4, 11), st.integers(4, 11))
BASE = Settings(
    dataset="digits", n_points=150, epochs=2, latent_dim=5, hidden=32, batch_size=50, device="cpu"
)
NEW = ("resmlp", "conv", "autoregressive")


def _images(values: torch.Tensor, grid: Grid) -> torch.Tensor:
    """[n, b, size] as torch has images: [n·b, channels, height, width]."""
    flat = values.reshape(-1, grid.height, grid.width, grid.channels)
    return flat.permute(0, 3, 1, 2)


def _row(layer: Layer, members: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(members, layer.stop - layer.start, generator=generator, dtype=torch.float64)


@given(SIZES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
def test_halving_is_torch_s_convolution(
    size: tuple[int, int], channels: int, more: int, seed: int
) -> None:
    fine = Grid(*size, channels)
    layer = Halving("x", fine, fine.halved(more), 0)
    row = _row(layer, 1, seed)
    values = torch.randn(1, 3, fine.size, dtype=torch.float64)
    tensors = layer.tensors(row, 0)
    weight, bias, _ = tensors
    kernel = weight[0].view(4, 4, channels, more).permute(3, 2, 0, 1)
    wanted = functional.conv2d(_images(values, fine), kernel, stride=2, padding=1)
    wanted += _images(bias, layer.made)
    found = _images(layer.forward(tensors, values, 1), layer.made)
    torch.testing.assert_close(found, wanted)


@given(SIZES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
def test_doubling_is_torch_s_transposed_convolution(
    size: tuple[int, int], channels: int, more: int, seed: int
) -> None:
    fine = Grid(*size, channels)
    layer = Doubling("x", fine.halved(more), fine, 0)
    row = _row(layer, 1, seed)
    values = torch.randn(1, 3, layer.fan_in, dtype=torch.float64)
    tensors = layer.tensors(row, 0)
    weight, bias, _ = tensors
    kernel = weight[0].view(more, 4, 4, channels).permute(0, 3, 1, 2)
    odd = (fine.height % 2, fine.width % 2)
    wanted = functional.conv_transpose2d(
        _images(values, layer.given), kernel, stride=2, padding=1, output_padding=odd
    )
    wanted = wanted + _images(bias, fine)
    torch.testing.assert_close(_images(layer.forward(tensors, values, 1), fine), wanted)


@given(SIZES, st.integers(1, 3), st.integers(0, 99))
def test_scattering_is_the_transpose_of_gathering(
    size: tuple[int, int], channels: int, seed: int
) -> None:
    fine, generator = Grid(*size, channels), torch.Generator().manual_seed(seed)
    coarse = fine.halved(1)
    values = torch.randn(2, 3, fine.size, generator=generator, dtype=torch.float64)
    rows = im2col(values, fine, coarse)
    other = torch.randn(rows.shape, generator=generator, dtype=torch.float64)
    assert float((rows * other).sum()) == pytest.approx(
        float((values * col2im(other, fine, coarse)).sum()), rel=1e-9, abs=1e-9
    )


def _stacks() -> dict[str, tuple[Layer, ...]]:
    image = Grid(6, 5, 1)
    half, hidden = image.halved(3), Affine("a", 7, 6, 0)
    halving = Halving("h", image, half, 0)
    return {
        "conv": (halving, Affine("b", half.size, 4, halving.stop)),
        "upconv": (
            Affine("a", 4, half.size, 0),
            Doubling("d", half, image, 5 * half.size),
        ),
        "residual": (
            hidden,
            Block("b", 6, 2, hidden.stop),
            Block("c", 6, 2, hidden.stop + 42),
            Affine("d", 6, 3, hidden.stop + 84),
        ),
        "narrow": (hidden, Block("b", 6, 1, hidden.stop)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", list(_stacks()))
def test_hand_written_gradients_are_right(name: str) -> None:
    """Against finite differences, in float64, for the values and for all weights."""
    layers = _stacks()[name]
    generator = torch.Generator().manual_seed(3)
    row = torch.randn(2, layers[-1].stop, generator=generator, dtype=torch.float64) / 3
    values = torch.randn(2, 3, layers[0].fan_in, generator=generator, dtype=torch.float64)
    row.requires_grad_(True)
    values.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda v, r: Stack(layers, r)(v), (values, row))


def test_a_block_adds_to_what_passes_through_it() -> None:
    layer = Block("b", 4, 9, 0)
    values = torch.randn(1, 5, 4, dtype=torch.float64)
    weight, bias = (torch.randn(*shape, dtype=torch.float64) for shape in ((1, 4, 4), (1, 1, 4)))
    found = layer.forward(layer_tensors(weight, bias), values, 1)
    torch.testing.assert_close(found, values + torch.tanh(values @ weight + bias) / 3)
    still = layer.forward(layer_tensors(0.0 * weight, 0.0 * bias), values, 1)
    assert torch.equal(still, values)


@pytest.mark.parametrize("arch", NEW)
def test_parts_cover_a_row_without_gaps_and_layers_do_not_overlap(arch: str) -> None:
    laid = architecture(arch, 64, 3, 32, 5, (8, 8))
    edges = [edge for part in laid.parts for edge in (part.start, part.stop)]
    assert edges[0] == 0 and edges[-1] == laid.size
    assert all(a == b for a, b in zip(edges[1:-1:2], edges[2::2], strict=True))
    for one, other in zip(laid.layers, laid.layers[1:], strict=False):
        assert one.stop <= other.start
    assert len({layer.name for layer in laid.layers}) == len(laid.layers)


@pytest.mark.parametrize("arch", NEW)
def test_shapes_and_a_collapsed_start(arch: str) -> None:
    laid = architecture(arch, 64, 3, 32, 0, (8, 8))
    constant = torch.linspace(-1, 1, 64)
    nets = networks(laid, initial_weights(laid, 0, constant).unsqueeze(0))
    mean, log_variance = nets.encode(torch.randn(1, 7, 64))
    assert mean.shape == log_variance.shape == (1, 7, 3)
    assert mean.abs().max() == 0 and log_variance.abs().max() == 0
    torch.testing.assert_close(nets.decode(torch.randn(1, 7, 3)), constant.expand(1, 7, 64))


@pytest.mark.parametrize("arch", NEW)
@pytest.mark.parametrize("steps", [1, 4])
def test_resumed_equals_uninterrupted(arch: str, steps: int) -> None:
    members = tuple(replace(BASE, arch=arch, method=name) for name in ("baseline", "spherical"))
    whole = advance(begin(members)).state
    state = begin(members)
    while state.step < whole.step:
        state = advance(state, Budget(steps=steps)).state
    np.testing.assert_array_equal(state.parameters, whole.parameters)


@pytest.mark.slow
@pytest.mark.parametrize("arch", NEW)
@pytest.mark.parametrize("hidden", [32, 20])
def test_a_member_equals_its_solo_run(arch: str, hidden: int) -> None:
    members = tuple(
        replace(BASE, arch=arch, hidden=hidden, method=method, seed=seed, sigma2=sigma2)
        for method in ("baseline", "spherical")
        for seed, sigma2 in ((0, 1.0), (1, 0.05))
    )
    together = advance(begin(members)).state
    for index, settings in enumerate(members):
        alone = advance(begin((settings,))).state
        np.testing.assert_array_equal(alone.parameters[0], together.parameters[index])


@pytest.mark.parametrize("arch", NEW)
def test_sweeps_and_comparisons_know_how_many_to_train_at_once(arch: str) -> None:
    assert 2 <= chunk_size(replace(BASE, arch=arch)) <= 32


@pytest.mark.slow
@pytest.mark.parametrize("arch", NEW)
def test_it_learns_and_the_spherical_one_is_certified(arch: str) -> None:
    members = tuple(
        replace(BASE, arch=arch, n_points=300, epochs=40, method=name)
        for name in ("baseline", "spherical")
    )
    plain, spherical = certify(advance(begin(members), Budget(frames=False)).state)
    assert plain.verdict == "collapsed"  # by its units: βσ² is above λ_max
    assert spherical.verdict == "certified" and spherical.loss < spherical.delta
    assert spherical.kl > spherical.floors.tight


@pytest.mark.parametrize(
    ("image", "d", "said"),
    [(None, 13, "needs images"), ((3, 9), 27, "at least 4 × 4"), ((8, 8), 65, "at least")],
)
def test_convolutions_without_images_are_refused(
    image: tuple[int, int] | None, d: int, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        laid_out("conv", d, 2, 32, image)
    if image is None:
        with pytest.raises(RequestError, match="needs images"):
            begin((Settings(dataset="wine", clusters=3, arch="conv"),))


def test_an_unknown_architecture_is_an_error_where_it_is_looked_up() -> None:
    for name in knobs(Settings)["arch"].choices:
        assert laid_out(name, 64, 2, 8, (8, 8))
    for name in ("cubic", "MLP", ""):
        with pytest.raises(RequestError, match="linear, mlp, resmlp, conv, autoregressive"):
            laid_out(name, 64, 2, 8, (8, 8))
        with pytest.raises(RequestError, match=repr(name)):
            architecture(name, 64, 2, 8)
