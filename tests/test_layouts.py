"""Architectures beyond the mlp: layers against torch's own, gradients, whole runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

import svae_core
from svae_core.config.architectures import ARCHITECTURES
from svae_core.nets.architectures.conv import Grid, col2im, doubling, halving, im2col
from svae_core.nets.architectures.resmlp import block
from svae_core.nets.layers import Layer
from svae_core.nets.networks import architecture, initial_weights, networks
from svae_core.records import Budget, RequestError, Settings
from svae_core.training.loop import advance, begin, certify, chunk_size

SIZES = st.tuples(st.integers(4, 11), st.integers(4, 11))
BASE = Settings(
    dataset="digits", n_points=150, epochs=2, latent_dim=5, hidden=32, batch_size=50, device="cpu"
)
NEW = tuple(name for name in ARCHITECTURES if name not in ("mlp", "linear"))


def _images(values: torch.Tensor, grid: Grid) -> torch.Tensor:
    """[n, b, size] as torch has images: [n·b, channels, height, width]."""
    flat = values.reshape(-1, grid.height, grid.width, grid.channels)
    return flat.permute(0, 3, 1, 2)


def _weights(layer: Layer, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = (1, *layer.shape), (1, 1, layer.biases)
    weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
    )
    return weight, bias


@pytest.mark.slow
@given(SIZES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
def test_halving_is_torch_s_convolution(
    size: tuple[int, int], channels: int, more: int, seed: int
) -> None:
    fine = Grid(*size, channels)
    coarse = fine.halved(more)
    layer = halving("x", fine, coarse)
    values = torch.randn(1, 3, fine.size, dtype=torch.float64)
    weight, bias = _weights(layer, seed)
    kernel = weight[0].view(4, 4, channels, more).permute(3, 2, 0, 1)
    wanted = functional.conv2d(_images(values, fine), kernel, stride=2, padding=1)
    wanted = (wanted + _images(bias, coarse)).tanh()
    torch.testing.assert_close(_images(layer.forward(values, weight, bias), coarse), wanted)


@given(SIZES, st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
def test_doubling_is_torch_s_transposed_convolution(
    size: tuple[int, int], channels: int, more: int, seed: int
) -> None:
    fine = Grid(*size, channels)
    coarse = fine.halved(more)
    layer = doubling("x", coarse, fine, tanh=False)
    values = torch.randn(1, 3, coarse.size, dtype=torch.float64)
    weight, bias = _weights(layer, seed)
    kernel = weight[0].view(more, 4, 4, channels).permute(0, 3, 1, 2)
    odd = (fine.height % 2, fine.width % 2)
    wanted = functional.conv_transpose2d(
        _images(values, coarse), kernel, stride=2, padding=1, output_padding=odd
    )
    wanted = wanted + _images(bias, fine)
    torch.testing.assert_close(_images(layer.forward(values, weight, bias), fine), wanted)


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


def test_a_block_adds_to_what_passes_through_it() -> None:
    layer = block("b", 4, 9)
    values = torch.randn(1, 5, 4, dtype=torch.float64)
    weight, bias = _weights(layer, 0)
    found = layer.forward(values, weight, bias)
    torch.testing.assert_close(found, values + torch.tanh(values @ weight + bias) / 3)
    assert torch.equal(layer.forward(values, 0.0 * weight, 0.0 * bias), values)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_layers_follow_each_other_in_a_row_and_none_overlap(arch: str) -> None:
    laid = architecture(arch, 64, 3, 32, 5, (8, 8))
    starts = [layer.start for layer in laid.layers] + [laid.extra.start]
    for layer, stop in zip(laid.layers, starts[1:], strict=True):
        assert layer.start <= layer.weight.stop <= layer.bias.stop <= stop < layer.bias.stop + 16
    assert laid.extra.start + 5 == laid.extra.stop <= laid.size and laid.size % 16 == 0
    assert len({layer.name for layer in laid.layers}) == len(laid.layers)
    assert (*laid.encoder, *laid.decoder) == laid.layers


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_gradient_of_a_row_is_that_of_finite_differences(arch: str) -> None:
    """Every layer is differentiable, and every weight of a row counts but for its padding."""
    laid = architecture(arch, 16, 2, 8, 0, (4, 4))
    generator = torch.Generator().manual_seed(3)
    row = torch.randn(2, laid.size, generator=generator, dtype=torch.float64) / 4
    points = torch.randn(2, 3, 16, generator=generator, dtype=torch.float64)

    def run(flat: torch.Tensor) -> torch.Tensor:
        nets = networks(laid, flat)
        mean, log_variance = nets.encode(points)
        return nets.decode(mean + (0.5 * log_variance).exp())

    assert torch.autograd.gradcheck(run, row.requires_grad_(True), fast_mode=True)


@pytest.mark.parametrize("arch", ARCHITECTURES)
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
        architecture("conv", d, 2, 32, 0, image)
    if image is None:
        with pytest.raises(RequestError, match="needs images"):
            begin((Settings(dataset="wine", clusters=3, arch="conv"),))


def test_an_unknown_architecture_is_an_error_where_it_is_looked_up() -> None:
    for name in ("cubic", "MLP", ""):
        with pytest.raises(RequestError, match=f"{name!r}.*autoregressive, .*linear, mlp, res"):
            architecture(name, 64, 2, 8)


_TOY = {
    "nets/architectures/toy.py": """
    from svae_core.nets.layers import Layer, affine

    def layers(d, k, hidden, image):
        grown = Layer("decoder.2", (k, d), d, lambda z, w, b: (z.exp() @ w).sin() + b, k)
        return [affine("encoder.0", d, 9), affine("encoder.1", 9, 2 * k, tanh=False), grown]
    """,
    "methods/toy.py": """
    '''A toy

    D + 2 KL.

    Source: none
    '''
    from svae_core.methods import baseline

    Config = baseline.Config

    class Method(baseline.Method):
        @staticmethod
        def slopes(batch):
            batch.by_kl[:] = 2.0
            return batch.loss + 2.0 * batch.kl, 1.0, 0.0
    """,
    "methods/walk.py": """
    '''A walk

    Two steps beyond the encoder, each with networks of the method's own; arrays and rows as well.

    Source: none
    '''
    import numpy as np
    from svae_core.distributions.chain import Chain
    from svae_core.distributions.gaussian import Gaussian
    from svae_core.methods import base_objective, baseline

    Config = baseline.Config

    class Method:
        mark = ("grey", "circle", "dash")
        projected = False
        guards_kl = guards_information = ""
        chain_steps = 2

        def __init__(self, config):
            self.config = config

        def constants(self, prepared, settings):
            return {}

        def arrays(self, prepared, settings):
            return {"norms": np.linalg.norm(prepared.shell.points, axis=1)}

        def own_layers(self, sizes):
            k = sizes.latent_dim
            ways = {f"{way}{t}": (k + sizes.features, 2 * k) for way in "qr" for t in (1, 2)}
            return ways | {"head": (sizes.features, 3)}

        def encoder_frozen(self, memory, step):
            return memory["steps"] % 2 > 0

        def memory(self, prepared, settings):
            return {"steps": np.zeros(())}

        def update(self, terms, constants):
            return {"steps": terms.memory["steps"] + 1}

        def posterior(self, encoded):
            def walk(z, noise, seen):
                k, ratio = z.shape[-1], 0.0
                for t in (1, 2):
                    q = self._step(encoded, f"q{t}", z, seen)
                    new = q.draw(noise[..., (t - 1) * k : t * k])
                    r = self._step(encoded, f"r{t}", new, seen)
                    ratio = ratio + self._density(q, new) - self._density(r, z)
                    z = new
                return z, ratio

            start = Gaussian(encoded.mean, encoded.log_variance)
            return Chain(start, walk, encoded.features, self.chain_steps)

        def _step(self, encoded, name, z, seen):
            import torch

            m, s = encoded.layer(name, torch.cat((z, seen), dim=-1)).chunk(2, dim=-1)
            return Gaussian(z + m, s)

        def _density(self, gaussian, z):
            squared = (z - gaussian.mean) ** 2 * (-gaussian.log_variance).exp()
            return -0.5 * (squared + gaussian.log_variance).sum(-1)

        def objective(self, terms, constants):
            encoded = terms.draws.encoded
            norms = encoded.arrays["norms"].gather(1, encoded.rows)
            head = encoded.layer("head", encoded.features).mean(dim=2)
            return base_objective(terms) + ((head - norms) ** 2).mean(dim=1)
    """,
}


@pytest.mark.slow
def test_a_new_architecture_or_method_is_one_file(tmp_path: Path) -> None:
    root = Path(svae_core.__file__).parent
    shutil.copytree(root, tmp_path / "svae_core", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in _TOY.items():
        (tmp_path / "svae_core" / name).write_text(textwrap.dedent(text).lstrip())
    for method in ("toy", "walk"):
        command = f"train --dataset wine --clusters 3 --arch toy --method {method} --epochs 20"
        done = subprocess.run(
            [sys.executable, "-m", "svae_core", *command.split(), "--sigma2", ".05", "--json"],
            cwd=tmp_path,
            env=os.environ | {"SVAE_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout)
        assert (found["method"], found["engine"]) == (method, "torch")
        assert np.isfinite(found["loss"]) and found["kl"] > 0.0
        assert found["floors"]["tight"] <= found["kl"]
