"""Sequences: step-by-step nets against their definitions, every method on them, texts and files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from svae_core.certificate.prefix_spectrum import prefix_edge
from svae_core.certificate.symbols import sequence_errors
from svae_core.config.architectures import ARCHITECTURES, AUTOREGRESSIVE
from svae_core.datasets import load_dataset
from svae_core.distributions.chain import Chain
from svae_core.distributions.gaussian import Gaussian
from svae_core.figures.unit_gauge import describe_gauge
from svae_core.latent.images import data_pictures, output_pictures, texts
from svae_core.methods import scan_methods
from svae_core.nets.architectures import causal, gru
from svae_core.nets.layers import Layer
from svae_core.nets.networks import architecture, initial_weights, networks
from svae_core.own_data.formats import Source, recognise
from svae_core.problem import prepared_data
from svae_core.records import Budget, RequestError, Settings
from svae_core.training.loop import advance, begin, certify, first_frames

STEPS = (6, 3)
BASE = Settings(
    dataset="names",
    n_points=60,
    clusters=3,
    arch="gru",
    latent_dim=3,
    hidden=8,
    batch_size=30,
    epochs=2,
    device="cpu",
)


def _given(layer: Layer) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Starts [2, 4, 5], and weights of two members."""
    generator = torch.Generator().manual_seed(1)
    shapes = (2, 4, 5), (2, *layer.shape), (2, 1, layer.biases)
    start, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64) / 2 for shape in shapes
    )
    return start, weight, bias


@pytest.mark.parametrize("module", [gru, causal])
@pytest.mark.parametrize("steps", [STEPS, (1, 4), (20, 1)])
def test_running_free_is_being_taught_by_its_own_predictions(module, steps) -> None:
    layer = module.writer("decoder.3", steps, 5)
    start, weight, bias = _given(layer)
    free = layer.forward(start, weight, bias)
    torch.testing.assert_close(layer.teacher_forced(start, weight, bias, free), free)


@pytest.mark.parametrize("module", [gru, causal])
def test_a_step_is_predicted_from_those_before_it_and_from_each_of_them(module) -> None:
    layer = module.writer("decoder.3", STEPS, 5)
    start, weight, bias = _given(layer)
    points = torch.randn(2, 4, 18, dtype=torch.float64).requires_grad_(True)
    taught = layer.teacher_forced(start, weight, bias, points)
    for step in range(STEPS[0]):
        (seen,) = torch.autograd.grad(taught[1, 2, 3 * step], points, retain_graph=True)
        by_step = seen[1, 2].view(STEPS).abs().sum(dim=1)
        assert (by_step[:step] > 0).all() and (by_step[step:] == 0).all()
        assert seen[0].abs().max() == 0 and seen[1, :2].abs().max() == 0


@pytest.mark.parametrize("module", [gru, causal])
def test_gradients_are_those_of_finite_differences(module) -> None:
    for layer in (module.reader("encoder.0", STEPS, 5), module.writer("decoder.3", STEPS, 5)):
        start, weight, bias = _given(layer)
        points = torch.randn(2, 4, 18, dtype=torch.float64) / 2
        given = (points if layer.teacher_forced is None else start, weight, bias)
        leaves = tuple(each.clone().requires_grad_(True) for each in given)
        assert torch.autograd.gradcheck(layer.forward, leaves, fast_mode=True)
        if layer.teacher_forced is not None:
            points.requires_grad_(True)
            assert torch.autograd.gradcheck(layer.teacher_forced, (*leaves, points), fast_mode=True)


def test_the_unit_is_torch_s() -> None:
    layer = gru.reader("encoder.0", STEPS, 5)
    _, weight, bias = _given(layer)
    points = torch.randn(2, 4, 18, dtype=torch.float64)
    sizes = [3 * 15, 5 * 15, 15, 5]
    by_input, by_state, gates, inner = weight[1].flatten().split(sizes)
    unit = torch.nn.GRU(3, 5, batch_first=True, dtype=torch.float64)
    # torch keeps W transposed, and u on the old state as here; its candidate has two biases.
    with torch.no_grad():
        unit.weight_ih_l0.copy_(by_input.view(3, 15).T)
        unit.weight_hh_l0.copy_(by_state.view(5, 15).T)
        unit.bias_ih_l0.copy_(gates)
        unit.bias_hh_l0.copy_(torch.cat([torch.zeros(10), inner]))
        wanted, _ = unit(points[1].view(4, *STEPS) * math.sqrt(STEPS[0]))
    found = layer.forward(points, weight, bias)
    torch.testing.assert_close(found[1], wanted.flatten(1))


