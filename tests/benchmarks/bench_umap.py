"""Live UMAP against a full umap-learn fit at every frame: quality, stability, cost.

    PYTHONPATH=. python tests/benchmarks/bench_umap.py > tests/benchmarks/umap.md

Runs of digits: healthy, half-way (σ² near λ_max), and collapsing (σ² raised during the run). The
peer refits umap-learn from scratch and aligns each map with the one before: at every frame up to
the fifth movement, where models change fast, and at every eighth pair of frames after it, which
represents its neighbours. (One pair in eight of all, the first among them, would give the first
frames too much weight.) "Latents" is the change of shape of the latents themselves, as a share of
the peer's displacement: a map below it moves less than the latents that it shows.

Before that: what it costs a new process until it can draw, with an empty cache and with a full one,
and with `import umap` alone, where all that umap-learn keeps of its compiled code is there.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import torch
import umap
from sklearn.manifold import trustworthiness

from svae_core import __version__
from svae_core.config.settings import change
from svae_core.latent.projection import (
    NO_STRUCTURE,
    Layout,
    procrustes,
    shape_change,
    umap_layout,
    warm_up,
)
from svae_core.records import Budget, Frame, Settings
from svae_core.training.loop import advance, begin

SNAPSHOTS = 40
EARLY = 5  # movements of a barely trained model, all compared
COMPARED = 8  # later, one movement in so many
STORIES = ("healthy", "half-way", "collapsing")


@dataclass(frozen=True)
class Result:
    """The measurements on the frames of one run, movements as shares of refit-and-align's."""

    ratios: list[float]  # trustworthiness, live / full fit
    displacement: float
    later: float  # the same after the first five movements
    latents: float  # change of shape of the latents
    seconds: float  # CPU per frame
    flagged: list[bool]


def snapshots(story: str, latent_dim: int, seed: int) -> list[Frame]:
    """Forty evenly spaced frames of one run."""
    base = Settings(dataset="digits", method="baseline", latent_dim=latent_dim, seed=seed)
    sigma2 = {"healthy": 0.02, "half-way": 0.08, "collapsing": 0.02}[story]
    settings = replace(base, sigma2=sigma2, epochs=60, device="cpu")
    if story == "collapsing":
        settings = change(settings, 400, "sigma2", 2.0)
    moments = advance(begin((settings,)), Budget()).moments
    picks = np.linspace(0, len(moments) - 1, SNAPSHOTS).astype(int)
    return [moments[index][0] for index in picks]


def follow(frames: list[Frame]) -> tuple[list[Layout], float]:
    """Live layouts of the frames, and CPU seconds per frame."""
    layouts: list[Layout] = []
    started = time.process_time()
    for frame in frames:
        before = layouts[-1] if layouts else None
        layouts.append(umap_layout(frame.latent_mean, frame.structure, frame.step, before))
    return layouts, (time.process_time() - started) / len(frames)


