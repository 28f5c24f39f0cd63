"""Where autograd ends: whatever methods ask for, the gradient is that of the plain terms."""

from types import SimpleNamespace

import torch
from hypothesis import given
from hypothesis import strategies as st

from svae_core.methods import parts_of
from svae_core.training.autograd_leaves import Leaves, MemberIndex

K = 3
NAMES = ("loss", "kl", "kl_per_dim", "base")
#: What a group's method asks for; its place in the batch and its size follow from the drawing.
WISHES = st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=4)


def _numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _value(parts, wished: set[str]) -> torch.Tensor:
    """Something that is not linear in what it asks for, in an order of its own."""
    terms = {
        "loss": lambda: parts["loss"] ** 2,
        "kl": lambda: parts["kl"].exp(),
        "kl_per_dim": lambda: parts["kl_per_dim"].clamp_min(0.4).prod(dim=1),
        "base": lambda: parts["base"].sqrt(),
    }
    return sum(terms[name]() for name in sorted(wished, reverse=True))


@given(WISHES, st.data(), st.integers(0, 99))
def test_the_gradient_is_that_of_the_plain_terms(wishes, data, seed):
    sizes = [data.draw(st.integers(1, 3)) for _ in wishes]
    m = sum(sizes)
    members = torch.tensor(data.draw(st.permutations(range(m)))).split(sizes)
    groups = tuple(
        SimpleNamespace(members=rows.sort().values, rows=rows.sort().values, seeds=(0,) * len(rows))
        for rows in members
    )
    loss, kl_per_dim = _numbers(seed, m), _numbers(seed + 1, m, K)
    shared = SimpleNamespace(half_precision=_numbers(seed + 2, m), beta=_numbers(seed + 3, m))
    for each in (loss, kl_per_dim):
        each.requires_grad_(True)
    plain = parts_of(loss, kl_per_dim, shared.half_precision, shared.beta)
    mine = [{name: part[group.rows] for name, part in plain.items()} for group in groups]
    sum(_value(*each).sum() for each in zip(mine, wishes, strict=True)).backward()

    averaged = SimpleNamespace(
        loss=loss.detach(), kl=plain["kl"].detach(), kl_per_dim=kl_per_dim.detach()
    )
    ends = Leaves(averaged, MemberIndex(groups), shared)
    values = [_value(parts, wished) for parts, wished in zip(ends.parts, wishes, strict=True)]
    assert [set(parts) for parts in ends.parts] == wishes, "nothing that nobody asked for"
    found = torch.autograd.grad(sum(value.sum() for value in values), ends.leaves())
    by_loss, by_kl = ends.gradient(found)
    for one, whole in ((by_loss, loss), (by_kl.expand(m, K), kl_per_dim)):
        wanted = torch.zeros_like(whole) if whole.grad is None else whole.grad
        torch.testing.assert_close(one, wanted)


def test_an_end_that_nothing_depends_on_counts_as_zero():
    ends = Leaves(
        SimpleNamespace(loss=torch.ones(2), kl=torch.ones(2), kl_per_dim=torch.ones(2, K)),
        MemberIndex((SimpleNamespace(members=torch.arange(2), rows=slice(0, 2), seeds=(0, 0)),)),
        SimpleNamespace(half_precision=torch.ones(2), beta=torch.full((2,), 2.0)),
    )
    for name in ("kl_per_dim", "base"):
        assert ends.parts[0][name].requires_grad
    by_loss, by_kl = ends.gradient([None, torch.ones(2)])
    assert by_loss.tolist() == [1.0, 1.0] and by_kl.tolist() == [[2.0] * K] * 2
