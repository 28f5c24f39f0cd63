"""RST (teacher on the means)

A teacher T(j|x) is fixed before training: a Gaussian mixture on principal components of the data.
A head that is not learned, S(j|μ) = softmaxⱼ(b·⟨sⱼ, μ⟩) with sⱼ the K corners of a regular
simplex in the first K − 1 latent dimensions, reads the posterior mean, and training adds λ·E
KL(T‖S). While that loss is below the teacher's own information the mean is not constant in x, as
the method's certificate says. It says nothing in nats about z, which may be noise around a mean
that hardly moves. At first the means are drawn to α times the code that answers exactly as the
teacher does.

Source: after the abstract of arXiv 2605.18224 v4 and public summaries; the teacher's smoothing, λ,
b and the first phase are ours
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from svae_core.distributions.simplex_code import code_of, corners, log_answers
from svae_core.methods import Terms, base_objective
from svae_core.records import PreparedData, RequestError, Settings, option

if TYPE_CHECKING:
    from torch import Tensor

_COMPONENTS = 10  # principal components that the teacher sees


@dataclass(frozen=True)
class Config:
    """The teacher and its weight."""

    weight: float = option(1.0, "λ: weight of KL(T‖S)", label="weight λ", low=0.0, high=1e4)
    sharpness: float = option(
        1.0, "b: sharpness of the head", label="sharpness b", low=0.01, high=100
    )
    classes: int = option(
        0, "the teacher's classes; 0: as many as clusters, at most k + 1", label="classes", low=0,
        high=256,
    )  # fmt: skip
    smoothing: float = option(
        0.05, "share of the uniform law in the teacher", label="smoothing", low=1e-6, high=0.9
    )
    first: float = option(
        0.1, "share of training that only fits means to the code", label="first phase", low=0.0,
        high=1.0,
    )  # fmt: skip
    alpha: float = option(
        1.0, "α: scale of the code in it", label="code scale α", low=0.0, high=100
    )


@final
class Method:
    """The common loss and the teacher's."""

    mark = ("purple", "cross", "dot")
    projected = False
    guards_kl = "a mean that is not constant, while KL(T‖S) is below I_T; not in nats"
    guards_information = ""

    def __init__(self, config: Config):
        self.config = config
        self.samples = 1

    def constants(self, prepared: PreparedData, settings: Settings) -> dict[str, float]:
        """None; raises RequestError where the corners need more than k dimensions."""
        self._classes(prepared, settings)
        return {}

    def arrays(self, prepared: PreparedData, settings: Settings) -> dict[str, np.ndarray]:
        """log T [n, K] of the training points, and the corners [K, K − 1]."""
        classes = self._classes(prepared, settings)
        found = teacher(prepared.shell.points, classes, settings.data_seed)
        share = self.config.smoothing
        smooth = (1.0 - share) * found + share / classes
        return {"log_teacher": np.log(smooth), "corners": corners(classes)}

    def _classes(self, prepared: PreparedData, settings: Settings) -> int:
        most = settings.latent_dim + 1
        classes = self.config.classes or max(2, min(prepared.clusters.k, most))
        if not 2 <= classes <= most:
            raise RequestError(
                f"rst has {classes} classes, but {settings.latent_dim} latent dimensions hold the "
                f"corners of 2 to {most}; choose fewer classes or more dimensions."
            )
        return classes

    def objective(self, terms: Terms, constants: dict[str, Tensor]) -> Tensor:
        """½‖μ − α·code‖² in the first phase, then D/(2σ²) + β·KL + λ·KL(T‖S), [m]."""
        encoded = terms.draws.encoded
        assert encoded.rows is not None
        corner = encoded.arrays["corners"]
        log_teacher = encoded.arrays["log_teacher"]
        wide = encoded.rows.unsqueeze(2).expand(-1, -1, log_teacher.shape[2])
        log_teacher = log_teacher.gather(1, wide)
        means = encoded.mean[..., : corner.shape[2]]
        b = self.config.sharpness
        if terms.progress < self.config.first:
            gap = means - self.config.alpha * code_of(log_teacher, corner, b)
            return 0.5 * gap.square().sum(dim=2).mean(dim=1)
        answers = log_answers(means, corner, b)
        divergence = (log_teacher.exp() * (log_teacher - answers)).sum(dim=2).mean(dim=1)
        return base_objective(terms) + self.config.weight * divergence


def teacher(points: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """T(c|x) [n, K]: responsibilities of a Gaussian mixture on ten principal components."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    components = min(_COMPONENTS, points.shape[1], len(points) - 1)
    scores = PCA(components, random_state=seed).fit_transform(np.asarray(points, np.float64))
    spread = float(scores.var(axis=0).mean()) or 1.0
    mixture = GaussianMixture(classes, reg_covar=1e-3 * spread, random_state=seed)
    return np.asarray(mixture.fit(scores).predict_proba(scores))
