"""The feasible region: collapse losses, the band between W and δ, and the penalty weight rule.

If q(z|x) does not depend on x, then x and the reconstruction are independent, so the loss is at
least that of the best admissible constant, δ. A measured loss below δ therefore excludes total
collapse. Source of the band: arXiv 2603.10935 v4, whose δ allows the three definitions given here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from svae_core.records import FeasibleRegion, RequestError

#: Strength κ of the penalty rule, chosen once on prototype runs and never tuned on a result.
PENALTY_STRENGTH = 4.0
#: What each definition of δ is the loss of, or its formula.
BEST_CONSTANTS = {
    "shell": "the best constant on the shell",
    "free": "the best constant anywhere (T)",
    "between": "B = T − W",
}


@dataclass(frozen=True)
class BandAtK:
    """The band for K clusters, with W of the best and of the worst start of K-means."""

    k: int
    silhouette: float
    best: FeasibleRegion
    worst: FeasibleRegion


def constant_loss(total: float, gap: float) -> float:
    """E‖x − y‖² = T + ‖x̄ − y‖², the loss of a constant y at the distance `gap` from the mean x̄."""
    return total + gap**2


def collapse_losses(
    within: float, total: float, mean_norm: float, r_min: float, r_max: float
) -> dict[str, float]:
    """δ by each definition, in summed squared error.

    shell: T + dist(x̄, shell)², the loss of the best constant on the shell (projected decoder).
    free: T, the loss of the best constant anywhere (decoder not projected).
    between: B = T − W, the literal reading of the paper's "TSS = W + δ_collapse".
    All are at most the true collapse loss of a projected decoder, so all exclude collapse.
    """
    off_shell = max(r_min - mean_norm, mean_norm - r_max, 0.0)  # from x̄ to the nearest y there
    return {
        "shell": constant_loss(total, off_shell),
        "free": constant_loss(total, 0.0),
        "between": total - within,
    }


def applicable_definition(collapse_loss: str, projected: bool) -> str:
    """The definition of δ that is valid for a decoder: `shell` needs the projection."""
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
    """The band lo = W + a(δ−W), hi = W + b(δ−W); if W ≥ δ it is empty, with an explanation."""
    deltas = collapse_losses(within, total, mean_norm, r_min, r_max)
    delta = deltas[collapse_loss]
    a, b = band
    # Rounding must not open a band of width 1e-16 where W = δ (one cluster, mean on the shell).
    empty = delta - within <= 1e-9 * max(total, delta)
    width = delta - within
    return FeasibleRegion(
        collapse_loss=collapse_loss,
        delta=delta,
        deltas=deltas,
        within=within,
        between=total - within,
        total=total,
        band=band,
        lo=math.nan if empty else within + a * width,
        hi=math.nan if empty else within + b * width,
        empty=empty,
        lower_edge=lower_edge,
        explanation=_explain(collapse_loss, within, delta, empty),
    )


def require_band(region: FeasibleRegion) -> FeasibleRegion:
    """The region itself; raises RequestError if its band is empty."""
    if region.empty:
        raise RequestError(region.explanation)
    return region


def penalty_weight(beta: float, water_level: float, strength: float = PENALTY_STRENGTH) -> float:
    """w = κ β / (2 θ): κβ times the slope of the Gaussian rate–distortion curve at D = hi.

    Reverse water-filling gives dR/dD = −1/(2θ), with θ the `water_level` at D = hi (λ_max where
    hi ≥ T). Lowering D by one unit costs β/(2θ) of weighted KL, so a penalty of a larger slope
    holds D at hi. w depends on data and band alone, so it is fixed before training. Derived here.
    """
    return strength * beta / (2.0 * water_level)


def lower_excess(beta: float, water_level: float, sigma2: float, strength: float) -> float:
    """What the weight of the lower edge has above that of the upper one, κ·max(0, 1/(2σ²) − β/2θ).

    Below lo the penalty works against the likelihood, whose slope is 1/(2σ²), and against no
    other: w_lo = κ·max(β/(2θ), 1/(2σ²)). With the upper weight alone a small σ² (below θ/(βκ))
    would outweigh the penalty, and runs would end below lo. Derived here.
    """
    return strength * max(0.0, 1.0 / (2.0 * sigma2) - beta / (2.0 * water_level))


def target(lo: float, hi: float, width: float, standard_error: float) -> float:
    """The loss above which the penalty starts: inside the band, so that runs end below hi.

    It lies below hi by 3 % of the `width` δ − W or by two standard errors of a minibatch's loss,
    whichever is more, but by half the band at most. The penalty sees the noisy loss of a minibatch:
    if it starts within that noise of hi, runs balance on hi wherever the data's rate–distortion
    curve is steeper than the Gaussian one (measured: mnist5k with δ = T ended .005 above hi with
    3 % alone).
    """
    return hi - min(max(0.03 * width, 2.0 * standard_error), 0.5 * (hi - lo))


def describe_target(region: FeasibleRegion, standard_error: float) -> str:
    """One sentence on where a run aims and why; empty where the band is."""
    if region.empty:
        return ""
    room = region.delta - region.within
    aim = target(region.lo, region.hi, room, standard_error)
    inside = region.hi - aim
    if inside >= 0.5 * (region.hi - region.lo) * (1 - 1e-9):
        why = "half the band, since the noise of a minibatch's loss is wider than that"
    elif 2.0 * standard_error > 0.03 * room:
        why = "two standard errors of a minibatch's loss, wide where points are few"
    else:
        why = "3 % of the way from W to δ"
    return (
        f"The spherical method aims at a loss of {aim:.3f}, {inside:.3f} inside the upper edge "
        f"{region.hi:.3f}: {why}."
    )


def minibatch_error(deviation: float, batch_size: int, n: int) -> float:
    """Standard error of a minibatch's mean loss, estimated from the data alone.

    `deviation`: standard deviation of the squared distances of points to their own centroid, which
    are the losses of the K-means quantiser.
    """
    return deviation / math.sqrt(min(batch_size, n))


def _explain(collapse_loss: str, within: float, delta: float, empty: bool) -> str:
    name = BEST_CONSTANTS[collapse_loss]
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
