"""One training step of one member in double precision, with weights and noise that a test gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from svae_core.methods import Terms, base_objective, method_for
from svae_core.nets.networks import Networks, networks
from svae_core.records import Settings
from svae_core.training.batch_context import batch_context
from svae_core.training.loop import begin
from svae_core.training.members import Group, initial_memory
from svae_core.training.objective import Batch, TrainingStep, losses


def double(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float64)


def first_weights(settings: Settings) -> torch.Tensor:
    """The row [1, p] of a new run, as a leaf in double precision."""
    return double(begin((settings,)).parameters)


def seen_by(
    settings: Settings, row: torch.Tensor, points: torch.Tensor, noise: torch.Tensor
) -> tuple[Any, Networks, Terms]:
    """A member's method, networks and terms for points [b, d] and its whole noise [b, w]."""
    context = batch_context((settings,), 0)
    method, found = method_for(settings), []
    method.objective = lambda terms, constants: found.append(terms) or base_objective(terms)  # type: ignore[attr-defined]
    member = replace(context.members[0], method=method)
    nets, k = networks(context.arch, row), settings.latent_dim
    for leaf in nets.leaves():
        leaf.requires_grad_(True)
    group = Group((member,), context.device)
    with pytest.MonkeyPatch.context() as patch:
        more = noise[:, k:].unsqueeze(0).split(k, dim=2) if noise.shape[1] > k else ()
        patch.setattr("svae_core.training.objective.more_noise", lambda *_: more)
        batch = Batch(points.unsqueeze(0), noise[:, :k].unsqueeze(0))
        losses(group, nets, batch, TrainingStep(0, 10), initial_memory((member,)))
    return method, nets, found[0]


def written(settings: Settings, at: dict[str, Any]) -> torch.Tensor:
    """A row of 0 but for these layers' biases, or weight and bias; tensors by layer name."""
    context, row = batch_context((settings,), 0), torch.zeros_like(first_weights(settings))
    own = context.members[0].layers
    places = {layer.name: (layer, context.arch.extra.start) for layer in own}
    places |= {layer.name: (layer, 0) for layer in context.arch.layers}
    for name, (weight, bias) in at.items():
        layer, first = places[name]
        for part, values in ((layer.weight, weight), (layer.bias, bias)):
            if values is not None:
                row[0, first + part.start : first + part.stop] = double(values).flatten()
    return row
