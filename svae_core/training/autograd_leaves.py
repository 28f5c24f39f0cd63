"""The boundary between autograd and the gradients written by hand.

Methods build their objectives on autograd from D and KL of a minibatch. Those averages are leaves
of the autograd graph; from them back to the weights, `batch_loss` has the gradient written by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from svae_core.methods import base_of
from svae_core.training.batch_loss import BatchLoss
from svae_core.training.groups import Group, LossParameters


@dataclass(frozen=True, eq=False)
class MemberIndex:
    """The order of a batch's members in its groups, to split tensors by group and join them."""

    groups: tuple[Group, ...]

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(len(group.seeds) for group in self.groups)

    @cached_property
    def _order(self) -> Tensor | None:
        """Each member's position in the concatenated groups; None if that is the batch's order."""
        order = torch.cat([group.members for group in self.groups]).argsort()
        return None if order.tolist() == list(range(len(order))) else order

    def split(self, whole: Tensor) -> Sequence[Tensor]:
        """A tensor of all members [m, …] as one tensor [g, …] per group."""
        if self._order is None:
            return whole.split_with_sizes(self._sizes)
        return [whole[group.rows] for group in self.groups]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """The inverse of `split`."""
        whole = torch.cat(tuple(parts)) if len(parts) > 1 else parts[0]
        return whole if self._order is None else whole[self._order]


class LazyTerms(dict[str, Sequence[Tensor]]):
    """Terms by name, split by group: loss, kl or base, [g] each, or kl_per_dim, [g, k].

    A term is computed the first time that a method asks for it.
    """

    def __init__(
        self, averaged: BatchLoss, member_index: MemberIndex, loss_parameters: LossParameters
    ) -> None:
        self._averaged, self._member_index = averaged, member_index
        self._loss_parameters = loss_parameters

    def __missing__(self, name: str) -> Sequence[Tensor]:
        self[name] = made = self._member_index.split(self._of_batch(name))
        return made

    def _of_batch(self, name: str) -> Tensor:
        averaged, weights = self._averaged, self._loss_parameters
        if name == "base":
            return base_of(averaged.loss, averaged.kl, weights.half_precision, weights.beta)
        whole: Tensor = getattr(averaged, name)
        return whole.clone()  # a tensor made in inference mode cannot enter an autograd graph


class GroupTerms(dict[str, Tensor]):
    """The terms of one group; each becomes an autograd leaf when its method first asks for it."""

    def __init__(self, lazy_terms: LazyTerms, group: int) -> None:
        self._lazy_terms, self._group = lazy_terms, group

    def __missing__(self, name: str) -> Tensor:
        self[name] = part = self._lazy_terms[name][self._group].requires_grad_(True)
        return part


@final
class Leaves:
    """The autograd leaves of a minibatch: the averaged terms that methods ask for.

    The sum `base` = D/(2σ²) + β·KL is a leaf of its own beside its summands, so that the graphs of
    most methods hold one node instead of three.
    """

    def __init__(
        self, averaged: BatchLoss, member_index: MemberIndex, loss_parameters: LossParameters
    ) -> None:
        self.averaged, self._member_index = averaged, member_index
        self._loss_parameters = loss_parameters
        # No reference cycles: a cycle would keep the batch's tensors until the garbage collector.
        self._lazy_terms = LazyTerms(averaged, member_index, loss_parameters)
        self.parts = tuple(
            GroupTerms(self._lazy_terms, index) for index in range(len(member_index.groups))
        )

    def leaves(self) -> list[Tensor]:
        """All leaves that methods asked for."""
        return [leaf for parts in self.parts for leaf in parts.values()]

    def gradient(self, found: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
        """The gradients by D [m] and by KL [m, k or 1] from those at the leaves (None: zero).

        With base = D/(2σ²) + β·KL: ∂/∂D gains ∂/∂base / (2σ²), and ∂/∂KL gains β·∂/∂base. KL is the
        sum of KL_j, so its gradient is added to that of every KL_j.
        """
        rest = iter(found)
        given = [dict(zip(parts, rest, strict=False)) for parts in self.parts]
        by = {name: self._join_gradients(name, given) for name in self._lazy_terms}
        loss, kl, base = by.get("loss"), by.get("kl"), by.get("base")
        if base is not None:
            loss = _add_sum_gradient(loss, base, self._loss_parameters.half_precision)
            kl = _add_sum_gradient(kl, base, self._loss_parameters.beta)
        kl = None if kl is None else kl.unsqueeze(1)
        if "kl_per_dim" in by:
            kl = by["kl_per_dim"] if kl is None else kl + by["kl_per_dim"]
        if loss is None:
            loss = torch.zeros_like(self.averaged.loss)
        if kl is None:
            kl = torch.zeros_like(self.averaged.kl).unsqueeze(1)
        return loss, kl

    def _join_gradients(self, name: str, given: Sequence[dict[str, Tensor | None]]) -> Tensor:
        parts = []
        for made, own in zip(self._lazy_terms[name], given, strict=True):
            part = own.get(name)
            parts.append(torch.zeros_like(made) if part is None else part)
        return self._member_index.join(parts)


def _add_sum_gradient(own: Tensor | None, base: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a summand: `own`, and `weight` times the gradient of the weighted sum."""
    return base * weight if own is None else torch.addcmul(own, base, weight)
