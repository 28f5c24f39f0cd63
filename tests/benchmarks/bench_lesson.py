"""The law of the lesson "Kill it" for the mlp: at each mark of σ², over ten seeds.

    PYTHONPATH=. python tests/benchmarks/bench_lesson.py

Each seed's healthy model of the lesson is trained to the lesson's turn; then σ² is moved between
two marks, once for each pair of neighbours and once past the last, and the run goes to its end.
Claim: at each mark the number of living dimensions is within one of the number of λ_i > βσ² in at
least 8 of 10 seeds.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pages.classroom.lessons import LESSONS
from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.config.settings import change
from svae_core.problem import prepared_data
from svae_core.records import Budget
from svae_core.training import loop

SEEDS = 10


def main() -> None:
    lesson = LESSONS["kill"]
    healthy = lesson.members(lesson.settings)[0]
    latent = healthy.latent_dim
    variances = prepared_data(healthy).eigenvalues
    members = tuple(dataclasses.replace(healthy, seed=seed) for seed in range(SEEDS))
    state = loop.begin(members)
    turn = lesson.pace.turn_step(loop.step_count(state))
    state = loop.advance(state, Budget(steps=turn, frames=False)).state
    print(f"λ = {', '.join(f'{one:.3f}' for one in variances[:latent])}; {SEEDS} seeds")
    print("| σ² | λ above | alive | within one |\n| ---: | ---: | --- | ---: |")
    past = [1.05 * variances[0], *np.sqrt(variances[:latent] * variances[1 : latent + 1])]
    for above, sigma2 in enumerate(past):
        moved = tuple(change(one, turn, "sigma2", float(sigma2)) for one in members)
        end = loop.advance(dataclasses.replace(state, settings=moved), Budget(frames=False)).state
        counts = [
            int(sum(kl >= COLLAPSED_KL for kl in frame.kl_per_dim))
            for frame in loop.first_frames(end)
        ]
        near = sum(abs(count - above) <= 1 for count in counts)
        print(f"| {sigma2:.3f} | {above} | {counts} | {near} |", flush=True)
        assert near >= 0.8 * SEEDS, "the law does not hold"


if __name__ == "__main__":
    main()
