"""A stack of layers, tanh between them, for one member: forward and backward, compiled.

    starts = starts_of(layers, rows);  out = forward_stack(row, layers, values, work, starts)
    backward_stack(row, gradient, layers, inputs, work, starts, by_out, spare, needs_input)

`layers` [L, 3]: start in the row of weights, fan_in, fan_out. Activations stay in the workspace
`work`. Matrix products are BLAS's, through `np.dot`.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np
from numba import njit

from svae_core.training.native.elementary import FAST, F, tanh


@njit(error_model="numpy")
def _weight(row, layer):
    start, fan_in, fan_out = layer[0], layer[1], layer[2]
    return row[start : start + fan_in * fan_out].reshape(fan_in, fan_out)


@njit(error_model="numpy")
def _bias(row, layer):
    start = layer[0] + layer[1] * layer[2]
    return row[start : start + layer[2]]


@njit(error_model="numpy")
def _columns(work, start, rows, width):
    """A matrix [rows, width] in the workspace."""
    return work[start : start + rows * width].reshape(rows, width)


@njit(fastmath=FAST, error_model="numpy")
def _add_bias(values, bias, activated):
    if activated:
        for r in range(values.shape[0]):
            for c in range(values.shape[1]):
                values[r, c] = tanh(values[r, c] + bias[c])
    else:
        for r in range(values.shape[0]):
            for c in range(values.shape[1]):
                values[r, c] += bias[c]


@njit(fastmath=FAST, error_model="numpy")
def _gradient_of_tanh(by_values, values, by_bias):
    """∂ tanh(a) = 1 − tanh²(a), in place; the bias gains the sum over points."""
    by_bias[:] = F(0)
    for r in range(by_values.shape[0]):
        for c in range(by_values.shape[1]):
            g = by_values[r, c] * (F(1) - values[r, c] * values[r, c])
            by_values[r, c] = g
            by_bias[c] += g


@njit(fastmath=FAST, error_model="numpy")
def _sum_over_points(by_values, by_bias):
    by_bias[:] = F(0)
    for r in range(by_values.shape[0]):
        for c in range(by_values.shape[1]):
            by_bias[c] += by_values[r, c]


@njit(error_model="numpy")
def forward_stack(row, layers, values, work, starts):
    """A stack of layers, tanh between them; activations stay in the workspace."""
    rows, last = values.shape[0], layers.shape[0] - 1
    for i in range(last + 1):
        out = _columns(work, starts[i], rows, layers[i, 2])
        np.dot(values, _weight(row, layers[i]), out)
        _add_bias(out, _bias(row, layers[i]), i < last)
        values = out
    return values


@njit(error_model="numpy")
def backward_stack(row, gradient, layers, inputs, work, starts, by_out, spare, needs_input):
    """Gradients of a stack's weights; those by its inputs if asked, else an empty matrix.

    The halves of `spare` take turns.
    """
    rows, last = by_out.shape[0], layers.shape[0] - 1
    for i in range(last, -1, -1):
        by_bias = _bias(gradient, layers[i])
        if i == last:
            _sum_over_points(by_out, by_bias)
        else:
            _gradient_of_tanh(by_out, _columns(work, starts[i], rows, layers[i, 2]), by_bias)
        into = inputs if i == 0 else _columns(work, starts[i - 1], rows, layers[i, 1])
        np.dot(into.T, by_out, _weight(gradient, layers[i]))
        if i == 0 and not needs_input:
            break
        by_in = _columns(spare, (i % 2) * (spare.shape[0] // 2), rows, layers[i, 1])
        np.dot(by_out, _weight(row, layers[i]).T, by_in)
        by_out = by_in
    return by_out


@njit(error_model="numpy")
def starts_of(layers, rows):
    """Where each layer's outputs start in the workspace, and the first float behind them."""
    starts = np.empty(layers.shape[0] + 1, np.int64)
    starts[0] = 0
    for i in range(layers.shape[0]):
        starts[i + 1] = starts[i] + (rows * layers[i, 2] + 15) // 16 * 16
    return starts
