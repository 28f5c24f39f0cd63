"""The widgets that a page has drawn: which of them the visitor moved, and which show news."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

State = MutableMapping[str | int, Any]


@dataclass
class DrawnWidgets:
    """What one visitor's page shows; `state` is the visitor's, in which widgets keep values."""

    shown: dict[str, Any] = field(default_factory=dict)  # when it was last drawn, by key
    renewed: dict[str, int] = field(default_factory=dict)  # how often replaced, by name
    #: Of those moved by a hand whose values the page has not taken over yet, since the next move
    #: stopped the script that would have done so: the values that they were drawn with, by key.
    untaken: dict[str, Any] = field(default_factory=dict)
    drawn_now: set[str] = field(default_factory=set)  # keys drawn by this run of the script
    stopped: bool = False  # whether the last run of the script has not come to its end, or not yet

    def begin(self) -> None:
        """Note that the script begins. A run that came to its end has taken over all moves."""
        if not self.stopped:
            self.untaken.clear()
        self.drawn_now.clear()
        self.stopped = True

    def end(self) -> None:
        """Note that the script has come to its end."""
        self.stopped = False

    def draw(self, state: State, name: str, value: Any, call: Callable[[str], Any]) -> Any:
        """Draw a widget with this value, unless the visitor has just moved it; return its value.

        `call` takes the widget's key. A value that changes otherwise than by the visitor's hand is
        shown by a new widget, under a new key: a click that the browser sends before it has drawn
        the change carries all old values, which would be taken for moves of the visitor.
        """
        key = self._key(name)
        # On a new page a key may still belong to a widget of the page before, which is discarded.
        drawn_here = key in self.shown and key in state
        if not drawn_here:
            state[key] = value
        elif state[key] == self.shown[key] != value and self._changed_otherwise(key, value):
            self.renewed[name] = self.renewed.get(name, 0) + 1
            key = self._key(name)
            state[key] = value
        chosen = call(key)
        self.drawn_now.add(key)
        self.shown[key] = value if chosen is None else chosen
        if self.shown[key] != value:
            self.untaken[key] = value
        return chosen

    def taken_over(self) -> None:
        """Note that the page now has the values of what this run of the script has drawn so far."""
        for key in self.drawn_now:
            self.untaken.pop(key, None)

    def forget(self) -> None:
        """Note that other widgets are drawn from now on."""
        self.shown.clear()
        self.untaken.clear()

    def moved(self, state: State) -> bool:
        """Whether the visitor has just moved one of them."""
        return any(key in state and state[key] != value for key, value in self.shown.items())

    def _changed_otherwise(self, key: str, value: Any) -> bool:
        """Whether a widget shows another value than this one, and not by a move still to take."""
        return key not in self.untaken or bool(self.untaken[key] != value)

    def _key(self, name: str) -> str:
        times = self.renewed.get(name, 0)
        return f"{name}.{times}" if times else name
