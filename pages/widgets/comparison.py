"""Methods × seeds, as a page follows them; and which comparisons are worth a preset."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import streamlit as st

from pages.visitor import session, url
from pages.visitor.series import Series
from svae_core.compute.engine import Engine
from svae_core.config.plugins import Plugin
from svae_core.records import Settings
from svae_core.studies.comparison import Bout
from svae_core.studies.scores import Score

#: Longer than the time between two looks, so that the worker never waits for the next one.
_SLICE_SECONDS = 1.5
_SEEDS, _MOST_SEEDS = 3, 20
_COUNTS = [str(count) for count in range(1, _MOST_SEEDS + 1)]


@dataclass(frozen=True)
class Preset:
    """Methods that tell something beside each other, and what."""

    text: str
    methods: tuple[str, ...]


PRESETS = {
    "The pair": Preset("The conventional VAE and the paper's method.", ("baseline", "spherical")),
    "Against collapse": Preset(
        "Remedies of the literature beside the band: some change the pressure on the KL, some the "
        "decoder's variance, some ask for a loss.",
        (
            *("baseline", "beta_vae", "kl_annealing", "free_bits", "sigma_vae"),
            *("geco", "spherical", "spherical_lagrangian"),
        ),
    ),
    "Large KL, no information": Preset(
        "Methods that keep the KL up by construction. The decoder may ignore the latent all the "
        "same: look at the two bars of each, and at the sensitivity.",
        ("baseline", "delta_vae", "free_bits", "bn_vae", "vmf", "spherical"),
    ),
}


def choice(plugins: dict[str, Plugin]) -> tuple[tuple[str, ...], int]:
    """Which methods and how many seeds, all in the URL; a preset names its methods."""
    titles = list(PRESETS)
    columns = st.columns(len(titles))
    for column, title in zip(columns, titles, strict=True):
        with column.container(border=True, height="stretch"):
            st.page_link(
                "compare.py",
                label=f"**{title}**",
                query_params=url.to_link(session.settings())
                | {"methods": ",".join(PRESETS[title].methods)},
            )
            st.caption(PRESETS[title].text)
    default = ",".join(PRESETS[titles[0]].methods)
    left, right = st.columns([4, 1])
    session.offer("compare.methods", session.listed("methods", default, plugins))
    names = session.taken(
        "compare.methods",
        left.multiselect(
            "Methods",
            list(plugins),
            key="compare.methods",
            format_func=lambda name: plugins[name].title,
        ),
    )
    session.put_parameter("methods", ",".join(names) or default, default)
    given = session.parameter("seeds", str(_SEEDS))
    session.offer("compare.seeds", int(given) if given in _COUNTS else _SEEDS)
    seeds = session.taken(
        "compare.seeds",
        right.number_input("Seeds", min_value=1, max_value=_MOST_SEEDS, key="compare.seeds"),
    )
    session.put_parameter("seeds", str(seeds), str(_SEEDS))
    return tuple(names), int(seeds)


class Contest:
    """Runs of several methods, batch by batch."""

    def __init__(self, settings: Settings, names: tuple[str, ...], seeds: int, engine: Engine):
        runs = tuple(
            dataclasses.replace(
                settings,
                method=name,
                method_options=settings.method_options if name == settings.method else (),
                seed=settings.seed + offset,
                changes=(),
            )
            for name in names
            for offset in range(seeds)
        )
        self.series: Series[Bout] = Series(
            total=len(runs),
            plan=lambda: engine.contest_plan(runs),
            call=lambda bout: engine.contest(bout, _SLICE_SECONDS),
            over=lambda bout: bout.done,
            runs=lambda bout: bout.completed_runs,
        )
        self._order = {run: number for number, run in enumerate(runs)}

    @property
    def scores(self) -> list[Score]:
        """All runs that have ended, method by method."""
        found = [score for bout in self.series.newest for score in bout.scores]
        return sorted(found, key=lambda score: self._order[score.settings])
