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

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE, gaussian_kl, sample
from svae_core.nets.autoregressive import foretold, free_running
from svae_core.nets.networks import Networks, project_on_shell, shell_radii
from svae_core.nets.stack import constant


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of every member."""

    points: Tensor  # [m, b, d]
    noise: Tensor  # [m, b, k]


def foretelling(
    nets: Networks, batch: Batch, r_min: Tensor, r_max: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Error under teacher forcing [m], D of g(z) [m], KL per dimension [m, k], by autograd.

    For autoregressive decoders, on shells of radii [m, 1, 1]. The first is not a loss of g(z): see
    `autoregression`.
    """
    mean, log_variance = nets.encode(batch.points)
    outputs = nets.decoder(sample(mean, log_variance, batch.noise, torch.exp))
    couplings = nets.couplings()
    taught = foretold(outputs, couplings, batch.points) - batch.points
    alone = project_on_shell(free_running(outputs, couplings), r_min, r_max) - batch.points
    kl_per_dim = gaussian_kl(mean, log_variance, torch.exp).mean(dim=1)
    return _mean_square(taught), _mean_square(alone), kl_per_dim


def _mean_square(error: Tensor) -> Tensor:
    return (error * error).sum(dim=(1, 2)) / constant(error.shape[1], error)


@final
@dataclass(frozen=True, eq=False)
class Averages:
    """D and KL of a minibatch, of Gaussian posteriors with one draw per point; and the way back."""

    nets: Networks
    loss: Tensor  # [m] D
    kl: Tensor  # [m] nats
    _kl: Tensor  # [m, b, k] of each point and dimension
    _encoded: list[Tensor]
    _decoded: list[Tensor]
    _posterior: tuple[Tensor, Tensor, Tensor]
    _shell: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

    @property
    def kl_per_dim(self) -> Tensor:
        """[m, k] nats."""
        return self._kl.sum(dim=1).div_(self._kl.shape[1])

    @torch.inference_mode()
    def gradient(self, loss: Tensor, kl: Tensor, into: Networks) -> None:
        """The gradient of all weights from those of D [m] and KL [m, k or 1], put into `into`.

        Weights that these averages do not depend on are not touched there.
        """
        nets = self.nets
        by_outputs = _by_outputs(*self._shell, loss)
        by_z = nets.decoder.backward(self._decoded, by_outputs, into.decoder, through=True)
        assert by_z is not None
        by_mean, by_log_variance = _by_posterior(*self._posterior, self._decoded[0], by_z, kl)
        if nets.linear:
            torch.sum(by_log_variance, 1, out=into.free[:, : by_mean.shape[2]])
            by_out = by_mean
        else:
            by_out = torch.cat((by_mean, by_log_variance), dim=2)
        nets.encoder.backward(self._encoded, by_out, into.encoder, through=False)


@torch.inference_mode()
def averages(nets: Networks, batch: Batch, r_min: Tensor, r_max: Tensor) -> Averages:
    """Encode, draw, decode, project on shells of radii [m, 1, 1], compare.

    All of it in inference mode, where operations are cheapest: autograd takes copies only.
    """
    out, encoded = nets.encoder.forward(batch.points)
    mean, log_variance = nets.read(out)
    variance = log_variance.exp()
    z = torch.addcmul(mean, variance.sqrt(), batch.noise)
    excess = torch.add(constant(-0.5, variance), variance, alpha=0.5)  # ½(s − 1)
    outputs, decoded = nets.decoder.forward(z)
    radius, allowed = shell_radii(outputs, r_min, r_max)
    scale = allowed / radius
    error = torch.addcmul(batch.points, outputs, scale, value=-1.0)
    # As in posterior.gaussian_kl, of each point and dimension.
    kl = torch.addcmul(excess, mean, mean, value=0.5).sub_(log_variance, alpha=0.5)
    return Averages(
        nets=nets,
        loss=_mean_square(error),
        kl=kl.sum(dim=(1, 2)) / constant(kl.shape[1], kl),
        _kl=kl,
        _encoded=encoded,
        _decoded=decoded,
        _posterior=(mean, log_variance, excess),
        _shell=(outputs, radius, radius == allowed, scale, error),
    )


def _by_outputs(
    outputs: Tensor, radius: Tensor, inside: Tensor, scale: Tensor, error: Tensor, loss: Tensor
) -> Tensor:
    """The gradient of outputs [m, b, d] from that of D [m]; `error` is x − s·o.

    Where a point is moved radially on the shell, only what is across its radius counts:
    ∂(s·o)/∂o = s·(I − o oᵀ/‖o‖²); elsewhere s = 1 and ∂(s·o)/∂o = I.
    """
    along = (outputs * error).sum(dim=-1, keepdim=True).div_(radius * radius)
    along.masked_fill_(inside, 0.0)
    factor = scale * (loss * constant(-2.0 / outputs.shape[1], loss)).view(-1, 1, 1)
    return torch.addcmul(error, outputs, along, value=-1.0).mul_(factor)


def _by_posterior(
    mean: Tensor, log_variance: Tensor, excess: Tensor, z: Tensor, by_z: Tensor, kl: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of mean and log-variance [m, b, k] from those of z [m, b, k] and KL [m, k or 1].

    `excess` is ½(s − 1). z = m + √s·ε: ∂z/∂m = 1, ∂z/∂log s = ½(z − m). KL = ½(m² + s − 1 − log s):
    ∂KL/∂m = m, ∂KL/∂log s = ½(s − 1). A log-variance at the end of its range does not move.
    """
    low, high = LOG_VARIANCE_RANGE
    each = (kl / constant(mean.shape[1], kl)).unsqueeze(1)
    by_mean = torch.addcmul(by_z, mean, each)
    by_log_variance = torch.addcmul(excess * each, z - mean, by_z, value=0.5)
    # Passes what lies inside the range; autograd's own for a clamp.
    return by_mean, torch.ops.aten.hardtanh_backward(by_log_variance, log_variance, low, high)
