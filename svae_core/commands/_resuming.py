"""Resume a saved run, or the comparison it belongs to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from svae_core.commands import compare
from svae_core.commands._cluster import engine_of
from svae_core.commands._stopping import Stop
from svae_core.commands._training import check_data, tell, train_recorded
from svae_core.config.writable import check_folder
from svae_core.records import RequestError

if TYPE_CHECKING:
    from svae_core.runs.store import Entry


def resume(request: argparse.Namespace, entry: Entry) -> None:
    """Train to the end and print what the stopped command would have printed.

    For a run that has ended, the answer is printed again. RequestError if the run is damaged or
    another process trains it.
    """
    from svae_core.runs.comparison_folders import comparison_of

    if entry.about is None:
        raise RequestError(entry.trouble)
    compare.check_tables(request)
    check_folder(entry.folder.parent, "Runs")
    folders = comparison_of(entry.about, entry.folder.parent)
    with engine_of(request) as engine:
        if folders is not None:
            compare.answer(request, folders.runs, folders, engine)
            return
        if request.csv or request.latex or request.markdown:
            raise RequestError(f"{entry.folder.name} is no comparison, so there are no tables.")
        from svae_core.runs.recorder import Recorder

        with Stop() as stop:
            recorder = Recorder.resume(entry.folder)
            try:
                check_data(recorder.run.about, entry.folder.name)
            except BaseException:
                recorder.close()
                raise
            ended = train_recorded(recorder, stop, engine)
    tell(ended, request.json)