# ------------------------------------------------------------------ every method, word dropout


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["mlp", "autoregressive", "gru", "causal"])
def test_every_method_trains_on_names_with_every_decoder(arch: str) -> None:
    members = tuple(replace(BASE, arch=arch, method=name) for name in sorted(scan_methods()))
    done = advance(begin(members), Budget(steps=3)).state
    before, after = begin(members).parameters, done.parameters
    assert np.isfinite(after).all() and (before != after).any(axis=1).all()
    assert all(math.isfinite(frame.loss) and frame.kl >= 0.0 for frame in first_frames(done))


@pytest.mark.parametrize("arch", ["autoregressive", "gru", "causal"])
def test_a_decoder_that_sees_no_step_learns_nothing_from_steps(arch: str) -> None:
    """With all words dropped the gradient of what reads them is 0; with none it is not."""
    states = {
        rate: advance(
            begin((replace(BASE, arch=arch, method="baseline", word_dropout=rate),)),
            Budget(steps=2, frames=False),
        ).state
        for rate in (0.0, 0.5, 1.0)
    }
    start = begin((replace(BASE, arch=arch, method="baseline"),)).parameters
    last = architecture(arch, 297, 3, 8, symbols=27).decoder[-1]
    # Of all that the writer has, the first part reads the steps; of couplings it is all.
    first = slice(
        last.start,
        last.start + (last.shape[0] * last.shape[1] if arch == "autoregressive" else 27 * 8),
    )
    moved = {rate: (state.parameters != start)[0, first].any() for rate, state in states.items()}
    assert moved == {0.0: True, 0.5: True, 1.0: False}
    assert not np.array_equal(states[0.0].parameters, states[0.5].parameters)


def test_members_that_drop_differently_equal_their_solo_runs() -> None:
    members = tuple(
        replace(BASE, method=method, word_dropout=rate, seed=seed)
        for method, rate, seed in (("baseline", 0.4, 0), ("spherical", 0.0, 1), ("iwae", 0.7, 0))
    )
    together = advance(begin(members)).state
    for index, settings in enumerate(members):
        alone = advance(begin((settings,))).state
        np.testing.assert_array_equal(alone.parameters[0], together.parameters[index])


# ------------------------------------------------------------------ chains


def test_the_rate_of_a_chain_that_stands_still_is_the_kl_of_its_start() -> None:
    """And a step of r = q leaves it, whatever the step does: q_t/r_t = 1 on a path."""
    start = Gaussian(torch.tensor([[[0.7, -0.2]]]), torch.tensor([[[-1.0, 0.3]]]))
    chain = Chain(start, lambda z, noise, seen: (z, torch.zeros(z.shape[:-1])), start.mean, 1)
    noise = torch.randn(1, 200_000, 4, generator=torch.Generator().manual_seed(0))
    wide = replace(
        chain, start=Gaussian(*(each.expand(1, 200_000, 2) for each in vars(start).values()))
    )
    path = wide.path(noise)
    assert path.rate.mean().item() == pytest.approx(start.kl().sum().item(), abs=0.01)
    assert torch.equal(path.z, path.first) and chain.kl().shape == (1, 1, 1)
    assert chain.rows(slice(0, 1)).mean.shape == (1, 1, 2)
    assert np.isnan(chain.log_density(np.zeros((3, 2)))).all()


# ------------------------------------------------------------------ data, texts, files


def test_the_grammar_has_the_entropy_it_claims() -> None:
    points = load_dataset(Settings(dataset="grammar")).points
    _, counts = np.unique(points, axis=0, return_counts=True)
    shares = counts / counts.sum()
    assert len(counts) == 20 and -(shares * np.log(shares)).sum() == pytest.approx(math.log(20))


@pytest.mark.parametrize("name", ["names", "sentences", "grammar"])
def test_points_come_back_as_texts_from_the_data_and_from_the_shell(name: str) -> None:
    prepared = prepared_data(Settings(dataset=name, n_points=100, clusters=3))
    wanted, symbols = list(prepared.dataset.row_names), prepared.dataset.symbols
    assert texts(data_pictures(prepared, slice(None)), symbols) == wanted
    back = output_pictures(prepared, prepared.shell.points)
    assert texts(back, symbols) == wanted  # also with one factor for all radii
    half = back.shape[1] // 2
    assert (back[:, half:] >= 0).all() and (back[:, half:] <= 1).all()


