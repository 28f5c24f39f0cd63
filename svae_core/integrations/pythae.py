"""pythae: pipeline(X, callbacks=[CollapseCallback(monitor_of(model, X))]).

Its VAE minimises half the summed squared error plus the KL, so σ² and β are 1.
"""

from __future__ import annotations

from typing import Any

from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor

from svae_core.integrations._following import Following
from svae_core.integrations.pytorch import CollapseMonitor


def monitor_of(model: Any, X: Any, **options: Any) -> CollapseMonitor:
    """The monitor of a pythae model with a Gaussian posterior; options of CollapseMonitor."""

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        out = model.encoder(x)
        return out.embedding, out.log_covariance

    def decode(z: Tensor) -> Tensor:
        answers: Tensor = model.decoder(z)["reconstruction"]
        return answers

    return CollapseMonitor(encode, decode, X, models=(model,), **options)


class CollapseCallback(Following, TrainingCallback):
    """Takes a reading after epochs, in `readings`; `certificate` after the training."""

    def on_epoch_end(self, training_config: Any, **kwargs: Any) -> None:
        """Read."""
        self.read(self._epochs + 1, lambda numbers, step: None)

    def on_train_end(self, training_config: Any, **kwargs: Any) -> None:
        """Certify."""
        self.certify()
