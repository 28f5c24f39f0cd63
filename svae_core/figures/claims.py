"""The numbers of the data that the claims of the Theory page are dragged with.

The browser has the formulas (assets/stage/claims/formulas.js), so that a drag needs no server; a
test compares them with those of this package.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from svae_core.certificate.information_floors import floors_at
from svae_core.records import Problem, to_json


def claim_numbers(problem: Problem) -> dict[str, Any]:
    """What `claims/formulas.js` calls Numbers, of a problem and its floors."""
    points, curves, region = problem.shell.points, problem.floors, problem.region
    start = 0.5 * (region.within + curves.delta) if region.empty else region.hi
    numbers: dict[str, Any] = to_json(
        {
            "total": region.total,
            "mean_norm": np.linalg.norm(points.mean(axis=0, dtype=np.float64)),
            "mean_square": np.einsum("nd,nd->", points, points, dtype=np.float64) / len(points),
            "radii": (problem.shell.r_min, problem.shell.r_max),
            "deltas": region.deltas,
            "delta": curves.delta,
            "bound": curves.bound,
            "loss": min(start, 0.9 * curves.delta),
            "log_n": math.log(len(points)),
            "lambdas": curves.lambdas,
            "proved": curves.proved,
            "tight": curves.tight,
        }
    )
    return numbers


def describe_claims(numbers: dict[str, Any], problem: Problem) -> str:
    """The same without pictures: what the claims say at the loss that they begin with."""
    loss = float(numbers["loss"])
    floors = floors_at(problem.floors, loss)
    return (
        f"On these data no constant answer has a loss below δ = {problem.floors.delta:.3f}. At a "
        f"loss of D = {loss:.3f} the elementary floor is {floors.elementary:.3f} nats, the proved "
        f"one, with the best λ, {floors.proved:.3f}."
    )
