"""Records of a run in a tracker: report.log(record, step), to MLflow, TensorBoard or JSON Lines.

A record is a monitor's reading, a certificate, a frame, or any dataclass or mapping with numbers.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from pathlib import Path
from typing import Any

from svae_core.records import to_json
from svae_core.studies.jsonl import append

_PREFIX = "svae"
_LINES = "svae.jsonl"
_TENSORBOARD = "runs/svae"


def log(record: Any, step: int, to: Any = None) -> str:
    """Write a record to a tracker, and return where it went.

    `to`: a file that ends in .jsonl (the whole record, a line each), "mlflow" (numbers, to the
    active run), or a folder or SummaryWriter of TensorBoard (numbers and the sentence). None takes
    what is there: MLflow's active run, TensorBoard in runs/svae if it is installed, or svae.jsonl.
    Names are svae/loss, svae/kl_per_dim/1, svae/floors/proved, …; what is not finite is left out.
    RequestError where the file cannot be written.
    """
    if to is None:
        to = _what_is_there()
    if hasattr(to, "add_scalar"):
        return _to_tensorboard(record, step, to)
    if to == "mlflow":
        return _to_mlflow(record, step)
    if Path(to).suffix == ".jsonl":
        plain = to_json(record)
        told = plain if isinstance(plain, dict) else {"value": plain}
        append(to, [{"step": step} | told | {"step": step}])  # readings have a number of their own
        return str(to)
    return _to_tensorboard(record, step, _writer(str(to)))


def scalars(record: Any) -> dict[str, float]:
    """The finite numbers of a record by name: svae/loss, svae/kl_per_dim/1, …"""
    found: dict[str, float] = {}

    def collect(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for inner, part in value.items():
                collect(f"{name}/{inner}", part)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                collect(f"{name}/{index + 1}", part)
        elif (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ):
            found[name] = float(value)

    collect(_PREFIX, to_json(record))
    return found


def _what_is_there() -> str:
    if importlib.util.find_spec("mlflow") is not None:
        import mlflow

        if mlflow.active_run() is not None:
            return "mlflow"
    return _TENSORBOARD if importlib.util.find_spec("tensorboard") is not None else _LINES


def _to_mlflow(record: Any, step: int) -> str:
    import mlflow

    mlflow.log_metrics(scalars(record), step=step)
    if sentence := to_json(record).get("sentence"):
        mlflow.set_tag(f"{_PREFIX}.sentence", sentence)
    return "mlflow"


def _to_tensorboard(record: Any, step: int, writer: Any) -> str:
    for name, value in scalars(record).items():
        writer.add_scalar(name, value, step)
    if sentence := to_json(record).get("sentence"):
        writer.add_text(f"{_PREFIX}/sentence", sentence, step)
    writer.flush()
    return str(writer.log_dir)


@functools.lru_cache(maxsize=8)
def _writer(folder: str) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder)
