"""The names of runs that nobody named: what is special about each."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from pages.classroom import lessons
from pages.live.registry import pair
from pages.widgets import run_table
from svae_core.config.fields import knobs
from svae_core.config.settings import change
from svae_core.records import Settings
from svae_core.runs.manifest import About
from svae_core.runs.naming import default_name
from svae_core.runs.store import Entry


def name_of(*members: Settings, **about: Any) -> str:
    return default_name(About(members, title="Digits", **about))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), "Digits"),
        (Settings(method="geco", seed=3), "Digits, GECO, seed 3"),
        (Settings(sigma2=0.1, band=(0.0, 0.5)), "Digits, σ² 0.1, band 0–0.5"),
        (Settings(lower_edge=False, arch="conv"), "Digits, lower edge off, arch conv"),
        (
            change(Settings(), 120, "beta", 4.0),
            "Digits, β 4 from step 120",
        ),
    ],
)
def test_a_pair_is_named_by_what_differs_from_the_usual(settings: Settings, expected: str) -> None:
    assert name_of(*pair(settings)) == expected


def test_a_run_alone_says_its_method_and_members_their_values() -> None:
    assert name_of(Settings(method="baseline")) == "Digits, Conventional VAE"
    one, other = (Settings(method="baseline", sigma2=value) for value in (0.5, 0.1))
    assert name_of(one, other) == "Digits, Conventional VAE, σ² 0.5 | 0.1"


@pytest.mark.parametrize("name", [name for name in knobs(Settings) if name not in ("dataset",)])
def test_every_setting_that_matters_changes_the_name(name: str) -> None:
    about = knobs(Settings)[name]
    default = about.default
    other: Any = next((choice for choice in about.choices if choice != default), None)
    other = {"method": "geco", "band": (0.1, 0.3), "lower_edge": False}.get(name, other)
    if other is None:
        other = (default or 0.1) * 0.5 if about.kind is float else default + 1
    changed = name_of(*pair(replace(Settings(), **{name: other})))
    assert (changed == "Digits") == (name == "device")


def test_many_settings_are_counted_and_hostile_words_cut() -> None:
    many = Settings(sigma2=0.1, beta=2, band=(0, 0.5), lower_edge=False, clusters=3, seed=9)
    assert name_of(*pair(many)).endswith(", clusters 3, 1 more")
    branch = {"parent": ["id", 40, "β 1 → 4\x1b[2J at step 40" + "x" * 999]}
    named = name_of(*pair(Settings()), page=branch)
    assert named.startswith("Digits, branch: β 1 → 4 [2J at step 40x") and len(named) < 80
    assert name_of(*pair(Settings()), page={"parent": [1, 2, 3]}) == "Digits"


def test_a_run_of_a_lesson_says_the_lesson_and_not_its_settings(tmp_path: Any) -> None:
    lesson = next(iter(lessons.LESSONS.values()))
    members = lesson.members(replace(lesson.settings, seed=7))
    about = About(members, title="Digits", page={"wish": [], "lesson": lesson.name})
    entry = Entry(tmp_path, "", 1, 0.0, about)
    assert run_table.display_name(entry) == f"Digits, lesson “{lesson.title}”, seed 7"
    assert run_table.display_name(dataclasses.replace(entry, name="mine")) == "mine"