@pytest.mark.parametrize(
    ("text", "form", "first"),
    [
        (">a one\nACD\nEF\n>b\nGGA\n", "FASTA", "ACDEF"),
        ("CCO ethanol\nc1ccccc1 benzene\nCC(=O)Cl x\n", "SMILES", "CCO"),
        (
            "\n".join(["anna", "bob", "carl", "dora", "emil", "fritz", "gerd", "hans"]),
            "text",
            "anna",
        ),
        ("a,b\n1,2\n3,4\n5,6\n1,7\n3,8\n5,9\n2,2\n4,4\n", "CSV", ""),
        ("1.5\n2.5\n3.5\n4.5\n5.5\n6.5\n7.5\n8.5\n", "CSV", ""),
    ],
)
def test_files_of_sequences_are_told_from_tables(
    tmp_path: Path, text: str, form: str, first: str
) -> None:
    path = tmp_path / "given"
    path.write_text(text)
    found = recognise(path)
    assert found.name.startswith(form)
    if first:
        folder = tmp_path / "table"
        folder.mkdir()
        table = found.read(Source(path, "given", folder))
        rows = np.asarray(table.numbers()).reshape(table.rows, -1, len(table.symbols))
        assert "".join(table.symbols[i] for i in rows[0].argmax(axis=1)) == first
        assert (rows.sum(axis=2) == 1).all() and table.symbols[-1] == ""
        assert len(table.row_names()) == table.rows


def test_long_and_rich_sequences_are_cut_and_said(tmp_path: Path) -> None:
    path = tmp_path / "given"
    letters = "".join(chr(0x4E00 + i) for i in range(90))
    path.write_text("\n".join(letters[i:] * 2 for i in range(10)), encoding="utf-8")
    (tmp_path / "t").mkdir()
    table = recognise(path).read(Source(path, "given", tmp_path / "t"))
    said = " ".join(table.notes)
    assert "cut to their first" in said and "64 most frequent" in said
    assert len(table.columns) <= 4096 and "□" in table.symbols
    (tmp_path / "empty").write_text(">a\nACD\n")
    with pytest.raises(RequestError, match="fewer than two"):
        recognise(tmp_path / "empty").read(Source(tmp_path / "empty", "empty", tmp_path / "t"))


def test_a_collapsed_start_is_constant_under_teacher_forcing_too() -> None:
    laid = architecture("gru", 18, 2, 8, symbols=3)
    constant = torch.linspace(-1, 1, 18)
    nets = networks(laid, initial_weights(laid, 0, constant).unsqueeze(0))
    taught = nets.predict(torch.randn(1, 5, 2), torch.randn(1, 5, 18))
    torch.testing.assert_close(taught, constant.expand(1, 5, 18))


def test_the_list_of_autoregressive_architectures_is_what_their_layers_say() -> None:
    laid = {name: architecture(name, 16, 2, 8, 0, (4, 4)) for name in ARCHITECTURES}
    assert {name for name, arch in laid.items() if arch.autoregressive} == set(AUTOREGRESSIVE)


def test_the_edge_of_a_chain_of_numbers_is_the_variance_of_its_innovations() -> None:
    """x_i = a·x_{i−1} + e: the prefix leaves e, of one variance; its covariance is diagonal."""
    rng = np.random.default_rng(0)
    x = np.zeros((20_000, 6))
    x[:, 0] = rng.normal(0, 0.5, 20_000)
    for i in range(1, 6):
        x[:, i] = 0.9 * x[:, i - 1] + rng.normal(0, 0.5, 20_000)
    edge = prefix_edge(x.astype(np.float32), (6, 1))
    assert edge == pytest.approx(0.25, rel=0.1) and np.linalg.eigvalsh(np.cov(x.T))[-1] > 1.0


def test_a_certificate_counts_symbols_and_names_the_brier_score() -> None:
    points = load_dataset(Settings(dataset="grammar")).points
    exact = sequence_errors(points, points, 16)
    assert exact.brier == exact.wrong == 0.0 and exact.length * 16 == points.shape[1]
    constant = sequence_errors(points, np.broadcast_to(points.mean(axis=0), points.shape), 16)
    assert constant.brier == pytest.approx(constant.brier_constant, rel=1e-5)
    hard = np.roll(points, 1, axis=0)
    other = sequence_errors(points, hard, 16)
    assert other.brier == pytest.approx(other.hard) and other.hard == 2 * other.wrong > 0
    assert "Brier" in other.sentence
    (found,) = certify(begin((BASE,)), draws=8, own_floors=False, sharp=False)
    prepared = prepared_data(BASE)
    assert found.sequences.brier_constant == pytest.approx(6.2, abs=0.4)
    assert 0 < found.prefix_edge <= 1.01 * prepared.lambda_max
    assert "Λ*" in describe_gauge(prepared, BASE)
