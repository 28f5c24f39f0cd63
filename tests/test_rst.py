"""The fixed head on the means: exact codes, their energy, the force at collapse, the ceiling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as settings_
from hypothesis import strategies as st
from support.information_laws import TOY

from svae_core.distributions.simplex_code import code_of, corners, log_answers
from svae_core.methods.rst import teacher
from svae_core.problem import prepared_data
from svae_core.records import Budget, RequestError
from svae_core.training.loop import advance, begin, encode_points


def teachers(count: int, n: int, seed: int) -> torch.Tensor:
    logits = 2.0 * torch.randn(1, n, count, generator=torch.Generator().manual_seed(seed))
    return logits.double().log_softmax(dim=2)


@given(st.integers(2, 12), st.floats(0.1, 10.0), st.integers(0, 99))
@settings_(max_examples=25)
def test_the_code_answers_exactly_as_the_teacher_and_has_its_energy(
    count: int, sharpness: float, seed: int
) -> None:
    corner = torch.from_numpy(corners(count))[None]
    gram = (corner @ corner.transpose(1, 2))[0].numpy()
    expected = np.where(np.eye(count) == 1, 1.0, -1.0 / (count - 1))
    np.testing.assert_allclose(gram, expected, atol=1e-12)
    log_teacher = teachers(count, 5, seed)
    code = code_of(log_teacher, corner, sharpness)
    torch.testing.assert_close(
        log_answers(code, corner, sharpness).exp(), log_teacher.exp(), atol=1e-12, rtol=0
    )
    centred = log_teacher - log_teacher.mean(dim=2, keepdim=True)
    energy = (count - 1) / (2 * count * sharpness**2) * centred.square().sum(dim=2)
    torch.testing.assert_close(0.5 * code.square().sum(dim=2), energy)


def test_the_force_at_a_collapsed_mean_is_that_of_the_formula() -> None:
    """−∂L/∂μ = b·Σ_c (T_c − S_c)·s_c, zero only where the head answers as the teacher."""
    count, b = 5, 1.7
    corner, log_teacher = torch.from_numpy(corners(count))[None], teachers(count, 6, 1)
    mean = torch.zeros(1, 6, count - 1, dtype=torch.float64, requires_grad=True)
    answers = log_answers(mean, corner, b)
    loss = (log_teacher.exp() * (log_teacher - answers)).sum()
    (slope,) = torch.autograd.grad(loss, mean)
    force = b * (log_teacher.exp() - answers.exp()).detach() @ corner
    torch.testing.assert_close(-slope, force)


def test_scaled_codes_answer_with_powers_of_the_teacher_and_never_beat_its_information() -> None:
    count = 4
    corner, log_teacher = torch.from_numpy(corners(count))[None], teachers(count, 200, 3)
    average = log_teacher.exp().mean(dim=1, keepdim=True)
    information = (log_teacher.exp() * (log_teacher - average.log())).sum(dim=2).mean()
    code = code_of(log_teacher, corner, 1.0)
    for t in (0.0, 0.5, 1.0, 2.0):
        answers = log_answers(t * code, corner, 1.0)
        torch.testing.assert_close(answers, (t * log_teacher).log_softmax(dim=2))
        gap = information - (log_teacher.exp() * (log_teacher - answers)).sum(dim=2).mean()
        assert gap <= information + 1e-12


def test_the_teacher_is_the_same_every_time_and_its_classes_need_room() -> None:
    points = prepared_data(TOY).shell.points
    one, two = (teacher(points, 4, 0) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one.sum(axis=1), 1.0, atol=1e-9)
    with pytest.raises(RequestError, match="hold the corners of 2 to 4"):
        begin((replace(TOY, method="rst", method_options=(("classes", 6),)),))


@pytest.mark.slow
def test_means_stay_apart_where_the_conventional_vae_collapses() -> None:
    """βσ² is ten times λ_max; the teacher alone keeps the means, by its certificate G > 0."""
    settings = replace(TOY, method="rst", sigma2=3.0, epochs=40)
    state = advance(begin((settings,)), Budget(frames=False)).state
    mean = torch.from_numpy(np.asarray(encode_points(state, 0).mean)).double()
    smooth = 0.95 * teacher(prepared_data(settings).shell.points, 4, 0) + 0.05 / 4
    log_teacher = torch.from_numpy(np.log(smooth))
    average = log_teacher.exp().mean(dim=0, keepdim=True)
    information = (log_teacher.exp() * (log_teacher - average.log())).sum(dim=1).mean()
    answers = log_answers(mean[None], torch.from_numpy(corners(4))[None], 1.0)[0]
    gap = information - (log_teacher.exp() * (log_teacher - answers)).sum(dim=1).mean()
    assert 0.1 < gap <= information
