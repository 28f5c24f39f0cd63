"""Any architecture, and no condition on stability?

The paper claims the guarantee for every architecture and without a condition such as σ² < λₘₐₓ.
A conventional VAE needs one: above it total collapse is a stable state. Does the band need none?

Source: a public review of arXiv 2603.10935
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass

from svae_core.objections import Answer, baseline, range_of, short, trained
from svae_core.problem import prepared_data
from svae_core.records import Certificate, RequestError, Settings

_GAUGES = (0.3, 3.0)  # βσ²/λ_max: collapse unstable, and stable
_SEEDS = 2


@dataclass(frozen=True)
class _Net:
    """An architecture, its width, and the start of training."""

    name: str
    arch: str
    hidden: int = 64
    start: str = "usual"


_NETS = (
    _Net("linear", "linear"),
    _Net("mlp 8", "mlp", 8),
    _Net("mlp 64", "mlp", 64),
    _Net("mlp 64, collapsed start", "mlp", 64, "collapsed"),
    _Net("resmlp 64", "resmlp"),
    _Net("autoregressive 64", "autoregressive"),
)
_FOR_IMAGES = (_Net("conv", "conv"),)


def measure(settings: Settings) -> Answer:
    """Verdicts of both methods for every network on both sides of the stability condition."""
    base = short(settings)
    prepared = prepared_data(base)
    lambda_max = prepared.lambda_max
    nets = _NETS + (_FOR_IMAGES if _takes_convolutions(prepared.dataset.image_shape) else ())
    coupled: list[Certificate] = []
    rows: list[tuple[str, ...]] = []
    spherical_runs: list[Certificate] = []
    conventional_runs: list[Certificate] = []
    for net in nets:
        spherical = _runs_of(net, base, lambda_max)
        _, certificates = trained([*spherical, *map(baseline, spherical)])
        guarded = list(certificates[: len(spherical)])
        conventional = list(certificates[len(spherical) :])
        spherical_runs += guarded
        conventional_runs += conventional
        if net.arch == "autoregressive":
            coupled += conventional
        rows += [_row(net, gauge, guarded, conventional, at) for at, gauge in enumerate(_GAUGES)]
    numbers: dict[str, float] = {
        "runs": len(spherical_runs),
        "certified": sum(certificate.verdict == "certified" for certificate in spherical_runs),
        "collapsed": sum(certificate.verdict == "collapsed" for certificate in spherical_runs),
        "in_band": sum(certificate.in_band for certificate in spherical_runs),
        "baseline_collapsed_above": _collapsed(conventional_runs, above=True),
        "baseline_collapsed_below": _collapsed(conventional_runs, above=False),
        "autoregressive_kl_below": max(
            certificate.kl for certificate in coupled if certificate.gauge <= 1
        ),
    }
    return Answer(
        numbers=numbers,
        sentences=_sentences(numbers),
        columns=("net", "βσ²/λₘₐₓ", "conventional", "D", "KL", "spherical", "D", "KL"),
        rows=tuple(rows),
    )


def _runs_of(net: _Net, base: Settings, lambda_max: float) -> list[Settings]:
    """The spherical runs of a network: for every βσ²/λ_max of _GAUGES every seed."""
    shaped = dataclasses.replace(base, arch=net.arch, hidden=net.hidden, start=net.start, beta=1.0)
    return [
        dataclasses.replace(shaped, sigma2=gauge * lambda_max, seed=seed)
        for gauge in _GAUGES
        for seed in range(_SEEDS)
    ]


def _takes_convolutions(image: tuple[int, int] | None) -> bool:
    from svae_core.nets.networks import architecture  # with torch: the server lists objections

    try:
        return image is not None and bool(
            architecture("conv", image[0] * image[1], 1, 32, 0, image)
        )
    except RequestError:
        return False


def _row(
    net: _Net,
    gauge: float,
    spherical_runs: list[Certificate],
    conventional_runs: list[Certificate],
    at: int,
) -> tuple[str, ...]:
    part = slice(at * _SEEDS, (at + 1) * _SEEDS)
    return (
        net.name,
        f"{gauge:g}",
        *_summary_cells(conventional_runs[part]),
        *_summary_cells(spherical_runs[part]),
    )


def _summary_cells(certificates: list[Certificate]) -> tuple[str, ...]:
    verdicts = Counter(certificate.verdict for certificate in certificates)
    words = ", ".join(
        f"{count}\N{NO-BREAK SPACE}{verdict}" for verdict, count in sorted(verdicts.items())
    )
    return (
        words,
        range_of([certificate.loss for certificate in certificates]),
        range_of([certificate.kl for certificate in certificates]),
    )


def _collapsed(certificates: list[Certificate], above: bool) -> int:
    return sum(
        certificate.verdict == "collapsed"
        for certificate in certificates
        if (certificate.gauge > 1) == above
    )


def _sentences(found: dict[str, float]) -> tuple[str, ...]:
    runs, half = f"{found['runs']:.0f}", f"{found['runs'] / 2:.0f}"
    return (
        f"Spherical: {found['certified']:.0f} of {runs} short runs are certified, "
        f"{found['in_band']:.0f} ended inside the band and {found['collapsed']:.0f} collapsed, on "
        "both sides of βσ² = λₘₐₓ and from a collapsed start too.",
        f"Conventional: {found['baseline_collapsed_above']:.0f} of {half} collapsed above "
        f"βσ² = λₘₐₓ and {found['baseline_collapsed_below']:.0f} of {half} below it (a short run "
        "may also not have left its start yet).",
        "The exclusion needs no such condition, because it concerns the measured loss. These runs "
        "show whether training reaches that loss, for these networks.",
        "An autoregressive decoder predicts each coordinate from the true ones before it: the "
        "classical cause of collapse, also below βσ² = λₘₐₓ (the conventional one ended there "
        f"with a KL of at most {found['autoregressive_kl_below']:.2f} nats). Its teacher-forced "
        "error is no loss of a decoder g(z) and proves nothing; the loss that is measured and held "
        "in the band is that of the free-running decoder, on its own outputs.",
        "The network mlp 8 has two hidden layers of 8 units; resmlp has eight residual blocks each "
        "in encoder and decoder. Networks with attention were not trained; only the theorem "
        "applies to them.",
    )
