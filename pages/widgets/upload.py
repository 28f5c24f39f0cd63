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
from streamlit.delta_generator import DeltaGenerator

from pages.visitor import session
from pages.visitor.markdown import for_visitors, plain
from pages.widgets import data_look
from svae_core.config.limits import limits
from svae_core.config.shares import percent
from svae_core.datasets import scan_datasets
from svae_core.datasets.file import Config, how_of
from svae_core.datasets.file import classes as classes_of
from svae_core.figures.names import counted
from svae_core.own_data import kept as store
from svae_core.own_data.choice import EVERY, Choice, names_of, text_of
from svae_core.own_data.formats import listed
from svae_core.own_data.labels import labelling_of
from svae_core.own_data.look import Look
from svae_core.own_data.suspicions import orientation
from svae_core.own_data.tables import Table
from svae_core.records import Options, RequestError, Settings, knobs

_WIDE = 200  # columns beyond which they are not offered one by one
_SHOWN = 30  # columns of the preview
_MISSING = {"drop": "Drop the row", "mean": "Fill in the column's mean"}
_COUNTS = {
    "raw": "As they are",
    "log": "log(1 + x) of equal totals",
    "variable": "log, 2,000 most variable",
}
# Reading takes one core and hundreds of megabytes for some seconds: two files at a time.
reading_slots = threading.BoundedSemaphore(2)


def file_options(kept: Options) -> Options:
    """The upload, a second file, widgets for the columns, and a look; the resulting options."""
    wanted: dict[str, Any] = dict(kept)
    config, uploaded = _uploaded(Config(**wanted))
    table = _table(config.key)
    if table is None:
        return data_look.as_options(config)
    config = _read_otherwise(config, table, uploaded)
    table = _table(config.key) or table
    summary = st.container()  # above the widgets, and known after them
    config = _second(config)
    second = _table(config.labels)
    config = _columns(config, table, second)
    look = data_look.look_of(config, table, second)
    with summary:
        st.caption(
            f"In use: **{plain(table.name)}**. {plain(data_look.summary(look, table, config))}"
        )
    with st.expander("Correct a column"):
        data_look.column_buttons(look)
    return data_look.as_options(config)


def title(settings: Settings) -> str:
    """The title of the data: the file's name, if they are a file."""
    table = _table(_key(settings)) if settings.dataset == "file" else None
    return table.name if table else scan_datasets()[settings.dataset].title


def in_short(settings: Settings) -> str:
    """What of the visitor's file is trained on, in a few words; empty for other data."""
    found = _file_of(settings)
    return data_look.in_short(found[2], found[0]) if found else ""


def scale_question(settings: Settings) -> None:
    """Where the visitor's columns were standardised: whether their own code does so too."""
    if found := _file_of(settings):
        data_look.scale_question(found[2])


def is_another_file(before: Settings, settings: Settings) -> bool:
    """Whether the data are a file now that they were not before."""
    return settings.dataset == "file" and _key(settings) not in ("", _key(before))


def classes(settings: Settings) -> int:
    """Where K starts: how many classes the label of the visitor's file has, 0 without a label."""
    options: dict[str, Any] = dict(settings.dataset_options)
    return classes_of(Config(**options)) if _table(_key(settings)) else 0


def preview(settings: Settings) -> None:
    """The visitor's file: what of it is trained on, what looks wrong, and how it was read.

    Nothing for other data.
    """
    found = _file_of(settings)
    if found is None:
        return
    config, table, look = found
    st.caption(f"**{plain(table.name)}**: {plain(data_look.summary(look, table, config))}")
    data_look.corrections(look, table, config)
    with st.expander(
        f"The file as read: {counted(table.rows, 'row')}, {counted(len(table.columns), 'column')}"
    ):
        before = table.before()
        if before is not None:
            st.caption("The first pictures as they are in the file")
            st.image(list(before), alt=[f"row {row + 1}" for row in range(len(before))])
        columns = table.columns[:_SHOWN]
        if table.examples and not table.image_shape and not table.colour:
            rows = zip(*table.examples, strict=True)
            first = {column.name: list(cells) for column, cells in zip(columns, rows, strict=False)}
            st.dataframe(first, hide_index=True, placeholder="–", alt="The first rows of the file")
        data_look.details(look, table)
        describe(table.notes)


def describe(notes: tuple[str, ...]) -> None:
    """The assumptions made about the data, and the changes made to them."""
    if notes:
        st.markdown("\n".join(f"* {plain(note)}" for note in notes))


def _file_of(settings: Settings) -> tuple[Config, Table, Look] | None:
    """The visitor's file, how it is read, and the look at it; None for other data."""
    table = _table(_key(settings)) if settings.dataset == "file" else None
    if table is None:
        return None
    options: dict[str, Any] = dict(settings.dataset_options)
    config = Config(**options)
    return config, table, data_look.look_of(config, table, _table(config.labels))


