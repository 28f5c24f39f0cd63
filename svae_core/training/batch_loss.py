"""Loss D and KL of a minibatch for each member, and their gradient by all weights.

    D = mean_x ‖ĝ(z) − x‖², z ~ q(z|x), ĝ the decoder on its shell;  KL_j = mean_x KL(q(z_j|x) ‖ p)

Methods build their objectives from D and KL on autograd; the gradient from there to the weights is
written by hand. Forward and backward are some ninety small operations, and on 128 × 64 floats
autograd's bookkeeping takes longer than they do. `tests/test_averages.py` compares with autograd.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE, gaussian_kl, sample
from svae_core.nets.autoregressive import free_running, teacher_forced
from svae_core.nets.layer_stack import constant
from svae_core.nets.networks import Networks, project_on_shell, shell_radii


@dataclass(frozen=True, eq=False)
class Batch:
    """One minibatch of every member."""

    points: Tensor  # [m, b, d]
    noise: Tensor  # [m, b, k]


def autoregressive_loss(
    nets: Networks, batch: Batch, r_min: Tensor, r_max: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Teacher-forced error [m], free-running loss D of g(z) [m], KL per dimension [m, k].

    For autoregressive decoders, on shells of radii [m, 1, 1], by autograd. The teacher-forced error
    is what they are fitted by; it is no loss of g(z): see `nets.autoregressive`.
    """
    mean, log_variance = nets.encode(batch.points)
    outputs = nets.decoder(sample(mean, log_variance, batch.noise, torch.exp))
    couplings = nets.couplings()
    forced_error = teacher_forced(outputs, couplings, batch.points) - batch.points
    free_error = project_on_shell(free_running(outputs, couplings), r_min, r_max) - batch.points
    kl_per_dim = gaussian_kl(mean, log_variance, torch.exp).mean(dim=1)
    return _mean_square(forced_error), _mean_square(free_error), kl_per_dim


def _mean_square(error: Tensor) -> Tensor:
    return (error * error).sum(dim=(1, 2)) / constant(error.shape[1], error)


@final
@dataclass(frozen=True, eq=False)
class BatchLoss:
    """D and KL of a minibatch with one latent per point, and what their gradient needs."""

    nets: Networks
    loss: Tensor  # [m] D
    kl: Tensor  # [m] nats
    _kl: Tensor  # [m, b, k] nats, of each point and dimension
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
        """Write the gradient by all weights into `into`, given those by D [m] and KL [m, k or 1].

        Weights that D and KL do not depend on are left untouched there.
        """
        nets = self.nets
        # Chain rule from the end: D → outputs → z → (mean, log-variance) → encoder outputs.
        by_outputs = _gradient_of_outputs(*self._shell, loss)
        by_z = nets.decoder.backward(self._decoded, by_outputs, into.decoder, needs_input_grad=True)
        assert by_z is not None
        by_mean, by_log_variance = _gradient_of_posterior(
            *self._posterior, self._decoded[0], by_z, kl
        )
        if nets.linear:
            # One log-variance per dimension serves all points, so its gradient sums over them.
            torch.sum(by_log_variance, 1, out=into.log_variances[:, : by_mean.shape[2]])
            by_out = by_mean
        else:
            by_out = torch.cat((by_mean, by_log_variance), dim=2)
        nets.encoder.backward(self._encoded, by_out, into.encoder, needs_input_grad=False)


@torch.inference_mode()
def batch_loss(nets: Networks, batch: Batch, r_min: Tensor, r_max: Tensor) -> BatchLoss:
    """Encode, sample z, decode, project on shells of radii [m, 1, 1], and compare with the points.

    Runs in inference mode, where operations are cheapest; autograd gets copies of the results.
    """
    out, encoded = nets.encoder.forward(batch.points)
    mean, log_variance = nets.split_posterior(out)
    variance = log_variance.exp()
    z = torch.addcmul(mean, variance.sqrt(), batch.noise)
    excess = torch.add(constant(-0.5, variance), variance, alpha=0.5)  # ½(s − 1)
    outputs, decoded = nets.decoder.forward(z)
    radius, allowed = shell_radii(outputs, r_min, r_max)
    scale = allowed / radius
    error = torch.addcmul(batch.points, outputs, scale, value=-1.0)
    # gaussian_kl of each point and dimension: ½m² + ½(s − 1) − ½ log s, in two fused operations.
    kl = torch.addcmul(excess, mean, mean, value=0.5).sub_(log_variance, alpha=0.5)
    return BatchLoss(
        nets=nets,
        loss=_mean_square(error),
        kl=kl.sum(dim=(1, 2)) / constant(kl.shape[1], kl),
        _kl=kl,
        _encoded=encoded,
        _decoded=decoded,
        _posterior=(mean, log_variance, excess),
        _shell=(outputs, radius, radius == allowed, scale, error),
    )


def _gradient_of_outputs(
    outputs: Tensor, radius: Tensor, inside: Tensor, scale: Tensor, error: Tensor, loss: Tensor
) -> Tensor:
    """The gradient by decoder outputs o [m, b, d] from that by D [m]; `error` is x − s·o.

    D = mean ‖x − s·o‖² with s = clamp(‖o‖, r_min, r_max)/‖o‖, so ∂D/∂(s·o) = −2·error/b. Where the
    clamp moves a point, s = r/‖o‖ and ∂(s·o)/∂o = s·(I − o oᵀ/‖o‖²): a radial change of o does not
    change s·o. Elsewhere s = 1 and ∂(s·o)/∂o = I.
    """
    # The component of the error along o, in units of o; dropped where the point is not moved.
    along = (outputs * error).sum(dim=-1, keepdim=True).div_(radius * radius)
    along.masked_fill_(inside, 0.0)
    factor = scale * (loss * constant(-2.0 / outputs.shape[1], loss)).view(-1, 1, 1)
    return torch.addcmul(error, outputs, along, value=-1.0).mul_(factor)


def _gradient_of_posterior(
    mean: Tensor, log_variance: Tensor, excess: Tensor, z: Tensor, by_z: Tensor, kl: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients by mean and log-variance [m, b, k] from those by z [m, b, k] and KL.

    The gradient by KL is [m, k or 1]; `excess` is ½(s − 1). The reparametrised latent z = m + √s·ε
    has ∂z/∂m = 1 and ∂z/∂log s = ½(z − m). KL = ½(m² + s − 1 − log s) has ∂KL/∂m = m and
    ∂KL/∂log s = ½(s − 1). A log-variance clamped to the end of its range has gradient 0.
    """
    low, high = LOG_VARIANCE_RANGE
    # The KL is a mean over the minibatch's points: each point has 1/b of its gradient.
    each = (kl / constant(mean.shape[1], kl)).unsqueeze(1)
    by_mean = torch.addcmul(by_z, mean, each)
    by_log_variance = torch.addcmul(excess * each, z - mean, by_z, value=0.5)
    # hardtanh_backward passes the gradient inside the range only, as autograd does for a clamp.
    return by_mean, torch.ops.aten.hardtanh_backward(by_log_variance, log_variance, low, high)
