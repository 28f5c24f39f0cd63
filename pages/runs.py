"""Runs: the saved runs, to open, replay, compare, rename, export and delete."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.server.current import server
from pages.visitor import hosts, session
from pages.visitor.markdown import for_visitors, plain, refusal
from pages.widgets import run_table, sharing
from pages.wire import routes
from pages.wire.component import stage
from svae_core.config.limits import limits
from svae_core.records import RequestError
from svae_core.runs import store
from svae_core.runs.folder import home
from svae_core.runs.store import Entry
from svae_core.stage.replay_file import embedding

viewer = run_table.Viewer(session.owner(), hosts.sees_all_runs())


def choose(entries: list[Entry]) -> list[Entry]:
    """The list of runs; returns those that are selected."""
    chosen = st.dataframe(
        run_table.table(entries),
        key=run_table.key(entries),
        on_select="rerun",
        placeholder="–",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": run_table.rows(entries, session.picked())}},
        hide_index=True,
        column_config={
            "Run": st.column_config.TextColumn(width=330),
            "Saved": st.column_config.DatetimeColumn(
                format="YYYY-MM-DD HH:mm", timezone=st.context.timezone
            ),
            "Trained": st.column_config.ProgressColumn(max_value=100, format="%.0f %%"),
            "MB": st.column_config.NumberColumn(format="%.1f"),
        },
        alt="Saved runs, one a row; tick a row to see what can be done with it.",
    )
    return [entries[row] for row in chosen["selection"]["rows"] if row < len(entries)]


def show_one(entry: Entry) -> None:
    """The results of one run, and the actions on it."""
    st.subheader(plain(run_table.display_name(entry)))
    entry, sentences, query = run_table.details(entry)
    if entry.about is None:
        st.error(plain(for_visitors(entry.trouble)))
        delete([entry])
        return
    for sentence in sentences:
        st.text(sentence)
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    with left:
        if query:
            st.page_link("train.py", label="Open in Train and continue", query_params=query)
        if entry.about.id and st.button("Replay here", width="stretch"):
            session.replay(entry.about.id)
    with middle, st.form("runs.rename", border=False):
        key = f"name.{run_table.key([entry])}"  # so that text typed for another run is not shown
        name = st.text_input("Name", value=entry.name, max_chars=store.LONGEST_NAME, key=key)
        if st.form_submit_button("Rename", width="stretch"):
            apply_and_rerun(partial(store.rename, entry.folder, name))
    with right:
        delete([entry])
    export(entry)
    if entry.about.id:
        sharing.read_only_link(entry.about.id)
    if query:
        st.write("Link that also lets others train on, branch and change this run:")
        address = hosts.reachable_from_outside(session.link("train", query))
        st.code(address, language=None, wrap_lines=True)


def export(entry: Entry) -> None:
    """Buttons that download the run as files; a run of an old version has no address for them."""
    assert entry.about is not None
    run = entry.about.id
    if not run:
        return
    files = (
        ("Export (zip)", routes.export_path(run), "The whole run, to import on another server"),
        (
            "Numbers (CSV)",
            routes.numbers_path(run),
            "Loss, KL and more of every recorded moment",
        ),
        (
            "Replay (HTML)",
            routes.replay_path(run),
            "One file that plays in any browser, without a server",
        ),
    )
    for column, (label, address, help) in zip(st.columns(3), files, strict=True):
        column.link_button(label, address, width="stretch", help=help)
    st.write("Line that shows the replay in a web page or on a slide, with its file beside it:")
    line = embedding(routes.replay_name(entry.about.members[0].dataset))
    st.code(line, language="html", wrap_lines=True)


def delete(entries: list[Entry]) -> None:
    """A button that moves runs into the trash."""
    label = "Delete" if len(entries) == 1 else f"Delete these {len(entries)}"
    if st.button(label, width="stretch", key="runs.delete"):
        apply_and_rerun(partial(store.delete_all, entries))


def compare(one: Entry, other: Entry) -> None:
    """Two runs: the differences in their settings, and their results."""
    if one.about is None or other.about is None:
        return
    st.subheader(plain(f"{run_table.display_name(one)}, and {run_table.display_name(other)}"))
    rows = run_table.differences(one, other)
    if rows["Setting"]:
        st.table(rows, hide_index=True)
    else:
        st.write("The two runs have the same settings.")
    st.table(run_table.certificates([one, other]), hide_index=True)
    st.caption(plain(run_table.uncertified([one, other])))


def trash(deleted: list[Entry]) -> None:
    """Buttons that restore deleted runs or remove them permanently."""
    back, gone = st.columns(2)
    if back.button(f"Undo: restore “{plain(run_table.display_name(deleted[0]))}”", width="stretch"):
        apply_and_rerun(partial(store.undo, home(), deleted[0].folder.name))
    if gone.button("Clean up: remove deleted runs permanently", width="stretch"):
        apply_and_rerun(partial(store.purge_all, deleted))


def import_form() -> None:
    """A form that imports an exported run."""
    # A form clears its file when it is submitted, so that a second click does not import it again.
    with st.form("runs.import", clear_on_submit=True, border=False):
        file = st.file_uploader(
            "Import an exported run", type="zip", max_upload_size=limits().upload_mb
        )
        sent = st.form_submit_button("Import", width="stretch")
    if sent and file:
        apply_and_rerun(lambda: run_table.take_in(file.getvalue(), home(), viewer))
    elif sent:
        st.info("Choose an exported run first: a file that ends in .svae.zip.")


def apply_and_rerun(work: Callable[[], object]) -> None:
    """Apply a change and draw the list again, or show why it failed."""
    try:
        work()
    except RequestError as error:
        st.error(refusal(error))
        return
    st.rerun()


st.subheader("Saved runs")
try:
    entries, deleted = run_table.saved(home(), viewer), run_table.trashed(home(), viewer)
except RequestError as error:
    st.error(refusal(error))
    st.stop()
search, summary = st.columns([1, 2], vertical_alignment="bottom")
words = search.text_input("Search", placeholder="name, data, method, verdict", key="runs.search")
summary.caption(
    f"{run_table.describe_storage(entries, deleted, viewer)} {run_table.describe_listing(viewer)}"
)
if deleted:
    trash(deleted)

found = run_table.matching(entries, words)
if found:
    picked = choose(found)
    if len(picked) == 1:
        show_one(picked[0])
    elif picked:
        if len(picked) == 2:
            compare(*picked)
        delete(picked)
    else:
        st.caption("Tick a run to open, share, replay, rename or delete it; two to compare them.")
elif entries:
    st.info("No run contains these words.")
else:
    st.info("Nothing is saved yet. Every run on the Train page is saved automatically.")
    st.page_link("train.py", label="Train a run")

if run := session.replayed():
    try:
        known = server().runs.load(run, pause=True)
    except RequestError as error:
        st.error(refusal(error))
    else:
        if known:
            stage(run)
        else:
            st.warning("There is no saved run with this link.")
import_form()
