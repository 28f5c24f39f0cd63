"""The table of methods: every method × six data sets × five seeds, and the spherical VAE's curve.

    PYTHONPATH=. python tests/benchmarks/bench_methods.py --keep FILE > tests/benchmarks/methods.md

All methods have the same shell points, nets, first weights, minibatches and epochs. A stopped
benchmark resumes from the rows in FILE; `--minutes` says how long it may make new ones. The last
columns compare the spherical VAE **at equal KL**: its loss at that KL is interpolated on its own
curve, which is trained over six bands where nets are plain.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import machine
import numpy as np
from bench_sequences import WINDOWS
from kept_rows import Row, rows

from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.methods import scan_methods
from svae_core.problem import prepared_data
from svae_core.records import Settings

SEEDS = range(5)
BANDS = (0.05, 0.1, 0.25, 0.4, 0.55, 0.7)
#: About five hundred steps each, four times as large as by default.
_PLAIN = Settings(learning_rate=8e-3, device="cpu")
_SETS = {
    "clusters": replace(_PLAIN, dataset="clusters", epochs=30),
    "breast_cancer": replace(_PLAIN, dataset="breast_cancer", epochs=100),
    "digits": replace(_PLAIN, dataset="digits", epochs=40),
    "mnist5k": replace(_PLAIN, dataset="mnist5k", epochs=8),
    "names": replace(WINDOWS["names"], epochs=40),
    "sentences": replace(WINDOWS["sentences"], epochs=40),
}
#: The variances: beyond λ_max, where the units make collapse stable, and below it. Sequences have
#: one inside their window, in which a plain decoder lives and theirs needs no z.
SIGMA2 = {
    "clusters": (1.0, 0.05),
    "breast_cancer": (1.0, 0.05),
    "digits": (1.0, 0.05),
    "mnist5k": (0.05,),
}
SHOWN = (("kl", "KL"), ("information", "I(x;z)"), ("floor", "floor"))
Rows = dict[Settings, Row]


def tables(datasets: Iterable[str]) -> dict[str, list[Settings]]:
    """The settings of each data set, one for each variance."""
    return {
        name: [replace(_SETS[name], sigma2=s) for s in SIGMA2.get(name, (_SETS[name].sigma2,))]
        for name in datasets
    }


def of_methods(base: Settings, methods: Iterable[str]) -> list[Settings]:
    """The runs of one table."""
    return [replace(base, method=each, seed=seed) for each in methods for seed in SEEDS]


def of_curve(base: Settings) -> list[Settings]:
    """The runs of the spherical VAE over its bands; none where each step costs too much."""
    if base.arch in AUTOREGRESSIVE:
        return []
    edges = [replace(base, method="spherical", band=(0.0, b)) for b in BANDS]
    return [replace(each, seed=seed) for each in edges for seed in SEEDS]


def curve(found: Rows, base: Settings) -> np.ndarray:
    """KL and loss of the spherical VAE over its bands [n, 2], means over seeds, by rising KL."""
    points = defaultdict(list)
    for settings in of_curve(base):
        if settings in found:
            points[settings.band].append([found[settings][name] for name in ("kl", "loss")])
    return np.array(sorted(tuple(np.mean(pairs, axis=0)) for pairs in points.values()))


def at_equal_kl(line: np.ndarray, kl: float) -> float:
    """The spherical VAE's loss at this KL; NaN outside its curve."""
    if not len(line) or not line[0, 0] <= kl <= line[-1, 0]:
        return math.nan
    return float(np.interp(kl, line[:, 0], line[:, 1]))


def table(found: Rows, base: Settings, methods: list[str]) -> None:
    """Print one table, and which methods lose less at no more KL than the spherical VAE."""
    line, region = curve(found, base), prepared_data(base).region
    deltas = region.deltas
    n = len(prepared_data(base).shell.points)
    gauge = base.sigma2 * base.beta / prepared_data(base).lambda_max
    print(
        f"\n## {base.dataset}, σ² = {base.sigma2:g}: {base.arch}, {n} points, {base.epochs} epochs"
        f"\n\nMinibatches of {base.batch_size}, learning rate {base.learning_rate:g}; βσ²/λ_max = "
        f"{gauge:.2f}; W = {region.within:.3f}, T = δ of free decoders = "
        f"{deltas['free']:.3f}, δ of projected ones = {deltas['shell']:.3f}.\n\n"
        "| method | guards KL | guards information | certified | collapsed | D | margin | δ | "
        + " | ".join(title for _, title in SHOWN)
        + " | time ÷ conventional | D of the spherical VAE at this KL | lower by |\n"
        "| --- | --- | --- |" + " ---: |" * 11
    )
    ended = {}
    for method in methods:
        mine = [found[each] for each in of_methods(base, [method]) if each in found]
        ended[method] = [row for row in mine if not row["refused"]]
        refused = next((row["refused"] for row in mine if row["refused"]), "")
        print(_line(method, ended[method], refused, line))
    _loses(ended)