def _key(settings: Settings) -> str:
    return str(dict(settings.dataset_options).get("key", ""))


def _table(key: str) -> Table | None:
    try:
        return store.find(key)
    except RequestError:
        return None  # the error is shown where the points are needed


def _uploaded(config: Config) -> tuple[Config, Any]:
    """The configuration, with a newly uploaded file if there is one, and that file or None."""
    uploaded = st.file_uploader(
        "Your file",
        key="file.upload",
        max_upload_size=limits().upload_mb,
        help=f"{listed()}, or a ZIP of equally sized images. It stays on this server, "
        "is seen by nobody without the link to it, and is removed when unused for long.",
    )
    if uploaded is None:
        return config, None
    key, refusal, fresh = _stored(uploaded, config.key)
    if refusal:
        st.error(plain(for_visitors(refusal)))
        return config, None
    # Another file has other columns, to which the last one's options do not apply.
    return (Config(key=key) if fresh and key != config.key else config), uploaded


def _stored(
    uploaded: Any, wanted: str = "", array: str = "", how: str = ""
) -> tuple[str, str, bool]:
    """The key of an upload, read once for each way of reading; why it is refused; if it is new."""
    place = st.empty()  # always there, so that nothing below it moves to another place
    (key, refusal), fresh = session.once(
        f"{uploaded.file_id} {array} {how}".rstrip(),
        lambda: _store_upload(uploaded, place, wanted, array, how),
    )
    return key, refusal, fresh


def _read_otherwise(config: Config, table: Table, uploaded: Any) -> Config:
    """Widgets for what is chosen when a file is read; another choice reads it again."""
    chosen: dict[str, Any] = {"array": config.array, "turned": config.turned}
    chosen |= {"colour": config.colour, "side": config.side}
    if len(table.arrays) > 1:
        value = config.array if config.array in table.arrays else table.array
        array = _select("array", list(table.arrays), value, {})
        chosen["array"] = array if config.array or array != table.array else ""
    if _may_be_turned(table, config):
        chosen["turned"] = _are_columns(config, table)
    if table.colour:
        chosen["colour"] = _toggle("colour", "Keep the colours", config.colour)
    if table.image_shape or table.colour:
        sides = sorted({0, 8, 16, 28, 32, 64, config.side})
        shown = {str(side): f"at most {side} × {side}" for side in sides} | {"0": "as in the file"}
        text = _select("side", [str(side) for side in sides], str(config.side), shown)
        chosen["side"] = int(text)
    asked = dataclasses.replace(config, **chosen)
    if asked == config:
        return config
    if uploaded is None:
        st.info("Give the file once more, so that it can be read this way.")
        return config
    key, refusal, _ = _stored(uploaded, "", asked.array, how_of(asked))
    if refusal:
        st.error(plain(for_visitors(refusal)))
        return config
    return Config(key=key, labels=config.labels, **chosen)


def _may_be_turned(table: Table, config: Config) -> bool:
    matrix = not (table.tabular or table.image_shape or table.colour or table.symbols)
    return config.turned or matrix or bool(table.rows_or_columns)


def _are_columns(config: Config, table: Table) -> bool:
    """Whether the columns are the points: asked, with no answer given, where nothing tells."""
    file = config.key[:16]  # the same however it is read
    known = not table.rows_or_columns or session.answered(file)
    value = "Columns" if config.turned else "Rows" if known else None
    place = st.container()
    answer = session.widget(
        "file.turned",
        value,
        lambda key: st.radio(
            "Which are the points?",
            ["Rows", "Columns"],
            index=None,
            key=key,
            horizontal=True,
            help=knobs(Config)["turned"].help,
        ),
    )
    session.answered(file, now=answer is not None)
    if answer is None:
        columns = len(table.of_kind("number"))
        asked = orientation(table.rows_or_columns, table.rows, columns)
        place.warning(plain(asked[0].sentence), icon=None)
    return bool(answer == "Columns")


def _second(config: Config) -> Config:
    """The configuration with a second file of labels or metadata, if one is given."""
    with st.expander("Labels in a second file", expanded=bool(config.labels)):
        uploaded = st.file_uploader(
            "Labels or metadata",
            key="file.second",
            max_upload_size=limits().upload_mb,
            help=knobs(Config)["labels"].help,
        )
        if uploaded is not None:
            key, refusal, fresh = _stored(uploaded, config.labels, how="labels")
            if refusal:
                st.error(plain(for_visitors(refusal)))
            elif fresh:
                config = dataclasses.replace(config, labels=key, label="auto")
        if config.labels and st.button("Take the second file away", key="file.second.away"):
            config = dataclasses.replace(config, labels="", label="auto")
    return config


