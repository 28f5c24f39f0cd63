"""The feasible region: collapse losses, the band between W and δ, and the penalty weight rule.

If q(z|x) does not depend on x, then x and the reconstruction are independent, so the loss is at
least that of the best admissible constant, δ. A measured loss below δ therefore excludes total
collapse. Source of the band: arXiv 2603.10935 v4; the three readings of δ are told apart here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from svae_core.records import FeasibleRegion, RequestError

#: Strength κ of the penalty rule; chosen in a prototype on data other than those it is applied to.
PENALTY_STRENGTH = 4.0


@dataclass(frozen=True)
class BandAtK:
    """The band under some number of clusters, by the best and by the worst start of K-means."""

    k: int
    silhouette: float
    best: FeasibleRegion
    worst: FeasibleRegion


def collapse_losses(
    within: float, total: float, mean_norm: float, r_min: float, r_max: float
) -> dict[str, float]:
    """δ by each definition, in summed squared error.

    shell: T + dist(x̄, shell)² — the best constant on the shell, for a projected decoder.
    free: T — the best constant anywhere, for a decoder that is not projected.
    between: B = T − W — the literal reading of the paper's "TSS = W + δ_collapse".
    All are at most the true collapse loss of a projected decoder, so all exclude collapse.
    """
    off_shell = max(r_min - mean_norm, mean_norm - r_max, 0.0)
    return {"shell": total + off_shell**2, "free": total, "between": total - within}


def applicable_definition(collapse_loss: str, projected: bool) -> str:
    """The definition of δ that holds for a decoder: `shell` needs the projection."""
    return "free" if collapse_loss == "shell" and not projected else collapse_loss


def feasible_region(
    *,
    within: float,
    total: float,
    mean_norm: float,
    r_min: float,
    r_max: float,
    collapse_loss: str,
    band: tuple[float, float],
    lower_edge: bool,
) -> FeasibleRegion:
    """The band lo = W + a(δ−W), hi = W + b(δ−W). Empty (W ≥ δ) is a state with an explanation."""
    deltas = collapse_losses(within, total, mean_norm, r_min, r_max)
    delta = deltas[collapse_loss]
    a, b = band
    # Rounding must not open a band of width 1e-16 where W = δ (one cluster, mean on the shell).
    empty = delta - within <= 1e-9 * max(total, delta)
    room = delta - within
    return FeasibleRegion(
        collapse_loss=collapse_loss,
        delta=delta,
        deltas=deltas,
        within=within,
        between=total - within,
        total=total,
        band=band,
        lo=math.nan if empty else within + a * room,
        hi=math.nan if empty else within + b * room,
        empty=empty,
        lower_edge=lower_edge,
        explanation=_explain(collapse_loss, within, delta, empty),
    )


def require_band(region: FeasibleRegion) -> FeasibleRegion:
    """The region itself, or RequestError where its band is empty and a method needs it."""
    if region.empty:
        raise RequestError(region.explanation)
    return region


def penalty_weight(beta: float, water_level: float, strength: float = PENALTY_STRENGTH) -> float:
    """w = κ β / (2 θ): κ times the slope of the Gaussian rate–distortion curve at D = hi.

    `water_level` θ: the reverse water-filling level at D = hi (λ_max where hi ≥ T). Depends on
    data and band alone, so it is fixed before training. Derived here.
    """
    return strength * beta / (2.0 * water_level)


def target(lo: float, hi: float, room: float, standard_error: float) -> float:
    """Where training aims: inside the band, so that it ends below hi reliably.

    By 3 % of the `room` δ − W, or two standard errors of a minibatch's loss where that is more,
    but by half the band at most. A penalty sees the noisy loss of a minibatch: one that starts
    within that noise of hi is balanced on hi, wherever the real rate–distortion curve is steeper
    than the Gaussian one (measured: mnist5k under δ = T ended .005 above hi with 3 % alone).
    """
    return hi - min(max(0.03 * room, 2.0 * standard_error), 0.5 * (hi - lo))


def minibatch_error(deviation: float, batch_size: int, n: int) -> float:
    """Standard error of a minibatch's mean loss, from data alone.

    `deviation`: of the squared distances of points to their own centroid, the quantiser's losses.
    """
    return deviation / math.sqrt(min(batch_size, n))


def _explain(collapse_loss: str, within: float, delta: float, empty: bool) -> str:
    name = {
        "shell": "the best constant on the shell",
        "free": "the best constant anywhere (T)",
        "between": "B = T − W",
    }[collapse_loss]
    if not empty:
        return (
            f"The band lies between W = {within:.3f} and the collapse loss δ = {delta:.3f} "
            f"({collapse_loss}: {name})."
        )
    mend = {
        "between": "use more clusters, or the collapse loss 'shell' or 'free'",
        "free": "use more clusters, or the collapse loss 'shell'",
        "shell": "use more clusters",
    }[collapse_loss]
    return (
        f"The band is empty: W = {within:.3f} is not below the collapse loss δ = {delta:.3f} "
        f"({collapse_loss}: {name}); {mend}."
    )
