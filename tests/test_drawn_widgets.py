"""Laws of widgets: what a hand or a link did last is what the page has."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pages.visitor.drawn import DrawnWidgets


@dataclass
class Page:
    """A page as a script draws it: two groups of settings, each kept at its end, and a choice
    that is in the URL at once."""

    widgets: DrawnWidgets = field(default_factory=DrawnWidgets)
    state: dict[str | int, Any] = field(default_factory=dict)
    values: dict[str, int] = field(
        default_factory=lambda: {"first": 0, "colour": 0, "side": 0, "url": 0}
    )
    keys: dict[str, str] = field(default_factory=dict)

    def run(self, stopped: bool = False) -> None:
        """Run the script; `stopped`: by the next move, before it keeps the second group."""

        def call(name: str, key: str) -> Any:
            self.keys[name] = key
            return self.state[key]

        self.widgets.begin()
        for group in ("first",), ("colour", "side"), ("url",):
            chosen = {
                name: self.widgets.draw(self.state, name, self.values[name], partial(call, name))
                for name in group
            }
            if stopped and "side" in group:
                return
            if "url" not in group:
                self.widgets.taken_over()
            self.values |= chosen
        self.widgets.end()

    def move(self, name: str, value: int, stopped: bool = False) -> None:
        """A hand moves a widget, as it is on the screen."""
        self.state[self.keys[name]] = value
        self.run(stopped)

    def press(self, name: str, value: int) -> None:
        """A button's callback sets a value, before the script draws the widgets."""
        self.values = self.values | {name: value}
        self.run()

    def follow_link(self, name: str, value: int) -> None:
        """A link, or the browser's back button, gives another value."""
        if name != "url":
            self.widgets.untaken.clear()
        self.values = self.values | {name: value}
        self.run()


def test_a_move_outlasts_the_next_one_that_stops_its_script() -> None:
    page = Page()
    page.run()
    page.move("colour", 1, stopped=True)
    page.move("side", 8)
    assert page.values == {"first": 0, "colour": 1, "side": 8, "url": 0}


def test_the_way_back_counts_where_a_move_was_taken_over() -> None:
    for name in ("colour", "url"):
        page = Page()
        page.run()
        page.move(name, 1)
        page.follow_link(name, 0)
        assert page.values[name] == 0


_NAMES = st.sampled_from(["first", "colour", "side", "url"])
_MOVES = st.tuples(st.just("move"), _NAMES, st.integers(0, 2), st.booleans())
_BUTTONS = st.tuples(st.just("press"), _NAMES, st.integers(3, 5), st.just(False))
_LINKS = st.tuples(st.just("link"), _NAMES, st.integers(0, 2), st.just(False))


@given(st.lists(st.one_of(_MOVES, _BUTTONS, _LINKS), max_size=12))
def test_the_last_of_moves_buttons_and_links_counts(done: list[tuple[str, str, int, bool]]) -> None:
    page = Page()
    wanted = dict(page.values)
    page.run()
    for how, name, value, stopped in done:
        if how == "move":
            page.move(name, value, stopped)
        elif how == "press":
            if page.values[name] == value:
                continue  # there is no button for what the page has already
            page.press(name, value)
        else:
            page.run()  # a link is followed on a page that stands still
            page.follow_link(name, value)
        wanted[name] = value
    page.run()
    assert page.values == wanted
    assert {name: page.state[key] for name, key in page.keys.items()} == wanted
