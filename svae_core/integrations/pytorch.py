"""The shell, the band and the monitor, for any training loop in PyTorch.

    band = FeasibleBand.from_data(X)
    loss = error / (2 * sigma2) + beta * kl + band.penalty(error)      # in the loop

    monitor = CollapseMonitor(model.encode, model.decode, X)
    monitor.step()       # one draw, live: KL per dimension, gauge, active units; no verdict
    monitor.certify()    # the certificate, with its verdict

Everywhere the error is the squared error *summed* over the coordinates of a point and averaged over
the minibatch, and the loss is error/(2σ²) + β·KL. A loss with a plain summed squared error has
σ² = ½, half of it σ² = 1, and one averaged over d coordinates σ² = d/2.
Source of shell, band and penalty: arXiv 2603.10935 v4; the weights are derived in this package.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from svae_core.certificate.arrays import check_clusters
from svae_core.certificate.information_floors import covariance_spectrum, water_level
from svae_core.config.estimator_parameters import in_parameter_words
from svae_core.config.notebook_display import ShownInNotebooks
from svae_core.config.settings import Settings, check_settings
from svae_core.geometry.kmeans import cluster
from svae_core.geometry.region import feasible_region, minibatch_error, require_band
from svae_core.geometry.row_blocks import center_of
from svae_core.integrations._monitor import CollapseMonitor as CollapseMonitor
from svae_core.integrations._monitor import Look as Look
from svae_core.integrations._monitor import Reading as Reading
from svae_core.integrations._monitor import at_least_float32, points_of
from svae_core.methods.spherical import penalty
from svae_core.nets.networks import project_on_shell
from svae_core.records import FeasibleRegion, RequestError

_PLAIN = Settings()


def project(x: Tensor, r_min: float = _PLAIN.r_min, r_max: float = _PLAIN.r_max) -> Tensor:
    """Outputs [n, …] at the nearest points of the shell: x · clamp(‖x‖, r_min, r_max)/‖x‖.

    The norm is that of all coordinates of a row. Differentiable; half precision, which would move
    the radius by a hundredth, becomes float32. RequestError unless 0 ≤ r_min ≤ r_max.
    """
    _check_radii(r_min, r_max)
    if x.ndim < 2:
        raise RequestError(
            f"The outputs have shape {tuple(x.shape)}, but need one row for each point."
        )
    with torch.autocast(x.device.type, enabled=False):
        return project_on_shell(at_least_float32(x).flatten(1), r_min, r_max).reshape(x.shape)


def _check_radii(r_min: float, r_max: float) -> None:
    if not 0 <= r_min <= r_max:
        raise RequestError(
            f"r_min is {r_min:g} and r_max is {r_max:g}, but 0 <= r_min <= r_max is needed."
        )


class ShellProjection(nn.Module):
    """`project` as the last layer of a decoder; it has no weights and no state."""

    def __init__(self, r_min: float = _PLAIN.r_min, r_max: float = _PLAIN.r_max) -> None:
        super().__init__()
        self.r_min, self.r_max = r_min, r_max

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [n, …] on the shell."""
        return project(x, self.r_min, self.r_max)

    def extra_repr(self) -> str:
        return f"r_min={self.r_min:g}, r_max={self.r_max:g}"


@final
@dataclass(frozen=True)
class FeasibleBand(ShownInNotebooks):
    """The band [lo, hi] between W and δ, and the penalty that holds a training loss in it.

    All losses are squared errors summed over coordinates, in the units of the data. The penalty
    enforces nothing by itself: what was reached, `CollapseMonitor.certify` measures.
    """

    region: FeasibleRegion
    weight: float  # w = κβ/(2θ), of the upper edge
    lower_weight: float  # κ·max(β/(2θ), 1/(2σ²)), of the lower edge
    upper: float  # where the penalty starts: inside hi by 3 % of δ − W, or the minibatch's noise
    lower: float

    @classmethod
    def from_data(
        cls,
        X: Any,
        clusters: int = _PLAIN.clusters,
        band: tuple[float, float] = (0.0, 0.25),
        collapse_loss: str = "free",
        beta: float = _PLAIN.beta,
        *,
        sigma2: float = _PLAIN.sigma2,
        lower_edge: bool = True,
        shell: tuple[float, float] | None = None,
        batch_size: int = _PLAIN.batch_size,
        seed: int = 0,
    ) -> Self:
        """The band of points [n, …] as they are reconstructed, fixed before training.

        `clusters`: K of K-means; 0 proposes it by silhouette. `band`: a and b of
        lo = W + a(δ − W), hi = W + b(δ − W). `collapse_loss`: which δ: `free` (T, for any decoder),
        `shell` (needs `shell=(r_min, r_max)` and a decoder that ends in ShellProjection) or
        `between` (T − W). `beta`, `sigma2`: of the loss error/(2σ²) + β·KL; `batch_size`: of its
        minibatches, whose noise moves the aim inside the band.
        Raises RequestError, one sentence, for points that hold no finite numbers, for parameters
        out of range, and for an empty band.
        """
        points = points_of(X)
        check_clusters(clusters)
        low, high = shell or (0.0, math.inf)
        _check_radii(low, high)
        if collapse_loss == "shell" and shell is None:
            raise RequestError(
                "collapse_loss is 'shell', which needs the radii of the decoder's outputs: give "
                "shell=(r_min, r_max), or take 'free'."
            )
        origin = np.zeros(points.shape[1]) if shell else center_of(points)
        points = points if shell else points - origin  # in float64: far from zero nothing is lost
        try:
            known = dataclasses.replace(_PLAIN, clusters=clusters, band=band, beta=beta)
            known = dataclasses.replace(known, collapse_loss=collapse_loss, sigma2=sigma2)
            check_settings(dataclasses.replace(known, batch_size=batch_size))
            found = cluster(points, clusters, seed)
            region = feasible_region(
                within=found.within,
                total=found.total,
                mean_norm=float(np.linalg.norm(center_of(points))),
                r_min=low,
                r_max=high,
                collapse_loss=collapse_loss,
                band=band,
                lower_edge=lower_edge,
            )
            level = water_level(covariance_spectrum(points), require_band(region).hi)
            error = minibatch_error(found.deviation, batch_size, len(points))
            penalties = penalty(region, level, error, beta=beta, sigma2=sigma2)
        except RequestError as error:  # in the words of this door, not of the command line
            raise in_parameter_words(error) from error
        return cls(region=region, **penalties)

    @property
    def W(self) -> float:
        """The within-cluster variance: the loss of the K-means quantiser."""
        return self.region.within

    @property
    def delta(self) -> float:
        """δ, the best loss of a decoder that ignores its input."""
        return self.region.delta

    @property
    def lo(self) -> float:
        """The lower edge of the band."""
        return self.region.lo

    @property
    def hi(self) -> float:
        """The upper edge of the band."""
        return self.region.hi

    def penalty(self, loss: Tensor) -> Tensor:
        """w·max(0, loss − upper) + w_lo·max(0, lower − loss), to add to the training loss; [].

        `loss`: the minibatch's squared error, summed over coordinates and averaged over points.
        """
        if loss.ndim:
            raise RequestError(
                f"The loss has shape {tuple(loss.shape)}, but must be one number: the squared "
                "error summed over coordinates, averaged over the minibatch."
            )
        loss = at_least_float32(loss)
        above, below = (loss - self.upper).relu(), (self.lower - loss).relu()
        return self.weight * above + self.lower_weight * below
