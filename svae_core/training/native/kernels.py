"""The compiled functions: all steps of a piece of an epoch, and the forward pass, for one member.

    train(row, first, second, memory, run, minibatches, method)
    forward(row, layers, points, noise, radii, basis, answers)

One member trains by itself, step after step, while its numbers stay in the core's cache; so a
member equals its solo run by construction. Matrix products are BLAS's, through `np.dot`; whatever
is done number by number is a plain loop, which the compiler vectorises. Sums over a minibatch are
in float64: naive float32 sums lose digits. tests/test_native.py compares with autograd.
"""

# mypy: disable-error-code="no-untyped-def, assignment"
from __future__ import annotations

import math

import numpy as np
from numba import njit, types

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE
from svae_core.methods import Averages
from svae_core.training.native import compile_options
from svae_core.training.native.elementary import FAST, F, exp
from svae_core.training.native.stacks import backward_stack, forward_stack, starts_of

_LOWEST, _HIGHEST = F(LOG_VARIANCE_RANGE[0]), F(LOG_VARIANCE_RANGE[1])
_LEAST_RADIUS = F(1e-12)

_floats = types.Array(types.float32, 1, "C")
_doubles = types.Array(types.float64, 1, "C")
_counts = types.Array(types.int64, 1, "C")
_matrix = types.Array(types.float32, 2, "C")
_given = types.Array(types.float32, 2, "C", readonly=True)
_table = types.Array(types.int64, 2, "C")
_AVERAGES = [*[types.float64] * 8, _doubles, _doubles, _floats, _doubles]
#: A method's slopes: averages -> value, ∂/∂loss, ∂/∂distortion.
SLOPES = types.UniTuple(types.float64, 3)(types.NamedTuple(_AVERAGES, Averages))
TRAIN = types.void(
    *(_floats, _floats, _floats, _floats),  # row, both moments, memory
    *(_table, types.int64, types.int64),  # layers, how many are the encoder's, free variances
    *(_matrix, _counts, _matrix),  # points, their order, noise in that order
    *(_counts, _doubles),  # edges of the minibatches, learning rates
    *(types.int64, types.int64),  # steps taken, steps of the run
    *(_doubles, _doubles),  # radii, 1/(2σ²), β and σ²; the method's constants
    types.FunctionType(SLOPES),
)
FORWARD = types.void(
    *(_floats, _table, types.int64, types.int64),  # row, layers, the encoder's, free variances
    *(_given, _given, _doubles, _given),  # points, noise, radii, basis of the view
    *(_matrix, _doubles, _doubles, _doubles),  # mean, its spreads, variances, KL_j
    *(_matrix, _matrix, _floats),  # outputs, view, losses
)
#: Points that `forward` takes at once: their activations stay in the core's cache. A fixed number,
#: since BLAS rounds the rows of other batches differently.
BLOCK = 128
COLUMNS = 3  # of the table of layers: start in the row, fan_in, fan_out


@njit(fastmath=FAST, error_model="numpy")
def _gather(points, order, into):
    for r in range(into.shape[0]):
        at = order[r]
        for c in range(into.shape[1]):
            into[r, c] = points[at, c]


@njit(fastmath=FAST, error_model="numpy")
def _draw(out, free, noise, mean, log_variance, deviation, z, kl):
    """Posterior and z = m + √s·ε; KL_j = mean ½(m² + s − 1 − log s).

    `free`: log s of each dimension, where it is no output; else empty.
    """
    rows, k = z.shape
    for r in range(rows):
        for j in range(k):
            mean[r, j] = out[r, j]
            log_variance[r, j] = free[j] if free.shape[0] else out[r, k + j]
    # Flat, since rows of few dimensions would not fill the core's vectors.
    flat_mean, flat_noise, flat_z = mean.reshape(-1), noise.reshape(-1), z.reshape(-1)
    flat_log, flat_root = log_variance.reshape(-1), deviation.reshape(-1)
    for i in range(rows * k):
        raw = flat_log[i]
        log_s = min(max(raw, _LOWEST), _HIGHEST)
        log_s = log_s if raw == raw else raw
        root = exp(F(0.5) * log_s)
        root = root if raw == raw else raw
        flat_log[i], flat_root[i] = log_s, root
        flat_z[i] = flat_mean[i] + root * flat_noise[i]
    kl[:] = 0.0
    for r in range(rows):
        for j in range(k):
            m, root = mean[r, j], deviation[r, j]
            kl[j] += F(0.5) * (m * m + root * root - F(1) - log_variance[r, j])
    for j in range(k):
        kl[j] /= rows


