"""W, B, T, the collapse losses, the band and its guarantee."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from svae_core.commands import add_settings, print_answer, settings_of
from svae_core.records import Problem, Settings


def add_options(command: argparse.ArgumentParser) -> None:
    """All settings."""
    add_settings(command)


def run(request: argparse.Namespace) -> None:
    """Print all numbers that are fixed before training."""
    from svae_core.problem import prepare

    settings = settings_of(request)
    print_answer(request, _numbers(_sharpened(prepare(settings)), settings))


def _numbers(problem: Problem, settings: Settings) -> dict[str, Any]:
    """Data, clusters, collapse losses, band and floors of a problem, and what is to be said."""
    from svae_core.certificate.information_floors import floors_at, how_sought
    from svae_core.certificate.kernel_floors import how_proved
    from svae_core.geometry.dominant_rows_columns import describe_dominance
    from svae_core.geometry.kmeans import how_started, too_many
    from svae_core.geometry.region import penalty_weight
    from svae_core.methods.spherical import describe_aim

    region = problem.region
    floors = problem.floors
    said = how_started(problem.clusters), how_sought(floors), how_proved(floors)
    dominant = describe_dominance(
        problem.shell.dominance, problem.dataset.feature_names, *problem.shell.points.shape
    )
    return {
        "dataset": problem.dataset.name,
        "n": len(problem.shell.points),
        "ambient_dim": problem.shell.points.shape[1],
        "clusters": problem.clusters.k,
        "W": region.within,
        "B": region.between,
        "T": region.total,
        "delta": region.deltas,
        "collapse_loss": region.collapse_loss,
        "lo": region.lo,
        "hi": region.hi,
        "empty": region.empty,
        "explanation": region.explanation,
        "lambda_max": problem.lambda_max,
        "prefix_edge": problem.prefix_edge,
        "latents_needed": int((problem.eigenvalues > settings.beta * settings.sigma2).sum()),
        "floors": None if region.empty else floors_at(floors, region.hi),
        "water_level": None if region.empty else problem.water_level,
        "penalty_weight": (
            None if region.empty else penalty_weight(settings.beta, problem.water_level)
        ),
        "aim": describe_aim(problem, settings),
        "warnings": [*filter(None, (dominant, too_many(problem.clusters)))],
        "notes": [*problem.dataset.notes, *filter(None, said)],
    }


def _sharpened(problem: Problem) -> Problem:
    """The problem with the kernel bounds in its proved floor; progress on standard error."""
    from tqdm import tqdm

    from svae_core.problem import sharpened

    with tqdm(unit="kernel", file=sys.stderr, disable=None, leave=False) as bar:

        def follow(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return sharpened(problem, follow)
