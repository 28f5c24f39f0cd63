"""Cloud VAE

Concepts found in the data before training form the prior: one Gaussian for each cluster, at the
principal components of its centroid and as wide as its points there, standardised together. The
posterior is a cloud: its own width is random, En' ~ N(En, He²), and z ~ N(Ex, En'²), with He from
a further head of the encoder. The rate is an upper bound on the KL, with E log En'² by quadrature.
Nothing keeps it above 0: the prior holds the clusters apart, and the posterior may still be the
same for every point. The mutual information of such latents is not measured.

Source: after the abstract of Liu et al., Pattern Recognition 140 (2023) 109530 (Cloud-VAE; the VAE
is arXiv 1312.6114); concepts by K-means and the bound are ours
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.distributions.cloud import CloudPosterior
from svae_core.distributions.mixture import draw_mixture
from svae_core.methods import Encoded, Own, Sizes, Terms, base_objective
from svae_core.records import PreparedData, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_LEAST = 1e-3  # of a concept's variance, where a cluster is flat in some direction


@dataclass(frozen=True)
class Config:
    """How fuzzy the clouds may be."""

    fuzziness: float = option(
        0.2, "the largest He/En; 0: Gaussian posteriors", label="fuzziness", low=0.0, high=0.2
    )


@final
class Method:
    """The common loss with clouds as posteriors and the data's concepts as prior."""

    mark = ("green", "diamond", "dot")
    projected = False
    guards_kl = ""
    guards_information = ""
    chain_steps = 1  # a latent takes 2k noise: the second half is that of its width

    def __init__(self, config: Config):
        self.config = config

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None."""
        return {}

    def own_layers(self, sizes: Sizes) -> dict[str, tuple[int, int]]:
        """A head of the encoder for He/En."""
        return {"fuzziness": (sizes.features, sizes.latent_dim)}

    def arrays(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log π [c], means and variances [c, k] of the concepts."""
        points, clusters = prepared.shell.points, prepared.clusters
        return concepts(points, clusters.labels, clusters.k, settings.latent_dim)

    def posterior(self, encoded: Encoded) -> CloudPosterior:
        """Ex and En² from the common heads, He/En = fuzziness·sigmoid of its own."""
        assert encoded.features is not None
        # Not torch's sigmoid: it rounds differently with an element's place in the batch.
        open_ = 1.0 / (1.0 + (-encoded.layer("fuzziness", encoded.features)).clamp(-30, 30).exp())
        prior = encoded.arrays
        return CloudPosterior(
            expectation=encoded.mean,
            log_entropy=encoded.log_variance,
            ratio=self.config.fuzziness * open_,
            log_weights=prior["log_weights"].unsqueeze(1),
            means=prior["means"].unsqueeze(1),
            variances=prior["variances"].unsqueeze(1),
        )

    def sample_prior(self, noise: Tensor, own: Own) -> Tensor:
        """Latents [n, k] from the mixture; concepts in proportion to their weights."""
        prior = own.arrays
        return draw_mixture(prior["log_weights"], prior["means"], prior["variances"], noise)

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """D/(2σ²) + β·(upper bound on the KL), [m]."""
        return base_objective(terms)


def concepts(points: np.ndarray, labels: np.ndarray, count: int, k: int) -> dict[str, np.ndarray]:
    """The mixture of the clusters on k principal components, with mean 0 and variance 1 in each.

    Dimensions beyond the data's are standard normal in every concept.
    """
    values = np.asarray(points, np.float64)
    values = values - values.mean(axis=0)
    axes = np.linalg.svd(values, full_matrices=False)[2][:k]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    axes = axes * np.where(largest < 0, -1.0, 1.0)[:, None]  # signs are arbitrary: one for all
    scores = values @ axes.T
    scores = scores / np.maximum(scores.std(axis=0), 1e-12)
    means, variances = np.zeros((count, k)), np.ones((count, k))
    used = scores.std(axis=0) > 0.5  # a direction without spread stays standard normal
    for concept in range(count):
        own = scores[labels == concept]
        for j in np.flatnonzero(used):
            means[concept, j] = own[:, j].mean()
            variances[concept, j] = max(own[:, j].var(), _LEAST)
    shares = np.bincount(labels, minlength=count) / len(labels)
    return {"log_weights": np.log(shares), "means": means, "variances": variances}
