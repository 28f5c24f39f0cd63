"""The contract of training methods, over whatever the scan finds."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from support.information_laws import TOY, assert_information_laws

from svae_core.methods import guards, scan_methods
from svae_core.nets.networks import networks
from svae_core.records import Advance, Budget, Settings, State
from svae_core.training.batch_context import batch_context
from svae_core.training.loop import advance, begin, certify, member
from svae_core.training.members import Group, initial_memory
from svae_core.training.objective import Batch, TrainingStep, losses

NAMES = sorted(scan_methods())
LONGEST = 150  # lines of a method's file


@pytest.fixture(params=NAMES)
def settings(request):
    return replace(TOY, method=request.param)


@cache
def trained(settings: Settings) -> Advance:
    return advance(begin((settings,)))


def assert_same_state(one: State, other: State):
    assert one.step == other.step and one.memory.keys() == other.memory.keys()
    for name in ("parameters", "first_moment", "second_moment"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name, value in one.memory.items():
        np.testing.assert_array_equal(value, other.memory[name], err_msg=name)


def test_it_describes_itself(settings):
    plugin = scan_methods()[settings.method]
    assert plugin.title and plugin.explanation and "arXiv" in plugin.source
    method = plugin.module.Method
    assert isinstance(method.guards_kl, str) and isinstance(method.guards_information, str)
    assert guards(method) in ("", "KL", "information")
    assert isinstance(method.projected, bool)
    assert len(Path(plugin.module.__file__).read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("arch", ["linear", "mlp"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_its_objective_is_finite_and_has_one_value_per_member(settings, scale, arch, monkeypatch):
    settings = replace(settings, arch=arch)
    members = (settings, replace(settings, sigma2=0.5, seed=1))
    state = begin(members)
    method = scan_methods()[settings.method].module.Method
    values = []
    if hasattr(method, "slopes"):
        stated = method.slopes
        keep = lambda *given: values.append(stated(*given)) or values[-1]  # noqa: E731
        monkeypatch.setattr(method, "slopes", staticmethod(keep))
    else:
        original = method.objective
        monkeypatch.setattr(
            method, "objective", lambda *given: values.append(original(*given)) or values[-1]
        )
    context = batch_context(members, 0)
    group, memory = Group(context.members, context.device), initial_memory(context.members)
    d = context.points.shape[1]
    noise = torch.Generator().manual_seed(0)
    batch = Batch(
        scale * torch.randn(2, 9, d, generator=noise),
        torch.randn(2, 9, 3, generator=noise),
        torch.arange(9).expand(2, 9),
    )
    nets = networks(context.arch, torch.from_numpy(state.parameters))
    leaves = [leaf.requires_grad_(True) for leaf in nets.leaves()]
    found = losses(group, nets, batch, TrainingStep(3, 10), memory)
    gradients = torch.autograd.grad(found.sum(), leaves, allow_unused=True)
    assert found.shape == (2,) and torch.isfinite(found).all()
    if hasattr(method, "slopes"):
        assert len(values) == 2 and np.isfinite(values).all()
    else:
        assert len(values) == 1
    assert all(torch.isfinite(each).all() for each in gradients if each is not None)
    assert memory.keys() == state.memory.keys()
    for name, carried in memory.items():
        assert carried.shape == state.memory[name].shape and np.isfinite(carried).all()
        assert carried.dtype == np.float32


@pytest.mark.slow
def test_it_learns_something_on_a_toy(settings):
    moments = trained(settings).moments
    assert np.isfinite([moment[0].loss for moment in moments]).all()
    assert moments[-1][0].loss < 0.9 * moments[0][0].loss


@pytest.mark.slow
def test_its_certificate_keeps_the_laws(settings):
    (certificate,) = certify(trained(settings).state)
    assert_information_laws(certificate)
    frame = trained(settings).moments[-1][0]
    assert certificate.kl == pytest.approx(frame.kl, rel=1e-4)
    assert len(frame.kl_per_dim) == len(frame.active) == len(certificate.kl_per_dim)


@pytest.mark.slow
def test_it_leaves_the_global_generators_alone(settings):
    torch.manual_seed(7)
    np.random.seed(7)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    certify(advance(begin((settings,)), Budget(steps=4)).state)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


@cache
def all_together() -> Advance:
    return advance(begin(tuple(replace(TOY, method=name, epochs=2) for name in NAMES)))


def test_a_member_among_all_methods_equals_its_solo_run(settings):
    index = NAMES.index(settings.method)
    alone = advance(begin((replace(settings, epochs=2),)))
    assert_same_state(alone.state, member(all_together().state, index))
    for mine, theirs in zip(alone.moments, all_together().moments, strict=True):
        for name, value in vars(mine[0]).items():
            np.testing.assert_array_equal(value, getattr(theirs[index], name), err_msg=name)


@pytest.mark.slow
def test_two_seeds_of_it_equal_their_solo_runs(settings):
    members = tuple(replace(settings, epochs=2, seed=seed, beta=1.0 + seed) for seed in (0, 1))
    together = advance(begin(members)).state
    for index, alone in enumerate(members):
        assert_same_state(advance(begin((alone,))).state, member(together, index))


@pytest.mark.slow
def test_it_resumes_exactly(settings):
    short = replace(settings, epochs=3)
    whole = advance(begin((short,))).state
    state = begin((short,))
    for _ in range(9):
        state = advance(state, Budget(steps=1)).state
    assert_same_state(state, whole)
