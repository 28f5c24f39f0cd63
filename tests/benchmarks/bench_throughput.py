"""Training speed per model against pythae's trainer: the same nets, data, batches, one thread.

    PYTHONPATH=. python tests/benchmarks/bench_throughput.py

pythae 0.1.2 is needed by the tests only. Other peers are a loop over PyTorch's DataLoader and the
same loop over batches in memory. Rounds of all alternate in one run; medians of samples per second
and model, and their ratios to pythae's, are printed as Markdown: by the clock, and by the CPU time
of the process, which depends less on other processes.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import machine
import torch

from svae_core.problem import prepared_data
from svae_core.records import Budget, Settings
from svae_core.training.loop import advance, begin

ROUNDS = 7

#: Samples per second and model: by the clock, by CPU time.
Speed = tuple[float, float]


def speed(work: Callable[[], object], samples: int) -> Speed:
    """Samples per second of a piece of work."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return samples / (time.perf_counter() - clock), samples / (time.process_time() - cpu)


EPOCHS = {"digits": 30, "clusters": 30, "mnist5k": 3}


def ours(settings: Settings, count: int = 2) -> Speed:
    """Samples per second and model of `count` members, alternately conventional and spherical.

    One is the spherical VAE alone; two are the side-by-side pair.
    """
    methods = ("spherical", "baseline")
    members = tuple(
        replace(settings, method=methods[i % 2], sigma2=1.0 + 0.01 * (i // 2)) for i in range(count)
    )
    state = begin(members)
    n = len(prepared_data(settings).shell.points)
    return speed(lambda: advance(state, Budget(frames=False)), count * settings.epochs * n)


def eight_on_two_threads(settings: Settings) -> Speed:
    """Eight members by two threads; the CPU time is that of both."""
    torch.set_num_threads(2)
    try:
        return ours(settings, 8)
    finally:
        torch.set_num_threads(1)


def theirs(settings: Settings) -> Speed:
    """The same for one model under pythae's BaseTrainer."""
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    points = torch.from_numpy(prepared_data(settings).shell.points)
    n, d = points.shape
    model = VAE(
        VAEConfig(input_dim=(d,), latent_dim=settings.latent_dim),
        _encoder(d, settings.hidden, settings.latent_dim),
        _decoder(d, settings.hidden, settings.latent_dim),
    )
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            no_cuda=True,
        )
        trainer = BaseTrainer(model, train_dataset=_dataset(points), training_config=config)
        return speed(trainer.train, settings.epochs * n)


def plain(settings: Settings, *, loader: bool = False) -> Speed:
    """The same for one conventional model as a plain PyTorch loop, in memory or by DataLoader."""
    points = torch.from_numpy(prepared_data(settings).shell.points)
    n, d = points.shape
    k = settings.latent_dim
    encoder, decoder = _mlp(d, settings.hidden, 2 * k), _mlp(k, settings.hidden, d)
    optimizer = torch.optim.Adam(
        [*encoder.parameters(), *decoder.parameters()], lr=settings.learning_rate
    )
    dataset = torch.utils.data.TensorDataset(points)
    batches: Any = torch.utils.data.DataLoader(dataset, settings.batch_size, shuffle=True)

    def train() -> None:
        for _ in range(settings.epochs):
            order = torch.randperm(n).split(settings.batch_size)
            for (x,) in batches if loader else ((points[rows],) for rows in order):
                mean, log_variance = encoder(x).chunk(2, dim=1)
                z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
                loss = (decoder(z) - x).square().sum(dim=1).mean() / (2.0 * settings.sigma2)
                kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
                optimizer.zero_grad()
                (loss + settings.beta * kl.sum(dim=1).mean()).backward()
                optimizer.step()

    return speed(train, settings.epochs * n)


def _dataset(points: torch.Tensor) -> Any:
    from pythae.data.datasets import BaseDataset

    return BaseDataset(data=points, labels=torch.zeros(len(points)))


def _encoder(d: int, h: int, k: int) -> Any:
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseEncoder

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = _mlp(d, h, 2 * k)

        def forward(self, x: torch.Tensor) -> Any:
            mean, log_variance = self.body(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    return Encoder()


def _decoder(d: int, h: int, k: int) -> Any:
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = _mlp(k, h, d)

        def forward(self, z: torch.Tensor) -> Any:
            return ModelOutput(reconstruction=self.body(z))

    return Decoder()


def _mlp(fan_in: int, h: int, fan_out: int) -> torch.nn.Sequential:
    from torch.nn import Linear, Sequential, Tanh

    return Sequential(Linear(fan_in, h), Tanh(), Linear(h, h), Tanh(), Linear(h, fan_out))


CONTENDERS: dict[str, Callable[[Settings], Speed]] = {
    "pythae 0.1.2": theirs,
    "DataLoader loop": lambda settings: plain(settings, loader=True),
    "loop in memory": plain,
    "ours, 1": lambda settings: ours(settings, 1),
    "ours, pair": ours,
    "ours, 8": lambda settings: ours(settings, 8),
    "ours, 8, two threads": eight_on_two_threads,
    "ours, 32": lambda settings: ours(settings, 32),
}


def _cell(speeds: tuple[float, ...], peers: tuple[float, ...]) -> str:
    ratio = statistics.median(mine / peer for mine, peer in zip(speeds, peers, strict=True))
    return f"{statistics.median(speeds):,.0f} ({ratio:.2f})"


def main() -> None:
    """Print the table."""
    machine.check()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print("# Training speed, samples per second and model, one thread where not said\n")
    print("In brackets: times pythae, the median over rounds of the two in the same round.\n")
    print("| data | time | " + " | ".join(CONTENDERS) + " |")
    print("| --- | --- |" + " ---: |" * len(CONTENDERS))
    for dataset, epochs in EPOCHS.items():
        settings = Settings(dataset=dataset, epochs=epochs, device="cpu")
        for run in CONTENDERS.values():  # the first steps are a warm-up
            run(replace(settings, epochs=1))
        rounds = [[run(settings) for run in CONTENDERS.values()] for _ in range(ROUNDS)]
        for index, kind in enumerate(("clock", "CPU")):
            columns = list(zip(*[[each[index] for each in row] for row in rounds], strict=True))
            cells = " | ".join(_cell(column, columns[0]) for column in columns)
            print(f"| {dataset} | {kind} | {cells} |", flush=True)
    print(f"\nMedian of {ROUNDS} alternating rounds. {machine.about()}")


if __name__ == "__main__":
    main()
