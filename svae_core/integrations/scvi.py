"""scvi-tools: model.train(callbacks=[CollapseCallback(monitor_of(model))]).

scVI decodes with the library size of each cell, which tells of the cell beside the latent code. So
cells are compared in log(1 + 10⁴ · share of a gene), the decoder's shares do not depend on it, and
the encoder is given every cell at the median library size: all that passes goes through z.
Of the names of scvi-tools, elbo_train and elbo_validation are −ELBO (lower is better), while
get_elbo() gives the ELBO itself or its negative, by version; our names (svae/…) have one sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from svae_core.integrations.lightning import CollapseCallback as CollapseCallback
from svae_core.integrations.pytorch import CollapseMonitor

_SCALE = 1e4


def monitor_of(model: Any, **options: Any) -> CollapseMonitor:
    """The monitor of an scVI model on the cells it was set up with; options of CollapseMonitor.

    Cells are taken as of the first batch, without covariates.
    """
    module, counts = model.module, model.adata_manager.get_from_registry("X")
    counts = np.asarray(counts.toarray() if hasattr(counts, "toarray") else counts, np.float64)
    library = counts.sum(axis=1, keepdims=True)
    median = float(np.median(library))
    points = np.log1p(_SCALE * counts / np.maximum(library, 1)).astype(np.float32)

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        cells = torch.expm1(x) * (median / _SCALE)
        q = module.inference(cells, _first_batch(x))["qz"]
        return q.loc, 2 * q.scale.log()

    def decode(z: Tensor) -> Tensor:
        size = torch.full((len(z), 1), median, device=z.device).log()
        shares = module.generative(z, size, _first_batch(z))["px"].scale
        return torch.log1p(_SCALE * shares)

    return CollapseMonitor(encode, decode, points, models=(module,), **options)


def _first_batch(rows: Tensor) -> Tensor:
    return torch.zeros(len(rows), 1, dtype=torch.long, device=rows.device)
