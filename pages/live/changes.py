"""Changes made while a run trains: read from a request, checked, applied, named."""

from __future__ import annotations

from typing import Any

from svae_core.commentary import difference, on_change
from svae_core.config.settings import CHANGEABLE, change, settings_at
from svae_core.records import RequestError, Settings

Changes = dict[str, Any]


def read_changes(raw: Any) -> Changes:
    """Changes as a page sends them; RequestError says in one sentence what is wrong with them."""
    if not isinstance(raw, dict):
        raise RequestError("Changes need names: band, lower_edge, sigma2 or beta.")
    return {str(name): _value(str(name), value) for name, value in raw.items()}


def applied(members: tuple[Settings, ...], step: int, changes: Changes) -> tuple[Settings, ...]:
    """The members with these changes from a step on; RequestError where they make no sense."""
    for name, value in changes.items():
        members = tuple(change(settings, step, name, value) for settings in members)
    return members


def in_force(settings: Settings, step: int) -> Changes:
    """What may be changed, as it is at a step."""
    now = settings_at(settings, step)
    return {name: getattr(now, name) for name in CHANGEABLE}


def description_of(settings: Settings, step: int, changes: Changes) -> Changes:
    """Those of the changes that make a difference at a step."""
    now = settings_at(settings, step)
    return {
        name: value
        for name, value in changes.items()
        if name not in CHANGEABLE or getattr(now, name) != value
    }


def described(settings: Settings, step: int, changes: Changes) -> str:
    """`band 0–0.25 → 0–0.6, β 1 → 4`."""
    now = settings_at(settings, step)
    return ", ".join(difference(name, getattr(now, name), to) for name, to in changes.items())


def history(settings: Settings) -> list[tuple[int, str]]:
    """All changes of a run: each one's step, and what it is called."""
    return [
        (change[0], on_change(change, getattr(settings_at(settings, change[0] - 1), change[1])))
        for change in settings.changes
    ]


def _value(name: str, value: Any) -> Any:
    """JSON has no tuples, and says 1 where 1.0 is meant."""
    if name == "band":
        if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
            raise RequestError("The band needs two numbers, its lower and its upper edge.")
        return float(value[0]), float(value[1])
    if name == "lower_edge":
        if not isinstance(value, bool):
            raise RequestError("The lower edge is either on (true) or off (false).")
        return value
    if name in CHANGEABLE:
        if not _is_number(value):
            raise RequestError(f"{name} needs a number.")
        return float(value)
    raise RequestError(
        f"{name[:40]!r} cannot change in the middle of a run; these can: {', '.join(CHANGEABLE)}."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
