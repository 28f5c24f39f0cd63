"""How long a step of the architecture gru takes, beside plain PyTorch and pythae; a part of
bench_sequences.

All take turns in one process with one thread, and the same nets: those of `PlainVAE` are written
with PyTorch's own GRU. Under pythae a model's forward pass is replaced by that one, since pythae's
decoders see z alone, and its trainer is measured.
"""

from __future__ import annotations

import dataclasses
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import machine
import torch
from torch import Tensor, nn

from svae_core.problem import prepared_data
from svae_core.records import Budget, Settings
from svae_core.training.loop import advance, begin

TURNS, STEPS = 9, 5
BATCH = 120  # divides the points

Work = Callable[[], object]


class PlainVAE(nn.Module):
    """The nets of the architecture gru, in plain PyTorch."""

    def __init__(self, steps: tuple[int, int], hidden: int, k: int) -> None:
        super().__init__()
        self.steps = steps
        count, width = steps
        self.reader = nn.GRU(width, hidden, batch_first=True)
        self.head = nn.Linear(count * hidden, 2 * k)
        self.first = nn.Linear(k, hidden)
        self.writer = nn.GRU(width + hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(count, width))

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Predictions under teacher forcing, means, log-variances and the writer's first states."""
        count = self.steps[0]
        steps = points.view(len(points), *self.steps) * count**0.5
        states, _ = self.reader(steps)
        mean, log_variance = self.head(states.flatten(1)).chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        start = self.first(z).tanh()
        seen = torch.cat((torch.zeros_like(steps[:, :1]), steps[:, :-1]), dim=1)
        always = start.unsqueeze(1).expand(-1, count, -1)
        written, _ = self.writer(torch.cat((seen, always), dim=2), start.unsqueeze(0))
        answers = self.out(written) / count**0.5 + self.bias
        return answers.flatten(1), mean, log_variance, start

    def free_run(self, start: Tensor) -> Tensor:
        """Predictions from first states alone: each step reads the prediction before."""
        root, state, answers = self.steps[0] ** 0.5, start.unsqueeze(0), []
        seen = start.new_zeros(len(start), self.steps[1])
        for bias in self.bias:
            written, state = self.writer(torch.cat((seen, start), dim=1).unsqueeze(1), state)
            answers.append(self.out(written[:, 0]) / root + bias)
            seen = answers[-1] * root
        return torch.cat(answers, dim=1)


def loss_of(model: PlainVAE, points: Tensor, sigma2: float, free_run: bool) -> Tensor:
    """The loss of a conventional VAE; with `free_run` of a spherical one, whose band is .6 … .8."""
    answers, mean, log_variance, start = model(points)
    error = (answers - points).square().sum(dim=1).mean()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    if not free_run:
        return error / (2 * sigma2) + kl
    answers = model.free_run(start)
    norms = answers.norm(dim=1, keepdim=True)
    distortion = (answers * norms.clamp(0.8, 1.2) / norms - points).square().sum(dim=1).mean()
    band = (distortion - 0.8).clamp(min=0) + (0.6 - distortion).clamp(min=0)
    return error / (2 * sigma2) + kl + 20 * band


def plain(settings: Settings, free_run: bool = False) -> Work:
    """STEPS steps of a plain loop."""
    points, shape = data_of(settings)
    model = PlainVAE(shape, settings.hidden, settings.latent_dim)
    optimiser = torch.optim.Adam(model.parameters(), settings.learning_rate, fused=True)

    def work() -> None:
        for _ in range(STEPS):
            rows = points[torch.randint(0, len(points), (BATCH,))]
            optimiser.zero_grad()
            loss_of(model, rows, settings.sigma2, free_run).backward()
            optimiser.step()

    return work


def pythae(settings: Settings) -> Work:
    """STEPS steps of pythae's trainer."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    points, shape = data_of(settings)
    count, width = shape
    nets = PlainVAE(shape, settings.hidden, settings.latent_dim)

    class Model(VAE):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(VAEConfig(input_dim=(count, width), latent_dim=settings.latent_dim))
            self.encoder, self.decoder = nets, nn.Identity()

        def forward(self, inputs: Any, **_: Any) -> Any:
            return ModelOutput(loss=loss_of(nets, inputs["data"], settings.sigma2, False))

    some = points[: STEPS * BATCH]
    data = BaseDataset(data=some, labels=torch.zeros(len(some)))

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=1,
                per_device_train_batch_size=BATCH,
                learning_rate=settings.learning_rate,
                no_cuda=True,
            )
            trainer = BaseTrainer(Model(), train_dataset=data, training_config=config)
            trainer.prepare_training()
            trainer.train_step(epoch=1)

    return work


def ours(members: tuple[Settings, ...]) -> Work:
    """STEPS steps of these runs."""
    state = begin(members)
    return lambda: advance(state, Budget(steps=STEPS, frames=False))


def data_of(settings: Settings) -> tuple[Tensor, tuple[int, int]]:
    """The shell points of sequences, with their positions and symbols."""
    prepared = prepared_data(settings)
    width = len(prepared.dataset.symbols)
    points = torch.from_numpy(prepared.shell.points)
    return points, (points.shape[1] // width, width)


def speed() -> None:
    """Print processor milliseconds per step and model: medians of turns."""
    machine.check()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print(
        f"\n## Speed: processor milliseconds per step and model, batches of {BATCH}, gru 64, k = 16"
        f"\n\nMedian of {TURNS} turns of {STEPS} steps. A spherical VAE makes the free run as "
        "well, here as in the plain loop; pythae: its trainer with the plain nets.\n\n"
        "| data | plain, conventional | plain, spherical | pythae, conventional | conventional "
        "| spherical | pair | five conventional | pair ÷ plain pair |\n| --- |" + " ---: |" * 8
    )
    for name in ("names", "sentences"):
        base = Settings(dataset=name, arch="gru", latent_dim=16, sigma2=0.04, device="cpu")
        base = dataclasses.replace(base, n_points=STEPS * BATCH, batch_size=BATCH)
        usual = dataclasses.replace(base, method="baseline")
        kinds: dict[str, tuple[Work, int]] = {
            "plain": (plain(base), 1),
            "plain spherical": (plain(base, free_run=True), 1),
            "pythae": (pythae(base), 1),
            "usual": (ours((usual,)), 1),
            "spherical": (ours((base,)), 1),
            "pair": (ours((usual, base)), 2),
            "five": (ours(tuple(dataclasses.replace(usual, seed=s) for s in range(5))), 5),
        }
        spent: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(TURNS + 1):
            for kind, (work, models) in kinds.items():
                started = time.process_time()
                work()
                if turn:  # the first is a warm-up
                    spent[kind].append((time.process_time() - started) / STEPS / models * 1000)
        peers = zip(spent["plain"], spent["plain spherical"], strict=True)
        ratios = [mine / ((a + b) / 2) for mine, (a, b) in zip(spent["pair"], peers, strict=True)]
        cells = [f"{statistics.median(spent[kind]):.1f}" for kind in kinds]
        print("| " + " | ".join([name, *cells, f"{statistics.median(ratios):.2f}"]) + " |")
    print(f"\n{machine.about()}", flush=True)
