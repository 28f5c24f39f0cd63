"""Dilated causal convolutions: each step sees itself and the steps before it, 16 of them.

    h ← h + tanh(h_t A + h_{t−δ} B + b)/√depth,  δ = 1, 2, 4, 8

The decoder adds z to every step and predicts a step from those before it (arXiv 1609.03499; of
sentences with z: arXiv 1702.08139). Trained on the point's own steps, all are computed at once;
running free it goes step by step on its own predictions, which estimate probabilities where points
are one-hot. Each step has a bias of its own, by which the net knows where in the point it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from svae_core.nets.architectures.gru import by_step
from svae_core.nets.layers import Layer, Steps, affine, parts

AUTOREGRESSIVE = True
_DILATIONS = (1, 2, 4, 8)


def step_layers(d: int, k: int, hidden: int, steps: Steps) -> list[Layer]:
    """What all steps of the reader have found gives the posterior."""
    return [
        reader("encoder.0", steps, hidden),
        affine("encoder.1", steps[0] * hidden, 2 * k, tanh=False),
        affine("decoder.2", k, hidden),
        writer("decoder.3", steps, hidden),
    ]


def reader(name: str, steps: Steps, hidden: int) -> Layer:
    """Points [m, b, d] -> features of each step, [m, b, steps · hidden]."""
    shapes = _stack(steps, hidden)

    def forward(points: Tensor, weight: Tensor, _bias: Tensor) -> Tensor:
        by_input, places, *layers = parts(weight, shapes)
        read = torch.bmm(by_step(points, steps), by_input).unflatten(1, (steps[0], -1))
        return _all_at_once(read + places.unsqueeze(2), layers).transpose(1, 2).flatten(2)

    size = sum(a * b for a, b in shapes)
    plain = "causal_reader", steps, hidden, shapes, 0
    return Layer(name, (1, size), 0, forward, receptive_field=2 * hidden, plain=plain)


def writer(name: str, steps: Steps, hidden: int) -> Layer:
    """What z adds to each step, [m, b, hidden], -> predictions [m, b, d]."""
    count, width = steps
    shapes = *_stack(steps, hidden), (hidden, width)
    scale = 1.0 / math.sqrt(count)

    def written(found: Tensor, out: Tensor, bias: Tensor) -> Tensor:
        flat = torch.bmm(found.flatten(1, 2), out).unflatten(1, found.shape[1:3])
        return flat.transpose(1, 2).flatten(2) * scale + bias

    def teacher_forced(added: Tensor, weight: Tensor, bias: Tensor, points: Tensor) -> Tensor:
        by_input, places, *layers, out = parts(weight, shapes)
        read = torch.bmm(by_step(points, steps), by_input).unflatten(1, (count, -1))
        given = _later(read, 1) + places.unsqueeze(2) + added.unsqueeze(1)
        return written(_all_at_once(given, layers), out, bias)

    def free_running(added: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        by_input, places, *layers, out = parts(weight, shapes)
        # What a step reads is what the one before wrote, h·out + bias/scale, in one product with h.
        fed = torch.bmm(out, by_input)
        constant = torch.bmm(bias.view(-1, count, width) / scale, by_input)
        found: list[list[Tensor]] = []  # of each step, the outputs of all layers
        for t in range(count):
            value = places[:, t : t + 1] + added
            if t > 0:
                value = value + torch.baddbmm(constant[:, t - 1 : t], found[-1][-1], fed)
            found.append([value])
            for i, dilation in enumerate(_DILATIONS):
                earlier = found[t - dilation][i] if t >= dilation else None
                value = _layer(value, earlier, *layers[3 * i : 3 * i + 3])
                found[-1].append(value)
        return written(torch.stack([each[-1] for each in found], dim=1), out, bias)

    size = sum(a * b for a, b in shapes)
    plain = "causal_writer", steps, hidden, shapes, count * width
    return Layer(
        *(name, (1, size), count * width, free_running),
        receptive_field=2 * hidden,
        teacher_forced=teacher_forced,
        plain=plain,
    )


def _stack(steps: Steps, hidden: int) -> tuple[tuple[int, int], ...]:
    """Shapes: by input, a bias for each step, and of each layer two matrices and a bias."""
    each = (hidden, hidden), (hidden, hidden), (1, hidden)
    return (steps[1], hidden), (steps[0], hidden), *(each * len(_DILATIONS))


def _all_at_once(values: Tensor, layers: list[Tensor]) -> Tensor:
    """All layers on all steps, [m, t, b, h]."""
    count = values.shape[1:3]
    for i, dilation in enumerate(_DILATIONS):
        flat = values.flatten(1, 2)
        earlier = _later(values, dilation).flatten(1, 2) if dilation < count[0] else None
        values = _layer(flat, earlier, *layers[3 * i : 3 * i + 3]).unflatten(1, count)
    return values


def _layer(
    values: Tensor, earlier: Tensor | None, now: Tensor, then: Tensor, bias: Tensor
) -> Tensor:
    """values + tanh(values · now + earlier · then + bias)/√depth, [m, ·, h]."""
    inside = torch.baddbmm(bias, values, now)
    if earlier is not None:
        inside = torch.baddbmm(inside, earlier, then)
    return values + inside.tanh() * (1.0 / math.sqrt(len(_DILATIONS)))


def _later(values: Tensor, by: int) -> Tensor:
    """Each step in the place of a later one, zeros before, [m, t, b, h]."""
    return pad(values[:, :-by], (0, 0, 0, 0, by, 0))
