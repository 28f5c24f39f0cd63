"""The claims that can be dragged: the browser's formulas say what those of the package say."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svae_core.certificate.information_floors import elementary_floor, floors_along
from svae_core.figures.claims import claim_numbers, describe_claims
from svae_core.geometry.region import collapse_losses, constant_loss
from svae_core.problem import prepare
from svae_core.records import Settings

ROOT = Path(__file__).parents[1]
#: Reads questions as JSON, and answers with the formulas of the browser.
ASK = """
import * as formulas from "./assets/stage/claims/formulas.js";
let text = "";
for await (const piece of process.stdin) text += piece;
const answers = JSON.parse(text).map(([name, ...given]) => formulas[name](...given));
console.log(JSON.stringify(answers));
"""


def in_browser_code(questions: list[list[object]]) -> list[float]:
    node = shutil.which("node")
    assert node, "There is no node here, and make test needs it."
    asked = subprocess.run(
        [node, "--input-type=module", "-e", ASK],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    answers: list[float] = json.loads(asked.stdout)
    return answers


@pytest.mark.parametrize("dataset", ["wine", "digits"])
def test_the_browser_has_the_formulas_of_the_package(dataset: str) -> None:
    problem = prepare(Settings(dataset=dataset, n_points=150, method="spherical"))
    numbers = claim_numbers(problem)
    curves, points = problem.floors, problem.shell.points.astype(np.float64)
    delta, bound = curves.delta, curves.bound
    losses = np.linspace(0.05, 1.2, 9) * delta
    along = floors_along(curves, losses)
    questions: list[list[object]] = []
    expected: list[float] = []
    for loss, proved, tight in zip(losses, along["proved"], along["tight"], strict=True):
        questions += [["elementaryFloor", loss, d, bound] for d in (delta, 0.6 * delta)]
        expected += [float(elementary_floor(loss, d, bound)) for d in (delta, 0.6 * delta)]
        questions += [["bestFloor", numbers, kind, loss] for kind in ("proved", "tight")]
        expected += [proved, tight]
    mean = points.mean(axis=0)
    across = np.linalg.svd(mean[None])[2][-1]  # orthogonal to the mean
    for radius, angle in ((0.0, 0.3), (0.9, 0.0), (1.1, 2.0)):
        toward = np.cos(angle) * mean / np.linalg.norm(mean) + np.sin(angle) * across
        gap = float(np.linalg.norm(radius * toward - mean))
        norm = numbers["mean_norm"]
        questions.append(["constantLoss", numbers["total"], norm, radius, angle])
        expected.append(constant_loss(numbers["total"], gap))
        measured = ((points - radius * toward) ** 2).sum(axis=1).mean()
        assert measured == pytest.approx(expected[-1], rel=1e-5)
    for epsilon in (0.0, 0.1, 1.5):
        import torch

        from svae_core.distributions.gaussian import Gaussian

        means = torch.from_numpy(epsilon * points).unsqueeze(0)
        kl = Gaussian(means, torch.zeros_like(means)).kl().sum(dim=-1).mean()
        questions.append(["shiftedKl", epsilon, numbers["mean_square"]])
        expected.append(float(kl))
    np.testing.assert_allclose(in_browser_code(questions), expected, rtol=1e-5, atol=1e-9)
    assert f"δ = {delta:.3f}" in describe_claims(numbers, problem)
    assert 0 < numbers["loss"] < delta


@given(st.floats(0, 3), st.floats(0, 2), st.floats(0.1, 1.0), st.floats(1.0, 1.5), st.floats(0, 3))
def test_no_constant_on_the_shell_is_better_than_its_collapse_loss(
    total: float, norm: float, inner: float, outer: float, gap: float
) -> None:
    deltas = collapse_losses(total / 2, total, norm, inner, outer)
    assert constant_loss(total, gap) >= deltas["free"]
    for radius in (inner, outer, (inner + outer) / 2):
        assert constant_loss(total, abs(radius - norm)) >= deltas["shell"] - 1e-12
