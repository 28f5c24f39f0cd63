"""Controls of the phase diagram: axes, values, seeds and methods, all kept in the URL."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.visitor import page_parameters, session, settings_in_url
from pages.widgets.method_choice import method_choice
from svae_core.config.limits import limits, refuse_more
from svae_core.figures.phase import AXES, STATISTICS, SYMBOLS, View
from svae_core.records import Settings
from svae_core.studies.grid import Grid, check_grid, seeds_of, values_of
from svae_core.studies.phase_cells import MEASURES

_VALUES = {
    "sigma2": "0.02:2:9",
    "beta": "0.25:16:7",
    "band": "0.1:0.7:4",
    "clusters": "2 5 10 20",
}
_SPELT = {
    "sigma2": "Values (.05 .1 .2), or LOW:HIGH:STEPS, evenly spaced on a logarithmic scale.",
    "beta": "Values (1 2 4), or LOW:HIGH:STEPS, evenly spaced on a logarithmic scale.",
    "band": "LOW:HIGH:STEPS for the upper edge b, from W (0) to δ (1), or edges A,B (0,.2 0,.5).",
    "clusters": "Whole numbers (2 5 10), or LOW:HIGH:STEPS on a logarithmic scale.",
}
_METHODS = ("baseline", "spherical")
_SEEDS = "2"
#: Points of a preset, few enough that it takes about a minute.
_FEW_POINTS = 400


@dataclasses.dataclass(frozen=True)
class Preset:
    """A phase diagram that is trained in about a minute, and what it shows."""

    title: str
    text: str
    settings: dict[str, Any]
    steps: int  # of each run, whatever the number of points
    query: dict[str, str]


_SHORT = {"arch": "mlp", "batch_size": 128, "learning_rate": 5e-3}
PRESETS = (
    Preset(
        "σ² × band",
        "Where the units make a conventional VAE collapse, and what the band changes: 9 × 4 cells, "
        "2 seeds.",
        {**_SHORT, "beta": 1.0},
        800,
        {"x": "sigma2", "y": "band"},
    ),
    Preset(
        "σ² × β",
        "In theory only the product βσ² matters to a conventional VAE: 9 × 7 cells, one seed.",
        _SHORT,
        800,
        {"x": "sigma2", "y": "beta", "grid.sigma2": "0.01:1:9", "seeds": "1"},
    ),
    Preset(
        "Linear, every λᵢ",
        "A linear VAE keeps as many dimensions as there are λᵢ > βσ²: 13 × 5 cells, one seed.",
        {"arch": "linear", "latent_dim": 4, "batch_size": 256, "learning_rate": 3e-2},
        3000,
        {
            **{"x": "sigma2", "y": "beta", "grid.sigma2": "0.02:1:13", "grid.beta": "0.25:4:5"},
            **{"seeds": "1", "methods": "baseline", "measure": "active_units"},
        },
    ),
    Preset(
        "K × band",
        "More clusters lower W and so the band: the KL at the same edges, 6 × 4 cells, 2 seeds.",
        {**_SHORT, "beta": 1.0, "sigma2": 1.0},
        800,
        {"x": "clusters", "y": "band", "grid.clusters": "2 4 8 16 32 64", "measure": "kl"},
    ),
)


def preset_query(preset: Preset, settings: Settings, n: int) -> dict[str, str]:
    """The query that opens a preset on the present data of n points."""
    few = min(n, _FEW_POINTS)
    sample = few if settings.n_points or n > few else 0
    epochs = math.ceil(preset.steps / math.ceil(few / preset.settings["batch_size"]))
    chosen = dataclasses.replace(settings, **preset.settings, n_points=sample, epochs=epochs)
    return settings_in_url.to_link(chosen) | preset.query


def axis_controls() -> tuple[str, str]:
    """The two settings on the axes and the values of each; returns their names."""
    x_place, x_values, y_place, y_values = st.columns(4)
    x = _select(x_place, "x", "Across", {name: SYMBOLS[name] for name in AXES}, "sigma2")
    others = {name: SYMBOLS[name] for name in AXES if name != x}
    y = _select(y_place, "y", "Up", others, "band" if x != "band" else "sigma2")
    for place, name in ((x_values, x), (y_values, y)):
        _text(place, f"grid.{name}", f"Values of {SYMBOLS[name]}", _VALUES[name], _SPELT[name])
    return x, y


def method_controls() -> tuple[str, ...]:
    """The methods, mapped side by side, and the seeds; returns the methods' names."""
    left, right = st.columns([3, 1])
    chosen = method_choice(left, "phase.methods", "Methods, side by side", _METHODS)
    _text(right, "seeds", "Seeds", _SEEDS, "How many, or the seeds themselves (0 5 7).")
    return chosen or _METHODS


