"""A look at the visitor's data before training: what is trained on, what looks wrong, and buttons.

Each button makes one choice about the data, as an option of the data set: leave a column or a row
out, standardise, take logarithms, use a column as label or as names. The widgets beside the upload
show the same options, so that any of it can be undone there.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import streamlit as st

from pages.visitor import cache, session
from pages.visitor.markdown import for_visitors, plain
from svae_core.datasets.file import Config, choice_of
from svae_core.figures.names import counted
from svae_core.own_data.choice import EVERY, with_name
from svae_core.own_data.counts import MOST_VARIABLE
from svae_core.own_data.labels import UNLABELLED
from svae_core.own_data.look import Look, look_at
from svae_core.own_data.numerals import spelt
from svae_core.own_data.suspicions import Suspicion
from svae_core.own_data.tables import Table

#: Options and their values; of an option that is a list, the names that are added to it.
Changes = dict[str, str | tuple[str, ...]]
#: Columns beyond which a button for each is of no use.
_LISTED = 200


def look_of(config: Config, table: Table, second: Table | None) -> Look:
    """The look at a table under these options, made once for all who ask for it."""
    options = dataclasses.asdict(config)
    found: Look = cache.shared_job(
        "look", str(sorted(options.items())), lambda: look_at(table, choice_of(config), second)
    )
    return found


def summary(look: Look, table: Table, config: Config) -> str:
    """How the file was read, what is trained on, and the label."""
    if look.refusal:
        return f"Nothing can be trained on yet: {for_visitors(look.refusal)}"
    words = f"Read as {table.form}. Trained on: {counted(look.rows, 'row')} of "
    words += f"{counted(look.width, 'number')} each, {_scale(look, config)}"
    if not look.label:
        return f"{words}. No label."
    counts = dict(look.classes)
    without = f", {counted(counts.pop(UNLABELLED), 'row')} without" if UNLABELLED in counts else ""
    label = f"Label: {look.label}, with {counted(len(counts), 'class')}{without}"
    return f"{words}. {label}, kept out of training."


def in_short(look: Look, config: Config) -> str:
    """What is trained on, in a few words: rows × numbers, the scale, and what is still asked."""
    if look.refusal:
        return ""
    asked = f", {counted(len(look.suspicions), 'question')} under Data" if look.suspicions else ""
    return f"{look.rows:,} × {look.width:,}, {_scale(look, config)}{asked}"


def _scale(look: Look, config: Config) -> str:
    words = "" if config.counts == "raw" else "log(1 + x) of normalised counts"
    if look.standardised:
        return f"{words}, every column at variance 1".removeprefix(", ")
    return words or "on the scale of the file"


def corrections(look: Look, table: Table, config: Config) -> None:
    """Each suspicion and each open choice with the buttons that answer it."""
    # Orientation is asked where it is answered, by reading the file otherwise.
    asked = [item for item in look.suspicions if item.kind != "orientation"]
    lines = [(item.sentence, list(_answers(item))) for item in asked]
    lines += _choices(look, table, config)
    if not lines:
        return
    with st.container(border=True, gap="small"):
        for number, (sentence, answers) in enumerate(lines):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f":material/help: {plain(sentence)}", width="stretch")
                for words, changes in answers:
                    _button(words, f"file.answer.{number}.{words}", changes)


def _choices(
    look: Look, table: Table, config: Config
) -> Iterator[tuple[str, list[tuple[str, Changes]]]]:
    """What was taken for granted and costs rows, or may tell the model the label."""
    if look.refusal:
        return
    used = [column for column in look.columns if column.use == "trained on"]
    dropped = table.rows - look.rows
    gaps = any(column.missing for column in used)
    if dropped and gaps and config.missing == "drop" and not config.without_rows:
        sentence = f"{dropped:,} of {table.rows:,} rows are left out: a value is missing there."
        yield sentence, [("Fill in the column's mean", {"missing": "mean"})]
    kinds = [column for column in used if math.isnan(column.low)]
    if len(kinds) == 1 and not look.label and config.label == "auto":
        name = kinds[0].name
        sentence = f"{name} ({kinds[0].holds}) is trained on, as columns of 0 and 1."
        yield sentence, [(f"{name} is the label", {"label": name})]


def scale_question(look: Look) -> None:
    """Where columns were standardised: what that means for a loss, and a button that undoes it."""
    if look.refusal or not look.standardised:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/help: Every column is at variance 1 here, and the gauge is of such data. "
            "Does your code train on the numbers as they are in the file?",
            width="stretch",
        )
        _button("Take them as they are", "file.answer.scale", {"standardise": "no"})


def column_buttons(look: Look) -> None:
    """One column, and a button for each thing that can be done with it."""
    names = [column.name for column in look.columns][:_LISTED]
    if len(look.columns) < 2:
        return
    name = st.selectbox("Column", names, key="file.column", help="Choose one to correct its use.")
    with st.container(horizontal=True):
        for words, changes in _uses(name):
            _button(words, f"file.use.{words}", changes)
        if not look.standardised:
            _button("Standardise all", "file.use.standardise", {"standardise": "yes"})


def details(look: Look, table: Table) -> None:
    """First points as pictures, the columns with histogram and share, and the classes."""
    if look.pictures is not None:
        st.caption("The first points, as they are trained on")
        st.image(
            [_enlarged(picture) for picture in look.pictures],
            caption=[f"row {row + 1}" for row in range(len(look.pictures))],
            alt=[f"row {row + 1}" for row in range(len(look.pictures))],
        )
    st.dataframe(
        {
            "column": [column.name for column in look.columns],
            "use": [column.use for column in look.columns],
            "holds": [column.holds for column in look.columns],
            "values": [list(column.histogram) for column in look.columns],
            "share of variance": [_known(100 * column.share) for column in look.columns],
            "missing": [column.missing for column in look.columns],
            "smallest": [_known(column.low) for column in look.columns],
            "largest": [_known(column.high) for column in look.columns],
        },
        hide_index=True,
        placeholder="–",
        alt="What each column holds and is used for",
        column_config={
            "values": st.column_config.BarChartColumn("values", width="small", y_min=0),
            "share of variance": st.column_config.ProgressColumn(
                "share of variance", format="%.0f %%", max_value=100
            ),
        },
    )
    for sentence in _sentences(look, table):
        st.caption(plain(sentence))


def _sentences(look: Look, table: Table) -> Iterator[str]:
    if len(table.columns) > len(look.columns):
        yield f"The first {len(look.columns)} of {len(table.columns):,} columns are shown."
    if look.looked_at < look.rows and not look.refusal:
        yield f"Looked at {look.looked_at:,} rows, evenly spaced."
    low, high = look.deviations
    if math.isfinite(low) and not look.standardised:
        yield f"Standard deviations of the columns as trained on: {low:.3g} to {high:.3g}."
    if look.classes:
        shown = ", ".join(f"{name} ({count:,})" for name, count in look.classes[:20])
        more = f" and {len(look.classes) - 20} more" if len(look.classes) > 20 else ""
        yield f"Classes of {look.label}: {shown}{more}."


def _answers(suspicion: Suspicion) -> Iterator[tuple[str, Changes]]:
    """Buttons for a suspicion: their words and the options that they set."""
    if suspicion.kind == "counts":
        yield "Same total, then log(1 + x)", {"counts": "log"}
        most = f"{MOST_VARIABLE:,}"
        yield f"That, of the {most} most variable columns", {"counts": "variable"}
        return
    if suspicion.kind == "outlier":
        yield f"Leave out row {suspicion.row + 1}", {"without_rows": (str(suspicion.row + 1),)}
        return
    if suspicion.kind == "sentinel":
        value = spelt(suspicion.value)
        yield f"Take {value} for missing", {"absent": (value,)}
    if suspicion.kind == "dominant":
        yield "Standardise", {"standardise": "yes"}
        yield "Take logarithms", {"logs": suspicion.columns[:1]}
    what = suspicion.columns[0] if len(suspicion.columns) == 1 else "these columns"
    yield f"Leave out {what}", {"without": suspicion.columns}


def _uses(name: str) -> Iterator[tuple[str, Changes]]:
    yield "Leave out", {"without": (name,)}
    yield "Take logarithms", {"logs": (name,)}
    yield "Use as label", {"label": name}
    yield "Use as names", {"names": name}


def _button(words: str, key: str, changes: Changes) -> None:
    st.button(plain(words), key=key, on_click=_change, args=(changes,))


def _change(changes: Changes) -> None:
    """Set options of the data: the widgets that show them follow on the rerun that comes.

    Of the data as they are now: what was clicked before may not be on the screen yet.
    """
    settings = session.settings()
    options: dict[str, Any] = dict(settings.dataset_options)
    for option, value in changes.items():
        before = getattr(Config(**options), option)
        if isinstance(value, tuple):
            value = before if before == EVERY else functools.reduce(with_name, value, before)
        options[option] = value
    found = as_options(Config(**options))
    session.keep(dataclasses.replace(settings, dataset_options=found), drawn=False)


def as_options(config: Config) -> tuple[tuple[str, Any], ...]:
    """The options that differ from their defaults, as settings keep them."""
    default = Config()
    return tuple(
        (item.name, getattr(config, item.name))
        for item in sorted(dataclasses.fields(Config), key=lambda item: item.name)
        if getattr(config, item.name) != getattr(default, item.name)
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _enlarged(picture: np.ndarray) -> np.ndarray:
    """A picture [height, width] with each pixel as a block, so that small ones can be seen."""
    times = max(1, 64 // max(picture.shape))
    return np.kron(picture, np.ones((times, times)))
