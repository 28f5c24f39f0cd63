"""Phase maps: cells where they belong, lines where theory puts them, words from the same data."""

from __future__ import annotations

import csv
import dataclasses
import io
import math

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as some

from svae_core.figures import phase
from svae_core.figures.phase import View
from svae_core.records import Settings
from svae_core.studies.grid import Grid
from svae_core.studies.phase_cells import MEASURES, Cell, Outcome, Theory, cells

THEORY = Theory((0.5, 0.2, 0.1, 0.0))
SIGMA2, BETA = (0.05, 0.1, 0.4, 1.6), (0.5, 2.0)
BANDS = ((0.0, 0.2), (0.0, 0.6))
VIEW = View("sigma2", "beta", "kl")


def grid(x: str, xs: tuple, y: str, ys: tuple, seeds: tuple[int, ...] = (0, 1), **base) -> Grid:
    return Grid((Settings(method="baseline", latent_dim=3, **base),), ((x, xs), (y, ys)), seeds)


def ended(asked: Grid, collapsed) -> list[Outcome]:
    """Runs that collapsed where `collapsed(settings)` says so, and are certified elsewhere."""
    return [
        Outcome(
            run,
            **{"loss": 0.4, "lo": 0.2, "hi": 0.7, "floor": 0.1, "mutual_information": 0.3},
            kl=0.0 if collapsed(run) else run.sigma2 + run.seed,
            active_units=THEORY.above(run),
            verdict="collapsed" if collapsed(run) else "certified",
        )
        for run in asked.runs
    ]


def by_theory(run: Settings) -> bool:
    return run.beta * run.sigma2 >= THEORY.lambda_max


def filled(asked: Grid, collapsed=by_theory) -> tuple[Cell, ...]:
    return cells(asked, ended(asked, collapsed), THEORY)


SQUARE = grid("sigma2", SIGMA2, "beta", BETA)


def traces(figure, name: str) -> list:
    return [trace for trace in figure.data if trace.name == name]


def lines(figure) -> list[str]:
    return [trace.name for trace in figure.data if (trace.name or "").startswith("βσ²")]


def test_every_cell_is_inside_its_own_field() -> None:
    found = filled(SQUARE)
    figure = phase.phase_map(found, THEORY, VIEW, (0.0, 3.0))
    heat, marks = figure.data[0], figure.data[-1]
    for number, cell in enumerate(found):
        column = SIGMA2.index(cell.settings.sigma2)
        row = BETA.index(cell.settings.beta)
        assert heat.x[column] < marks.x[number] < heat.x[column + 1]
        assert heat.y[row] < marks.y[number] < heat.y[row + 1]
        assert heat.z[row][column] == cell.values["kl"].mean
        assert marks.customdata[number] == number
    assert (heat.zmin, heat.zmax) == (0.0, 3.0)
    turned = phase.phase_map(found, THEORY, View("beta", "sigma2", "kl"), (0.0, 3.0))
    assert [list(row) for row in turned.data[0].z] == [
        list(row) for row in zip(*heat.z, strict=True)
    ]


@pytest.mark.slow
@hypothesis.settings(max_examples=12)
@given(
    some.floats(0.02, 5.0),
    some.lists(some.floats(0.01, 10.0), min_size=2, max_size=6, unique_by=lambda v: round(v, 3)),
)
def test_a_cell_is_beyond_the_line_exactly_when_its_gauge_says_so(
    level: float, values: list
) -> None:
    """Also for the marks: a cell's centre is on the line's far side when βσ² ≥ λ_max."""
    theory = Theory((level,))
    for x, y, ys in (
        ("sigma2", "beta", BETA),
        ("sigma2", "band", BANDS),
        ("band", "sigma2", BANDS),
    ):
        xs, other = (tuple(values), ys) if x == "sigma2" else (ys, tuple(values))
        asked = grid(x, xs, y, other)
        found = cells(asked, [], theory)
        figure = phase.phase_map(found, theory, View(x, y, "kl"), (0.0, 1.0))
        lines, marks = traces(figure, "βσ² = λₘₐₓ"), figure.data[-1]
        if not lines:
            assert len({cell.gauge >= 1 for cell in found}) == 1
            continue
        (x0, x1), (y0, y1) = lines[0].x, lines[0].y
        for number, cell in enumerate(found):
            # The side of the line, by the sign of the cross product; its direction: β falls, or up.
            side = (x1 - x0) * (marks.y[number] - y0) - (y1 - y0) * (marks.x[number] - x0)
            beyond = side > 0 if y in ("beta", "sigma2") else side < 0
            if abs(math.log(cell.gauge)) > 1e-6:
                assert beyond == (cell.gauge > 1)


def test_a_linear_vae_has_a_line_for_each_eigenvalue_that_its_latents_can_hold() -> None:
    asked = grid("sigma2", SIGMA2, "beta", BETA, arch="linear")
    figure = phase.phase_map(filled(asked), THEORY, VIEW, (0.0, 1.0))
    names = lines(figure)
    assert sorted(set(names)) == ["βσ² = λᵢ", "βσ² = λₘₐₓ"]
    steps = traces(figure, "βσ² = λᵢ")[0]
    # A line each, with a gap after it: λ_2 and λ_3.
    assert list(steps.x).count(None) == 2 and len(steps.x) == 6
    assert "in 8 of 8 cells" in phase.describe_staircase(filled(asked))
    off = [dataclasses.replace(item, active_units=9) for item in ended(asked, by_theory)[:1]]
    assert "in 7 of 8 cells" in phase.describe_staircase(
        cells(asked, [*ended(asked, by_theory), *off], THEORY)
    )


