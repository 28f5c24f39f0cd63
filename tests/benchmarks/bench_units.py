"""Show 1 of the clinic: a plain PyTorch loop ends collapsed or alive as the unit gauge says.

    PYTHONPATH=.:tests python tests/benchmarks/bench_units.py > tests/benchmarks/units.md

Every code base's default loss, and 30 random combinations of reductions, factors and weights whose
gauge is outside 1 ± .25: half drawn with no look at the gauge, half with a KL weight that puts it
within a factor of four of 1. Each is 5,000 steps of Adam on exactly that loss, written with
torch's own reductions (tests/support/loss_functions.py), on small batches.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import machine
import numpy as np
import torch
from support.loss_functions import as_function

from svae_core.clinic.code_bases import CODE_BASES
from svae_core.clinic.training_loss import TrainingLoss, scaled
from svae_core.clinic.unit_gauge import NEAR, diagnose_loss
from svae_core.datasets import load_dataset
from svae_core.records import Settings

STEPS, BATCH, RATE = 5000, 64, 2e-3
#: Nats per point, summed over dimensions, above which a model is alive at the end. At a gauge of
#: .75 a linear VAE's best state has ½ ln(1/.75) = .14.
ALIVE = 0.02
DATA = ("digits", "wine", "breast_cancer")
COMBINATIONS = 30


@dataclass(frozen=True)
class Case:
    """One training: a loss, data, nets."""

    name: str
    loss: TrainingLoss
    dataset: str
    nets: str  # linear | tanh
    latent_dim: int
    seed: int = 0


def presets() -> list[Case]:
    """Every code base with a loss, on digits by tanh nets, with 16 latent dimensions."""
    known = [base for base in CODE_BASES if base.loss is not None]
    return [Case(base.title, base.loss, "digits", "tanh", 16) for base in known if base.loss]


def combinations(points: dict[str, np.ndarray]) -> list[Case]:
    """The random losses: those near 1 are drawn too, and come first in no count."""
    rng = np.random.default_rng(23)
    cases: list[Case] = []
    judged = 0
    while judged < COMBINATIONS:
        kind = rng.choice(("squared_error", "binary_cross_entropy", "log_cosh"))
        reduced = [str(way) for way in rng.choice(("sum", "mean"), 4)]
        loss = TrainingLoss(
            str(kind),
            *reduced[:2],
            float(rng.choice((0.5, 1.0, 10.0, 255.0))),
            float(rng.choice((1.0, 10.0))),
            *reduced[2:],
            float(rng.choice((0.00025, 0.01, 0.1, 0.5, 1.0, 4.0, 10.0))),
            float(rng.choice((1.0, 1.0, 1.0, 0.1))),
            str(rng.choice(("unit interval", "standardised"))),
        )
        if loss.reconstruction == "binary_cross_entropy":
            loss = replace(loss, scaling="unit interval")
        case = Case("", loss, str(rng.choice(DATA)), str(rng.choice(("linear", "tanh"))), 0)
        case = replace(case, latent_dim=int(rng.choice((2, 4, 8))), seed=len(cases))
        aimed = float(np.exp(rng.uniform(-math.log(4), math.log(4))))
        if len(cases) % 2:
            weight = loss.kl_weight * aimed / gauge_of_case(case, points)
            case = replace(case, loss=replace(loss, kl_weight=weight))
        name = "aimed" if len(cases) % 2 else "free"
        cases.append(replace(case, name=name))
        judged += not near(gauge_of_case(case, points))
    return cases


def gauge_of_case(case: Case, points: dict[str, np.ndarray]) -> float:
    """The gauge that training is to obey."""
    return diagnose_loss(case.loss, points[case.dataset], case.latent_dim, BATCH).gauge


def near(gauge: float) -> bool:
    """Whether the gauge alone does not decide."""
    return abs(gauge - 1) <= NEAR


@dataclass(frozen=True)
class Ended:
    """What the last nets do on all points."""

    kl: float  # nats, summed over dimensions
    #: KL where the noise is that of the posterior. Else ½ Σ ln(1 + Var m/(η² E s²)), of a Gaussian
    #: channel with the noise that is used: with η = .01 means of ± .1 cost .005 nats and tell 2.
    nats: float
    seconds: float  # that the loop took


def trained(case: Case, points: np.ndarray) -> Ended:
    """A plain loop with exactly this loss."""
    began = time.perf_counter()
    torch.manual_seed(case.seed)
    x = torch.from_numpy(scaled(points, case.loss.scaling)).float()
    d, k = x.shape[1], case.latent_dim
    encoder, decoder = _net(d, 2 * k, case.nets), _net(k, d, case.nets)
    loss = as_function(case.loss)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], RATE)
    for _ in range(STEPS):
        batch = x[torch.randint(len(x), (BATCH,))]
        mean, log_variance = encoder(batch).chunk(2, 1)
        noise = case.loss.noise_scale * torch.exp(log_variance / 2) * torch.randn_like(mean)
        value = loss(batch, decoder(mean + noise), mean, log_variance)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    with torch.no_grad():
        mean, log_variance = encoder(x).chunk(2, 1)
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        noise_variance = case.loss.noise_scale**2 * log_variance.exp().mean(0)
        channel = 0.5 * torch.log1p(mean.var(0) / noise_variance).sum()
    nats = kl if case.loss.noise_scale == 1 else channel
    return Ended(float(kl), float(nats), time.perf_counter() - began)


def _net(inputs: int, outputs: int, kind: str) -> Any:
    if kind == "linear":
        return torch.nn.Linear(inputs, outputs)
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, 32), torch.nn.Tanh(), torch.nn.Linear(32, outputs)
    )


def row(case: Case, gauge: float, ended: Ended) -> tuple[str, bool]:
    """A line of the table, and whether training ended as the gauge says."""
    says, ends = ("alive" if alive else "collapsed" for alive in (gauge < 1, ended.nats > ALIVE))
    verdict = "near 1" if near(gauge) else "as said" if says == ends else "**not as said**"
    loss = case.loss
    reductions = "/".join(
        (loss.over_coordinates, loss.over_batch, loss.kl_over_dimensions, loss.kl_over_batch)
    )
    cells = (
        case.name,
        loss.reconstruction.replace("_", " "),
        reductions,
        f"{loss.factor:g}, {loss.kl_weight:.3g}, {loss.noise_scale:g}",
        f"{case.dataset}, {case.nets}, {case.latent_dim}",
        f"{gauge:.3g}",
        says,
        f"{ended.kl:.3f}",
        f"{ended.nats:.3f}",
        ends,
        verdict,
    )
    return "| " + " | ".join(cells) + " |", says == ends


def table(title: str, cases: list[Case], points: dict[str, np.ndarray]) -> None:
    """Train each case and print its line as it is found."""
    print(f"\n## {title}\n")
    names = (
        "loss|reconstruction|reductions|factor, KL weight, noise|data, nets, k|gauge|says|KL|nats"
    )
    print("| " + " | ".join((*names.split("|"), "ends", "")) + " |")
    print("|" + " --- |" * 11, flush=True)
    right = judged = 0
    seconds = 0.0
    for case in cases:
        gauge = gauge_of_case(case, points)
        ended = trained(case, points[case.dataset])
        line, agrees = row(case, gauge, ended)
        print(line, flush=True)
        seconds += ended.seconds
        if not near(gauge):
            judged, right = judged + 1, right + agrees
    print(
        f"\n**{right} of {judged} outside 1 ± {NEAR:g} end as the gauge says** ({seconds:.0f} s)."
    )


def main() -> None:
    """Both tables as Markdown."""
    machine.check()
    points = {name: load_dataset(Settings(dataset=name)).points for name in DATA}
    print("# A plain loop against the unit gauge\n")
    print("    PYTHONPATH=.:tests python tests/benchmarks/bench_units.py\n")
    print(
        f"{STEPS:,} steps of Adam at {RATE:g} on batches of {BATCH}, float32, one thread; tanh "
        "nets have one hidden layer of 32. Nats: the KL, and where the noise is scaled what a "
        f"Gaussian channel with that noise tells; above {ALIVE:g} a model is alive. "
        "Reductions: reconstruction over coordinates/over the batch/KL over dimensions/over the "
        "batch. Free: drawn with no look at the gauge; aimed: a KL weight that puts the gauge "
        f"within a factor of four of 1.\n\n{machine.about()}"
    )
    table("Code bases", presets(), points)
    table("Random combinations", combinations(points), points)


if __name__ == "__main__":
    sys.exit(main())
