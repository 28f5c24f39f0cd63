"""A gated recurrent unit that reads a point step by step, and one that writes it.

    r, u = σ(x W + h U + b),  n = tanh(x W_n + b_n + r·(h U_n + c)),  h' = n + u·(h − n)

The classical decoder of sentences (arXiv 1511.06349; unit: arXiv 1406.1078): it starts from z, and
predicts each step from its state, in which it has read the steps before. Trained on the point's own
steps ("teacher forcing") it may need no z; running free it reads its own predictions. Under squared
error the best prediction of a one-hot symbol is its probability, so these are what is fed back:
nothing is sampled, and g(z) is a function of z.

Predictions are linear in the state, so the free run is a recurrence of the state alone: with
x_{t+1} = h_t V + c_t, a prediction and the product that reads it are one matrix. The gradient is
written out, because autograd's own costs twice the time: one product each for all steps' weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from svae_core.nets.layers import Layer, Steps, affine, parts

AUTOREGRESSIVE = True


def step_layers(d: int, k: int, hidden: int, steps: Steps) -> list[Layer]:
    """All states of the reader give the posterior; z gives the writer's first state."""
    return [
        reader("encoder.0", steps, hidden),
        affine("encoder.1", steps[0] * hidden, 2 * k, tanh=False),
        affine("decoder.2", k, hidden),
        writer("decoder.3", steps, hidden),
    ]


def reader(name: str, steps: Steps, hidden: int) -> Layer:
    """Points [m, b, d] -> the states after each step, [m, b, steps · hidden]."""
    count, width = steps
    shapes = _unit(width, hidden)

    def forward(points: Tensor, weight: Tensor, _bias: Tensor) -> Tensor:
        by_input, by_state, bias, inner = parts(weight, shapes)
        given = torch.baddbmm(bias, by_step(points, steps), by_input)
        given = given.unflatten(1, (count, -1))
        start = given.new_zeros(*given.shape[:1], given.shape[2], hidden)
        states = Recurrence.apply(given, start, by_state, inner)
        return states.transpose(1, 2).flatten(2)

    size = sum(a * b for a, b in shapes)
    plain = "gru_reader", steps, hidden, shapes, 0
    return Layer(name, (1, size), 0, forward, receptive_field=hidden, plain=plain)


