"""Laws of the commentary: it says what happened, once, and the same at every replay."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from svae_core.commentary import CommentaryState, Remark, difference, on_change, update
from svae_core.records import Frame, Moment

NAMES = ("baseline VAE", "spherical VAE")


def frame(step: int, loss: float, *kl: float) -> Frame:
    return Frame(
        method="baseline",
        step=step,
        epoch=0,
        steps=0,  # settled from the start
        loss=loss,
        delta=1.0,
        lo=0.2,
        hi=0.6,
        kl=float(sum(kl)),
        kl_per_dim=np.array(kl, np.float32),
        active=np.array(kl) > 0,
        structure=0.0,
        latent_mean=np.zeros((1, len(kl)), np.float32),
        shell_view=np.zeros((1, 3), np.float32),
        samples=np.zeros((1, 3), np.float32),
        sentence="",
    )


def story(*moments: Moment) -> list[Remark]:
    state, told = CommentaryState(), []
    for moment in moments:
        state, remarks = update(state, NAMES[: len(moment)], moment)
        told += remarks
    return told


def sentences(*moments: Moment) -> list[str]:
    return [remark.sentence for remark in story(*moments)][1:]


def test_it_opens_with_the_start() -> None:
    (opening,) = story((frame(0, 1.0, 0.1), frame(0, 1.0, 0.1)))
    assert opening.kind == "start" and "same weights" in opening.sentence
    assert "at step 0" in opening.sentence
    (opening,) = story((frame(60, 0.7, 1.9),))
    assert opening.sentence == "the first look was at step 60"


def test_a_dying_dimension_is_named_with_its_step() -> None:
    told = story((frame(0, 0.9, 1.0, 1.0, 1.0),), (frame(412, 0.9, 1.0, 1.0, 0.001),))
    assert told[1] == Remark(412, "dimension 3 of the baseline VAE died at step 412", "died", 0, 3)


def test_several_deaths_at_once_are_one_sentence() -> None:
    told = sentences((frame(0, 0.9, 1.0, 1.0, 1.0, 1.0),), (frame(7, 0.9, 0, 1.0, 0, 0),))
    assert set(told) == {"dimensions 1, 3 and 4 of the baseline VAE died at step 7"}


def test_a_dimension_that_hovers_at_the_threshold_neither_dies_nor_wakes_again_and_again() -> None:
    hovering = [(frame(step, 0.9, 1.0, 0.005 + 0.007 * (step % 2)),) for step in range(3, 40)]
    told = sentences((frame(0, 0.9, 1.0, 1.0),), *hovering)
    assert told == ["dimension 2 of the baseline VAE died at step 4"]
    awake = sentences((frame(0, 0.9, 1.0, 0.0),), (frame(5, 0.9, 1.0, 0.05),))
    assert awake == ["dimension 2 of the baseline VAE woke at step 5"]


def test_collapse_of_one_and_of_both_is_said() -> None:
    told = sentences(
        (frame(0, 0.9, 1.0), frame(0, 0.9, 1.0)),
        (frame(5, 0.9, 0.0), frame(5, 0.9, 1.0)),
        (frame(9, 0.9, 0.0), frame(9, 0.9, 0.0)),
    )
    assert told[1] == "the baseline VAE has collapsed: its last dimension died at step 5"
    assert told[-1] == "both have collapsed: the latents carry nothing more (step 9)"
    assert sum("both" in line for line in told) == 1


def test_the_band_is_entered_once_and_left_when_out_twice() -> None:
    losses = (0.9, 0.5, 0.7, 0.5, 0.7, 0.8, 0.9, 0.4)
    told = story(*((frame(step, loss, 1.0),) for step, loss in enumerate(losses)))[1:]
    assert [(remark.step, remark.kind) for remark in told] == [
        (1, "entered"),
        (4, "left"),
        (7, "entered"),
    ]
    assert "rose above" in told[1].sentence and "again" in told[2].sentence
    below = sentences((frame(0, 0.5, 1.0),), *((frame(s, 0.1, 1.0),) for s in (1, 2, 3)))
    assert below == ["the baseline VAE fell below the band at step 1"]


def test_an_empty_band_is_not_spoken_of() -> None:
    nowhere = [
        (dataclasses.replace(frame(step, 0.5, 1.0), lo=math.nan, hi=math.nan),) for step in range(4)
    ]
    assert sentences(*nowhere) == []


def test_divergence_is_said_once() -> None:
    broken = [(frame(step, math.nan, 1.0),) for step in (5, 6)]
    assert sentences((frame(0, 0.9, 1.0),), *broken) == ["the baseline VAE diverged at step 5"]


def test_changes_are_named() -> None:
    assert on_change((412, "band", (0.0, 0.6)), (0.0, 0.25)) == "band 0–0.25 → 0–0.6 at step 412"
    assert difference("beta", 1.0, 4.0) == "β 1 → 4"
    assert difference("lower_edge", True, False) == "lower edge on → off"


def test_a_net_that_has_not_learned_yet_is_not_called_collapsed() -> None:
    def early(step: int, *kl: float) -> Frame:
        return dataclasses.replace(frame(step, 0.9, *kl), steps=100)

    told = sentences(*((early(step, 0.0, 0.0),) for step in range(10)), (early(10, 0.5, 0.0),))
    assert told == ["dimension 2 of the baseline VAE has not come alive by step 10"]
    told = sentences(*((early(step, 0.0, 0.0),) for step in range(12)))
    assert told[-1] == "the baseline VAE has collapsed: no dimension is alive at step 10"
    lived = [early(step, 0.5 * (3 <= step < 7), 0.5 * (step == 4)) for step in range(12)]
    told = story(*((one,) for one in lived))[1:]
    assert [(remark.step, remark.kind, remark.dimension) for remark in told] == [
        (5, "died", 2),
        (7, "died", 1),
        (10, "collapsed", -1),
    ]
