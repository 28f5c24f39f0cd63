"""Three lessons: each asks for a prediction, trains, and compares the outcome with the prediction.

    /train?lesson=collapse

The stage asks the question with the run paused at its start, and hides every result until it is
answered. The reveal is computed from the certificates, not written in advance: with other
settings, or after the band was dragged, it says what really happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.figures.names import counted
from svae_core.records import Certificate, RequestError, Settings

Certificates = tuple[Certificate, ...]


@dataclass(frozen=True)
class Lesson:
    """Settings with a question. `outcome` gives the index of the option that came true."""

    name: str
    title: str
    text: str
    settings: Settings
    question: str
    options: tuple[str, ...]
    outcome: Callable[[Certificates], int]
    because: Callable[[Certificates], str]


def find(name: str | None) -> Lesson | None:
    """The lesson of that name, if there is one."""
    return LESSONS.get(name or "")


def check_prediction(lesson: Lesson | None, answer: int) -> int:
    """The index of an option. RequestError if there is no such option."""
    if lesson is None:
        raise RequestError("There is no question here to answer.")
    if not 0 <= answer < len(lesson.options):
        raise RequestError(f"The answers are numbered from 0 to {len(lesson.options) - 1}.")
    return answer


def reveal(lesson: Lesson, prediction: int | None, certificates: Certificates) -> str:
    """The outcome, beside the prediction."""
    outcome = lesson.outcome(certificates)
    came, why = f"“{lesson.options[outcome]}”.", lesson.because(certificates)
    if prediction is None:
        return f"The outcome: {came} {why}"
    if prediction == outcome:
        return f"As you predicted: {came} {why}"
    return f"You predicted “{lesson.options[prediction]}”, but the outcome is: {came} {why}"


# --------------------------------------------------------------------- the outcomes


def _alive(certificate: Certificate) -> int:
    """The number of dimensions that are not collapsed."""
    return sum(kl >= COLLAPSED_KL for kl in certificate.kl_per_dim)


def _dimensions(certificate: Certificate) -> str:
    return counted(len(certificate.kl_per_dim), "dimension")


def _below_delta(certificate: Certificate) -> bool:
    return certificate.loss_limit < certificate.delta


def _baseline_keeps(certificates: Certificates) -> int:
    first = certificates[0]
    share = _alive(first) / max(1, len(first.kl_per_dim))
    return 2 if share == 0 else 1 if share <= 0.5 else 0


def _spherical_stands(certificates: Certificates) -> int:
    last = certificates[-1]
    if last.verdict == "collapsed":
        return 0
    return 1 if last.in_band else 2


def _guarantee_holds(certificates: Certificates) -> int:
    last = certificates[-1]
    if not _below_delta(last):
        return 2
    return 0 if _alive(last) == 0 else 1


def _both_kls(certificates: Certificates) -> str:
    first, last = certificates[0], certificates[-1]
    return (
        f"βσ²/λ_max is {first.gauge:.2f} here; above 1 total collapse is a stable state of a "
        f"conventional VAE. It ended with {first.kl:.2f} nats in {_alive(first)} of its "
        f"{_dimensions(first)}, the spherical one with {last.kl:.2f} in "
        f"{_alive(last)}."
    )


def _held(certificates: Certificates) -> str:
    first, last = certificates[0], certificates[-1]
    return (
        f"The loss ended at {last.loss:.3f}, and the band's upper edge is {last.hi:.3f}. Such a "
        f"loss takes at least {last.floors.proved:.2f} nats (proved); the KL is {last.kl:.2f}. "
        f"Of the {_dimensions(first)} of the conventional VAE, at the same βσ², "
        f"{_alive(first)} stayed alive."
    )


def _tried(certificates: Certificates) -> str:
    last = certificates[-1]
    return (
        f"The loss ended at {last.loss:.3f} beside δ = {last.delta:.3f}, with {last.kl:.2f} nats "
        f"in {_alive(last)} of its {_dimensions(last)}. Change β and the band, and "
        "try again: a loss below δ without any information would be a counter-example."
    )


LESSONS = {
    lesson.name: lesson
    for lesson in (
        Lesson(
            "collapse",
            "Watch a VAE collapse",
            "Both models learn handwritten digits. Keep an eye on the conventional one: what "
            "becomes of its bars, the nats in each latent dimension?",
            Settings(),
            "Two models start from the same weights and learn the same digits. How much of its "
            "latent space will the conventional VAE still use at the end?",
            (
                "It uses most of its dimensions",
                "It uses half of its dimensions, or fewer",
                "It uses none of them: it has collapsed",
            ),
            _baseline_keeps,
            _both_kls,
        ),
        Lesson(
            "alive",
            "Keep it alive",
            "Four times the weight on KL. The spherical model is held below the upper edge "
            "of its band, so it has to send something through the latent.",
            Settings(beta=4.0),
            "The KL now costs four times as much. What will become of the spherical VAE, which "
            "has to keep its loss inside the band?",
            (
                "It collapses like the conventional one",
                "It stays alive, inside its band",
                "It stays alive, but outside its band",
            ),
            _spherical_stands,
            _held,
        ),
        Lesson(
            "break",
            "Try to break the guarantee",
            "Push β to 16, widen the band. A measured loss below δ excludes total collapse; see "
            "whether you find a model that has both. The Theory page lets a search try hundreds.",
            Settings(band=(0.0, 0.5), beta=16.0),
            "The KL costs sixteen times as much, and the band reaches half-way to δ. Drag its "
            "edges while it trains. Can a model end below δ with nothing in its latent?",
            (
                "Yes: it ends below δ, and has collapsed",
                "No: it ends below δ, and carries information",
                "No: it ends at δ or above, where nothing is guaranteed",
            ),
            _guarantee_holds,
            _tried,
        ),
    )
}
