"""One point followed through the models, and a visitor's own input on the way of the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.drawings import threes

from svae_core.geometry.shell import shell_map
from svae_core.latent import explore
from svae_core.latent.drawing import Habits, Strokes, habits_of, picture
from svae_core.latent.following import DRAWS, NEIGHBOURS, SAME, describe
from svae_core.latent.images import texts
from svae_core.latent.results import Follow, Followed
from svae_core.records import Budget, RequestError, Settings, State
from svae_core.training import loop
from svae_core.training.evaluate import encode

DIGITS = Settings(dataset="digits", n_points=1200, epochs=60, batch_size=100, device="cpu")
CENTRED = Habits((28, 28), 20.0, (14.0, 14.0), by_mass=False)


@pytest.fixture(scope="module")
def state() -> State:
    """A conventional VAE that has collapsed by its units, and a spherical one that lives."""
    members = (replace(DIGITS, method="baseline"), DIGITS)
    return loop.advance(loop.begin(members), Budget(frames=False)).state


def follow(state: State, **question: object) -> Followed:
    return explore.answer(state, Follow(**question))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------- a drawing


def _place(image: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.slow
@given(
    st.floats(0.3, 1.0), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.sampled_from([*threes()])
)
def test_a_drawing_is_the_same_wherever_and_however_large(
    size: float, right: float, down: float, name: str
) -> None:
    drawn = threes()[name]
    moved: Strokes = tuple(
        tuple((size * x + right, size * y + down) for x, y in line) for line in drawn
    )
    for habits in (CENTRED, replace(CENTRED, by_mass=True)):
        extent = max(np.ptp([p[i] for line in moved for p in line]) for i in (0, 1))
        if extent < 0.25:  # what is tiny stays so: it may be meant
            continue
        np.testing.assert_allclose(picture(moved, habits), picture(drawn, habits), atol=0.26)
        close = np.abs(picture(moved, habits) - picture(drawn, habits)).mean()
        assert close < 0.01  # a dot may fall to the other side of a line by rounding


def test_a_drawing_fits_the_box_and_stands_where_pictures_stand() -> None:
    for drawn in threes().values():
        top, bottom, left, right = _place(picture(drawn, CENTRED))
        assert abs(max(bottom - top, right - left) - 20) <= 1
        assert abs((top + bottom) / 2 - 14) <= 1 and abs((left + right) / 2 - 14) <= 1
        image = picture(drawn, replace(CENTRED, by_mass=True))
        rows, columns = (np.arange(28) + 0.5 for _ in range(2))
        mass = image.sum()
        assert abs((image.sum(axis=1) @ rows) / mass - 14) < 0.6
        assert abs((image.sum(axis=0) @ columns) / mass - 14) < 0.6


def test_habits_are_found_again_in_pictures_made_with_them() -> None:
    for by_mass in (False, True):
        made = Habits((28, 28), 18.0, (15.0, 13.5), by_mass)
        found = habits_of(np.stack([picture(drawn, made) for drawn in threes().values()]))
        assert found.by_mass == by_mass and found.shape == made.shape
        assert abs(found.side - made.side) <= 1
        np.testing.assert_allclose(found.centre, made.centre, atol=0.5)


@pytest.mark.parametrize(
    ("strokes", "why"),
    [
        ((), "nothing drawn"),
        (((),), "nothing drawn"),
        ((((float("nan"), 0.0),),), "not on the pad"),
        ((((0.1, 0.1),) * 2001,), "2,001 points"),
    ],
)
def test_what_is_no_drawing_gets_a_sentence(strokes: Strokes, why: str) -> None:
    with pytest.raises(RequestError, match=why):
        picture(strokes, CENTRED)


def test_a_dot_is_a_dot() -> None:
    dot = picture((((0.9, 0.1),),), CENTRED)
    top, bottom, left, right = _place(dot)
    assert bottom - top <= 4 and right - left <= 4 and dot.max() == 1


# --------------------------------------------------------------------------- the models


@pytest.mark.slow
def test_drawn_threes_land_among_threes_in_the_living_model(state: State) -> None:
    landed = {}
    for name, drawn in threes().items():
        living = follow(state, strokes=drawn).members[1]
        assert len(living.near_labels) == NEIGHBOURS
        landed[name] = living.near_labels.count("3") > NEIGHBOURS / 2
    assert sum(landed.values()) >= 8, landed


def test_draws_of_a_collapsed_model_give_one_picture_whatever_is_drawn(state: State) -> None:
    answers = [follow(state, strokes=drawn).members for drawn in list(threes().values())[:3]]
    for collapsed, living in answers:
        assert collapsed.spread < SAME and collapsed.shift < SAME
        assert f"All {DRAWS} draws give the same picture" in collapsed.sentence
        assert living.shift > 3 * SAME and "All" not in living.sentence
        assert living.kl > 0.5 > collapsed.kl
    one, other = (members[0].outputs for members in answers[:2])
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() < 0.1


def test_the_numbers_of_a_followed_point_are_those_of_its_model(state: State) -> None:
    found = follow(state, point=5)
    for model, member in zip(loop.models(state), found.members, strict=True):
        prepared = model.prepared
        rows = prepared.shell.points[prepared.view_index]
        means = encode(model, rows).mean
        np.testing.assert_allclose(member.mean, means[5], atol=1e-5)
        gaps = np.linalg.norm(means - means[5], axis=1)
        gaps[5] = np.inf
        np.testing.assert_allclose(gaps[member.near], np.sort(gaps)[:NEIGHBOURS], atol=1e-6)
        away = (member.latents - member.mean) / member.deviation
        assert member.latents.shape == (DRAWS, 8) and np.abs(away).max() < 6
        assert member.near_pictures.shape == (NEIGHBOURS, 64)
    assert not np.array_equal(follow(state, point=5, seed=1).members[1].latents, member.latents)
    assert np.array_equal(follow(state, point=5).members[1].latents, member.latents)


def test_own_values_take_the_way_of_the_data(state: State) -> None:
    """A point with its own value set is that point, wherever it lands; with another it moves."""
    prepared = loop.models(state)[0].prepared
    row = prepared.view_index[5]
    value = float(prepared.dataset.points[row, 20])
    point, same = follow(state, point=5), follow(state, point=5, changes=((20, value),))
    assert (point.index, same.index) == (5, -1)
    np.testing.assert_allclose(same.place, point.place, atol=1e-5)
    np.testing.assert_allclose(same.members[1].mean, point.members[1].mean, atol=1e-4)
    moved = follow(state, point=5, changes=((20, 1.0 - value), (21, 1.0)))
    assert moved.values[20] == pytest.approx(1.0 - value)
    on_shell = shell_map(prepared.shell).transform(moved.values[None])
    gaps = np.linalg.norm(prepared.clusters.centroids - on_shell, axis=1)
    assert moved.cluster == gaps.argmin()


def test_what_cannot_be_followed_gets_a_sentence(state: State) -> None:
    for question in ({"point": 5000}, {"changes": ((64, 0.0),)}, {"changes": ((0, 1e300),)}):
        with pytest.raises(RequestError):
            follow(state, **question)
    toy = replace(DIGITS, dataset="wine", n_points=100, epochs=1)
    with pytest.raises(RequestError, match="no images"):
        follow(loop.begin((toy,)), strokes=threes()["round"])
    with pytest.raises(RequestError, match="no sequences"):
        follow(loop.begin((toy,)), text="anna")


def test_a_typed_text_takes_the_way_of_the_data() -> None:
    """The text of a point lands where the point does; so does one in capitals, which names lack."""
    names = replace(DIGITS, dataset="names", n_points=200, epochs=1)
    begun = loop.begin((names,))
    data = loop.models(begun)[0].prepared.dataset
    point = follow(begun, point=5)
    for typed in (point.name, point.name.upper()):
        own = follow(begun, text=typed)
        assert own.index == -1 and texts(own.original[None], data.symbols) == [point.name]
        np.testing.assert_array_equal(own.place, point.place)
        np.testing.assert_array_equal(own.members[0].mean, point.members[0].mean)
    assert texts(follow(begun, text="").original[None], data.symbols) == [""]
    for wrong, why in (("a-b", "no symbol '-'"), (12 * "a", "at most 11")):
        with pytest.raises(RequestError, match=why):
            follow(begun, text=wrong)


def test_the_sentence_says_what_decides_the_picture() -> None:
    assert "input decides the picture more" in describe(2.0, 0.4, 0.3, 0.8)
    assert "draw decides the picture more" in describe(0.3, 0.9, 0.5, 0.2)
    assert "same picture" in describe(0.0, 0.9, 0.02, 0.03)
    assert "diverged" in describe(float("nan"), 0.9, 0.02, 0.03)
