"""Marks of training methods: each depends on its method alone, and no two are alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from svae_core import methods
from svae_core.figures.palette import METHOD_COLOURS, METHOD_DASHES, METHOD_SYMBOLS, Mark, mark_of
from svae_core.methods import scan_methods

SHIPPED = sorted(scan_methods())
METHOD = '''"""{title}

It is there to be drawn.

Source: none
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """No options."""


class Method:
    {mark}
'''


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Adds a method while the test lasts: add(name, title, mark="…")."""
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    added = []

    def write(name: str, title: str, mark: str = "pass") -> None:
        (tmp_path / f"{name}.py").write_text(METHOD.format(title=title, mark=mark))
        added.append(name)

    yield write
    for name in added:
        sys.modules.pop(f"svae_core.methods.{name}", None)
        vars(methods).pop(name, None)


def marks() -> dict[str, Mark]:
    return {name: mark_of(name) for name in scan_methods()}


def test_colours_of_all_other_methods_stay_when_one_is_added(add: Callable[..., None]) -> None:
    before = marks()
    assert sorted(before) == SHIPPED
    for name in ("aaa", "middle", "zzz"):  # before, among and after those that are shipped
        seen = marks()
        add(name, f"The method {name}")
        now = marks()
        assert now.keys() - seen.keys() == {name}
        assert {other: now[other] for other in seen} == seen
    assert {name: marks()[name] for name in SHIPPED} == before


def test_a_method_may_say_how_it_looks_or_leave_it_to_its_name(add: Callable[..., None]) -> None:
    add("said", "Said", 'mark = ("green", "cross", "solid")')
    add("unsaid", "Unsaid (in brackets)")
    assert (mark_of("said").symbol, mark_of("said").dash) == ("cross", "solid")
    assert mark_of("said").light == METHOD_COLOURS["green"]
    assert mark_of("unsaid").name == "unsaid"
    assert mark_of("unsaid").light in METHOD_COLOURS.values()
    assert mark_of("unsaid").symbol in METHOD_SYMBOLS and mark_of("unsaid").dash in METHOD_DASHES
    # As a saved run is drawn whose method is no longer here.
    assert mark_of("never_there").name == "never there"


@pytest.mark.parametrize(
    "mark", ['("mauve", "cross", "dot")', '("green", "star", "dot")', '("green", "cross")']
)
def test_a_mark_that_cannot_be_drawn_names_its_file(add: Callable[..., None], mark: str) -> None:
    add("odd", "Odd", f"mark = {mark}")
    with pytest.raises(TypeError, match=r"svae_core\.methods\.odd: Method\.mark"):
        mark_of("odd")


def test_no_two_methods_look_alike() -> None:
    looks: dict[tuple[str, str], list[str]] = {}
    for name, mark in marks().items():
        looks.setdefault((mark.light, mark.symbol), []).append(name)
    free = [
        (colour, symbol)
        for colour, light in METHOD_COLOURS.items()
        for symbol in METHOD_SYMBOLS
        if (light, symbol) not in looks
    ]
    alike = [names for names in looks.values() if len(names) > 1]
    assert not alike, f"alike: {alike}; these colours and symbols are free: {free}"
    assert len({mark.name for mark in marks().values()}) == len(SHIPPED)


def test_names_stand_in_sentences_as_their_authors_write_them() -> None:
    written = {name: mark.name for name, mark in marks().items()}
    assert written["baseline"] == "conventional VAE" and written["vade"] == "VaDE"
    assert (
        written["kl_annealing"] == "KL annealing" and written["spcauchy"] == "spherical Cauchy VAE"
    )
