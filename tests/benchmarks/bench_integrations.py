"""What a look costs in someone else's loop, and what two lines do for another architecture.

    python tests/benchmarks/bench_integrations.py > tests/benchmarks/integrations.md

CPU seconds of one thread, so that a busy machine does not matter.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.conv_vae import images, monitored, trained
from support.their_loops import OurRun

from svae_core import __version__
from svae_core.records import Settings


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def cost_of_a_look(repeats: int = 15) -> list[str]:
    """A plain loop's epoch on digits, a reading after each, and the certificate."""
    run = OurRun(Settings(dataset="digits", epochs=200))
    model = run.start()
    band, monitor = run.band(), run.monitor(model)
    optimiser = torch.optim.Adam(model.parameters(), run.settings.learning_rate)

    def epoch() -> None:
        for x, noise in batches:
            optimiser.zero_grad()
            run.loss(model, band, x, noise).backward()
            optimiser.step()

    epochs, looks = [], []
    for number in range(repeats):
        batches = list(run.batches(15 * number, 15 * (number + 1)))
        epochs.append(seconds(epoch))
        looks.append(seconds(monitor.step))
    epoch_s, look_s = statistics.median(epochs), statistics.median(looks)
    certificate_s = seconds(monitor.certify)
    return [
        "## The cost of a look, digits, mlp of width 64, k = 8",
        "",
        "| what | CPU seconds | share of an epoch |",
        "| --- | ---: | ---: |",
        f"| an epoch of a plain PyTorch loop, 15 minibatches | {epoch_s:.4f} | |",
        f"| `monitor.step()` | {look_s:.4f} | {look_s / epoch_s:.1%} |",
        f"| `monitor.certify()` | {certificate_s:.2f} | {certificate_s / epoch_s:.0%} |",
        "",
    ]


def another_architecture() -> list[str]:
    """A four-layer convolutional VAE on mnist5k at βσ² = 3 λ_max."""
    x, sigma2 = images()
    rows = [
        "## A four-layer convolutional VAE on mnist5k, βσ² = 3 λ_max, 300 steps of 64",
        "",
        "| penalty | autocast | verdict | loss | δ | KL, nats |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for held, autocast in (False, False), (True, False), (True, True):
        model = trained(x, sigma2, 300, held=held, autocast=autocast)
        found = monitored(model, x[::5], sigma2).certify(draws=64)
        rows.append(
            f"| {'FeasibleBand' if held else 'none'} | {'bfloat16' if autocast else 'no'} "
            f"| {found.verdict} | {found.loss:.2f} + {found.loss_margin:.2f} | {found.delta:.2f} "
            f"| {found.kl:.3f} |"
        )
    return [*rows, "", "Certified on every fifth digit, 64 draws of each.", ""]


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("# In other people's loops\n")
    print("`python tests/benchmarks/bench_integrations.py`; CPU seconds of one thread.\n")
    print("\n".join([*cost_of_a_look(), *another_architecture()]))
    print(
        f"svae_core {__version__}, torch {torch.__version__}, Python {platform.python_version()}."
    )
