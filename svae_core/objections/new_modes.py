"""Could the constraint create new modes of collapse?

Total collapse is excluded, but other failures are not: dead dimensions, latents that carry only
the cluster of a point, posterior variances that go to zero as in a plain autoencoder.

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from svae_core.certificate.diagnostics import mutual_information
from svae_core.certificate.information_floors import cluster_entropy
from svae_core.config.shares import percent
from svae_core.distributions.gaussian import LOG_VARIANCE_RANGE, log_density, sample
from svae_core.objections import Answer, baseline, short, trained
from svae_core.problem import prepared_data
from svae_core.records import Certificate, Settings, State

#: βσ² in units of λ_max of the second pair, where a conventional VAE stays alive.
_ALIVE = 0.1


@dataclass(frozen=True)
class _Modes:
    """Measures of each failure mode for one trained model."""

    name: str
    certificate: Certificate
    dead: int
    information: float  # I(x; z)
    within: float  # I(x; z | cluster): information beyond the cluster
    smallest_variance: float  # smallest mean posterior variance of a dimension
    at_limit: float  # fraction of posterior variances at their lower limit


def measure(settings: Settings) -> Answer:
    """Each failure measured on both methods, at these σ² and β and where neither collapses."""
    base = short(settings)
    prepared = prepared_data(base)
    alive = dataclasses.replace(base, sigma2=_ALIVE * prepared.lambda_max / base.beta)
    members = {
        f"{title}, {gauge:.2g}": member
        for gauge, spherical in (
            (base.beta * base.sigma2 / prepared.lambda_max, base),
            (_ALIVE, alive),
        )
        for title, member in (("conventional", baseline(spherical)), ("spherical", spherical))
    }
    state, certificates = trained(list(members.values()))
    modes = [
        _modes(name, state, index, certificate)
        for index, (name, certificate) in enumerate(zip(members, certificates, strict=True))
    ]
    entropy = cluster_entropy(prepared.clusters.sizes)
    numbers = _numbers(modes[1], entropy) | {"alive_within": modes[3].within}
    return Answer(
        numbers=numbers,
        sentences=_sentences(modes[1], base, numbers),
        columns=(
            *("model, βσ²/λₘₐₓ", "inactive units", "KL", "I(x;z)", "within clusters"),
            *("cluster recovered", "least variance", "at its limit"),
        ),
        rows=tuple(_row(found) for found in modes),
    )


def _modes(name: str, state: State, index: int, certificate: Certificate) -> _Modes:
    mean, log_variance = _posteriors(state, index)
    settings = state.settings[index]
    labels = prepared_data(settings).clusters.labels
    noise = np.random.default_rng([settings.seed, 43]).normal(size=mean.shape)
    z = sample(mean, log_variance, noise)
    within = 0.0
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        within += len(rows) / len(labels) * _information(z[rows], mean[rows], log_variance[rows])
    return _Modes(
        name=name,
        certificate=certificate,
        dead=len(certificate.kl_per_dim) - certificate.active_units,
        information=_information(z, mean, log_variance),
        within=within,
        smallest_variance=float(np.exp(log_variance).mean(axis=0).min()),
        at_limit=float((log_variance <= LOG_VARIANCE_RANGE[0] + 0.01).mean()),
    )


def _posteriors(state: State, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and log-variance of a member on its training points, each [n, k]."""
    from svae_core.training.loop import encode_points

    posteriors = encode_points(state, index)
    return posteriors.mean, np.log(posteriors.variance)


def _information(z: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> float:
    """I(x; z) over these points, in nats; at most the logarithm of their number."""
    return mutual_information(
        z, lambda rows, block: log_density(rows, mean[block], log_variance[block]), len(z)
    )


def _numbers(spherical: _Modes, entropy: float) -> dict[str, float]:
    return {
        "dead": spherical.dead,
        "kl": spherical.certificate.kl,
        "information": spherical.information,
        "within": spherical.within,
        "entropy": entropy,
        "cluster_accuracy": spherical.certificate.cluster_accuracy,
        "smallest_variance": spherical.smallest_variance,
        "at_limit": spherical.at_limit,
    }


def _row(found: _Modes) -> tuple[str, ...]:
    return (
        found.name,
        f"{found.dead} of {len(found.certificate.kl_per_dim)}",
        f"{found.certificate.kl:.2f}",
        f"{found.information:z.2f}",
        f"{found.within:z.2f}",
        percent(found.certificate.cluster_accuracy),
        f"{found.smallest_variance:.2g}",
        percent(found.at_limit, ".1f"),
    )


def _sentences(found: _Modes, settings: Settings, numbers: dict[str, float]) -> tuple[str, ...]:
    dead = (
        "all latent dimensions are active units"
        if found.dead == 0
        else f"{found.dead} of {settings.latent_dim} latent dimensions are inactive by the "
        "active-units criterion (a variance of the posterior mean of at most 0.01): partial "
        "collapse, which the theorem does not exclude"
    )
    share = found.within / found.information if found.information > 0.05 else 0.0
    only = (
        f"{found.within:.2f} of its {found.information:.2f} nats ({percent(share)}) distinguish "
        "points of one cluster, so it carries more than the label"
        if share > 0.05
        else f"{found.within:.2f} of its {found.information:.2f} nats distinguish points of one "
        "cluster, so it carries little but the label"
    )
    vanish = (
        f"the smallest mean posterior variance of a dimension is {found.smallest_variance:.2g} "
        f"and {percent(found.at_limit, '.1f')} of all variances are at their lower limit"
    )
    return (
        f"One short spherical run at these σ² and β: {dead}.",
        f"Only the cluster? {only} (H(cluster) = {numbers['entropy']:z.2f} nats).",
        f"Variances going to zero? In this run {vanish}; the KL term of the objective, here "
        f"{found.certificate.kl:.2f} nats, keeps them from going to zero.",
    )
