"""What a batch of members minimises: a minibatch's terms, put together by each one's method."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from svae_core.methods import Terms, TrainingMethod, method_for
from svae_core.networks import Networks, project_on_shell
from svae_core.posterior import gaussian_kl, sample
from svae_core.records import Groundwork, Settings


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of every member."""

    points: Tensor  # [m, b, d]
    noise: Tensor  # [m, b, k]


@dataclass(frozen=True, eq=False)
class Group:
    """Members trained by the same configured method."""

    method: TrainingMethod
    members: Tensor  # [g] indices
    constants: dict[str, Tensor]  # [g] each


@dataclass(frozen=True, eq=False)
class Objective:
    """All that turns outputs into a value to minimise, for each of m members."""

    groups: tuple[Group, ...]
    projected: Tensor  # [m, 1, 1] 1 or 0
    r_min: Tensor  # [m, 1, 1]
    r_max: Tensor  # [m, 1, 1]
    sigma2: Tensor  # [m]
    beta: Tensor  # [m]

    def total(self, nets: Networks, batch: Batch, progress: float) -> Tensor:
        """The sum of all members' objectives, a scalar.

        Members do not share weights, so its gradient is each member's own gradient.
        """
        terms = self.terms(nets, batch, progress)
        total = torch.zeros((), device=batch.points.device)
        for group in self.groups:
            part = _select(terms, group.members) if len(self.groups) > 1 else terms
            total = total + group.method.objective(part, group.constants).sum()
        return total

    def terms(self, nets: Networks, batch: Batch, progress: float) -> Terms:
        """Loss with sampled latents and KL of one minibatch."""
        mean, log_variance = nets.encode(batch.points)
        z = sample(mean, log_variance, batch.noise, torch.exp)
        outputs = project_on_shell(nets.decode(z), self.r_min, self.r_max, self.projected)
        error = outputs - batch.points
        kl_per_dim = gaussian_kl(mean, log_variance, torch.exp).mean(dim=1)
        return Terms(
            loss=(error * error).sum(dim=2).mean(dim=1),
            kl=kl_per_dim.sum(dim=1),
            kl_per_dim=kl_per_dim,
            sigma2=self.sigma2,
            beta=self.beta,
            progress=progress,
        )


def objective(
    members: tuple[Settings, ...], grounds: tuple[Groundwork, ...], device: torch.device
) -> Objective:
    """The objective of these members; RequestError where a method's request makes no sense."""
    methods = [method_for(settings) for settings in members]

    def per_member(values: list[float], *shape: int) -> Tensor:
        return torch.tensor(values, device=device).view(-1, *shape)

    return Objective(
        groups=_groups(members, methods, grounds, device),
        projected=per_member([float(method.projected) for method in methods], 1, 1),
        r_min=per_member([settings.r_min for settings in members], 1, 1),
        r_max=per_member([settings.r_max for settings in members], 1, 1),
        sigma2=per_member([settings.sigma2 for settings in members]),
        beta=per_member([settings.beta for settings in members]),
    )


def _groups(
    members: tuple[Settings, ...],
    methods: list[TrainingMethod],
    grounds: tuple[Groundwork, ...],
    device: torch.device,
) -> tuple[Group, ...]:
    together: dict[tuple[object, ...], list[int]] = {}
    for index, settings in enumerate(members):
        together.setdefault((settings.method, settings.method_options), []).append(index)
    groups = []
    for rows in together.values():
        constants = [methods[i].constants(grounds[i], members[i]) for i in rows]
        groups.append(
            Group(
                method=methods[rows[0]],
                members=torch.tensor(rows, device=device),
                constants={
                    name: torch.tensor([c[name] for c in constants], device=device)
                    for name in constants[0]
                },
            )
        )
    return tuple(groups)


def _select(terms: Terms, rows: Tensor) -> Terms:
    return Terms(
        loss=terms.loss[rows],
        kl=terms.kl[rows],
        kl_per_dim=terms.kl_per_dim[rows],
        sigma2=terms.sigma2[rows],
        beta=terms.beta[rows],
        progress=terms.progress,
    )