def test_nonlinear_nets_have_the_staircase_as_a_guess_and_autoregressive_ones_none() -> None:
    plain = phase.phase_map(filled(SQUARE), THEORY, VIEW, (0.0, 1.0))
    assert set(lines(plain)) == {"βσ² = λᵢ", "βσ² = λₘₐₓ"}
    assert "in 8 of 8 cells, and a number at most 1 off in 8" in phase.describe_staircase(
        cells(SQUARE, ended(SQUARE, by_theory), THEORY)
    )
    taught = grid("sigma2", SIGMA2, "beta", BETA, arch="autoregressive")
    guarded = dataclasses.replace(THEORY, steps=False)
    for found, theory in ((filled(taught), THEORY), (filled(SQUARE), guarded)):
        assert set(lines(phase.phase_map(found, theory, VIEW, (0.0, 1.0)))) == {"βσ² = λₘₐₓ"}


def test_no_line_where_neither_sigma2_nor_beta_is_an_axis() -> None:
    asked = grid("clusters", (2, 5), "band", BANDS)
    figure = phase.phase_map(filled(asked), THEORY, View("clusters", "band", "kl"), (0.0, 1.0))
    assert lines(figure) == []
    automatic = grid("clusters", (0, 5), "band", ((0.0, 0.5), (0.2, 0.5)))
    figure = phase.phase_map(filled(automatic), THEORY, View("clusters", "band", "kl"), (0.0, 1.0))
    assert list(figure.layout.xaxis.ticktext) == ["auto", "5"]
    assert list(figure.layout.yaxis.ticktext) == ["0.5", "0.2–0.5"]


def test_words_and_marks_say_what_the_cells_say() -> None:
    found = filled(SQUARE)
    assert sum(cell.gauge >= 1 for cell in found) == 3
    words = phase.describe_map(found, THEORY, "Plain")
    assert "every seed collapsed in 3 of 3 cells" in words
    assert "no seed collapsed in 5 of 5 cells" in words
    assert "differ in 0 of 8 cells" in words
    figure = phase.phase_map(found, THEORY, VIEW, (0.0, 1.0))
    assert list(figure.data[-1].marker.symbol).count("x-thin-open") == 3
    one = filled(SQUARE, lambda run: by_theory(run) and run.seed == 0)
    words = phase.describe_map(one, THEORY, "Plain")
    assert "every seed collapsed in 0 of 3 cells" in words and "differ in 3 of 8 cells" in words
    figure = phase.phase_map(one, THEORY, VIEW, (0.0, 1.0))
    assert list(figure.data[-1].marker.symbol).count("circle-open") == 3
    half = cells(SQUARE, ended(SQUARE, by_theory)[:3], THEORY)
    assert "5 cells without a result so far" in phase.describe_map(half, THEORY, "Plain")
    assert "nothing is trained" in phase.describe_map(cells(SQUARE, [], THEORY), THEORY, "Plain")


@pytest.mark.slow
@pytest.mark.parametrize("measure", list(MEASURES))
@pytest.mark.parametrize("statistic", list(phase.STATISTICS))
@pytest.mark.parametrize("dark", [False, True])
def test_every_measure_fits_its_scale(measure: str, statistic: str, dark: bool) -> None:
    view = View("sigma2", "beta", measure, statistic)
    found = filled(SQUARE)
    low, high = phase.colour_range(found, view)
    assert low < high
    assert all(low <= phase.shown(cell, view) <= high for cell in found)
    phase.phase_map(found, THEORY, view, (low, high), dark, picked=3)
    nothing = cells(SQUARE, [], THEORY)
    assert phase.colour_range(nothing, view) == (0.0, 1.0)
    phase.phase_map(nothing, THEORY, view, (0.0, 1.0), dark)


def test_a_cell_is_told_in_full_and_a_refused_one_says_why() -> None:
    found = filled(SQUARE)
    assert phase.place(found[0], VIEW) == "σ² = 0.05, β = 0.5"
    table = phase.cell_table([found[0], found[-1]], ["A", "B"])
    assert "| KL, nats | 0.550 (0.050 … 1.050) | 0 |" in table
    assert "| verdicts | 2 certified | 2 collapsed |" in table
    refused = cells(SQUARE, [Outcome(SQUARE.runs[0], refused="Refused.")], THEORY)
    figure = phase.phase_map(refused, THEORY, VIEW, (0.0, 1.0))
    assert "Refused." in figure.data[-1].hovertext[0]
    assert figure.data[-1].text[0] == "–" and "not trained yet" in figure.data[-1].hovertext[1]


def test_exports_hold_every_cell() -> None:
    found = filled(SQUARE)
    rows = list(csv.DictReader(io.StringIO(phase.cells_csv(found))))
    assert len(rows) == 8
    for row, cell in zip(rows, found, strict=True):
        assert float(row["sigma2"]) == cell.settings.sigma2 and row["seeds"] == "0 1"
        assert float(row["kl_mean"]) == cell.values["kl"].mean
        assert float(row["kl_high"]) == cell.values["kl"].high
    figure = phase.phase_map(found, THEORY, VIEW, (0.0, 1.0))
    page = phase.maps_html([figure, figure], ["first words", "other words"])
    assert "first words" in page and "other words" in page
    assert page.count('src="http') == 0 and page.count("Plotly.newPlot(") >= 2