def _store_upload(
    uploaded: Any, place: DeltaGenerator, wanted: str, array: str, how: str
) -> tuple[str, str]:
    """The key of the stored upload, or the reason why it is refused."""
    with tempfile.TemporaryDirectory() as folder, reading_slots:
        path = Path(folder) / "upload"
        path.write_bytes(uploaded.getbuffer())
        place.progress(0.0, "Reading your file …")

        def show_progress(share: float) -> None:
            place.progress(share, f"Reading your file: {percent(share)}")

        try:
            # A link whose data were removed works again once its file is uploaded again.
            key = wanted if wanted and store.is_of(wanted, path) else ""
            key = store.deposit(path, uploaded.name, show_progress, key=key, array=array, how=how)
            store.give_to(key, session.owner())
            return key, ""
        except RequestError as error:
            return "", str(error)
        finally:
            place.empty()


def _columns(config: Config, table: Table, second: Table | None) -> Config:
    """Widgets for the columns; the new configuration."""
    names = [column.name for column in table.columns]
    usable = [column.name for column in table.columns if column.kind != "text"]
    wide = len(names) > _WIDE
    classes = [column.name for column in table.columns if column.kind == "category"]
    chosen: dict[str, Any] = {}
    if not wide or classes or second:
        offered = [*classes[:_WIDE], *([config.label] if wide else usable)]
        chosen["label"] = _label(config, table, offered, second)
    if not wide:
        chosen["features"] = _picked("features", config.features, usable, "All that can be used")
        chosen["without"] = _picked("without", config.without, names, "None")
        numbers = list(table.of_kind("number"))
        if config.logs != EVERY and numbers:
            chosen["logs"] = _picked("logs", config.logs, numbers, "None")
        if config.names:
            shown = {"": "None"}
            chosen["names"] = _select("names", ["", *names], config.names, shown)
    if any(column.missing for column in table.columns) or config.absent:
        chosen["missing"] = _select("missing", list(_MISSING), config.missing, _MISSING)
    for name in ("absent", "without_rows"):
        if getattr(config, name):
            chosen[name] = _text(name, getattr(config, name))
    if table.counts:
        chosen["counts"] = _select("counts", list(_COUNTS), config.counts, _COUNTS)
    shown = {"auto": f"Automatic: {'yes' if table.tabular else 'no'}", "yes": "Yes", "no": "No"}
    chosen["standardise"] = _select("standardise", list(shown), config.standardise, shown)
    return dataclasses.replace(config, **chosen)


def _label(config: Config, table: Table, usable: list[str], second: Table | None) -> str:
    """The select box for the label, among the columns of both files."""
    try:
        guess = labelling_of(table, Choice(), second).label
    except RequestError:
        guess = None  # said where the points are needed
    others = [column.name for column in second.columns] if second else []
    choices = list(dict.fromkeys(["auto", "none", *others, *usable]))
    shown = {"auto": f"Automatic: {guess.name if guess else 'none'}", "none": "None"}
    label = config.label if config.label in choices else "auto"
    return str(_select("label", choices, label, shown))


def _picked(name: str, value: str, options: list[str], otherwise: str) -> str:
    """A list of columns that is chosen from all of them."""
    before = [item for item in names_of(value) if item in options]
    label = "Train on" if name == "features" else knobs(Config)[name].label
    chosen = session.widget(
        f"file.{name}",
        before,
        lambda key: st.multiselect(
            _capital(label),
            options,
            before,
            key=key,
            placeholder=otherwise,
            help=knobs(Config)[name].help,
        ),
    )
    return text_of(chosen) if chosen else ""


def _text(name: str, value: str) -> str:
    about = knobs(Config)[name]
    text = session.widget(
        f"file.{name}",
        value,
        lambda key: st.text_input(_capital(about.label), value, key=key, help=about.help),
    )
    return str(text)


def _toggle(name: str, label: str, value: bool) -> bool:
    help_text = knobs(Config)[name].help
    chosen = session.widget(
        f"file.{name}", value, lambda key: st.toggle(label, value, key, help=help_text)
    )
    return bool(chosen)


def _capital(label: str) -> str:
    return label[:1].upper() + label[1:]


def _select(name: str, options: list[str], value: str, shown: dict[str, str]) -> Any:
    about = knobs(Config)[name]
    return session.widget(
        f"file.{name}",
        value,
        lambda key: st.selectbox(
            _capital(about.label),
            options,
            options.index(value),
            key=key,
            format_func=lambda option: shown.get(option, option),
            help=about.help,
        ),
    )