def _line(method: str, mine: list[Row], refused: str, line: np.ndarray) -> str:
    guard = scan_methods()[method].module.Method
    cells = [method, _yes(guard.guards_kl), _yes(guard.guards_information)]
    if not mine:
        return "| " + " | ".join([*cells, refused or "not run", *["–"] * 10]) + " |"
    verdicts = [row["verdict"] for row in mine]
    cells += [f"{verdicts.count(name)}/{len(mine)}" for name in ("certified", "collapsed")]
    loss, kl = (_mean(mine, name) for name in ("loss", "kl"))
    cells += [_spread(mine, "loss"), f"{max(row['margin'] for row in mine):.4f}"]
    cells += [f"{mine[0]['delta']:.3f}", *(_spread(mine, name) for name, _ in SHOWN)]
    ratio = _mean(mine, "step_ms") / _mean(mine, "usual_ms")
    cells.append(f"{ratio:.2f}" if mine[0]["engine"] == "native" else f"{ratio:.2f} (torch)")
    equal = at_equal_kl(line, kl)
    cells += ["–", "–"] if math.isnan(equal) else [f"{equal:.3f}", f"{loss - equal:+.3f}"]
    return "| " + " | ".join(cells) + " |"


def _loses(ended: dict[str, list[Row]]) -> None:
    ours = ended.get("spherical")
    if not ours:
        return
    loss, kl = _mean(ours, "loss"), _mean(ours, "kl")
    better = [
        name
        for name, mine in ended.items()
        if mine
        and _mean(mine, "loss") < loss
        and _mean(mine, "kl") <= kl
        and _mean(mine, "information") >= 0.05
    ]
    print(
        "\nAt least .05 nats of information, with a lower loss than the spherical VAE's "
        f"{loss:.3f} at no more than its {kl:.3f} nats of KL: {', '.join(better) or 'none'}."
    )


def _yes(guard: str) -> str:
    return "yes" if guard else "–"


def _mean(mine: list[Row], name: str) -> float:
    return float(np.mean([row[name] for row in mine]))


def _spread(mine: list[Row], name: str) -> str:
    values = np.array([row[name] for row in mine], float)
    if np.isnan(values).all():
        return "–"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def head(found: Rows) -> None:
    """Print what all tables have in common."""
    print(
        "# The table of methods\n\n    python tests/benchmarks/bench_methods.py\n\n"
        f"{len(SEEDS)} seeds ({SEEDS[0]} to {SEEDS[-1]}), mean ± standard deviation; band up to "
        f"b = {Settings().band[1]:g} with δ shell, β = 1. D is the loss with sampled latents on "
        "the shell, of the decoder running free; margin: what D stays below with 99 % confidence "
        "is D + margin, the largest of the seeds; certified: D + margin < δ, of projected decoders "
        "that on the shell. KL, I(x;z) (–: no density in closed form) and floor (proved at "
        "D + margin, without kernel bounds) in nats. A margin above .1 is that of the draws' "
        "means, the sample where rows of a draw seem to share noise, as an exact test says by "
        "chance in one run of 200 at most. Time: processor time of a step over that of a "
        "conventional VAE of the same engine, in the same run just before and after; (torch): not "
        "by native code, whose conventional VAE is "
        f"{_native_gain(found)} times as fast on digits. The last two columns compare **at equal "
        "KL**: the spherical VAE's loss there, from its curve over bands, and by how much it is "
        "lower (–: beyond the ends of that curve, or no curve)."
    )
    loads = [row["load"] for row in found.values() if "load" in row]
    while_made = f"{min(loads):.0f} to {max(loads):.0f}" if loads else "–"
    print(f"\nLoad of the machine while rows were made: {while_made}. {machine.about()}")


def _native_gain(found: Rows) -> str:
    times = defaultdict(list)
    for settings, row in found.items():
        if settings.dataset == "digits" and not row["refused"]:
            times[row["engine"]].append(row["usual_ms"])
    if set(times) < {"native", "torch"}:
        return "–"
    return f"{np.mean(times['torch']) / np.mean(times['native']):.1f}"


def main() -> None:
    """Make rows, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=list(_SETS), choices=list(_SETS))
    parser.add_argument("--methods", nargs="+", default=list(scan_methods()))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf)
    chosen = parser.parse_args()
    machine.check()
    of_data = tables(chosen.datasets)
    runs = [
        run
        for bases in of_data.values()
        for base in bases
        for run in (*of_methods(base, chosen.methods), *of_curve(base))
    ]
    found = rows(runs, chosen.keep, chosen.minutes)
    head(found)
    for bases in of_data.values():
        for base in bases:
            table(found, base, chosen.methods)
    print(f"\n{len(found)} of {len(set(runs))} runs.")


if __name__ == "__main__":
    main()
