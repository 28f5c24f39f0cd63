"""ONNX, TensorBoard, MLflow and polars, where they are installed: `make integrations` runs this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from svae_core.estimator import SphericalVAE
from svae_core.integrations import report
from svae_core.integrations.exchange import plain, write_onnx
from svae_core.integrations.pytorch import CollapseMonitor
from svae_core.records import Budget, Settings
from svae_core.training import loop

pytestmark = pytest.mark.filterwarnings("default")  # those of other packages are not our errors


def plain_model(**settings: Any) -> Any:
    chosen = Settings(
        **{"dataset": "digits", "hidden": 16, "latent_dim": 3, "epochs": 1} | settings
    )
    state = loop.advance(loop.begin((chosen,)), Budget(steps=4, frames=False)).state
    return plain(loop.models(state)[0])


#: Architectures with data that they are for; of names the free-running answer is written.
ARCHITECTURES = [
    *(("digits", arch) for arch in ("mlp", "conv", "resmlp", "autoregressive", "linear")),
    *(("names", arch) for arch in ("mlp", "gru", "causal", "autoregressive")),
]


@pytest.mark.parametrize(("dataset", "arch"), ARCHITECTURES)
def test_onnx_answers_as_the_model(dataset: str, arch: str, tmp_path: Path) -> None:
    import onnxruntime

    model = plain_model(dataset=dataset, arch=arch)
    encoder, decoder = write_onnx(model, tmp_path / "model.onnx")
    d = model.center.numel()
    points = torch.rand(7, d, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mean, log_variance = model.encode(points)
        answers = model.decode(mean)
    found = onnxruntime.InferenceSession(str(encoder)).run(None, {"points": points.numpy()})
    assert np.abs(found[0] - mean.numpy()).max() < 1e-5
    assert np.abs(found[1] - log_variance.numpy()).max() < 1e-5
    (back,) = onnxruntime.InferenceSession(str(decoder)).run(None, {"z": mean.numpy()})
    assert np.abs(back - answers.numpy()).max() < 1e-5


def reading() -> Any:
    model = plain_model()
    points = np.random.default_rng(0).normal(size=(50, 64))
    return CollapseMonitor(model.encode, model.decode, points).step()


def test_tensorboard_gets_numbers_and_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = reading()
    assert report.log(record, 3, tmp_path / "board") == str(tmp_path / "board")
    monkeypatch.chdir(tmp_path)
    assert report.log(record, 3) == "runs/svae"  # no run of MLflow is active
    for folder in ("board", "runs/svae"):
        events = EventAccumulator(str(tmp_path / folder))
        events.Reload()
        (event,) = events.Scalars("svae/kl")
        assert (event.step, event.value) == (3, pytest.approx(record.kl, rel=1e-6))
        assert any("sentence" in tag for tag in events.Tags()["tensors"])


def test_mlflow_gets_the_numbers_of_the_active_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # mlflow-skinny brings no database; its files are enough to see what was written.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow

    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    record = reading()
    with mlflow.start_run() as run:
        assert report.log(record, 5) == "mlflow"
    data = mlflow.get_run(run.info.run_id).data
    assert data.metrics["svae/kl"] == pytest.approx(record.kl)
    assert data.tags["svae.sentence"] == record.sentence


def test_set_output_gives_frames_of_polars() -> None:
    import polars

    points = np.random.default_rng(0).normal(size=(60, 4))
    model = SphericalVAE(latent_dim=2, clusters=3, epochs=2, hidden=8, draws=8)
    found = model.set_output(transform="polars").fit_transform(points)
    assert isinstance(found, polars.DataFrame)
    assert found.columns == ["sphericalvae0", "sphericalvae1"]
