"""Live UMAP against a full umap-learn fit at every frame: quality, stillness, cost, honesty.

    python tests/benchmarks/bench_umap.py > tests/benchmarks/umap.md

Runs of digits: healthy, half-way (σ² near λ_max), and collapsing (σ² raised in mid-run). The peer
refits umap-learn from scratch and turns each map to the one before. Ratios are of one run.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
import umap
from sklearn.manifold import trustworthiness

from svae_core import __version__
from svae_core.projection import NO_STRUCTURE, Layout, procrustes, umap_layout, warm_up
from svae_core.records import Budget, Frame, Settings, change
from svae_core.training import advance, begin

SNAPSHOTS = 40
COMPARED = 8  # every so many snapshots the full fit is made too
STORIES = ("healthy", "half-way", "collapsing")


@dataclass(frozen=True)
class Result:
    """What one run of frames shows."""

    ratios: list[float]  # trustworthiness, live / full fit
    displacement: float  # mean movement per frame, live / refit-and-align
    seconds: float  # CPU per frame
    flagged: list[bool]


def snapshots(story: str, latent_dim: int, seed: int) -> list[Frame]:
    """Forty frames of one run, evenly spread."""
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


def full_fit(frame: Frame) -> np.ndarray:
    """The peer: umap-learn from scratch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(umap.UMAP(random_state=7, n_jobs=1).fit_transform(frame.latent_mean))


def spread(coordinates: np.ndarray) -> float:
    """Radius of a map: the unit in which movement is told."""
    return float(np.sqrt(coordinates.var(axis=0).sum()))


def movement(maps: list[np.ndarray]) -> float:
    """Mean rms displacement between consecutive maps, in radii."""
    moved = [
        float(np.sqrt(((b - a) ** 2).sum(axis=1).mean())) / spread(a)
        for a, b in itertools.pairwise(maps)
    ]
    return float(np.mean(moved)) if moved else float("nan")


def evaluate(frames: list[Frame]) -> Result:
    """Compare live layouts of a run with full fits of every eighth frame."""
    layouts, seconds = follow(frames)
    drawn = [i for i, layout in enumerate(layouts) if layout.kind == "umap"]
    ratios, refits = [], []
    for i in drawn[::COMPARED]:
        full = full_fit(frames[i])
        mean = frames[i].latent_mean
        ratios.append(
            trustworthiness(mean, layouts[i].coordinates, n_neighbors=15)
            / trustworthiness(mean, full, n_neighbors=15)
        )
        refits.append((i, full))
    # Consecutive frames for the peer's displacement: two full fits side by side, where drawn.
    peer = []
    for i, full in refits:
        if i + 1 in drawn:
            again = procrustes(full_fit(frames[i + 1]), full)
            peer.append(movement([full, again]))
    live = [
        movement([layouts[i].coordinates, layouts[i + 1].coordinates])
        for i, _ in refits
        if i + 1 in drawn
    ]
    displacement = float(np.mean(live) / np.mean(peer)) if peer else float("nan")
    return Result(ratios, displacement, seconds, [layout.kind == "none" for layout in layouts])


def drift() -> tuple[float, float]:
    """A radius of movement in 2,000 frames: trustworthiness ratio at the end, and CPU s a frame."""
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


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[101])
    parser.add_argument("--latent-dims", nargs="+", type=int, default=[2, 8, 32])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warm_up()
    print("# Live UMAP\n")
    print("Digits, 1,797 points, 40 frames a run. Trustworthiness is live / full umap-learn fit;")
    print("displacement is live / refit-and-align.\n")
    print("| run | k | seed | trust mean | min | displacement | CPU s/frame | flagged | g, last |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for story in STORIES:
        for latent_dim in chosen.latent_dims:
            for seed in chosen.seeds:
                frames = snapshots(story, latent_dim, seed)
                found = evaluate(frames)
                wrong = [f.structure < NO_STRUCTURE for f in frames]
                assert wrong == found.flagged
                ratios = found.ratios or [float("nan")]
                print(
                    f"| {story} | {latent_dim} | {seed} | {np.mean(ratios):.4f} "
                    f"| {min(ratios):.4f} | {found.displacement:.3f} | {found.seconds:.2f} "
                    f"| {sum(found.flagged)} ({sum(found.flagged[5:])} after the fifth) "
                    f"| {frames[-1].structure:.2f} |",
                    flush=True,
                )
    ratio, seconds = drift()
    print(f"\nSlow drift, one radius in 2,000 frames of 600 points: trustworthiness {ratio:.4f} of")
    print(f"a full fit at the end, {seconds:.3f} CPU s a frame.")
    print(f"\nsvae_core {__version__}, umap-learn {umap.__version__}, one thread.")


if __name__ == "__main__":
    main()
