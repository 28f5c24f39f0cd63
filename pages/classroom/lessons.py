"""Four lessons: predict, act, see what comes true and why, drag further, go on to the next.

    /train?lesson=kill

The stage asks the question. A lesson with a `turn` trains up to there and then waits until the
viewer moves a lever; one without hides every result until the question is answered. What comes
true is read from the run, not written in advance: with other data or levers the reveal says what
really happened. `judges` has one function per lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pages.classroom import judges
from pages.classroom.judges import Outcome
from pages.live.pace import Pace
from pages.live.registry import pair
from pages.live.run_view import RunView
from svae_core.records import RequestError, Settings

_PACE = Pace(seconds=22.0)
#: Pixels of a digit: what a mean instead of a sum divides the loss by.
PIXELS = 64


@dataclass(frozen=True)
class Lesson:
    """A run with a question, something to do, and what is read from it.

    `judge` gives None as long as nothing can be said. `own_run`: it is judged by the lesson's own
    run, not by a branch of it.
    """

    name: str
    title: str
    text: str
    settings: Settings
    question: str
    options: tuple[str, ...]
    act: str
    drag: str
    judge: Callable[[RunView], Outcome | None]
    pace: Pace = _PACE
    own_run: bool = False
    members: Callable[[Settings], tuple[Settings, ...]] = pair


def find(name: str | None) -> Lesson | None:
    """The lesson of that name, if there is one."""
    return LESSONS.get(name or "")


def following(lesson: Lesson) -> Lesson | None:
    """The next lesson; None after the last one."""
    names = list(LESSONS)
    place = names.index(lesson.name) + 1
    return LESSONS[names[place]] if place < len(names) else None


def check_prediction(lesson: Lesson | None, answer: int) -> int:
    """The index of an option. RequestError if there is no such option."""
    if lesson is None:
        raise RequestError("There is no question here to answer.")
    if not 0 <= answer < len(lesson.options):
        raise RequestError(f"The answers are numbered from 0 to {len(lesson.options) - 1}.")
    return answer


def reveal(lesson: Lesson, prediction: int | None, outcome: Outcome) -> str:
    """The outcome, beside the prediction."""
    came = f"“{lesson.options[outcome.option]}”."
    if prediction is None:
        return f"The outcome: {came} {outcome.because}"
    if prediction == outcome.option:
        return f"As you predicted: {came} {outcome.because}"
    predicted = lesson.options[prediction]
    return f"You predicted “{predicted}”, but the outcome is: {came} {outcome.because}"


def three_writings(settings: Settings) -> tuple[Settings, ...]:
    """One trade-off between error and KL, written in three ways, all of conventional VAEs.

    D/(2σ²) + β·KL; the same times 2σ²; and that with the mean over the pixels instead of the sum.
    """
    first = replace(settings, method="baseline", method_options=())
    price = 2 * first.sigma2 * first.beta
    summed = replace(first, sigma2=0.5, beta=price)
    return first, summed, replace(summed, sigma2=0.5 * PIXELS)


_DIGITS = Settings(latent_dim=5, learning_rate=4e-3)

LESSONS = {
    lesson.name: lesson
    for lesson in (
        Lesson(
            "kill",
            "Kill it",
            "A healthy VAE and one slider: where on it does the last dimension go out?",
            replace(_DIGITS, sigma2=0.01, epochs=300),
            "The conventional VAE is alive. Each mark under the σ² slider is a variance λ of the "
            "data. When you move σ² to the right, where does its last bar go out?",
            ("At the first mark", "Half-way through the marks", "At the last mark, λₘₐₓ"),
            "Your turn: drag σ² to the right, past one mark after the other, and watch the bars of "
            "the conventional VAE.",
            "Now drag σ² back to the left: do the bars return?",
            judges.where_it_died,
            Pace(seconds=22.0, turn=0.2),
        ),
        Lesson(
            "revive",
            "Bring it back",
            "Two dead models. The feasible band alone brings one of them back.",
            replace(_DIGITS, start="collapsed", band=(0.0, 0.99), epochs=200),
            "Both models start dead, and σ² keeps them so. The spherical one must stay in its "
            "band, which now ends just below its δ. What happens when you pull the band's upper "
            "edge down to half its height?",
            (
                "Nothing: a dead model stays dead",
                "It comes back to life, and its loss falls",
                "It comes back to life, and its loss rises",
            ),
            "Your turn: drag the upper handle of the band down, to half its height. Read how many "
            "nats that guarantees.",
            "Now drag the edge up and down: nats are paid for in loss.",
            judges.came_back,
            Pace(seconds=22.0, turn=0.2),
        ),
        Lesson(
            "break",
            "Break the guarantee",
            "A bet: can a loss below δ go with a dead latent? A search tries hundreds.",
            Settings(band=(0.0, 0.5), beta=16.0),
            "The KL costs sixteen times as much, and the band reaches half-way to δ. Can a model "
            "end below its δ with nothing in its latent?",
            (
                "Yes: below δ, yet collapsed",
                "No: below δ, it carries information",
                "No: at δ or above, nothing is guaranteed",
            ),
            "",
            "Now drag β and the band as far as they go. Then let a search try, on the page Theory.",
            judges.guarantee_held,
            own_run=True,
        ),
        Lesson(
            "units",
            "Why units matter",
            "One loss, written in three ways that look alike. One of them collapses.",
            replace(_DIGITS, sigma2=0.05),
            "Three conventional VAEs, the same trade-off between error and KL: as a likelihood, "
            f"multiplied out, and with the mean over the {PIXELS} pixels instead of the sum. What "
            "will they do?",
            (
                "All three learn alike",
                "Two learn alike, one collapses",
                "All three collapse",
            ),
            "",
            "Now drag β to the left, past λₘₐₓ: the third one comes back.",
            judges.writings_agreed,
            own_run=True,
            members=three_writings,
        ),
    )
}
