"""Show 4 of the clinic: the forecast of nonlinear runs, tested by moving βσ² there.

    PYTHONPATH=. python tests/benchmarks/bench_forecast.py > tests/benchmarks/forecast.md

Each run is stopped half-way, where its forecast is made by copies that are trained a little further
(svae_core.clinic.moved_copies). Where it claims the next birth to be resolved, the run goes on to
its end twice, with βσ² a tenth below and a tenth above that birth; likewise for a death. A birth is
right if a further dimension lives a tenth below and none a tenth above; a death is right if one
fewer lives a tenth above and all still live a tenth below. Edges that it does not claim are tested
alike. PLAN are the 20 runs on which rules were tried; FRESH are others, of other seeds and other
βσ², trained once, after the rule was fixed. With `--keep FILE` a stopped benchmark goes on from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine

from svae_core.certificate.residual_spectrum import ALIVE
from svae_core.clinic.moved_copies import copies, lives, try_nearby
from svae_core.records import Budget, Settings, State, to_json
from svae_core.training import loop

SIDES = (0.9, 1.1)
#: How the rule of claims came about.
HOW = (
    "The rule: copies 4 % of βσ² apart, every second one with another seed of minibatches and "
    "noise. An edge is claimed where, after half of the steps and after all, the copies beyond it "
    "agree without exception, the two edges are at most one place (4 %) apart, and the run itself "
    "keeps its number. Why one place: near an edge a dimension grows or shrinks at a rate in "
    "proportion to the distance from it, so an edge seen after n steps is off by about a/n, and "
    "what is still to come after all steps is what came between half of them and all. The rule "
    "before (8 % apart, one seed, half and all at most one place apart) claimed in 16 of 20 runs; "
    "22 of 24 claims came so, but not the death of breast_cancer, 16 and the birth of mnist5k, 8, "
    ".042. The new one was fixed after a look at digits, 8 and clusters, 8 of the plan, before the "
    "plan's other runs and all of the second table."
)
#: Epochs of each data set: the run is stopped at half of them.
EPOCHS = {"digits": 800, "clusters": 800, "breast_cancer": 2400, "mnist5k": 400}
#: βσ² of the runs with k = 8 latent dimensions, β = 1; of one with k = 16 and β = 4.
PLAN = {
    "digits": ((0.12, 0.08, 0.055, 0.04), 0.065),
    "clusters": ((0.2, 0.16, 0.13, 0.09), 0.11),
    "breast_cancer": ((0.2, 0.1, 0.065, 0.045), 0.035),
    "mnist5k": ((0.07, 0.05, 0.042, 0.033), 0.06),
}


#: Other runs: (data set, βσ², k, seed, β).
FRESH = (
    *(("digits", 0.1, 8, 1, 1.0), ("digits", 0.065, 8, 2, 1.0)),
    *(("digits", 0.07, 16, 3, 1.0), ("digits", 0.15, 4, 4, 2.0)),
    *(("clusters", 0.18, 8, 1, 1.0), ("clusters", 0.14, 8, 2, 1.0), ("clusters", 0.22, 16, 3, 1.0)),
    *(("breast_cancer", 0.15, 8, 1, 1.0), ("breast_cancer", 0.08, 8, 2, 1.0)),
    ("breast_cancer", 0.055, 8, 3, 1.0),
)


@dataclass(frozen=True)
class Tested:
    """One run: what was told, and how many dimensions live where βσ² was moved."""

    dataset: str
    latent_dim: int
    beta_sigma2: float
    seed: int
    told: dict[str, Any]  # a `Tried`
    births: tuple[int, ...]  # dimensions alive a tenth below and above the birth; () without one
    deaths: tuple[int, ...]

    @property
    def name(self) -> tuple[str, int, float, int]:
        """What tells it from others."""
        return self.dataset, self.latent_dim, round(self.beta_sigma2, 9), self.seed

    @property
    def birth_right(self) -> bool:
        """Another lives a tenth below, none a tenth above (if that is below the present βσ²)."""
        below, above = self.births
        tested = SIDES[1] * self.told["birth_below"] < self.beta_sigma2
        return below > self.told["alive"] and (above <= self.told["alive"] or not tested)

    @property
    def death_right(self) -> bool:
        """One fewer lives a tenth above, all a tenth below (if that is above the present βσ²)."""
        below, above = self.deaths
        tested = SIDES[0] * self.told["death_above"] > self.beta_sigma2
        return above < self.told["alive"] and (below >= self.told["alive"] or not tested)


def run_of(dataset: str, beta_sigma2: float, k: int, seed: int, beta: float) -> Settings:
    """The settings of a run."""
    return Settings(
        **{"dataset": dataset, "method": "baseline", "epochs": EPOCHS[dataset], "device": "cpu"},
        **{"latent_dim": k, "beta": beta, "sigma2": beta_sigma2 / beta, "seed": seed},
    )


def plan() -> list[Settings]:
    """The runs of the plan."""
    found = []
    for dataset, (values, last) in PLAN.items():
        found += [run_of(dataset, value, 8, 0, 1.0) for value in values]
        found.append(run_of(dataset, last, 16, 0, 4.0))
    return found


def moved(state: State, values: list[float]) -> list[int]:
    """Dimensions alive when the run goes on to its end with each of these βσ²."""
    (settings,) = state.settings
    many = copies(state, [value / settings.beta for value in values])
    ended = loop.advance(many, Budget(frames=False)).state
    return [lives(ended, index) for index in range(len(values))]


def tested(settings: Settings) -> Tested:
    """The forecast of a run that is half trained, and what comes of it."""
    state = loop.begin((settings,))
    half = Budget(steps=loop.step_count(state) // 2, frames=False)
    state = loop.advance(state, half).state
    told = try_nearby(state)
    births = [side * told.birth_below for side in SIDES if not math.isnan(told.birth_below)]
    deaths = [side * told.death_above for side in SIDES if not math.isnan(told.death_above)]
    ends = moved(state, births + deaths) if births + deaths else []
    return Tested(
        settings.dataset,
        settings.latent_dim,
        settings.beta * settings.sigma2,
        settings.seed,
        to_json(told),
        tuple(ends[: len(births)]),
        tuple(ends[len(births) :]),
    )


def measured(runs: list[Settings], keep: Path | None) -> list[Tested]:
    """All runs; those that the file has are not trained again."""
    known: dict[tuple[str, int, float, int], Tested] = {}
    if keep and keep.exists():
        rows = (Tested(**json.loads(line)) for line in keep.read_text().splitlines())
        known = {row.name: row for row in rows}
    found = []
    for one in runs:
        name = (one.dataset, one.latent_dim, round(one.beta * one.sigma2, 9), one.seed)
        if name not in known:
            known[name] = tested(one)
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps(dataclasses.asdict(known[name])) + "\n")
        print(known[name], file=sys.stderr, flush=True)
        found.append(known[name])
    return found


def cell(run: Tested, name: str, edge: str) -> str:
    """An edge, how many live a tenth below and above it, and the verdict."""
    told = run.told[edge]
    if told is None:
        return "none near"
    below, above = getattr(run, f"{name}s")
    right = "right" if getattr(run, f"{name}_right") else "wrong"
    if not run.told[f"{name}_resolved"]:
        return f"{told:.3g}, not claimed; {below}, {above}: {right}"
    right = right if right == "right" else "**wrong**"
    return f"**{told:.3g}**; {below}, {above}: {right}"


def table(title: str, runs: list[Tested]) -> None:
    """The runs as Markdown, and how many claims came so."""
    print(f"## {title}\n")
    print("| data, k, seed | βσ² | alive | next birth below | next death above |")
    print("| --- | ---: | ---: | --- | --- |")
    for run in runs:
        cells = (
            f"{run.dataset}, {run.latent_dim}, {run.seed}",
            f"{run.beta_sigma2:.3g}",
            str(run.told["alive"]),
            cell(run, "birth", "birth_below"),
            cell(run, "death", "death_above"),
        )
        print("| " + " | ".join(cells) + " |")
    births = [(run.told["birth_resolved"], run.birth_right) for run in runs if run.births]
    deaths = [(run.told["death_resolved"], run.death_right) for run in runs if run.deaths]
    claimed = [[right for claim, right in edges if claim] for edges in (births, deaths)]
    claims = sum(run.told["birth_resolved"] or run.told["death_resolved"] for run in runs)
    others = [right for claim, right in births + deaths if not claim]
    print(
        f"\n**{claims} of {len(runs)} runs claim a next birth or death; right within a tenth are "
        f"{sum(claimed[0])} of {len(claimed[0])} births and {sum(claimed[1])} of "
        f"{len(claimed[1])} deaths.** Of the {len(others)} edges that were seen and not claimed "
        f"{sum(others)} are.\n"
    )


def main() -> None:
    """Both tables as Markdown."""
    machine.check()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", type=Path)
    keep = options.parse_args().keep
    runs = measured(plan(), keep)
    fresh = measured([run_of(*one) for one in FRESH], keep)
    print("# The forecast against what comes of it\n")
    print("    PYTHONPATH=. python tests/benchmarks/bench_forecast.py\n")
    print(
        "Conventional VAEs with the usual mlp nets. Bold: an edge that the forecast claims; after "
        f"it, how many dimensions live (mean KL above {ALIVE:g} nats) at the end of the run where "
        "βσ² was moved a tenth below it and a tenth above it.\n"
    )
    print(f"{machine.about()}\n\n{HOW}\n")
    table("The plan", runs)
    table("Other seeds and other βσ²", fresh)


if __name__ == "__main__":
    main()
