"""Settings as widgets, drawn from the descriptions in the settings' fields.

Each function draws one group of controls and returns the new settings, which it also stores for
the other pages and writes into the URL.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import streamlit as st

from pages.visitor import session
from pages.widgets import upload
from svae_core.config.architectures import AUTOREGRESSIVE
from svae_core.config.plugins import Plugin
from svae_core.datasets import scan_datasets
from svae_core.figures.number_line import DEFINITIONS
from svae_core.methods import scan_methods
from svae_core.records import Field, Options, PreparedData, Settings, knobs

#: K where nothing else is known.
_CLUSTERS = Settings().clusters
# The slider's last value: at the collapse loss itself nothing is guaranteed.
_LAST = 0.99
_NOTCH = 0.01


def data_controls() -> Settings:
    """Dataset and its options, number of clusters, shell and sample."""
    before = session.settings()
    plugins = scan_datasets()
    settings = _plugin_choice(before, "dataset", "dataset_options", plugins)
    # A file's own start is nobody's choice, and not that of the next file either.
    own = upload.classes(before) if before.dataset == "file" else 0
    if before.clusters in (_CLUSTERS, own) and upload.is_another_file(before, settings):
        settings = dataclasses.replace(settings, clusters=upload.classes(settings) or _CLUSTERS)
    settings = _cluster_choice(settings)
    with st.expander("Shell"):
        settings = fields(settings, ("r_min", "r_max", "radial_map"))
    with st.expander("Sample and seed"):
        settings = fields(settings, ("n_points", "data_seed"))
    return session.keep(settings)


def band_controls(settings: Settings, prepared: PreparedData) -> Settings:
    """Collapse loss, the two edges of the band, and whether the lower one counts."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        settings = _definition_choice(settings, prepared)
    with right:
        settings = fields(settings, ("lower_edge",))
    delta = prepared.region.deltas[settings.collapse_loss]
    has_band = delta > prepared.clusters.within
    a, b = settings.band
    shown = min(a, _LAST - _NOTCH), min(b, _LAST)
    a, b = session.widget(
        "band",
        shown,
        lambda key: st.slider(
            f"Band: from W = {prepared.clusters.within:.3f} (0) up to δ = {delta:.3f} (1)",
            min_value=0.0,
            max_value=_LAST,
            value=shown,
            step=_NOTCH,
            key=key,
            disabled=not has_band,
            help=knobs(Settings)["band"].help,
        ),
    )
    return session.keep(dataclasses.replace(settings, band=_apart(a, b)))


def training_controls(settings: Settings, choose_method: bool = True) -> Settings:
    """Model and training options, and the method unless the page chooses it itself."""
    if choose_method:
        settings = _plugin_choice(settings, "method", "method_options", scan_methods())
    settings = fields(settings, ("sigma2", "beta", "latent_dim", "epochs"))
    with st.expander("Network and optimiser"):
        names = ("arch", "hidden", "batch_size", "learning_rate", "seed", "device")
        settings = fields(settings, names)
        if settings.arch in AUTOREGRESSIVE:
            settings = fields(settings, ("word_dropout",))
    return session.keep(settings)


def _plugin_choice(
    settings: Settings, field: str, options: str, plugins: dict[str, Plugin]
) -> Settings:
    """A select box for a plug-in by its title, and the plug-in's options."""
    name = session.widget(
        field,
        getattr(settings, field),
        lambda key: st.selectbox(
            knobs(Settings)[field].label.capitalize(),
            list(plugins),
            list(plugins).index(getattr(settings, field)),
            key=key,
            format_func=lambda name: plugins[name].title,
            help=plugins[getattr(settings, field)].explanation,
        ),
    )
    kept = getattr(settings, options) if name == getattr(settings, field) else ()
    own = field == "dataset" and name == "file"
    found = upload.file_options(kept) if own else _options(plugins[name], kept)
    chosen = {field: name, options: found}
    return dataclasses.replace(settings, **chosen)


