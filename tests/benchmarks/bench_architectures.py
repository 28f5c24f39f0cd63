"""Deep, convolutional, autoregressive and plain nets, conventional and spherical.

    PYTHONPATH=. python tests/benchmarks/bench_architectures.py > tests/benchmarks/architectures.md

At σ² = 1 the units make collapse stable (βσ² far above λ_max); at the other σ² an mlp stays alive.
"Taught" is the error under teacher forcing of an autoregressive decoder, which is no loss of g(z).
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from collections import Counter
from dataclasses import dataclass

import machine
import numpy as np
import torch

from svae_core.records import Budget, Certificate, Settings
from svae_core.training.evaluate import Model
from svae_core.training.loop import advance, begin, certify, models


@dataclass(frozen=True)
class Plan:
    """The settings of the runs on one data set."""

    settings: Settings
    nets: tuple[str, ...]
    sigma2: tuple[float, ...]
    seeds: int


PLANS = {
    "digits": Plan(
        Settings(epochs=80, device="cpu"),
        ("mlp", "resmlp", "conv", "autoregressive"),
        (1.0, 0.05),
        3,
    ),
    "mnist5k": Plan(
        Settings(dataset="mnist5k", epochs=12, device="cpu"),
        ("conv", "autoregressive"),
        (1.0, 0.02),
        1,
    ),
}


@torch.no_grad()
def taught(model: Model) -> float:
    """The error of an autoregressive decoder under teacher forcing; nan for other decoders."""
    if not model.networks.arch.autoregressive:
        return float("nan")
    points = torch.from_numpy(model.prepared.shell.points[:2_000]).unsqueeze(0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, points.shape[1], model.prepared.settings.latent_dim, generator=generator)
    mean, log_variance = model.networks.encode(points)
    fitted = model.networks.predict(mean + (0.5 * log_variance).exp() * noise, points)
    return float((fitted - points).square().sum(dim=2).mean())


def ended(plan: Plan, net: str) -> list[tuple[Settings, Certificate, float]]:
    """All runs of one architecture, trained as one batch, each with its certificate."""
    members = tuple(
        dataclasses.replace(plan.settings, arch=net, method=method, sigma2=sigma2, seed=seed)
        for method, sigma2, seed in itertools.product(
            ("baseline", "spherical"), plan.sigma2, range(plan.seeds)
        )
    )
    state = advance(begin(members), Budget(frames=False)).state
    errors = [taught(model) for model in models(state)]
    return list(zip(members, certify(state), errors, strict=True))


def rows(plan: Plan, net: str) -> list[str]:
    """A line for each method and σ²: mean ± deviation over seeds."""
    runs, lines = ended(plan, net), []
    for method, sigma2 in itertools.product(("baseline", "spherical"), plan.sigma2):
        some = [run for run in runs if (run[0].method, run[0].sigma2) == (method, sigma2)]
        ends = [certificate for _, certificate, _ in some]
        verdicts = ", ".join(f"{n} {v}" for v, n in Counter(e.verdict for e in ends).items())
        lines.append(
            f"| {net} | {method} | {sigma2:g} | {ends[0].gauge:.2f} | {verdicts} "
            f"| {summary([e.loss for e in ends])} | {ends[0].delta:.3f} "
            f"| {summary([e.kl for e in ends])} | {summary([e.floors.proved for e in ends])} "
            f"| {summary([error for *_, error in some])} |"
        )
    return lines


def summary(values: list[float]) -> str:
    """Mean and deviation as text; a dash without values."""
    if np.isnan(values).any():
        return "–"
    spread = f" ± {np.std(values):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=list(PLANS), choices=list(PLANS))
    chosen = parser.parse_args().datasets
    machine.check()
    started = time.perf_counter()
    print("# Architectures\n")
    for name in chosen:
        plan = PLANS[name]
        seeds = f"{plan.seeds} seed{'s' if plan.seeds > 1 else ''}"
        print(f"## {name}, {plan.settings.epochs} epochs, {seeds}\n")
        print(
            "| net | method | σ² | βσ²/λ_max | verdict | D | δ | KL | proved floor | taught |\n"
            "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |"
        )
        for net in plan.nets:
            print("\n".join(rows(plan, net)), flush=True)
        print()
    seconds = time.perf_counter() - started
    print(f"One thread, {seconds:.0f} s. {machine.about()}")


if __name__ == "__main__":
    main()
