"""Where autograd ends in a minibatch's terms: from there on the gradient is written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from svae_core.methods import base_of
from svae_core.training.batch_loss import Averages
from svae_core.training.groups import Group, Shared


@dataclass(frozen=True, eq=False)
class MemberIndex:
    """Which members of a batch are in which of its groups."""

    groups: tuple[Group, ...]

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(len(group.seeds) for group in self.groups)

    @cached_property
    def _order(self) -> Tensor | None:
        """Where each member is in the groups one after another; None: where it is anyway."""
        order = torch.cat([group.members for group in self.groups]).argsort()
        return None if order.tolist() == list(range(len(order))) else order

    def split(self, whole: Tensor) -> Sequence[Tensor]:
        """What all members have [m, …] as what each group has [g, …]."""
        if self._order is None:
            return whole.split_with_sizes(self._sizes)
        return [whole[group.rows] for group in self.groups]

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """The inverse of `split`."""
        whole = torch.cat(tuple(parts)) if len(parts) > 1 else parts[0]
        return whole if self._order is None else whole[self._order]


class LazyTerms(dict[str, Sequence[Tensor]]):
    """Parts of all groups' terms, by name: loss, kl or base, [g] each, or kl_per_dim, [g, k]."""

    def __init__(self, averaged: Averages, places: MemberIndex, shared: Shared) -> None:
        self._averaged, self._places, self._shared = averaged, places, shared

    def __missing__(self, name: str) -> Sequence[Tensor]:
        self[name] = made = self._places.split(self._whole(name))
        return made

    def _whole(self, name: str) -> Tensor:
        averaged, shared = self._averaged, self._shared
        if name == "base":
            return base_of(averaged.loss, averaged.kl, shared.half_precision, shared.beta)
        whole: Tensor = getattr(averaged, name)
        return whole.clone()  # autograd takes nothing that was made in inference mode


class GroupTerms(dict[str, Tensor]):
    """The parts of one group's terms: each is made, and an end, once its method asks for it."""

    def __init__(self, made: LazyTerms, group: int) -> None:
        self._made, self._group = made, group

    def __missing__(self, name: str) -> Tensor:
        self[name] = part = self._made[name][self._group].requires_grad_(True)
        return part


@final
class Leaves:
    """The parts of averaged terms that methods ask for, by group and by name.

    A sum is an end beside its summands, so that the graphs of most methods go without those.
    """

    def __init__(self, averaged: Averages, places: MemberIndex, shared: Shared) -> None:
        self.averaged, self._places, self._shared = averaged, places, shared
        # Nothing here may refer to what it is part of: batches would wait for Python's collector.
        self._made = LazyTerms(averaged, places, shared)
        self.parts = tuple(GroupTerms(self._made, index) for index in range(len(places.groups)))

    def leaves(self) -> list[Tensor]:
        """All ends."""
        return [leaf for parts in self.parts for leaf in parts.values()]

    def gradient(self, found: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
        """By D [m] and by KL [m, k or 1], from what was found at the leaves; 0 for None."""
        rest = iter(found)
        given = [dict(zip(parts, rest, strict=False)) for parts in self.parts]
        by = {name: self._of_all(name, given) for name in self._made}
        loss, kl, base = by.get("loss"), by.get("kl"), by.get("base")
        if base is not None:
            loss = _added(loss, base, self._shared.half_precision)
            kl = _added(kl, base, self._shared.beta)
        kl = None if kl is None else kl.unsqueeze(1)
        if "kl_per_dim" in by:
            kl = by["kl_per_dim"] if kl is None else kl + by["kl_per_dim"]
        if loss is None:
            loss = torch.zeros_like(self.averaged.loss)
        if kl is None:
            kl = torch.zeros_like(self.averaged.kl).unsqueeze(1)
        return loss, kl

    def _of_all(self, name: str, given: Sequence[dict[str, Tensor | None]]) -> Tensor:
        parts = []
        for made, own in zip(self._made[name], given, strict=True):
            part = own.get(name)
            parts.append(torch.zeros_like(made) if part is None else part)
        return self._places.joined(parts)


def _added(own: Tensor | None, base: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a summand: its own, and what it has of the sum's."""
    return base * weight if own is None else torch.addcmul(own, base, weight)
