"""Sequences: collapse inside the honest window, a known entropy, what the shell does, speed.

    PYTHONPATH=. python tests/benchmarks/bench_sequences.py [PART …] [--keep FILE] \\
        > tests/benchmarks/sequences.md

Inside the window Λ* ≤ βσ² < λ_max a plain decoder lives and an autoregressive one needs no z, so
what collapses there does not collapse by its units. Rows in FILE are not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
import numpy as np
from kept_rows import rows
from sequence_speed import speed

from svae_core.geometry.kmeans import cluster
from svae_core.geometry.shell import shell_map
from svae_core.problem import off_shell, prepared_data
from svae_core.records import Budget, Certificate, Settings
from svae_core.training.loop import advance, begin, certify

SEEDS = 5


@dataclass(frozen=True)
class Row:
    """One line of the window's table: what differs from the strong decoder's run."""

    name: str
    differs: dict[str, object]


#: βσ² lies between Λ* and λ_max; the tables say both.
_WINDOW = Settings(
    clusters=5,
    hidden=32,
    latent_dim=8,
    learning_rate=1e-2,
    arch="gru",
    method="baseline",
    device="cpu",
)
WINDOWS = {
    "names": dataclasses.replace(_WINDOW, dataset="names", n_points=600, sigma2=0.04, epochs=120),
    "sentences": dataclasses.replace(
        _WINDOW, dataset="sentences", n_points=300, batch_size=100, sigma2=0.03, epochs=80
    ),
}
_ROWS = (
    Row("linear, the control", {"arch": "linear"}),
    Row("mlp, the control", {"arch": "mlp"}),
    Row("mlp, five times as long", {"arch": "mlp", "epochs": 5}),
    Row("gru", {}),
    Row("gru, spherical", {"method": "spherical"}),
    Row("gru, KL annealing", {"method": "kl_annealing"}),
    *(Row(f"gru, word dropout {p:g}", {"word_dropout": p}) for p in (0.5, 0.75, 0.9)),
    Row("gru, annealing, dropout .75", {"method": "kl_annealing", "word_dropout": 0.75}),
    Row("gru, annealing, dropout .9", {"method": "kl_annealing", "word_dropout": 0.9}),
)
#: Sentences cost four times as much, and their mlp lives at once.
ROWS = {"names": _ROWS, "sentences": (*_ROWS[:2], *_ROWS[3:5])}


def window(name: str, keep: Path | None, minutes: float) -> None:
    """The strong decoder inside the window, its control, and what is said to help."""
    base = WINDOWS[name]
    prepared = prepared_data(base)
    region = prepared.region
    print(
        f"\n## {name}: βσ² = {base.sigma2} inside Λ* = {prepared.prefix_edge:.4f} … λ_max = "
        f"{prepared.lambda_max:.4f}\n\n{len(prepared.shell.points)} points, {base.epochs} epochs, "
        f"{SEEDS} seeds; W = {region.within:.3f}. D of the decoder running free, margin: the "
        "largest; collapsed: KL < .05 nats.\n\n"
        "| run | collapsed | certified | KL, nats | I(x; z) | D | margin | δ | Brier "
        "| wrong symbols |\n| --- |" + " ---: |" * 9
    )
    for row in ROWS[name]:
        of_row = dataclasses.replace(base, **row.differs)  # type: ignore[arg-type]
        if "epochs" in row.differs:
            of_row = dataclasses.replace(of_row, epochs=base.epochs * of_row.epochs)
        members = [dataclasses.replace(of_row, seed=seed) for seed in range(SEEDS)]
        ends = list(rows(members, keep, minutes).values())
        if not ends:
            print(f"| {row.name} | not run |" + " – |" * 8)
            continue
        collapsed = sum(end["kl"] < 0.05 for end in ends)
        certified = sum(end["verdict"] == "certified" for end in ends)
        cells = [row.name, f"{collapsed} of {len(ends)}", f"{certified} of {len(ends)}"]
        cells += [_spread([end[name] for end in ends]) for name in ("kl", "information", "loss")]
        cells += [f"{max(end['margin'] for end in ends):.4f}", f"{ends[0]['delta']:.3f}"]
        cells.append(_spread([end["brier"] for end in ends]))
        cells.append(f"{_spread([end['wrong'] for end in ends])} of {ends[0]['length']}")
        print("| " + " | ".join(cells) + " |", flush=True)


def trained(settings: Settings) -> Certificate:
    """The certificate of a run."""
    state = advance(begin((settings,)), Budget(frames=False)).state
    (found,) = certify(state, own_floors=False, sharp=False)
    return found


def entropy() -> None:
    """I(x;z) on the grammar at a small σ², against its entropy."""
    print(
        "\n## grammar: I(x; z) against the known entropy, log 20 = 2.9957 nats\n\n"
        "| net | seed | σ² | I(x; z) | of the entropy | D | wrong symbols |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    base = Settings(dataset="grammar", method="baseline", sigma2=1e-3, epochs=400, device="cpu")
    for arch, seeds in (("mlp", SEEDS), ("gru", 2)):
        shaped = dataclasses.replace(base, arch=arch, hidden=32, learning_rate=5e-3)
        for seed in range(seeds):
            end = trained(dataclasses.replace(shaped, seed=seed))
            share, errors = end.mutual_information / np.log(20), end.sequences
            assert errors is not None
            print(
                f"| {arch} | {seed} | {base.sigma2} | {end.mutual_information:.4f} | {share:.1%} "
                f"| {end.loss:.4f} | {errors.wrong:.2f} of {errors.length} |",
                flush=True,
            )


def on_the_shell() -> None:
    """What the shell map does to one-hot data: nothing is assumed."""
    print(
        "\n## What the shell does to one-hot data\n\n"
        "Round trip: largest error of the exact inverse, relative. Symbols: share of positions "
        "whose largest number is still the true symbol, by the exact inverse, by one factor for "
        "all radii, and by radii that are a tenth too small. B/T: between clusters, K = 10.\n\n"
        "| data | round trip | symbols: exact | one factor | radius −10 % | norms | T raw "
        "| B/T raw "
        "| B/T shell | λ_max/T raw | shell | δ shell |\n" + "| --- |" + " ---: |" * 11
    )
    for name in ("names", "sentences", "grammar"):
        prepared = prepared_data(Settings(dataset=name))
        raw, shell = prepared.dataset.points, prepared.shell
        width = len(prepared.dataset.symbols)

        def right(answers: np.ndarray, true: np.ndarray = raw, width: int = width) -> float:
            both = (each.reshape(len(true), -1, width).argmax(axis=2) for each in (answers, true))
            return float(np.equal(*both).mean())

        norms = np.linalg.norm(raw - shell.center, axis=1)
        fewer = shell.center + 0.9 * (raw - shell.center)
        found = cluster(raw, 10, 0)
        largest = np.linalg.eigvalsh(np.cov(raw.T.astype(np.float64), bias=True))[-1]
        print(
            f"| {name} | {shell.round_trip_error:.0e} "
            f"| {right(shell_map(shell).inverse_transform(shell.points)):.4f} "
            f"| {right(off_shell(prepared, shell.points)):.4f} | {right(fewer):.4f} "
            f"| {norms.min():.2f} … {norms.max():.2f} | {found.total:.3f} "
            f"| {found.separation:.3f} | {prepared.clusters.separation:.3f} "
            f"| {largest / found.total:.3f} | {prepared.lambda_max / prepared.clusters.total:.3f} "
            f"| {prepared.region.deltas['shell']:.3f} |",
            flush=True,
        )


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("names", "sentences", "grammar", "shell", "speed")
    parser.add_argument("parts", nargs="*", default=list(names), choices=names)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf, help="for new rows, each row")
    chosen = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "names": lambda: window("names", chosen.keep, chosen.minutes),
        "sentences": lambda: window("sentences", chosen.keep, chosen.minutes),
        "grammar": entropy,
        "shell": on_the_shell,
        "speed": speed,
    }
    machine.check()
    started, load = time.process_time(), os.getloadavg()[0]
    print(f"# Sequences\n\nLoad of the machine at the beginning: {load:.1f}. {machine.about()}")
    for part in chosen.parts:
        parts[part]()
    print(f"\n{time.process_time() - started:.0f} processor seconds.")


if __name__ == "__main__":
    main()
