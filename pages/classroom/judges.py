"""What came true in a lesson's run: the option, and one sentence why, from measured numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pages.live.run_view import RunView
from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.config.settings import settings_at
from svae_core.figures.members import member_names
from svae_core.figures.names import counted
from svae_core.records import Frame, Settings

#: A model that carries so many nats on the mean is alive again beyond doubt.
_BACK = 0.5
#: Moments after a change before it is judged: the first ones overshoot.
_SETTLING = 8


@dataclass(frozen=True)
class Outcome:
    """The index of the option that came true, and why."""

    option: int
    because: str


def where_it_died(view: RunView) -> Outcome | None:
    """At which of its marks the first model went out, once it has."""
    settings = view.members[0]
    if view.prepared is None or not settings.changes:
        return None
    variances = view.prepared.eigenvalues[: settings.latent_dim]
    for frame in _since_change(view, 0):
        if _alive(frame.kl_per_dim):
            continue
        then = settings_at(settings, frame.step - 1)
        price = then.beta * then.sigma2
        above = int((variances > price).sum())
        option = 2 if above == 0 else 1 if above < len(variances) - 1 else 0
        known = "none of the" if above == 0 else f"{above} of the"
        return Outcome(
            option,
            f"It went out at σ² = {then.sigma2:.3g}, where {known} {len(variances)} variances λ "
            f"lie above βσ² = {price:.3g}; the largest, λₘₐₓ, is {variances[0]:.3g}. A dimension "
            "lives while its λ gains more than its KL costs, so as many live as λ exceed βσ².",
        )
    return None


def came_back(view: RunView) -> Outcome | None:
    """What became of the last model after its band was moved."""
    settings = view.members[-1]
    moved = [step for step, name, _ in settings.changes if name == "band"]
    if not moved or not view.moments:
        return None
    before = [moment[-1] for moment in view.moments if moment[-1].step <= moved[0]]
    start = before[-1] if before else view.moments[0][-1]
    for frame in _since_change(view, -1)[_SETTLING:]:
        if frame.kl >= _BACK and frame.loss <= frame.hi:
            fell = frame.loss < start.loss
            return Outcome(
                1 if fell else 2,
                f"Its loss went from {start.loss:.2f} to {frame.loss:.2f}, below the band's edge "
                f"{frame.hi:.2f}, and no model without information has a loss below δ = "
                f"{frame.delta:.2f}: to obey the band it must carry information, {frame.kl:.2f} "
                "nats now. Nothing holds the other one, so it stays dead.",
            )
    if not view.certificates:
        return None
    last = view.certificates[-1]
    return Outcome(0, f"It ended with a loss of {last.loss:.2f} and {last.kl:.2f} nats.")


def guarantee_held(view: RunView) -> Outcome | None:
    """Whether the trained model is below δ, and carries information."""
    if not view.certificates:
        return None
    last = view.certificates[-1]
    below, alive = last.loss_limit < last.delta, _alive(last.kl_per_dim)
    if not below:
        why = "That is not below δ, margin included, where the theorem says nothing."
    elif alive:
        why = "The theorem allows nothing else: a decoder that ignores its input cannot be below δ."
    else:
        why = (
            "So near to δ the theorem asks for few nats, and no dimension has enough to count as "
            "alive."
        )
    return Outcome(
        (1 if alive else 0) if below else 2,
        f"It ended at {last.loss:.2f} (+{last.loss_margin:.2f} margin) beside "
        f"δ = {last.delta:.2f}, with {last.kl:.2f} nats in {alive} of its "
        f"{counted(len(last.kl_per_dim), 'dimension')}. {why}",
    )


def writings_agreed(view: RunView) -> Outcome | None:
    """Which of the members collapsed, once all are trained."""
    if not view.certificates or view.prepared is None:
        return None
    dead = [one.verdict == "collapsed" for one in view.certificates]
    names = member_names(view.members)
    prices = ", ".join(
        f"{price(settings):.3g} in {name}"
        for name, settings in zip(names, view.members, strict=True)
    )
    return Outcome(
        2 if all(dead) else 1 if any(dead) else 0,
        f"βσ² is {prices}, and λₘₐₓ is {view.prepared.lambda_max:.3g}. A mean over pixels "
        "multiplies βσ² by their number, without a word: β can be compared only where the loss is "
        "written out.",
    )


def price(settings: Settings) -> float:
    """βσ², which a dimension's variance λ must exceed to stay alive."""
    return settings.beta * settings.sigma2


def _since_change(view: RunView, member: int) -> list[Frame]:
    """A member's frames after its first change."""
    first = view.members[member].changes[0][0]
    return [moment[member] for moment in view.moments if moment[member].step > first]


def _alive(kl_per_dim: Iterable[float]) -> int:
    """The number of dimensions that are not collapsed."""
    return sum(kl >= COLLAPSED_KL for kl in kl_per_dim)
