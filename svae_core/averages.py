"""Loss and KL of a minibatch, averaged for each member, and their gradient by all weights.

    D = mean_x ‖ĝ(z) − x‖², z ~ q(z|x), ĝ the decoder on its shell;  KL_j = mean_x KL(q(z_j|x) ‖ p)

What methods make of the two is on plain autograd, which ends there: the gradient from there to the
weights is written by hand. It is thirty small operations forth and sixty back, and at 128 × 64
floats autograd's bookkeeping takes longer than they do. `tests/test_averages.py` compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

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


@final
@dataclass(frozen=True, eq=False)
class Averages:
    """D and KL of a minibatch, of Gaussian posteriors with one draw per point; and the way back."""

    nets: Networks
    loss: Tensor  # [m] D
    kl_per_dim: Tensor  # [m, k] nats
    _encoded: list[Tensor]
    _decoded: list[Tensor]
    _posterior: tuple[Tensor, Tensor, Tensor]
    _shell: tuple[Tensor, Tensor, Tensor, Tensor]

    @torch.no_grad()
    def gradient(self, loss: Tensor, kl: Tensor) -> Tensor:
        """The gradient of all weights [m, p] from those of D [m] and KL [m, k]."""
        nets = self.nets
        decoder, by_z = nets.decoder.backward(
            self._decoded, _by_outputs(*self._shell, loss), through=True
        )
        assert by_z is not None
        by_mean, by_log_variance = _by_posterior(*self._posterior, self._decoded[0], by_z, kl)
        if nets.linear:
            free = nets.free.new_zeros(nets.free.shape)
            free[:, : by_mean.shape[2]] = by_log_variance.sum(dim=1)
            encoder, _ = nets.encoder.backward(self._encoded, by_mean, through=False)
            encoder.append(free)
        else:
            by_out = torch.cat((by_mean, by_log_variance), dim=2)
            encoder, _ = nets.encoder.backward(self._encoded, by_out, through=False)
        # Weights that these averages do not depend on lie behind, see Architecture.parts.
        beside = [torch.zeros_like(part) for part in nets.leaves()[3:] if part.shape[1]]
        return torch.cat([*encoder, *decoder, *beside], dim=1)


@torch.no_grad()
def averages(nets: Networks, seen: Seen) -> Averages:
    """Encode, draw, decode, project, compare; outside autograd."""
    out, encoded = nets.encoder.forward(seen.points)
    mean, log_variance = nets.read(out)
    variance = log_variance.exp()
    z = torch.addcmul(mean, torch.mul(log_variance, 0.5).exp_(), seen.noise)
    outputs, decoded = nets.decoder.forward(z)
    radius, scale = shell_scale(outputs, seen.r_min, seen.r_max, seen.projected)
    error = torch.mul(outputs, scale).sub_(seen.points)
    kl = gaussian_kl(mean, log_variance, lambda _: variance)
    return Averages(
        nets=nets,
        loss=_mean_square(error),
        kl_per_dim=kl.mean(dim=1),
        _encoded=encoded,
        _decoded=decoded,
        _posterior=(mean, log_variance, variance),
        _shell=(outputs, radius, scale, error),
    )


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
    mean: Tensor, log_variance: Tensor, variance: Tensor, z: Tensor, by_z: Tensor, kl: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of mean and log-variance [m, b, k] from those of z [m, b, k] and KL [m, k].

    z = m + √s·ε: ∂z/∂m = 1, ∂z/∂log s = ½(z − m). KL = ½(m² + s − 1 − log s): ∂KL/∂m = m,
    ∂KL/∂log s = ½(s − 1). A log-variance at the end of its range does not move.
    """
    low, high = LOG_VARIANCE_RANGE
    share = (kl / mean.shape[1]).unsqueeze(1)
    by_mean = torch.addcmul(by_z, share, mean)
    by_log_variance = (z - mean).mul_(by_z).addcmul_(variance - 1.0, share).mul_(0.5)
    # Passes what lies inside the range; autograd's own for a clamp.
    return by_mean, torch.ops.aten.hardtanh_backward(by_log_variance, log_variance, low, high)