def full_fit(latent_mean: np.ndarray) -> tuple[np.ndarray, float]:
    """The peer: umap-learn from scratch, and its trustworthiness."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = np.asarray(umap.UMAP(random_state=7, n_jobs=1).fit_transform(latent_mean))
    return found, float(trustworthiness(latent_mean, found, n_neighbors=15))


def spread(coordinates: np.ndarray) -> float:
    """Radius of a map: the unit of movement."""
    return float(np.sqrt(coordinates.var(axis=0).sum()))


def displacement(now: np.ndarray, before: np.ndarray) -> float:
    """Root mean square movement between two maps, in radii of the first."""
    return float(np.sqrt(((now - before) ** 2).sum(axis=1).mean())) / spread(before)


def compared(moves: int) -> list[int]:
    """The movements that the peer makes too: the first five, then the middle of each eight."""
    later = list(range(EARLY + COMPARED // 2, moves, COMPARED))
    return list(range(min(EARLY, moves))) + later


def total(found: dict[int, float], moves: range) -> float:
    """The sum over movements; unmeasured ones count as the mean of the measured."""
    return float(np.mean([found[i] for i in moves if i in found])) * len(moves)


def evaluate(frames: list[Frame], pool: ProcessPoolExecutor) -> Result:
    """Compare the live layouts of a run with full fits."""
    layouts, seconds = follow(frames)
    kinds = [layout.kind == "umap" for layout in layouts]
    first, end = kinds.index(True), len(kinds)
    if False in kinds[first:]:  # collapsed
        end = first + kinds[first:].index(False)
    assert not any(kinds[end:]), "The gate opened again: movements are not consecutive."
    means = [frame.latent_mean for frame in frames[first:end]]
    maps = [layout.coordinates for layout in layouts[first:end]]
    early, later = range(EARLY), range(EARLY, len(maps) - 1)
    pairs = compared(len(maps) - 1)
    wanted = sorted({i for pair in pairs for i in (pair, pair + 1)})
    full = dict(zip(wanted, pool.map(full_fit, (means[i] for i in wanted)), strict=True))
    ratios = [
        float(trustworthiness(means[i], maps[i], n_neighbors=15)) / full[i][1] for i in wanted
    ]
    peer = {i: displacement(procrustes(full[i + 1][0], full[i][0]), full[i][0]) for i in pairs}
    live = [displacement(after, before) for before, after in itertools.pairwise(maps)]
    shape = [shape_change(after, before) for before, after in itertools.pairwise(means)]
    whole = total(peer, early) + total(peer, later)
    return Result(
        ratios,
        sum(live) / whole,
        sum(live[EARLY:]) / total(peer, later),
        sum(shape) / whole,
        seconds,
        [layout.kind == "none" for layout in layouts],
    )


def drift() -> tuple[float, float]:
    """2,000 frames that move by one radius: final trustworthiness ratio, and CPU s per frame."""
    rng = np.random.default_rng(5)
    labels = rng.integers(6, size=600)
    start = (6 * np.eye(6, 8)[labels] + rng.normal(size=(600, 8))).astype(np.float32)
    goal = (6 * np.eye(6, 8)[rng.permutation(6)[labels]] + rng.normal(size=(600, 8))).astype("f4")
    layout = None
    started = time.process_time()
    for step in range(2_000):
        share = step / 1_999
        now = ((1 - share) * start + share * goal).astype(np.float32)
        layout = umap_layout(now, 0.9, step, layout)
    seconds = (time.process_time() - started) / 2_000
    assert layout is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        full = umap.UMAP(random_state=7, n_jobs=1).fit_transform(goal)
    ratio = trustworthiness(goal, layout.coordinates) / trustworthiness(goal, full)
    return float(ratio), seconds


_READY = "from svae_core.latent.projection import warm_up; warm_up()"
_MEASURE = """
import os
used = os.times()
pages = next(line for line in open("/proc/self/smaps_rollup") if line.startswith("Pss:"))
print(used.user + used.system, int(pages.split()[1]) / 1e3)
"""


def ready(code: str, cache: str) -> str:
    """CPU seconds (user and system) and proportional memory of a new process that runs `code`."""
    caches = {"SVAE_CACHE": cache, "NUMBA_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + _MEASURE],
        env=os.environ | caches,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes = map(float, done.stdout.split())
    return f"{seconds:.2f} CPU s, {megabytes:.0f} MB"


def print_ready() -> None:
    """What it costs a process until it can draw maps."""
    with tempfile.TemporaryDirectory() as cache:
        print(f"Ready with an empty cache: {ready(_READY, cache)}; with a full one:")
        print(f"{ready(_READY, cache)} (proportional set size).")
        ready("import umap", cache)
        print(f"`import umap`, with a full cache: {ready('import umap', cache)}.\n")


def row(story: str, latent_dim: int, seed: int, pool: ProcessPoolExecutor) -> str:
    """One run as a line of the table; an error if a frame is flagged wrongly."""
    frames = snapshots(story, latent_dim, seed)
    found = evaluate(frames, pool)
    assert found.flagged == [frame.structure < NO_STRUCTURE for frame in frames]
    return (
        f"| {story} | {latent_dim} | {seed} | {np.mean(found.ratios):.4f} "
        f"| {min(found.ratios):.4f} | {found.displacement:.3f} | {found.later:.3f} "
        f"| {found.latents:.3f} | {found.seconds:.2f} "
        f"| {sum(found.flagged)} ({sum(found.flagged[5:])} after the fifth) "
        f"| {frames[-1].structure:.2f} |"
    )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[101])
    parser.add_argument("--latent-dims", nargs="+", type=int, default=[2, 8, 32])
    parser.add_argument("--stories", nargs="+", choices=STORIES, default=STORIES)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warm_up()
    print("# Live UMAP\n")
    print_ready()
    print("Digits, 1,797 points, 40 frames a run. Trustworthiness is live / full umap-learn fit.")
    print("Displacement (all; after the first five movements) and the latents' own change of shape")
    print("are shares of refit-and-align's displacement.\n")
    print(
        "| run | k | seed | trust mean | min | displacement | later | latents | CPU s/frame "
        "| flagged | g, last |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for story, k, seed in itertools.product(chosen.stories, chosen.latent_dims, chosen.seeds):
            print(row(story, k, seed, pool), flush=True)
    ratio, seconds = drift()
    print(f"\nSlow drift, one radius in 2,000 frames of 600 points: trustworthiness {ratio:.4f} of")
    print(f"a full fit at the end, {seconds:.3f} CPU s a frame.")
    print(f"\nsvae_core {__version__}, umap-learn {umap.__version__}, one thread.")


if __name__ == "__main__":
    main()
