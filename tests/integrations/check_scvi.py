"""scvi-tools, in an environment of its own: `make integrations` runs this."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from svae_core.integrations.scvi import CollapseCallback, monitor_of

pytestmark = pytest.mark.filterwarnings("default")


def cells() -> Any:
    """Counts of 600 cells of four kinds that differ in sixty genes, in libraries of many sizes."""
    import anndata

    rng = np.random.default_rng(0)
    kinds = rng.gamma(0.6, size=(4, 60))
    share = kinds[rng.integers(4, size=600)]
    share /= share.sum(axis=1, keepdims=True)
    library = rng.lognormal(6, 0.5, size=(600, 1))
    return anndata.AnnData(rng.poisson(share * library).astype(np.float32))


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    import scvi

    scvi.settings.seed = 0
    data = cells()
    scvi.model.SCVI.setup_anndata(data)
    model = scvi.model.SCVI(data, n_latent=4, n_hidden=32)
    callback = CollapseCallback(monitor_of(model), every=5)
    model.train(max_epochs=40, accelerator="cpu", callbacks=[callback], enable_progress_bar=False)
    return model, callback


def test_a_trained_model_is_certified(trained: tuple[Any, Any]) -> None:
    _, callback = trained
    assert len(callback.readings) == 8
    assert callback.readings[-1].loss < callback.readings[0].loss
    assert callback.certificate.verdict == "certified"
    assert callback.certificate.floors.proved <= callback.certificate.kl


def test_the_elbo_has_two_signs_and_ours_has_one(trained: tuple[Any, Any]) -> None:
    model, callback = trained
    assert float(model.history["elbo_train"].iloc[-1].item()) > 0  # −ELBO
    assert float(model.get_elbo()) < 0  # the ELBO
    assert all(reading.kl > 0 and reading.loss > 0 for reading in callback.readings)


def test_a_decoder_that_forgets_z_is_told_apart(trained: tuple[Any, Any]) -> None:
    """The library size, which it is given as well, must not make it look alive."""
    import scvi
    import torch

    data = cells()
    scvi.model.SCVI.setup_anndata(data)
    model = scvi.model.SCVI(data, n_latent=4, n_hidden=32)
    model.train(max_epochs=15, accelerator="cpu", enable_progress_bar=False)
    module = model.module
    with torch.no_grad():
        for weight in module.z_encoder.mean_encoder.parameters():
            weight.zero_()
        for weight in module.z_encoder.var_encoder.parameters():
            weight.zero_()
    assert monitor_of(model).certify().verdict == "collapsed"
