"""The floors that belong to one model: taken from the very draws that its loss is measured on.

own = OwnFloors(points, curves)
… own.follow(reconstruct) in place of reconstruct …
floors = own.added(floors_at(curves, loss), shared_noise)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from svae_core.certificate.population_floor import PopulationFloor, population_floor
from svae_core.certificate.specific_floor import SpecificMeter
from svae_core.records import FloorCurves, Floors

_DRAWS, _LOSSES = 16, 65_536  # of the first stage of a certificate: later draws are not looked at


class OwnFloors:
    """Follows the draws of a model and adds its model-specific and population floors."""

    def __init__(
        self,
        points: np.ndarray,
        curves: FloorCurves,
        seed: int = 0,
        population_lambdas: np.ndarray | None = None,
    ) -> None:
        """points [n, d] and their curves; `population_lambdas`: fixed before they were seen."""
        self._points, self._curves, self._lambdas = points, curves, population_lambdas
        self._meter = SpecificMeter(points, curves.lambdas, seed)
        self._losses, self._draws = np.zeros(len(points)), 0
        self._spoiled = False

    def follow(self, draw: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, looked at: whatever it is called with, it returns answers [n, d]."""

        def followed(*given: Any) -> Any:
            answers = draw(*given)
            self._add(np.asarray(answers))
            return answers

        return followed

    def added(self, floors: Floors, shared_noise: bool) -> Floors:
        """The floors with those of this model; unchanged where its answers could not be used.

        `shared_noise`: rows of a draw share noise. That of the population takes them one by one.
        """
        if self._spoiled or not self._draws:
            return floors
        try:
            own = self._meter.floor(shared_noise=shared_noise)
        except ValueError:  # too few draws of too few points to choose by
            return floors
        found = dataclasses.replace(floors, specific=own.nats, specific_answers=own.answers)
        if self._lambdas is None or shared_noise:
            return found
        told = self._population(self._lambdas)
        return dataclasses.replace(found, population=told.nats, population_needs=told.more_points)

    def _add(self, answers: np.ndarray) -> None:
        n = len(self._points)
        if answers.shape != self._points.shape or not np.isfinite(answers).all():
            self._spoiled = True  # what is wrong with them is said where they are measured
        elif not self._spoiled and self._draws < max(_DRAWS, -(-_LOSSES // n)):
            self._draws += 1
            self._meter.add(answers)
            gaps = answers - self._points
            # Projected answers are nearer, and no point of the domain is farther than its bound.
            self._losses += np.minimum((gaps * gaps).sum(axis=1, dtype=np.float64), self._bound)

    @property
    def _bound(self) -> float:
        return (2 * self._curves.radii[1]) ** 2

    def _population(self, lambdas: np.ndarray) -> PopulationFloor:
        return population_floor(self._losses / self._draws, self._bound, self._curves, lambdas)
