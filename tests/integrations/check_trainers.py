"""The callbacks of a few lines, in Lightning, the Hugging Face Trainer and pythae.

Not part of `make test`: `make integrations` runs it where these are installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.their_loops import OurRun
from torch import Tensor, nn
from torch.utils.data import DataLoader

from svae_core.integrations.plain_model import PlainVAE
from svae_core.integrations.pytorch import FeasibleBand
from svae_core.records import Settings

pytestmark = pytest.mark.filterwarnings("default")  # those of other packages are not our errors
OURS = OurRun(Settings(dataset="digits", epochs=14, hidden=32, latent_dim=4))  # 15 steps an epoch
RATE = OURS.settings.learning_rate


def assert_followed(callback: Any, epochs: int) -> None:
    steps = [reading.step for reading in callback.readings]
    assert len(steps) == epochs and steps == sorted(set(steps))
    assert callback.certificate.n_points == 1797


def test_lightning(tmp_path: Path) -> None:
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import CSVLogger

    from svae_core.integrations.lightning import CollapseCallback

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.band = OURS.start(), OURS.band()

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            return OURS.loss(self.model, self.band, *batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), RATE)

    module = Module()
    callback = CollapseCallback(OURS.monitor(module.model), every=1)
    trainer = pl.Trainer(
        max_epochs=5,
        accelerator="cpu",
        callbacks=[callback],
        logger=CSVLogger(str(tmp_path)),
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=1,
    )

    class Loads(pl.LightningDataModule):
        def train_dataloader(self) -> DataLoader:
            first = 20 * trainer.current_epoch
            return DataLoader(list(OURS.batches(first, first + 20)), batch_size=None)

    trainer.fit(module, Loads())
    assert_followed(callback, 5)
    OURS.assert_it_ends_there(callback.monitor, 100)
    written = next(tmp_path.rglob("metrics.csv")).read_text()
    assert "svae/kl_per_dim/1" in written and "svae/gauge" in written


def test_hugging_face(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    from svae_core.integrations.huggingface import CollapseCallback

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vae, self.band = OURS.start(), OURS.band()

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"loss": OURS.loss(self.vae, self.band, x, torch.randn(len(x), 4))}

    model = Wrapped()
    callback = CollapseCallback(OURS.monitor(model.vae), every=2)
    trainer = Trainer(
        model,
        TrainingArguments(
            str(tmp_path),
            num_train_epochs=4,
            per_device_train_batch_size=128,
            learning_rate=RATE,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=[{"x": point} for point in torch.from_numpy(OURS.points)],
        callbacks=[callback],
    )
    trainer.train()
    assert_followed(callback, 2)
    assert sum("svae/kl" in row for row in trainer.state.log_history) == 2


# ---------------------------------------------------------------------------------- pythae


def pythae_model(parts: PlainVAE | None, d: int, k: int, band: FeasibleBand | None = None) -> Any:
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class TheirEncoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.inner = parts.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.inner(x)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class TheirDecoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.inner = parts.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.inner(z))

    class Banded(VAE):
        def forward(self, inputs: Any, **kwargs: Any) -> ModelOutput:
            self.noise = inputs.get("noise")
            return super().forward(inputs, **kwargs)

        def _sample_gauss(self, mean: Tensor, deviation: Tensor) -> Any:
            noise = torch.randn_like(mean) if self.noise is None else self.noise
            return mean + noise * deviation, noise

        def loss_function(self, recon_x: Tensor, x: Tensor, *posterior: Tensor) -> Any:
            loss, half_error, kl = super().loss_function(recon_x, x, *posterior)
            return loss if band is None else loss + band.penalty(2 * half_error), half_error, kl

    config = VAEConfig(input_dim=(d,), latent_dim=k, reconstruction_loss="mse")
    if parts is None:
        return Banded(config)
    return Banded(config, encoder=TheirEncoder(), decoder=TheirDecoder())


def trained_by_pythae(model: Any, X: np.ndarray, epochs: int, folder: Path, loads: Any) -> Any:
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    from svae_core.integrations.pythae import CollapseCallback, monitor_of

    class OurTrainer(BaseTrainer):
        def get_train_dataloader(self, *args: Any, **kwargs: Any) -> Any:
            return loads or super().get_train_dataloader(*args, **kwargs)

    shell = OURS.radii if loads else None
    callback = CollapseCallback(monitor_of(model, X, shell=shell))
    data = torch.from_numpy(X)
    OurTrainer(
        model,
        BaseDataset(data, torch.zeros(len(data))),
        training_config=BaseTrainerConfig(
            output_dir=str(folder),
            num_epochs=epochs,
            learning_rate=RATE,
            optimizer_cls="Adam",
            per_device_train_batch_size=128,
            no_cuda=True,
        ),
        callbacks=[callback],
    ).train(log_output_dir=None)
    return callback


class OurBatches:
    """Each pass over it is the next epoch of our run."""

    dataset = OURS.points

    def __init__(self) -> None:
        self.steps = 0

    def __len__(self) -> int:
        return 20

    def __iter__(self) -> Any:
        for x, noise in OURS.batches(self.steps, self.steps + 20):
            yield {"data": x, "noise": noise}
        self.steps += 20  # not for the trainer's trial of one minibatch


def test_our_own_run_in_pythaes_loop(tmp_path: Path) -> None:
    model = pythae_model(OURS.start(), 64, 4, OURS.band())
    callback = trained_by_pythae(model, OURS.points, 5, tmp_path, OurBatches())
    assert_followed(callback, 5)
    OURS.assert_it_ends_there(callback.monitor, 100)


def test_a_collapsed_model_of_pythae_and_a_healthy_one_are_told_apart(tmp_path: Path) -> None:
    """The same model of theirs on the same digits: at σ² = 1 only the scale of the data differs."""
    verdicts = {}
    for name, scale in ("collapsed", 1.0), ("healthy", 8.0):
        torch.manual_seed(0)
        points = (OURS.points * scale).astype(np.float32)
        callback = trained_by_pythae(pythae_model(None, 64, 4), points, 30, tmp_path / name, None)
        verdicts[name] = callback.certificate.verdict, callback.readings[-1].gauge
    assert verdicts["collapsed"][0] == "collapsed" and verdicts["collapsed"][1] > 1
    assert verdicts["healthy"][0] == "certified" and verdicts["healthy"][1] < 1