@njit(fastmath=FAST, error_model="numpy")
def _project(out, points, low, high, error, radius, scale):
    """error = x − s·o with s = clamp(‖o‖, low, high)/‖o‖; returns D = mean ‖error‖²."""
    total = 0.0
    d = out.shape[1]
    for r in range(out.shape[0]):
        square = F(0)
        for c in range(d):
            square += out[r, c] * out[r, c]
        norm = max(np.sqrt(square), _LEAST_RADIUS)
        s = min(max(norm, low), high) / norm
        radius[r], scale[r] = norm, s
        missed = F(0)
        for c in range(d):
            e = points[r, c] - s * out[r, c]
            error[r, c] = e
            missed += e * e
        total += missed
    return total / out.shape[0]


@njit(fastmath=FAST, error_model="numpy")
def _gradient_of_outputs(out, error, radius, scale, factor):
    """Overwrite error = x − s·o by the gradient by o; `factor` is −2/b · ∂/∂D.

    Where the clamp moves a point, ∂(s·o)/∂o = s·(I − o oᵀ/‖o‖²): a radial change of o changes
    nothing. Elsewhere s = 1 and it is I.
    """
    d = out.shape[1]
    for r in range(out.shape[0]):
        along = F(0)
        if scale[r] != F(1):
            for c in range(d):
                along += out[r, c] * error[r, c]
            along /= radius[r] * radius[r]
        by = scale[r] * factor
        for c in range(d):
            error[r, c] = (error[r, c] - out[r, c] * along) * by


@njit(fastmath=FAST, error_model="numpy")
def _gradient_of_posterior(by_z, mean, log_variance, deviation, z, each, by_out, by_free):
    """From those by z [b, k] and, `each` [k], by KL_j of one point, to those by the encoder's out.

    ∂z/∂m = 1, ∂z/∂log s = ½(z − m); ∂KL/∂m = m, ∂KL/∂log s = ½(s − 1). At the ends of the range of
    log s the gradient is 0.
    """
    rows, k = z.shape
    by_free[:] = F(0)
    for r in range(rows):
        for j in range(k):
            m, log_s, root, g = mean[r, j], log_variance[r, j], deviation[r, j], by_z[r, j]
            by_out[r, j] = g + each[j] * m
            by_log = F(0.5) * ((root * root - F(1)) * each[j] + (z[r, j] - m) * g)
            clamped = log_s <= _LOWEST or log_s >= _HIGHEST
            by_log = F(0) if clamped else by_log
            if by_free.shape[0]:
                by_free[j] += by_log
            else:
                by_out[r, k + j] = by_log


@njit(fastmath=FAST, error_model="numpy")
def _adam(row, gradient, first, second, rate, taken):
    """Adam (arXiv 1412.6980), in place; `taken` counts this step too.

    β₁ = 0.9, β₂ = 0.999 and ε = 1e-8, as PyTorch's; both moments' corrections for their start at 0
    are numbers of the step, so that no weight needs a power.
    """
    step = F(rate / (1.0 - 0.9**taken))
    root = F(1.0 / math.sqrt(1.0 - 0.999**taken))
    for i in range(row.shape[0]):
        g = gradient[i]
        m = first[i] + F(0.1) * (g - first[i])
        v = F(0.999) * second[i] + F(0.001) * g * g
        first[i], second[i] = m, v
        row[i] -= step * m / (np.sqrt(v) * root + F(1e-8))