def view_controls(x: str, y: str) -> View:
    """The measure that the colour shows."""
    left, right = st.columns([2, 1])
    measures = {name: measure.title for name, measure in MEASURES.items()}
    about = "\n".join(f"* **{one.title}**: {one.explanation}" for one in MEASURES.values())
    measure = _select(left, "measure", "Colour", measures, "kl", about)
    statistic = _select(right, "statistic", "Of the seeds", STATISTICS, "mean")
    return View(x, y, measure, statistic)


def cell_choice(places: list[str], picked: int | None) -> int | None:
    """The number of the cell to show: clicked just now, or chosen by name; kept in the URL.

    A chart keeps reporting the cell clicked last, so only a change of it counts as a click.
    """
    if picked != session.page_value("phase.picked"):
        session.set_page_value("phase.picked", picked)
        if picked is not None:
            page_parameters.put_parameter("cell", str(picked), "")
    titles = {"": "Click a cell, or choose one here"}
    titles |= {str(number): place for number, place in enumerate(places)}
    chosen = _select(st, "cell", "Cell", titles, "")
    return int(chosen) if chosen else None


def grid_of(settings: Settings, methods: tuple[str, ...], axes: tuple[str, str]) -> Grid:
    """The grid that the controls describe; RequestError, one sentence, if it is invalid."""
    allowed = limits().map_runs
    texts = {name: page_parameters.parameter(f"grid.{name}", _VALUES[name]) for name in axes}
    # In the same order when the axes are swapped, so that swapping them trains nothing again.
    values = tuple((name, values_of(name, texts[name], allowed)) for name in sorted(axes))
    seeds = seeds_of(page_parameters.parameter("seeds", _SEEDS), settings.seed, allowed)
    # Counted before any of them is made: this is done whenever the page is drawn.
    count = len(methods) * len(seeds) * math.prod(len(found) for _, found in values)
    refuse_more("map_runs", count, f"The map has {count:,} runs", "take fewer values or seeds")
    first = {name: found[0] for name, found in values}
    bases = tuple(
        dataclasses.replace(
            settings,
            **first,
            seed=0,
            method=method,
            method_options=settings.method_options if method == settings.method else (),
            changes=(),
        )
        for method in methods
    )
    return check_grid(Grid(bases, values, seeds))


def _select(
    place: Any,
    name: str,
    label: str,
    titles: Mapping[str, str],
    default: str,
    help: str | None = None,
) -> str:
    """A select box among titles, kept in the URL."""
    shown = page_parameters.parameter(name, default)
    shown = shown if shown in titles else default
    chosen = session.widget(
        f"phase.{name}",
        shown,
        lambda key: place.selectbox(
            label,
            list(titles),
            list(titles).index(shown),
            key=key,
            format_func=lambda option: titles.get(option, option),
            help=help,
        ),
    )
    page_parameters.put_parameter(name, chosen, default)
    return str(chosen)


def _text(place: Any, name: str, label: str, default: str, help: str) -> None:
    """A text field, kept in the URL."""
    shown = page_parameters.parameter(name, default)
    text = session.widget(
        f"phase.{name}",
        shown,
        lambda key: place.text_input(label, shown, key=key, help=help, max_chars=200),
    )
    page_parameters.put_parameter(name, text.strip() or default, default)
