"""The models of a run: what each is called on screen, and how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from svae_core.figures.palette import Mark, mark_apart, mark_of
from svae_core.records import Settings


def member_name(settings: Settings) -> str:
    """The name of a member on screen."""
    return mark_of(settings.method).name


def member_names(members: Sequence[Settings]) -> tuple[str, ...]:
    """The names of members on screen; those of the same method are told apart by their losses."""
    methods = [settings.method for settings in members]
    return tuple(
        member_name(one) if methods.count(one.method) == 1 else f"VAE with {_written(one)}"
        for one in members
    )


def member_marks(members: Sequence[Settings]) -> tuple[Mark, ...]:
    """The mark of each member: its method's, or where some have the same, one for each."""
    same = len({settings.method for settings in members}) < len(members)
    return tuple(
        mark_apart(number) if same else mark_of(settings.method)
        for number, settings in enumerate(members)
    )


def _written(settings: Settings) -> str:
    """A conventional loss as one writes it: `D/0.1 + KL`, `D + 0.1·KL`."""
    twice = 2 * settings.sigma2
    error = "D" if twice == 1 else f"D/{twice:g}"
    return f"{error} + KL" if settings.beta == 1 else f"{error} + {settings.beta:g}·KL"