@njit(TRAIN, cache=compile_options.cached, nogil=True, error_model="numpy")
def train(
    row, first, second, memory,
    layers, encoders, free_at,
    points, order, noise,
    edges, rates,
    taken, steps,
    given, constants,
    slopes,
):  # fmt: skip
    """The steps of consecutive minibatches `edges` of one epoch, for one member; in place.

    row, first, second [p]; layers [L, 3]; order [n]; noise [n, k] in the order's order;
    given: r_min, r_max, 1/(2σ²), β, σ². `free_at`: where free log-variances start, −1: none.
    """
    encoder, decoder = layers[:encoders], layers[encoders:]
    k, d = decoder[0, 1], points.shape[1]
    gradient = np.zeros(row.shape[0], np.float32)  # stays 0 where a row is longer than its nets
    most = np.diff(edges).max()
    enc_starts = starts_of(encoder, most)
    dec_starts = starts_of(decoder, most)
    enc_work = np.empty(enc_starts[-1], np.float32)
    dec_work = np.empty(dec_starts[-1], np.float32)
    widest = 0
    for i in range(layers.shape[0]):
        widest = max(widest, layers[i, 1], layers[i, 2])
    spare = np.empty(2 * most * widest, np.float32)
    x_all, error_all = np.empty((most, d), np.float32), np.empty((most, d), np.float32)
    mean_all, log_all = np.empty((most, k), np.float32), np.empty((most, k), np.float32)
    root_all, z_all = np.empty((most, k), np.float32), np.empty((most, k), np.float32)
    by_encoder = np.empty((most, encoder[-1, 2]), np.float32)
    radius, scale = np.empty(most, np.float32), np.empty(most, np.float32)
    kl, by_kl, each = np.empty(k), np.empty(k), np.empty(k, np.float32)
    nothing = np.empty(0, np.float32)
    free = row[free_at : free_at + k] if free_at >= 0 else nothing
    by_free = gradient[free_at : free_at + k] if free_at >= 0 else nothing
    low, high = F(given[0]), F(given[1])
    for i in range(len(rates)):
        a, e = edges[i], edges[i + 1]
        b = e - a
        x, error, by_out = x_all[:b], error_all[:b], by_encoder[:b]
        mean, log_variance, root, z = mean_all[:b], log_all[:b], root_all[:b], z_all[:b]
        _gather(points, order[a:e], x)
        out = forward_stack(row, encoder, x, enc_work, enc_starts)
        _draw(out, free, noise[a:e], mean, log_variance, root, z, kl)
        outputs = forward_stack(row, decoder, z, dec_work, dec_starts)
        loss = _project(outputs, x, low, high, error, radius, scale)
        at = taken + i
        nats = 0.0
        for j in range(k):
            nats += kl[j]
        averages = Averages(
            *(loss, loss, nats, given[2], given[3], given[4]),
            *(float(at), at / max(1.0, steps - 1.0), kl, constants, memory, by_kl),
        )
        _, by_loss, by_distortion = slopes(averages)
        # No decoder here is autoregressive, so loss and distortion are one D: their slopes add up.
        factor = F(-2.0 / b * (by_loss + by_distortion))
        _gradient_of_outputs(outputs, error, radius, scale, factor)
        by_z = backward_stack(row, gradient, decoder, z, dec_work, dec_starts, error, spare, True)
        # The KL is a mean over the minibatch's points: each point has 1/b of its gradient.
        for j in range(k):
            each[j] = F(by_kl[j] / b)
        _gradient_of_posterior(by_z, mean, log_variance, root, z, each, by_out, by_free)
        backward_stack(row, gradient, encoder, x, enc_work, enc_starts, by_out, spare, False)
        _adam(row, gradient, first, second, rates[i], at + 1)


@njit(fastmath=FAST, error_model="numpy")
def _keep(out, scale, error, outputs, losses):
    """The first outputs s·o of a block, as many as there is room for, and losses ‖error‖²."""
    for r in range(outputs.shape[0]):
        for c in range(out.shape[1]):
            outputs[r, c] = scale[r] * out[r, c]
    for r in range(out.shape[0]):
        loss = F(0)
        for c in range(out.shape[1]):
            loss += error[r, c] * error[r, c]
        losses[r] = loss


