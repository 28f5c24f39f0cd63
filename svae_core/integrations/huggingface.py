"""Hugging Face Trainer: Trainer(…, callbacks=[CollapseCallback(CollapseMonitor(…))])."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from svae_core.integrations._following import Following


class CollapseCallback(Following, TrainerCallback):
    """Adds a reading to the trainer's log history; `certificate` after the training."""

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Read."""
        if state.is_world_process_zero:
            self.read(
                state.global_step,
                lambda numbers, step: state.log_history.append({"step": step, **numbers}),
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Certify."""
        if state.is_world_process_zero:
            self.certify()
