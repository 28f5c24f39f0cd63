"""The conditions of the theorem as sentences, each checked on the current data and run.

A state is shown by a word, a symbol and a colour. `open`: unknown without a run; `note`: fulfilled,
with a limitation that the reader should know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from svae_core.figures.names import counted, title_of
from svae_core.figures.unit_gauge import gauge_value
from svae_core.records import Certificate, Problem, Settings

HOLDS, OPEN, NOTE, FAILS = "holds", "open", "note", "fails"
_NO_RUN = "There is no finished run of these settings."


@dataclass(frozen=True)
class Condition:
    """A condition of the theorem, and what was found for the current data and run."""

    state: str  # HOLDS, OPEN, NOTE or FAILS
    sentence: str
    finding: str


def conditions(
    problem: Problem, settings: Settings, certificates: tuple[Certificate, ...]
) -> tuple[Condition, ...]:
    """All conditions for these data and for the members of the run, if there is one."""
    return (
        _band(problem),
        _sampled(certificates),
        _same_points(problem, certificates),
        *(_below(certificate) for certificate in certificates),
        *(() if certificates else (Condition(OPEN, f"The {_BELOW}", _NO_RUN),)),
        _domain(problem, certificates),
        _total_only(certificates),
        _gauge(certificates[-1].gauge if certificates else gauge_value(problem, settings)),
    )


def table(found: tuple[Condition, ...], marks: dict[str, str]) -> str:
    """A Markdown table of conditions, each state as its mark."""
    lines = ["| | condition | here and now |", "| --- | --- | --- |"]
    lines += [f"| {marks[item.state]} | {item.sentence} | {item.finding} |" for item in found]
    return "\n".join(line.replace("q(z|x)", "q(z\\|x)") for line in lines)


def title(certificate: Certificate) -> str:
    """The title of a member: that of its method."""
    return title_of(certificate.method)


_BELOW = "measured loss, with its confidence margin, is below δ; a penalty alone proves nothing."


def _band(problem: Problem) -> Condition:
    region = problem.region
    return Condition(
        FAILS if region.empty else HOLDS,
        "The feasible band is not empty.",
        region.explanation
        if region.empty
        else f"W = {region.within:.3f} < δ = {region.delta:.3f} ({region.collapse_loss}); the band "
        f"is [{region.lo:.3f}, {region.hi:.3f}].",
    )


def _sampled(certificates: tuple[Certificate, ...]) -> Condition:
    sentence = "The loss is that of sampled latents z ~ q(z|x), never of posterior means."
    if not certificates:
        return Condition(OPEN, sentence, _NO_RUN)
    draws = min(certificate.draws for certificate in certificates)
    return Condition(
        HOLDS, sentence, f"Each loss is the mean over {counted(draws, 'draw')} of every latent."
    )


def _same_points(problem: Problem, certificates: tuple[Certificate, ...]) -> Condition:
    sentence = "Loss and δ are measured on the same points."
    if not certificates:
        return Condition(OPEN, sentence, _NO_RUN)
    mine = problem.dataset.fingerprint
    count = certificates[0].n_points
    if any(certificate.fingerprint != mine for certificate in certificates):
        return Condition(FAILS, sentence, "The run was trained on other points than these.")
    held_out = certificates[0].held_out
    more = f"; the {held_out.n_points:,} held-out points have a δ of their own" if held_out else ""
    return Condition(
        HOLDS, sentence, f"Both on the same {count:,} points (fingerprint {mine[:8]}){more}."
    )


def _below(certificate: Certificate) -> Condition:
    c = certificate
    below = c.verdict == "certified"
    sign = "<" if below else "is not below"
    return Condition(
        HOLDS if below else FAILS,
        f"{title(c)}: the {_BELOW}",
        f"{c.loss:.3f} + {c.loss_margin:.3f} {sign} δ = {c.delta:.3f} ({c.delta_definition}); "
        f"verdict: {c.verdict}.",
    )


def _domain(problem: Problem, certificates: tuple[Certificate, ...]) -> Condition:
    sentence = "The decoder's outputs lie in the domain for which δ is the least constant loss."
    shell = problem.shell
    if not certificates:
        return Condition(OPEN, sentence, _NO_RUN)
    uses = ", ".join(f"{title(c)}: δ {c.delta_definition}" for c in certificates)
    return Condition(
        HOLDS,
        sentence,
        f"{uses}. All outputs measured against δ shell lie in "
        f"[{shell.r_min:g}, {shell.r_max:g}]; δ free and δ between hold for any decoder.",
    )


def _total_only(certificates: tuple[Certificate, ...]) -> Condition:
    sentence = "Only total collapse is excluded; single latent dimensions may be inactive."
    alive = [c for c in certificates if c.verdict == "certified" and c.kl_per_dim]
    if not alive:
        return Condition(OPEN, sentence, "There is no certified run here to count them for.")
    inactive = {title(c): len(c.kl_per_dim) - c.active_units for c in alive}
    counts = "; ".join(
        f"{name}: {count} of {len(c.kl_per_dim)}"
        for (name, count), c in zip(inactive.items(), alive, strict=True)
    )
    return Condition(
        NOTE if any(inactive.values()) else HOLDS,
        sentence,
        f"Inactive units, by the variance of the posterior mean: {counts}.",
    )


def _gauge(gauge: float) -> Condition:
    sentence = "Not a condition: the units. The theorem holds for any βσ²/λₘₐₓ; training may fail."
    if not math.isfinite(gauge) or gauge >= 1:
        return Condition(
            NOTE,
            sentence,
            f"βσ²/λₘₐₓ = {gauge:.2f}, above 1: at these units total collapse is a stable state of "
            "a conventional VAE; the penalty has to prevent it.",
        )
    return Condition(
        HOLDS, sentence, f"βσ²/λₘₐₓ = {gauge:.2f}, below 1: collapse is not a stable state."
    )