@njit(fastmath=FAST, error_model="numpy")
def _show(out, radius, scale, basis, view):
    """Outputs in the 3-D view of geometry.shell.shell_view, without a copy of all of them."""
    np.dot(out, basis, view)
    for r in range(view.shape[0]):
        x, y, z = view[r, 0], view[r, 1], view[r, 2]
        # Both lengths have the factor s, and ‖s·o‖ is at least the shadow's length.
        shadow = max(np.sqrt(x * x + y * y + z * z), _LEAST_RADIUS)
        stretch = scale[r] * radius[r] / shadow
        view[r, 0], view[r, 1], view[r, 2] = x * stretch, y * stretch, z * stretch


@njit(fastmath=FAST, error_model="numpy")
def _add_moments(mean, first, deviation, sums, squares, variances):
    """Add a block's m − m₁, its square and s to their sums [k]; m₁: the first point's mean.

    Without m₁ a spread that is small beside the mean itself would be lost.
    """
    for r in range(mean.shape[0]):
        for j in range(mean.shape[1]):
            gap = float(mean[r, j]) - first[j]
            sums[j] += gap
            squares[j] += gap * gap
            variances[j] += deviation[r, j] * deviation[r, j]


@njit(FORWARD, cache=compile_options.cached, nogil=True, error_model="numpy")
def forward(
    row, layers, encoders, free_at,
    points, noise, radii, basis,
    mean, spreads, variances, kl,
    outputs, view, losses,
):  # fmt: skip
    """Posteriors of points [n, d], and the decoder's outputs, projected, of a draw from each.

    noise [n, k], basis [d, 3]; written: mean [n, k], Var_x m_j [k], variances and KL_j [k] as means
    over points, the first outputs [≤ n, d], view [n, 3] of all of them or [0, 3], losses [n].
    """
    encoder, decoder = layers[:encoders], layers[encoders:]
    n, d, k = points.shape[0], points.shape[1], noise.shape[1]
    most = min(n, BLOCK)
    enc_starts, dec_starts = starts_of(encoder, most), starts_of(decoder, most)
    enc_work = np.empty(enc_starts[-1], np.float32)
    dec_work = np.empty(dec_starts[-1], np.float32)
    log_all, root_all = np.empty((most, k), np.float32), np.empty((most, k), np.float32)
    z_all, error = np.empty((most, k), np.float32), np.empty((most, d), np.float32)
    radius, scale, block_kl = np.empty(most, np.float32), np.empty(most, np.float32), np.empty(k)
    free = row[free_at : free_at + k] if free_at >= 0 else np.empty(0, np.float32)
    low, high = F(radii[0]), F(radii[1])
    kl[:] = 0.0
    spreads[:] = 0.0
    variances[:] = 0.0
    first, sums = np.empty(k), np.zeros(k)
    for a in range(0, n, BLOCK):
        e = min(n, a + BLOCK)
        b = e - a
        root, z = root_all[:b], z_all[:b]
        out = forward_stack(row, encoder, points[a:e], enc_work, enc_starts)
        _draw(out, free, noise[a:e], mean[a:e], log_all[:b], root, z, block_kl)
        kl += block_kl * b
        out = forward_stack(row, decoder, z, dec_work, dec_starts)
        _project(out, points[a:e], low, high, error, radius, scale)
        _keep(out, scale, error, outputs[a:e], losses[a:e])
        if view.shape[0]:
            _show(out, radius, scale, basis, view[a:e])
        if a == 0:
            first[:] = mean[0]
        _add_moments(mean[a:e], first, root, sums, spreads, variances)
    kl /= n
    variances /= n
    sums /= n
    spreads /= n
    for j in range(k):
        spreads[j] = max(spreads[j] - sums[j] * sums[j], 0.0)
