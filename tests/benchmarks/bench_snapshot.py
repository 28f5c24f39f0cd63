"""The cost of the live view's frames for a pair in training.

    PYTHONPATH=. python tests/benchmarks/bench_snapshot.py

The same steps with and without frames, in alternating rounds, CPU time of one thread, as in the
app's workers (NumPy's threads would count while they wait for work). The difference is the cost of
the moments (frames of both models; drawing is not included). The table gives it as a share of a
second of training, for several numbers of moments per second.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import machine

from svae_core.problem import prepared_data
from svae_core.records import Budget, Settings, State
from svae_core.training.batch_context import total_steps
from svae_core.training.frame_steps import is_frame_step
from svae_core.training.loop import advance, begin

ROUNDS = 5
#: Moments per second, epochs and steps: a run so long that frames are several steps apart.
WATCHED = {"digits": (20, 60, 120), "clusters": (20, 60, 120), "mnist5k": (10, 20, 40)}


def cost(state: State, steps: int, *, frames: bool) -> float:
    """CPU milliseconds of a number of steps."""
    started = time.process_time()
    advance(state, Budget(steps=steps, frames=frames))
    return 1e3 * (time.process_time() - started)


def row(dataset: str) -> str:
    """One line of the table."""
    rate, epochs, steps = WATCHED[dataset]
    base = Settings(dataset=dataset, epochs=epochs, device="cpu")
    pair = tuple(replace(base, method=name) for name in ("baseline", "spherical"))
    state = advance(begin(pair), Budget(steps=50)).state
    total = total_steps(base, len(prepared_data(base).shell.points))
    moments = sum(is_frame_step(state.step + 1 + i, total) for i in range(steps))
    rounds = [
        (cost(state, steps, frames=False), cost(state, steps, frames=True)) for _ in range(ROUNDS)
    ]
    step = statistics.median(without for without, _ in rounds) / steps
    moment = statistics.median(having - without for without, having in rounds) / moments
    view = len(prepared_data(base).view_index)
    share = rate * moment / 1e3
    return f"| {dataset} | {view:,} | {step:.2f} | {moment:.2f} | {rate} | {share:.1%} |"


def main() -> None:
    """Print the table."""
    machine.check()
    print("# What the frames of the live view cost a training pair\n")
    print("CPU milliseconds. Of training: what the moments take of each second.\n")
    print("| data | viewed points | a step | a moment | moments a second | of training |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for dataset in WATCHED:
        print(row(dataset), flush=True)
    print(f"\nMedian of {ROUNDS} alternating rounds. {machine.about()}")


if __name__ == "__main__":
    main()
