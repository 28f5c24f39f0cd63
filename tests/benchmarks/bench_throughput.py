"""Per-model training speed against pythae's trainer: the same nets, data, batches, one thread.

    python tests/benchmarks/bench_throughput.py

pythae 0.1.2 is a test need, not a requirement. Rounds of both alternate in one run; medians and
their ratio are printed as Markdown.
"""

from __future__ import annotations

import logging
import platform
import statistics
import tempfile
import time
import warnings
from dataclasses import replace
from typing import Any

import torch

from svae_core import __version__
from svae_core.problem import groundwork
from svae_core.records import Budget, Settings
from svae_core.training import advance, begin

ROUNDS = 7
EPOCHS = {"digits": 6, "clusters": 6, "mnist5k": 1}


def ours(settings: Settings) -> float:
    """Samples per second and model of the side-by-side pair, projection included."""
    pair = tuple(replace(settings, method=name) for name in ("baseline", "spherical"))
    state = begin(pair)
    n = len(groundwork(settings).shell.points)
    started = time.perf_counter()
    advance(state, Budget(frames=False))
    return 2 * settings.epochs * n / (time.perf_counter() - started)


def theirs(settings: Settings) -> float:
    """The same for one model under pythae's BaseTrainer."""
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    points = torch.from_numpy(groundwork(settings).shell.points)
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
        started = time.perf_counter()
        trainer.train()
        return float(settings.epochs * n / (time.perf_counter() - started))


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


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print("# Training speed, samples per second and model, one thread\n")
    print("| data | pythae 0.1.2 | ours, pair | ratio of medians |")
    print("| --- | ---: | ---: | ---: |")
    for dataset, epochs in EPOCHS.items():
        settings = Settings(dataset=dataset, epochs=epochs, device="cpu")
        rounds = [(theirs(settings), ours(settings)) for _ in range(ROUNDS)]
        peer, mine = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {dataset} | {peer:,.0f} | {mine:,.0f} | {mine / peer:.2f} |", flush=True)
    print(f"\nMedian of {ROUNDS} alternating rounds. svae_core {__version__}, torch", end=" ")
    print(f"{torch.__version__}, Python {platform.python_version()}.")


if __name__ == "__main__":
    main()
