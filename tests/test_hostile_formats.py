"""Every format against damaged and hostile files: one sentence, within limits, nothing opened."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.damage import DAMAGES, damaged
from support.forked_reader import Outcome, Reader
from support.hostile_formats import HOSTILE, honest, hostile, names_of

from svae_core.own_data.formats import formats, of_arrays
from svae_core.own_data.limits import READER_BYTES
from svae_core.own_data.reader_process import ARRAYS

FORMATS = [item.name for item in formats() if item.endings]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def reader(place: Path) -> Iterator[Reader]:
    """One process for all formats: its libraries take seconds to load."""
    with Reader(place) as found:
        yield found


def check(outcome: Outcome, secret: Path) -> None:
    """Taken, refused in one sentence, or a process that ended, which the app says itself."""
    assert outcome.kind in ("taken", "refused", "ended"), outcome.said
    assert outcome.opened == ()
    assert outcome.megabytes < READER_BYTES >> 20 and outcome.seconds < 30
    if outcome.kind == "refused":
        assert outcome.said.endswith(".") and "\n" not in outcome.said, outcome.said
        # A file whose bytes make no sense is no failing disk.
        assert "cannot be kept or read" not in outcome.said, outcome.said
        assert ". " not in outcome.said and str(secret) not in outcome.said, outcome.said


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_hostile_and_damaged_files_of_a_format(form: str, reader: Reader, place: Path) -> None:
    chance = random.Random(form)
    files = hostile(form)
    assert len(files) >= HOSTILE
    for name, content in files:
        check(reader.read(content, name), place)
    names = names_of(form)
    for number in range(DAMAGES):
        name = names[number % len(names)]
        check(reader.read(damaged(honest(name), chance), name), place)


@pytest.mark.slow
@pytest.mark.parametrize("form", [item.name for item in of_arrays()])
def test_hostile_and_damaged_files_of_a_models_arrays(
    form: str, reader: Reader, place: Path
) -> None:
    chance = random.Random(form)
    names = names_of(form)
    for name, content in hostile(form, every=True):
        check(reader.read(content, name, ARRAYS), place)
    for number in range(DAMAGES):
        name = names[number % len(names)]
        check(reader.read(damaged(honest(name), chance), name, ARRAYS), place)


@pytest.mark.slow
def test_the_reader_of_these_tests_sees_what_it_is_for(reader: Reader, place: Path) -> None:
    assert reader.read(honest("quotes.csv"), "quotes.csv").kind == "taken"
    assert reader.read(b"\0\1\2", "noise.bin").kind == "refused"
    assert reader.read(b"\x80\x04\x95\0\0\0\0", "a.pickle").kind == "refused"


@pytest.mark.slow
def test_a_file_that_ends_the_process_ends_nothing_but_itself(reader: Reader) -> None:
    files = dict(hostile("Excel"))
    assert reader.read(files["wide.xlsx"], "wide.xlsx").kind == "ended"
    assert reader.read(honest("quotes.csv"), "quotes.csv").kind == "taken"
