"""One of several named arrays is the points: its table gets the labels beside it, and what to say.

HDF5, .mat, NPZ and safetensors files hold arrays by name. `candidates` decides which is what; here
the table of the points is completed, in the same way for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from svae_core.own_data.array_to_table import with_facts, with_labels, with_note
from svae_core.own_data.candidates import labels_among, offered, question_of, said_of_others
from svae_core.own_data.formats import Source
from svae_core.own_data.tables import Table


def completed(
    table: Table,
    source: Source,
    points: str,
    numbers: Mapping[str, Sequence[int]],
    load: Callable[[str], np.ndarray | None],
    texts: Mapping[str, Sequence[int]] | None = None,
) -> Table:
    """The table of the array `points` with its labels, a note of what was left out, and choices.

    `numbers`: shapes by name of all arrays that may be points, one row for each point unless
    `source.turned`; `texts`: shapes of those that may only be labels; `load` reads labels by name.
    """
    every = {**numbers, **(texts or {})}
    as_read = every
    if source.turned and len(every[points]) == 2:
        as_read = {**every, points: every[points][::-1]}
    labels = labels_among(as_read, points)
    if labels:
        table = with_labels(table, load(labels))
    for note in said_of_others(every, points, labels):
        table = with_note(table, note)
    if not source.turned and (why := question_of(every, points)):
        table = with_facts(table, rows_or_columns=why)
    may_be_points = {key: shape for key, shape in numbers.items() if key != labels}
    return with_facts(table, arrays=offered(may_be_points), array=points)
