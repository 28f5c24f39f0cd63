"""The contract of training methods, over whatever the scan finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svae_core.methods import Terms, method_for, scan_methods
from svae_core.problem import groundwork
from svae_core.records import Budget, Settings
from svae_core.training import advance, begin

TOY = Settings(
    dataset="clusters",
    dataset_options=(("points", 300),),
    clusters=5,
    latent_dim=3,
    hidden=16,
    epochs=30,
    sigma2=0.05,
    device="cpu",
)
NAMES = sorted(scan_methods())


@pytest.fixture(params=NAMES)
def settings(request):
    return replace(TOY, method=request.param)


def test_it_describes_itself(settings):
    plugin = scan_methods()[settings.method]
    assert plugin.title and plugin.explanation and "arXiv" in plugin.source
    assert plugin.module.Method.guards in ("", "KL", "information")
    assert isinstance(plugin.module.Method.projected, bool)


def test_its_objective_is_finite_and_has_one_value_per_member(settings):
    method = method_for(settings)
    ground = groundwork(settings)
    constants = {
        name: torch.tensor([value, value])
        for name, value in method.constants(ground, settings).items()
    }
    for loss in (1e-3, ground.region.hi, 50.0):
        terms = Terms(
            loss=torch.tensor([loss, loss * 2], requires_grad=True),
            kl=torch.tensor([1.0, 2.0]),
            kl_per_dim=torch.ones(2, 3),
            sigma2=torch.tensor([0.5, 0.5]),
            beta=torch.tensor([1.0, 1.0]),
            progress=0.5,
        )
        value = method.objective(terms, constants)
        assert value.shape == (2,) and torch.isfinite(value).all()
        (gradient,) = torch.autograd.grad(value.sum(), terms.loss)
        assert torch.isfinite(gradient).all()


def test_it_learns_something_on_a_toy(settings):
    moments = advance(begin((settings,))).moments
    assert np.isfinite([moment[0].loss for moment in moments]).all()
    assert moments[-1][0].loss < 0.9 * moments[0][0].loss


def test_it_leaves_the_global_generators_alone(settings):
    torch.manual_seed(7)
    np.random.seed(7)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    advance(begin((settings,)), Budget(steps=4))
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


def test_a_member_among_all_methods_equals_its_solo_run(settings):
    members = tuple(replace(TOY, method=name, epochs=2) for name in NAMES)
    together = advance(begin(members)).state
    index = NAMES.index(settings.method)
    alone = advance(begin((members[index],))).state
    np.testing.assert_array_equal(alone.parameters[0], together.parameters[index])


def test_it_resumes_exactly(settings):
    short = replace(settings, epochs=3)
    whole = advance(begin((short,))).state
    state = begin((short,))
    for _ in range(9):
        state = advance(state, Budget(steps=1)).state
    assert state.step == whole.step
    np.testing.assert_array_equal(state.parameters, whole.parameters)
    for name, value in whole.memory.items():
        np.testing.assert_array_equal(state.memory[name], value)
