"""Where a run's next dimension is born or dies, found by moving βσ² in copies of it.

    try_nearby(state) -> Tried

The residual spectrum (svae_core.certificate.residual_spectrum) holds at the present state, and in
nonlinear nets that state moves with βσ². So copies of the run go on for some steps, each with βσ² a
little further away, as a person would move the slider. Every second copy sees other minibatches and
noise than its neighbours.

What is claimed must not depend on these, nor on how long copies are trained. Near an edge all is
slow: where a dimension grows or shrinks at a rate in proportion to how far βσ² is beyond the edge,
the edge seen after n steps is off by an amount in proportion to 1/n. So what is still to come after
all steps is what came between half of them and all, and that must be one place, 4 %, at most.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.residual_spectrum import ALIVE
from svae_core.config.settings import change, settings_at
from svae_core.records import Budget, Settings, State
from svae_core.training import loop

#: Neighbouring copies differ by this factor, so that the middle of two is within 2 % of each.
FACTOR = 1.08**0.5
_COPIES = 16  # on each side: up to a factor of 1.85
_STEPS = 3000  # of training of every copy, at most


@dataclass(frozen=True)
class Tried:
    """What copies of a run did: the next birth and death, nan where none came within reach."""

    beta_sigma2: float
    alive: int
    latent_dim: int
    steps: int  # that the copies were trained
    birth_below: float
    birth_resolved: bool
    death_above: float
    death_resolved: bool
    sentence: str


def try_nearby(state: State, steps: int | None = None) -> Tried:
    """Train copies of a one-member state for `steps` with other βσ², and see who lives.

    Without `steps` as many as half of the run has, which a branch from half-way will have, at most
    3,000.

    An edge is resolved if half as many steps put it at the same place, or at the next, and both
    times no copy beyond it disagrees. Nothing is, if the run itself loses or gains a dimension
    meanwhile.
    """
    (settings,) = state.settings
    steps = steps or min(_STEPS, max(2, loop.step_count(state) // 2))
    powers = np.arange(-_COPIES, _COPIES + 1)
    counts = _counts(state, powers, steps)
    after = counts[1, _COPIES]  # of the copy whose βσ² stays
    settled = bool((counts[:, _COPIES] == lives(state, 0)).all())
    # Outwards from the present βσ², as changes of the number alive: births down, deaths up.
    births = counts[:, _COPIES::-1] - after
    deaths = after - counts[:, _COPIES:]
    now = settings_at(settings, state.step)  # the slider may have been moved since the start
    c = now.beta * now.sigma2
    birth, birth_resolved = _edge(births)
    death, death_resolved = _edge(deaths)
    found = Tried(
        beta_sigma2=c,
        alive=int(after),
        latent_dim=settings.latent_dim,
        steps=steps,
        birth_below=c / birth,
        birth_resolved=birth_resolved and settled,
        death_above=c * death,
        death_resolved=death_resolved and settled,
        sentence="",
    )
    moving = "" if settled else " The run itself gains or loses dimensions: train it on first."
    return dataclasses.replace(found, sentence=_sentence(found) + moving)


def _counts(state: State, powers: np.ndarray, steps: int) -> np.ndarray:
    """Dimensions alive [2, copies] after half of the steps and after all, at βσ²·FACTOR^power."""
    (settings,) = state.settings
    per_epoch = loop.step_count(state) / settings.epochs
    # Long enough that the learning rate is the first one throughout: it falls in the second half.
    longer = dataclasses.replace(settings, epochs=math.ceil(2 * (state.step + steps) / per_epoch))
    sigma2 = settings_at(settings, state.step).sigma2
    many = copies(
        dataclasses.replace(state, settings=(longer,)),
        [sigma2 * FACTOR ** float(power) for power in powers],
        [settings.seed + power % 2 for power in powers.tolist()],
    )
    found = []
    for part in (steps // 2, steps - steps // 2):
        many = loop.advance(many, Budget(steps=part, frames=False)).state
        found.append([lives(many, index) for index in range(len(powers))])
    return np.array(found)


def copies(state: State, variances: list[float], seeds: list[int] | None = None) -> State:
    """A one-member state as several, of which each goes on with one of these σ², and seeds."""
    (settings,) = state.settings
    seeds = seeds or [settings.seed] * len(variances)

    def rows(array: np.ndarray) -> np.ndarray:
        return np.repeat(array, len(variances), axis=0)

    return dataclasses.replace(
        state,
        settings=tuple(
            _moved(dataclasses.replace(settings, seed=seed), state.step, value)
            for seed, value in zip(seeds, variances, strict=True)
        ),
        parameters=rows(state.parameters),
        first_moment=rows(state.first_moment),
        second_moment=rows(state.second_moment),
        memory={name: rows(value) for name, value in state.memory.items()},
    )


def _moved(settings: Settings, step: int, sigma2: float) -> Settings:
    return change(settings, step, "sigma2", sigma2)


def lives(state: State, index: int) -> int:
    """The number of dimensions of a member whose mean KL on all points exceeds ALIVE."""
    return int((loop.encode_points(state, index).kl.mean(axis=0) > ALIVE).sum())


def _edge(changed: np.ndarray) -> tuple[float, bool]:
    """The factor at which [2, copies] outwards first exceeds 0, nan for none; if it is resolved."""
    first = [int(np.argmax(row > 0)) if (row > 0).any() else -1 for row in changed]
    half, whole = first
    if whole < 1:
        return math.nan, False
    steady = bool((changed[0, half:] > 0).all() and (changed[1, whole:] > 0).all())
    return FACTOR ** (whole - 0.5), steady and half > 0 and abs(half - whole) <= 1


def _sentence(found: Tried) -> str:
    reach, c = FACTOR**_COPIES, found.beta_sigma2
    said = [f"{found.alive} of {found.latent_dim} dimensions alive at βσ² = {c:.2g}"]
    edges = []
    if found.alive < found.latent_dim:
        births = "another comes alive", "below", c / reach
        edges.append((found.birth_resolved, found.birth_below, *births))
    if found.alive:
        edges.append((found.death_resolved, found.death_above, "the next dies", "above", c * reach))
    for resolved, edge, what, where, last in edges:
        if resolved:
            said.append(f"{what} {where} βσ² = {edge:.2g}")
        elif math.isnan(edge):
            said.append(f"none {where} it, as far as {last:.2g}, where {what}")
        else:
            said.append(f"where {what} is not resolved (about {edge:.2g})")
    further = ""
    if math.isnan(found.birth_below) and found.alive < found.latent_dim:
        further = f" To look further down, move βσ² to {c / reach:.2g} and try again."
    return f"Tried with {found.steps:,} steps each: {'; '.join(said)}.{further}"
