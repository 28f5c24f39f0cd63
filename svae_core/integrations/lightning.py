"""Lightning: Trainer(callbacks=[CollapseCallback(CollapseMonitor(…))])."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import Callback

from svae_core.integrations._following import Following


class CollapseCallback(Following, Callback):
    """Logs a reading to the trainer's loggers after epochs; `certificate` after the training."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Read. Only the first process of several does, and it alone logs."""
        if trainer.is_global_zero:
            self.read(
                trainer.global_step,
                lambda numbers, step: [
                    logger.log_metrics(numbers, step=step) for logger in trainer.loggers
                ],
            )

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Certify."""
        if trainer.is_global_zero:
            self.certify()