def writer(name: str, steps: Steps, hidden: int) -> Layer:
    """First states [m, b, hidden] -> predictions [m, b, d], with a bias for each coordinate."""
    count, width = steps
    shapes = *_unit(width, hidden), (hidden, 3 * hidden), (hidden, width)
    # Steps of points on the unit shell have norms of about 1/√steps: see `by_step`.
    scale = 1.0 / math.sqrt(count)

    def written(states: Tensor, out: Tensor, bias: Tensor) -> Tensor:
        flat = torch.bmm(states.flatten(1, 2), out).unflatten(1, states.shape[1:3])
        return flat.transpose(1, 2).flatten(2) * scale + bias

    def teacher_forced(start: Tensor, weight: Tensor, bias: Tensor, points: Tensor) -> Tensor:
        by_input, by_state, gates, inner, by_start, out = parts(weight, shapes)
        every = by_step(points, steps).unflatten(1, (count, -1))
        seen = torch.cat((torch.zeros_like(every[:, :1]), every[:, :-1]), dim=1)
        always = torch.baddbmm(gates, start, by_start).unsqueeze(1)
        given = torch.bmm(seen.flatten(1, 2), by_input).unflatten(1, seen.shape[1:3]) + always
        return written(Recurrence.apply(given, start, by_state, inner), out, bias)

    def free_running(start: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        by_input, by_state, gates, inner, by_start, out = parts(weight, shapes)
        always = torch.baddbmm(gates, start, by_start).unsqueeze(1)
        first = Recurrence.apply(always, start, by_state, inner)
        if count == 1:
            return written(first, out, bias)
        # What a step reads is what the one before wrote, h·out + bias/scale, in one product with h.
        fed = torch.bmm(out, by_input)
        constant = bias.view(-1, count, width)[:, :-1] / scale
        given = torch.bmm(constant, by_input).unsqueeze(2) + always
        gate, candidate = by_state.split([2 * hidden, hidden], dim=2)
        gate_fed, candidate_fed = fed.split([2 * hidden, hidden], dim=2)
        own = torch.cat((gate + gate_fed, candidate, candidate_fed), dim=2)
        later = Recurrence.apply(given, first[:, 0], own, inner)
        return written(torch.cat((first, later), dim=1), out, bias)

    size = sum(a * b for a, b in shapes)
    plain = "gru_writer", steps, hidden, shapes, count * width
    return Layer(
        *(name, (1, size), count * width, free_running),
        receptive_field=hidden,
        teacher_forced=teacher_forced,
        plain=plain,
    )


def _unit(width: int, hidden: int) -> tuple[tuple[int, int], ...]:
    """Shapes of a unit's parts: by input, by state, biases, the inner bias of its candidate."""
    return (width, 3 * hidden), (hidden, 3 * hidden), (1, 3 * hidden), (1, hidden)


def by_step(points: Tensor, steps: Steps) -> Tensor:
    """Points [m, b, d] as steps, one after another, [m, steps · b, width].

    On the unit shell a step has a norm of about 1/√steps, and √steps times that is about 1.
    """
    return points.unflatten(2, steps).transpose(1, 2).flatten(1, 2) * math.sqrt(steps[0])


class Recurrence(torch.autograd.Function):
    """The states [m, t, b, h] of a gated recurrent unit.

    Recurrence.apply(given [m, t, b, 3h], start [m, b, h], by_state [m, h, 3h or 4h], inner)

    `given` is the part of gates r, u and candidate n that does not depend on the state; the last h
    columns of [m, h, 4h] are the state's share of the candidate outside of r. σ is written by tanh,
    whose last bits do not depend on a number's place in a tensor, so members equal solo runs.
    """

    @staticmethod
    def forward(ctx: Any, given: Tensor, start: Tensor, by_state: Tensor, inner: Tensor) -> Tensor:
        m, count, b, _ = given.shape
        h = start.shape[2]
        states, gates = given.new_empty(m, count, b, h), given.new_empty(m, count, b, 2 * h)
        news, inners = given.new_empty(m, count, b, h), given.new_empty(m, count, b, h)
        state, wide = start, by_state.shape[2] > 3 * h
        # Views of all steps at once: within the loop each would cost as much as its arithmetic.
        for gate, reset, keep, by_gate, by_new, new, within, after in zip(
            *(gates.unbind(1), gates[..., :h].unbind(1), gates[..., h:].unbind(1)),
            *(given[..., : 2 * h].unbind(1), given[..., 2 * h :].unbind(1)),
            *(news.unbind(1), inners.unbind(1), states.unbind(1)),
            strict=True,
        ):
            product = torch.bmm(state, by_state)
            torch.add(product[..., : 2 * h], by_gate, out=gate)
            gate.mul_(0.5).tanh_().mul_(0.5).add_(0.5)
            torch.add(product[..., 2 * h : 3 * h], inner, out=within)
            torch.mul(reset, within, out=new)
            new.add_(by_new)
            if wide:
                new.add_(product[..., 3 * h :])
            new.tanh_()
            torch.sub(state, new, out=after)
            state = after.mul_(keep).add_(new)
        ctx.save_for_backward(start, by_state, states, gates, news, inners)
        return states

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (by_states,) = grads
        start, by_state, states, gates, news, inners = ctx.saved_tensors
        m, count, b, h = states.shape
        wide = by_state.shape[2] > 3 * h
        products = states.new_empty(m, count, b, by_state.shape[2])  # by the product with the state
        by_new = products[..., 3 * h :] if wide else states.new_empty(m, count, b, h)
        earlier = torch.cat((start.unsqueeze(1), states[:, :-1]), dim=1)
        # h' = n + u·(h − n), n = tanh(… + r·w): what multiplies the gradient by h' and by n.
        resets, keeps = gates[..., :h], gates[..., h:]
        of_new = (1.0 - keeps) * (1.0 - news * news)
        of_keep = (earlier - news) * (keeps - keeps * keeps)
        of_reset = inners * (resets - resets * resets)
        back, d = by_state.mT, torch.zeros_like(start)
        steps = zip(
            *(by_states.unbind(1), keeps.unbind(1), resets.unbind(1)),
            *(of_new.unbind(1), of_keep.unbind(1), of_reset.unbind(1)),
            *(products.unbind(1), by_new.unbind(1), products[..., :h].unbind(1)),
            *(products[..., h : 2 * h].unbind(1), products[..., 2 * h : 3 * h].unbind(1)),
            strict=True,
        )
        for (
            by_state_t,
            keep,
            reset,
            n,
            u,
            r,
            into,
            new,
            into_reset,
            into_keep,
            into_inner,
        ) in reversed(tuple(steps)):
            d = d + by_state_t
            torch.mul(d, n, out=new)
            torch.mul(d, u, out=into_keep)
            torch.mul(new, reset, out=into_inner)
            torch.mul(new, r, out=into_reset)
            d = torch.baddbmm(d.mul_(keep), into, back)
        by_weight = torch.bmm(earlier.flatten(1, 2).mT, products.flatten(1, 2))
        by_inner = products[..., 2 * h : 3 * h].sum(dim=(1, 2)).unsqueeze(1)
        return torch.cat((products[..., : 2 * h], by_new), dim=3), d, by_weight, by_inner
