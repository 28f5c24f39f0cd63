"""A visitor's own file: upload, preview, and options for its columns.

A separate process reads the file; it is stored under a key in the visitor's URL and shown to
nobody without that key. See svae_core/own_data.
"""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from pathlib import Path
from typing import Any

import streamlit as st

from pages.visitor import session
from pages.visitor.markdown import for_visitors, plain
from svae_core.config.limits import limits
from svae_core.datasets import scan_datasets
from svae_core.datasets.file import Config
from svae_core.figures.names import counted
from svae_core.own_data import kept as store
from svae_core.own_data.choice import Choice, names_of, text_of
from svae_core.own_data.formats import listed
from svae_core.own_data.labels import label_of
from svae_core.own_data.tables import Table
from svae_core.records import Options, RequestError, Settings, knobs

_WIDE = 200  # columns beyond which they are not offered one by one
_SHOWN = 30  # columns of the preview
_MISSING = {"drop": "Drop the row", "mean": "Fill in the column's mean"}
_STANDARDISE = {"auto": "Tables yes, arrays and images no", "yes": "Yes", "no": "No"}
# Reading takes one core and hundreds of megabytes for some seconds: two files at a time.
_reading_slots = threading.BoundedSemaphore(2)


def file_options(kept: Options) -> Options:
    """The upload, and widgets for its columns; the resulting options."""
    wanted: dict[str, Any] = dict(kept)
    config = _uploaded(Config(**wanted))
    table = _table(config.key)
    if table is not None:
        config = _columns(config, table)
    plain = Config()
    return tuple(
        (item.name, getattr(config, item.name))
        for item in sorted(dataclasses.fields(Config), key=lambda item: item.name)
        if getattr(config, item.name) != getattr(plain, item.name)
    )


def title(settings: Settings) -> str:
    """The title of the data: the file's name, if they are a file."""
    table = _table(_key(settings)) if settings.dataset == "file" else None
    return table.name if table else scan_datasets()[settings.dataset].title


def preview(settings: Settings) -> None:
    """The first rows of the visitor's file and the type of each column."""
    table = _table(_key(settings)) if settings.dataset == "file" else None
    if table is None:
        return
    with st.expander(
        f"The file as read: {counted(table.rows, 'row')}, {counted(len(table.columns), 'column')}"
    ):
        columns = table.columns[:_SHOWN]
        if table.examples:
            rows = zip(*table.examples, strict=True)
            first = {column.name: list(cells) for column, cells in zip(columns, rows, strict=False)}
            st.dataframe(first, hide_index=True, placeholder="–", alt="The first rows of the file")
        st.dataframe(
            {
                "column": [column.name for column in columns],
                "holds": [_held(column.kind, len(column.categories)) for column in columns],
                "missing": [column.missing for column in columns],
                "smallest": [column.low if column.kind == "number" else None for column in columns],
                "largest": [column.high if column.kind == "number" else None for column in columns],
            },
            hide_index=True,
            placeholder="–",
            alt="What each column holds",
        )
        if len(table.columns) > _SHOWN:
            st.caption(f"The first {_SHOWN} columns are shown.")


def describe(notes: tuple[str, ...]) -> None:
    """The assumptions made about the data, and the changes made to them."""
    if notes:
        st.markdown("\n".join(f"* {plain(note)}" for note in notes))


def _key(settings: Settings) -> str:
    return str(dict(settings.dataset_options).get("key", ""))


def _table(key: str) -> Table | None:
    try:
        return store.find(key)
    except RequestError:
        return None  # the error is shown where the points are needed


def _uploaded(config: Config) -> Config:
    """The configuration, with a newly uploaded file if there is one."""
    uploaded = st.file_uploader(
        "Your file",
        key="file.upload",
        max_upload_size=limits().upload_mb,
        help=f"{listed()}, or a ZIP of equally sized images. It stays on this server, "
        " is seen by nobody without the link to it, and is removed when unused for long.",
    )
    if uploaded is None:
        return config
    (key, refusal), fresh = session.once(
        uploaded.file_id, lambda: _store_upload(uploaded, config.key)
    )
    if refusal:
        st.error(plain(for_visitors(refusal)))
        return config
    # Another file has other columns, to which the last one's options do not apply.
    return Config(key=key) if fresh and key != config.key else config


def _store_upload(uploaded: Any, wanted: str) -> tuple[str, str]:
    """The key of the stored upload, or the reason why it is refused."""
    place = st.empty()
    with tempfile.TemporaryDirectory() as folder, _reading_slots:
        path = Path(folder) / "upload"
        path.write_bytes(uploaded.getbuffer())
        place.progress(0.0, "Reading your file …")

        def show_progress(share: float) -> None:
            place.progress(share, f"Reading your file: {share:.0%}")

        try:
            # A link whose data were removed works again once its file is uploaded again.
            key = wanted if wanted and store.is_of(wanted, path) else ""
            key = store.deposit(path, uploaded.name, show_progress, key=key)
            store.give_to(key, session.owner())
            return key, ""
        except RequestError as error:
            return "", str(error)
        finally:
            place.empty()


def _columns(config: Config, table: Table) -> Config:
    """Widgets for the columns; the new configuration."""
    names = [column.name for column in table.columns]
    usable = [column.name for column in table.columns if column.kind != "text"]
    guess = label_of(table, Choice())
    shown = {"auto": f"Automatic: {guess.name if guess else 'none'}", "none": "None"}
    chosen: dict[str, Any] = {}
    if len(names) <= _WIDE:
        choices = ["auto", "none", *usable]
        label = config.label if config.label in choices else "auto"
        chosen["label"] = _select("label", choices, label, shown)
        named = [name for name in names_of(config.features) if name in usable]
        session.preset_widget("file.features", named)
        features = st.multiselect(
            "Train on",
            usable,
            key="file.features",
            placeholder="All columns that can be used",
            help=knobs(Config)["features"].help,
        )
        features = session.widget_drawn("file.features", features)
        chosen["features"] = text_of(features) if features else ""
    if any(column.missing for column in table.columns):
        chosen["missing"] = _select("missing", list(_MISSING), config.missing, _MISSING)
    chosen["standardise"] = _select(
        "standardise", list(_STANDARDISE), config.standardise, _STANDARDISE
    )
    return dataclasses.replace(config, **chosen)


def _select(name: str, options: list[str], value: str, shown: dict[str, str]) -> Any:
    session.preset_widget(f"file.{name}", value)
    label = knobs(Config)[name].label
    return session.widget_drawn(
        f"file.{name}",
        st.selectbox(
            label[:1].upper() + label[1:],
            options,
            key=f"file.{name}",
            format_func=lambda option: shown.get(option, option),
            help=knobs(Config)[name].help,
        ),
    )


def _held(kind: str, categories: int) -> str:
    words = {"number": "numbers", "text": "free text or dates, not used"}
    return words.get(kind, "1 category" if categories == 1 else f"{categories} categories")
