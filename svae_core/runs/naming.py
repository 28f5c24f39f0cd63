"""The name of a run that nobody named: what is special about it.

    default_name(about) == "Wine, GECO, σ² 0.1, band 0–0.5, seed 3"

That a run has the usual method, or a setting at its default, is not said.
"""

from __future__ import annotations

from typing import NamedTuple

from svae_core.commentary import spelt
from svae_core.config.fields import knobs
from svae_core.config.settings import settings_at
from svae_core.methods import scan_methods, title_of
from svae_core.records import Settings
from svae_core.runs.manifest import About
from svae_core.runs.store import one_line

#: Said first, in this order, since they decide whether a model collapses.
_FIRST = ("sigma2", "beta", "band", "lower_edge")
#: Said elsewhere in a name, or not of interest in it.
_LEFT_OUT = ("dataset", "method", "device", "penalty_rule")
_MOST_PARTS, _LONGEST_PART = 5, 60


class Lesson(NamedTuple):
    """The lesson that a run belongs to: what it sets is not said again."""

    title: str
    settings: Settings


def default_name(about: About, lesson: Lesson | None = None) -> str:
    """Data, then lesson, methods, settings other than the usual ones, and the branch."""
    last = about.members[-1]
    usual = lesson.settings if lesson else Settings()
    special = [*_options(last), *_settings(about.members, usual)]
    if len(special) > _MOST_PARTS:
        special = [*special[:_MOST_PARTS], f"{len(special) - _MOST_PARTS} more"]
    parts = [about.title or last.dataset]
    parts += [f"lesson “{lesson.title}”"] if lesson else []
    parts += [*_methods(about.members), *special, *_branch(about)]
    told = (one_line(part, _LONGEST_PART) for part in parts)  # title and branch may be anyone's
    return ", ".join(part for part in told if part)


def _methods(members: tuple[Settings, ...]) -> list[str]:
    """What is trained, unless it is the usual pair: the conventional VAE beside the spherical."""
    names = list(dict.fromkeys(one.method for one in members))
    if names == ["baseline", Settings().method]:
        return []
    titles = [title_of(name) for name in names if len(names) == 1 or name != "baseline"]
    return [" + ".join(titles)]


def _options(settings: Settings) -> list[str]:
    """The options of the method that are not at their defaults."""
    plugin = scan_methods().get(settings.method)
    known = knobs(plugin.config) if plugin else {}
    return [
        f"{known[name].label if name in known else name} {spelt(value)}"
        for name, value in settings.method_options
        # A run from elsewhere may hold what is no value of an option.
        if isinstance(value, bool | int | float | str)
        and (name not in known or value != known[name].default)
    ]


def _settings(members: tuple[Settings, ...], usual: Settings) -> list[str]:
    """Settings that are not the usual ones; where members differ in one, the value of each."""
    known = knobs(Settings)
    names = [*_FIRST, *(name for name in known if name not in (*_FIRST, "seed")), "seed"]
    found = []
    for name in names:
        values = [getattr(one, name) for one in members]
        if name in _LEFT_OUT or all(value == getattr(usual, name) for value in values):
            continue
        said = " | ".join(dict.fromkeys(map(spelt, values)))
        found.append(f"{known[name].label} {said}")
    return found


def _branch(about: About) -> list[str]:
    """The change that this run branched off with, or else the last one made while it trained."""
    parent = about.page.get("parent")
    if isinstance(parent, list | tuple) and len(parent) == 3 and isinstance(parent[2], str):
        return [f"branch: {parent[2]}"]
    last = about.members[-1]
    if not last.changes:
        return []
    step, name, _ = last.changes[-1]
    label = knobs(Settings)[name].label
    return [f"{label} {spelt(getattr(settings_at(last, step), name))} from step {step}"]
