"""Loss and KL of a minibatch, averaged for each member: one node of autograd's graph.

    D = mean_x ‖ĝ(z) − x‖², z ~ q(z|x), ĝ the decoder on its shell;  KL_j = mean_x KL(q(z_j|x) ‖ p)

What methods make of the two stays on plain autograd. The gradient below is written by hand: these
are thirty small operations forth and sixty back, and at 128 × 64 floats autograd's bookkeeping
takes longer than they do. `tests/test_averages.py` compares with autograd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from svae_core.autoregression import foretold, run_freely
from svae_core.networks import Networks, project_on_shell, shell_scale
from svae_core.posterior import LOG_VARIANCE_RANGE, gaussian_kl, sample


@dataclass(frozen=True, eq=False)
class Seen:
    """What one minibatch shows of every member, and where each decoder must end."""

    points: Tensor  # [m, b, d]
    noise: Tensor  # [m, b, k]
    r_min: Tensor  # [m, 1, 1]
    r_max: Tensor  # [m, 1, 1]
    projected: Tensor  # [m, 1, 1] 1 or 0


def averages(nets: Networks, seen: Seen) -> tuple[Tensor, Tensor]:
    """D [m] and KL per dimension [m, k] in nats, of Gaussian posteriors with one draw per point."""
    loss, kl_per_dim = _Averages.apply(nets.encoder.row, nets.free, nets.decoder.row, nets, seen)
    return loss, kl_per_dim


def foretelling(nets: Networks, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
    """Error under teacher forcing [m], D of g(z) [m], KL per dimension [m, k], by autograd.

    For autoregressive decoders. The first is not a loss of g(z): see `autoregression`.
    """
    mean, log_variance = nets.encode(seen.points)
    outputs = nets.decoder(sample(mean, log_variance, seen.noise, torch.exp))
    couplings = nets.couplings()
    taught = foretold(outputs, couplings, seen.points) - seen.points
    alone = project_on_shell(run_freely(outputs, couplings), seen.r_min, seen.r_max, seen.projected)
    alone = alone - seen.points
    kl_per_dim = gaussian_kl(mean, log_variance, torch.exp).mean(dim=1)
    return _mean_square(taught), _mean_square(alone), kl_per_dim


def _mean_square(error: Tensor) -> Tensor:
    return (error * error).sum(dim=2).mean(dim=1)


class _Averages(torch.autograd.Function):
    """The node: encode, draw, decode, project, compare; and back."""

    @staticmethod
    def forward(
        ctx: Any, encoder: Tensor, free: Tensor, decoder: Tensor, nets: Networks, seen: Seen
    ) -> tuple[Tensor, Tensor]:
        out, ctx.encoded = nets.encoder.forward(seen.points)
        mean, log_variance = nets.read(out)
        z = sample(mean, log_variance, seen.noise, torch.exp)
        outputs, ctx.decoded = nets.decoder.forward(z)
        radius, scale = shell_scale(outputs, seen.r_min, seen.r_max, seen.projected)
        error = torch.mul(outputs, scale).sub_(seen.points)
        ctx.nets, ctx.shell, ctx.posterior = (
            nets,
            (outputs, radius, scale, error),
            (mean, log_variance),
        )
        loss = (error * error).sum(dim=2).mean(dim=1)
        return loss, gaussian_kl(mean, log_variance, torch.exp).mean(dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss: Tensor, kl: Tensor) -> tuple[Tensor | None, ...]:
        nets: Networks = ctx.nets
        outputs, radius, scale, error = ctx.shell
        by_outputs = _by_outputs(outputs, radius, scale, error, loss)
        decoder, by_z = nets.decoder.backward(ctx.decoded, by_outputs, through=True)
        assert by_z is not None
        mean, log_variance = ctx.posterior
        by_mean, by_log_variance = _by_posterior(mean, log_variance, ctx.decoded[0], by_z, kl)
        if nets.linear:
            free = nets.free.new_zeros(nets.free.shape)
            free[:, : by_mean.shape[2]] = by_log_variance.sum(dim=1)
            encoder, _ = nets.encoder.backward(ctx.encoded, by_mean, through=False)
            return encoder, free, decoder, None, None
        by_out = torch.cat((by_mean, by_log_variance), dim=2)
        encoder, _ = nets.encoder.backward(ctx.encoded, by_out, through=False)
        return encoder, None, decoder, None, None


def _by_outputs(
    outputs: Tensor, radius: Tensor, scale: Tensor, error: Tensor, loss: Tensor
) -> Tensor:
    """The gradient of outputs [m, b, d] from that of D [m].

    Where a point is moved radially on the shell, only what is across its radius counts:
    ∂(s·o)/∂o = s·(I − o oᵀ/‖o‖²); elsewhere s = 1 and ∂(s·o)/∂o = I.
    """
    factor = scale * (loss * (2.0 / outputs.shape[1])).view(-1, 1, 1)
    along = (outputs * error).sum(dim=-1, keepdim=True) / (radius * radius)
    along = torch.where(scale != 1.0, along, 0.0)
    return torch.mul(error, factor).addcmul_(outputs, along.mul_(factor), value=-1.0)


def _by_posterior(
    mean: Tensor, log_variance: Tensor, z: Tensor, by_z: Tensor, kl: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of mean and log-variance [m, b, k] from those of z [m, b, k] and KL [m, k].

    z = m + √s·ε: ∂z/∂m = 1, ∂z/∂log s = ½(z − m). KL = ½(m² + s − 1 − log s): ∂KL/∂m = m,
    ∂KL/∂log s = ½(s − 1). A log-variance at the end of its range does not move.
    """
    low, high = LOG_VARIANCE_RANGE
    share = (kl / mean.shape[1]).unsqueeze(1)
    by_mean = by_z + share * mean
    by_log_variance = (z - mean).mul_(by_z).add_((log_variance.exp() - 1.0).mul_(share)).mul_(0.5)
    inside = (log_variance > low) & (log_variance < high)
    return by_mean, by_log_variance.mul_(inside)