def _options(plugin: Plugin, kept: Options) -> Options:
    """Widgets for the plug-in's options, keyed `plugin.option`; defaults are left out."""
    given = dict(kept)
    known = sorted(knobs(plugin.config).items())
    found = {
        name: field_widget(f"{plugin.name}.{name}", about, given.get(name, about.default))
        for name, about in known
    }
    return tuple((name, found[name]) for name, about in known if found[name] != about.default)


def _cluster_choice(settings: Settings) -> Settings:
    """K as a number, or 0 for K proposed by silhouette."""
    automatic = settings.clusters == 0
    proposed = session.widget(
        "propose",
        automatic,
        lambda key: st.toggle("Propose K by silhouette", automatic, key, help=_help("clusters")),
    )
    if proposed:
        return dataclasses.replace(settings, clusters=0)
    about = dataclasses.replace(knobs(Settings)["clusters"], low=1, label="clusters K")
    count = field_widget("clusters", about, settings.clusters or about.default)
    return dataclasses.replace(settings, clusters=count)


def _definition_choice(settings: Settings, prepared: PreparedData) -> Settings:
    """The definition of the collapse loss, with its value on these data."""
    name = session.widget(
        "collapse_loss",
        settings.collapse_loss,
        lambda key: st.radio(
            "Collapse loss δ",
            list(DEFINITIONS),
            list(DEFINITIONS).index(settings.collapse_loss),
            key=key,
            horizontal=True,
            format_func=lambda name: f"{name}: {prepared.region.deltas[name]:.3f}",
            captions=list(DEFINITIONS.values()),
            help=_help("collapse_loss"),
        ),
    )
    return dataclasses.replace(settings, collapse_loss=name)


def fields(settings: Settings, names: tuple[str, ...]) -> Settings:
    """A widget for each of these fields."""
    known = knobs(Settings)
    chosen = {name: field_widget(name, known[name], getattr(settings, name)) for name in names}
    return dataclasses.replace(settings, **chosen)


def field_widget(name: str, about: Field, value: Any) -> Any:
    """The widget for a field; its value, or the previous one if the widget was cleared.

    The value is the widget's default as well: where a click ends a run of the script before the
    browser has drawn the widget, the browser begins with the default and sends it back.
    """
    chosen = session.widget(name, value, lambda key: _draw_field(key, about, value))
    return value if chosen is None else chosen


def _draw_field(key: str, about: Field, value: Any) -> Any:
    shared: dict[str, Any] = {"label": _capitalised(about.label), "key": key, "help": about.help}
    if about.kind is bool:
        return st.toggle(value=value, **shared)
    if about.choices:
        return st.selectbox(
            options=list(about.choices),
            index=list(about.choices).index(value),
            format_func=lambda choice: choice.replace("_", " "),
            **shared,
        )
    if about.kind in (int, float):
        whole = about.kind is int
        low, high = (None if end is None else about.kind(end) for end in (about.low, about.high))
        step = about.step or _first_digit(about.default)
        shared |= {"step": int(step)} if whole else {"step": step, "format": "%g"}
        return st.number_input(min_value=low, max_value=high, value=about.kind(value), **shared)
    return st.text_input(value=value, **shared)


def _first_digit(default: float) -> float:
    """A step: 1 for whole numbers, else one unit of the default's first digit (0.8: 0.1)."""
    return 1.0 if isinstance(default, int) else float(f"1e{f'{default:e}'.partition('e')[2]}")


def _apart(a: float, b: float) -> tuple[float, float]:
    """The two edges, at least one step apart: a band needs some width."""
    if a < b:
        return a, b
    return (a, b + _NOTCH) if b < _LAST else (a - _NOTCH, b)


def _capitalised(label: str) -> str:
    """With a capital letter, unless it begins with a symbol, as β and σ² do."""
    return label[:1].upper() + label[1:] if label[:1].isascii() else label


def _help(name: str) -> str:
    return knobs(Settings)[name].help
