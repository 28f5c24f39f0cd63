"""Files of every format, as people have them: the very numbers and classes come out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.own_files import OWN

from svae_core.own_data.choice import Choice
from svae_core.own_data.formats import formats, recognise
from svae_core.own_data.read_by_format import read_table
from svae_core.own_data.table_to_points import shape


@pytest.mark.parametrize("name", OWN)
def test_the_very_numbers_and_classes_come_out(name: str, tmp_path: Path) -> None:
    form, write = OWN[name]
    path, folder = tmp_path / name, tmp_path / "table"
    points, classes = write(path)
    folder.mkdir()
    table = read_table(path, name, folder)
    assert table.form == form
    data = shape(table, Choice(standardise="no"), 0)
    kept = points if data.image_shape or data.symbols else points[:, points.std(axis=0) > 0]
    assert data.points.shape == kept.shape
    assert data.points == pytest.approx(np.asarray(kept, np.float32), rel=1e-6, abs=1e-6)
    if classes is None:
        assert data.labels is None
    else:
        assert data.labels is not None
        assert [data.label_names[code] for code in data.labels] == classes


def test_there_are_forty_files_and_two_of_each_format() -> None:
    assert len(OWN) >= 40
    count = Counter(form for form, _ in OWN.values())
    assert set(count) == {item.name for item in formats() if item.endings}
    assert min(count.values()) >= 2


@pytest.mark.parametrize("name", [name for name in OWN if not name.endswith(".gz")])
def test_a_file_is_recognised_by_what_it_holds_and_not_by_its_name(
    name: str, tmp_path: Path
) -> None:
    form, write = OWN[name]
    path = tmp_path / "file"
    written = tmp_path / name
    write(written)
    written.rename(path)
    assert recognise(path).name == form
