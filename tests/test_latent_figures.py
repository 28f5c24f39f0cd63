"""Figures of latent spaces: pictures are the right way up, words carry the same numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from svae_core.config.shares import percent
from svae_core.figures import diversity, latent, latent_map, latent_ways
from svae_core.figures.colouring import colouring
from svae_core.figures.gallery import gallery
from svae_core.figures.palette import cluster_style
from svae_core.latent import explore
from svae_core.latent.results import (
    BandStudy,
    DecodeAt,
    Decoding,
    Interpolate,
    LatentSpaces,
    Overview,
    Plane,
    SamplePrior,
    Sampling,
    load_studies,
    save_studies,
)
from svae_core.records import Budget, Settings, State
from svae_core.training import loop

_ASSET = Path(__file__).parents[1] / "assets" / "band_study.json"


@pytest.fixture(scope="module")
def state() -> State:
    base = Settings(dataset="digits", n_points=300, epochs=60, batch_size=50, latent_dim=3)
    members = (replace(base, method="baseline"), base)
    return loop.advance(loop.begin(members), Budget(frames=False)).state


@pytest.fixture(scope="module")
def spaces(state: State) -> LatentSpaces:
    return explore.answer(state, Overview(start=0))


def _pixel(figure, row: int, column: int, y: float, x: float) -> float:
    """What a gallery shows at a share (x to the right, y downwards) of one of its cells."""
    (board,) = figure.data
    reach = 1.12
    at_x = np.abs(board.x - (column * reach + x)).argmin()
    at_y = np.abs(board.y - (-row * reach - y)).argmin()
    return float(np.asarray(board.z)[at_y, at_x])


def test_images_are_the_right_way_up_and_in_their_cells() -> None:
    cells = np.zeros((2, 3, 12), np.float32)
    cells[1, 2, 0] = 0.7  # top left of a picture 4 high and 3 wide
    cells[0, 1, 11] = 0.4  # bottom right
    figure = gallery(cells, (4, 3), ["a", "b"], ["1", "2", "3"])
    assert _pixel(figure, 1, 2, 0.1, 0.1) == pytest.approx(0.7)
    assert _pixel(figure, 0, 1, 0.9, 0.9) == pytest.approx(0.4)
    assert np.nansum(figure.data[0].z) == pytest.approx(1.1)
    assert figure.layout.yaxis.tickvals[1] == pytest.approx(-1.62)  # middle of the second row
    assert figure.layout.yaxis.scaleratio == pytest.approx(4 / 3)


def test_profiles_stay_in_their_cells() -> None:
    cells = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
    _, line = gallery(cells, None, ["a", "b", "c"], ["1", "2"]).data
    x, y = (np.asarray(side).reshape(3, 2, 6)[..., :5] for side in (line.x, line.y))
    for row in range(3):
        assert (np.abs(y[row] + row * 1.12 + 0.5) <= 0.5).all()
    assert (x[:, 0] < 1).all() and (x[:, 1] > 1.12).all()
    assert y[0, 0].argmax() == cells[0, 0].argmax()


def test_a_text_is_in_the_middle_of_its_cell_whatever_spaces_end_it() -> None:
    cells = np.zeros((1, 7, 60), np.float32)  # 30 numbers of symbols, then their shares
    cells[0, :, :30] = 1
    cells[0, 3, 2:7] = [0, 0, 1, 0, 0]
    (written,) = gallery(cells, None, ["a"], list("1234567"), symbols=("x", " ")).data
    assert written.text == ("", "", "", "xx xx", "", "", "")
    assert written.x[3] == pytest.approx(3 * 1.12 + 0.5) and written.y[3] == -0.5


def test_traversals_of_both_models_are_drawn_to_one_scale(spaces: LatentSpaces) -> None:
    """The same output is as high in the figure of either model, however small all of one are."""
    small, large = spaces.members
    same = large.traversals[0, 0]
    tiny = np.broadcast_to(0.01 * same, small.traversals.shape).copy()
    tiny[0, 0] = same
    profiles = replace(
        spaces, image=None, members=(replace(small, traversals=tiny), replace(large))
    )
    heights = []
    for space in profiles.members:
        _, line = latent.traversals(profiles, space).data
        heights.append(np.asarray(line.y)[: len(same)])
    np.testing.assert_allclose(*heights, atol=1e-6)


def test_one_coordinate_makes_a_profile_too() -> None:
    _, dots = gallery(np.ones((1, 2, 1)), None, [""], ["", ""]).data
    assert dots.mode == "markers"


def test_dead_dimensions_are_labelled_and_told(spaces: LatentSpaces) -> None:
    collapsed, alive = spaces.members
    rows = latent.traversals(spaces, collapsed).layout.yaxis.ticktext
    assert len(rows) == 3 and all(text.endswith("dead") for text in rows)
    assert "all 3 dimensions are dead" in latent.describe_traversals(collapsed)
    best = alive.order[0]
    assert latent.traversals(spaces, alive).layout.yaxis.ticktext[0].startswith(f"{best + 1} · ")
    text = latent.describe_traversals(alive)
    assert f"Dimension {best + 1} carries most, {alive.kl_per_dim[best]:.2f} nats" in text
    assert f"{alive.travel[0]:.2f}" in text


def test_ridges_lie_over_their_row_and_the_prior_is_beside(spaces: LatentSpaces) -> None:
    space = spaces.members[1]
    figure = latent.densities(space, dark=True)
    assert len(figure.data) == 6
    for row in range(3):
        filled, prior = figure.data[2 * row : 2 * row + 2]
        assert min(filled.y) == -row and -row < max(filled.y) < -row + 1
        assert max(prior.y) == pytest.approx(-row + 0.5)
    assert f"s̄ = {space.variance[space.order[0]]:.2f}" in figure.layout.annotations[0].text
    assert f"{space.variance.max():.2f}" in latent.describe_densities(
        replace(space, dead=space.dead)
    )


def test_all_maps_have_one_scale_and_a_click_meets_a_place(
    state: State, spaces: LatentSpaces
) -> None:
    clusters = colouring(loop.models(state)[0].prepared, "cluster")
    left, right = (latent_map.latent_map(spaces, member, clusters) for member in (0, 1))
    assert left.layout.xaxis.range == right.layout.xaxis.range == right.layout.yaxis.range
    lattice, *clouds = right.data
    assert lattice.marker.opacity == 0 and len(lattice.x) == 41 * 41
    assert sum(len(cloud.x) for cloud in clouds) == len(spaces.rows)
    assert lattice.x.max() >= max(np.abs(cloud.x).max() for cloud in clouds)
    assert "the map is one spot" in latent_map.describe_map(spaces, 0)
    assert percent(spaces.members[1].explained) in latent_map.describe_map(spaces, 1)


def test_a_map_has_the_colours_of_the_stage(state: State, spaces: LatentSpaces) -> None:
    """By cluster or label one trace per group with its mark; by a column one trace on a scale."""
    prepared = loop.models(state)[0].prepared
    for name in ("cluster", "label"):
        found = colouring(prepared, name)
        _, *groups = latent_map.latent_map(spaces, 1, found).data
        slots = found.slots[spaces.rows]
        assert len(groups) == len(np.unique(slots))
        for group in groups:
            slot = found.groups.index(group.name)
            assert (group.marker.color, group.marker.symbol) == cluster_style(slot)
            np.testing.assert_array_equal(group.customdata, spaces.rows[slots == slot] + 1)
    pixel = colouring(prepared, "pixel 3, 4")
    _, points = latent_map.latent_map(spaces, 1, pixel, dark=True).data
    np.testing.assert_allclose(points.marker.color, prepared.dataset.points[spaces.rows, 19])
    assert points.marker.colorbar.title.text == "pixel 3, 4"


def test_a_click_is_read_and_no_click_is_the_middle() -> None:
    def event(points: list[dict[str, float]]) -> SimpleNamespace:
        return SimpleNamespace(selection=SimpleNamespace(points=points))

    assert latent_map.clicked(event([])) == (0.0, 0.0)
    assert latent_map.clicked(event([{"x": 1.5, "y": -2}])) == (1.5, -2.0)


def test_what_is_decoded_is_shown_with_its_neighbour_and_the_replies(
    state: State, spaces: LatentSpaces
) -> None:
    found = explore.answer(state, DecodeAt(1, Plane(), (1.0, -0.5)))
    assert isinstance(found, Decoding)
    figure = latent_map.decoding(found, spaces)
    assert figure.layout.xaxis.ticktext == (
        "here",
        f"point {found.row + 1}",
        "conventional",
        "spherical",
    )
    words = latent_map.describe_decoding(found, (1.0, -0.5))
    assert "(1.0, −0.5)" in words and f"{found.distance:.2f}" in words


def test_ways_and_samples_say_their_numbers(state: State) -> None:
    ways = explore.answer(state, Interpolate(0, 5))
    assert f"{ways.angle:.0f}°" in latent_ways.explain_ways(ways)
    words = latent_ways.describe_ways(ways)
    for path in ways.paths:
        assert f"{path.nearest.mean():.2f} from data" in words
    assert len(latent_ways.distances(ways).data) == 5
    draws = explore.answer(state, SamplePrior())
    collapsed, alive = (latent_ways.describe_samples(drawn, draws) for drawn in draws.members)
    assert "no variety" in collapsed and "no variety" not in alive
    assert latent_ways.samples(draws.members[1], (8, 8)).layout.yaxis.ticktext[1] == "nearest"


def test_the_study_in_the_app_is_complete_and_is_told_by_its_own_numbers() -> None:
    for study in load_studies(_ASSET):
        seeds = {row.seed for row in study.samplings}
        assert len(seeds) >= 5
        text = diversity.describe_diversity(study)
        assert f"{len(seeds)} seeds each" in text and f"{study.best.coverage:.2f}" in text
        assert "σ² = 1 has collapsed" in text
        figure = diversity.diversity(study)
        assert sorted({trace.xaxis for trace in figure.data}) == ["x", "x2"]
        assert diversity.diversity_table(study).count("spherical VAE, b =") >= 5


def test_a_study_survives_its_file(tmp_path: Path) -> None:
    row = Sampling("spherical", 0.25, 1.0, 0, 0.5, 1.25, 0.75, 0.0, 1.5, 0.625, 0.5)
    plain = replace(row, method="baseline", edge=float("nan"))
    study = BandStudy("Data", 10, 5, 0.25, 1.0, 1.5, (row, plain), row)
    save_studies((study,), tmp_path / "study.json")
    (again,) = load_studies(tmp_path / "study.json")
    assert again.samplings[0] == row and again.best == row
    assert np.isnan(again.samplings[1].edge)
