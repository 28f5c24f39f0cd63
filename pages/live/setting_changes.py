"""Changes of settings during training: parsed from a request, validated, applied, described."""

from __future__ import annotations

from typing import Any

from svae_core.commentary import difference, on_change
from svae_core.config.settings import CHANGEABLE, change, check_changeable, settings_at
from svae_core.config.settings import changeable_at as changeable_at
from svae_core.records import RequestError, Settings, knobs

Changes = dict[str, Any]


def read_changes(raw: Any) -> Changes:
    """Parse changes as a page sends them; RequestError names the first value that is invalid."""
    if not isinstance(raw, dict):
        raise RequestError("Changes need names: band, lower_edge, sigma2 or beta.")
    for name in raw:
        check_changeable(name)
    return {name: knobs(Settings)[name].parse(value) for name, value in raw.items()}


def apply_changes(
    members: tuple[Settings, ...], step: int, changes: Changes
) -> tuple[Settings, ...]:
    """The members' settings with these changes from `step` on. RequestError if one is invalid."""
    for name, value in changes.items():
        members = tuple(change(settings, step, name, value) for settings in members)
    return members


def effective_changes(settings: Settings, step: int, changes: Changes) -> Changes:
    """The subset of the changes whose value differs from the one in force at `step`."""
    now = settings_at(settings, step)
    return {
        name: value
        for name, value in changes.items()
        if name not in CHANGEABLE or getattr(now, name) != value
    }


def describe_changes(settings: Settings, step: int, changes: Changes) -> str:
    """A description of the changes, such as `band 0–0.25 → 0–0.6, β 1 → 4`."""
    now = settings_at(settings, step)
    return ", ".join(difference(name, getattr(now, name), to) for name, to in changes.items())


def change_history(settings: Settings) -> list[tuple[int, str]]:
    """All changes recorded in the settings of a run: the step of each and its description."""
    return [
        (change[0], on_change(change, getattr(settings_at(settings, change[0] - 1), change[1])))
        for change in settings.changes
    ]
