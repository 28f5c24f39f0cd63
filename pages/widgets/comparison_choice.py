"""The methods and seeds of a comparison, and its presets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import streamlit as st

from pages.visitor import page_parameters, session, settings_in_url
from pages.widgets.method_choice import method_choice
from pages.widgets.presets import open_here_button
from svae_core.methods import scan_methods
from svae_core.records import Settings

_SEEDS, _MOST_SEEDS = 3, 20
_COUNTS = [str(count) for count in range(1, _MOST_SEEDS + 1)]


@dataclass(frozen=True)
class Preset:
    """Methods that are instructive side by side, and why; the methods' own files name it."""

    name: str
    text: str

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its methods."""
        known = scan_methods()
        return tuple(name for name, plugin in known.items() if self.name in plugin.comparisons)


PRESETS = {
    "The pair": Preset("pair", "The conventional VAE and the paper's method."),
    "Against collapse": Preset(
        "against collapse",
        "Remedies from the literature beside the band: some change the weight of the KL, some the "
        "decoder's variance, and some set a target loss.",
    ),
    "Large KL, no information": Preset(
        "large KL",
        "Methods that keep the KL large by construction. The decoder may still ignore the latent: "
        "compare KL and information of each method, and the sensitivity.",
    ),
}


def choice() -> tuple[tuple[str, ...], int]:
    """Controls for methods and seeds, kept in the URL; a preset sets the methods."""
    titles = list(PRESETS)
    columns = st.columns(len(titles))
    for column, title in zip(columns, titles, strict=True):
        with column.container(border=True, height="stretch"):
            query = settings_in_url.to_link(session.settings()) | {
                "methods": ",".join(PRESETS[title].methods)
            }
            open_here_button(f"**{title}**", query)
            st.caption(PRESETS[title].text)
    left, right = st.columns([4, 1])
    names = method_choice(left, "compare.methods", "Methods", PRESETS[titles[0]].methods)
    given = page_parameters.parameter("seeds", str(_SEEDS))
    count = int(given) if given in _COUNTS else _SEEDS
    seeds = session.widget(
        "compare.seeds",
        count,
        lambda key: right.number_input("Seeds", 1, _MOST_SEEDS, count, key=key),
    )
    page_parameters.put_parameter("seeds", str(seeds), str(_SEEDS))
    return names, int(seeds)


def runs_of(settings: Settings, names: tuple[str, ...], seeds: int) -> tuple[Settings, ...]:
    """Every method with every seed; options are those of the settings' own method."""
    return tuple(
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
