"""What follows a visitor from page to page: settings, runs, choices.

The only user of session_state; `cache` holds what visitors share. Settings live here and in every
page's URL, which is written here: Streamlit's `bind="query-params"` drops what a page leaves out.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.classroom import lessons, sessions
from pages.live import registry
from pages.live.origin import RunRequest
from pages.visitor import cache, owner_cookie, url
from pages.visitor.series import Series
from svae_core.config.settings import settings_at
from svae_core.records import Certificate, Moment, RequestError, Settings, State
from svae_core.runs.manifest import new_id

_SETTINGS = "svae.settings"  # the current Settings
_WRITTEN = "svae.written"  # the query that stands for them
_PAGE = "svae.page"  # the page they were last asked for on
_OWNER = "svae.owner"  # the visitor's key, where there is no cookie
_RUN = "svae.run"  # the run watched last
_LESSON = "svae.lesson"  # the lesson whose settings were taken over
_CLASS = "svae.class"  # the code of the class that this visitor belongs to
_TEACH = "svae.teach"  # the key of the class that this visitor leads
_SHOWN = "svae.shown"  # what each widget showed when it was last drawn
_ASKED = "svae.asked"  # keys of the errands that this visitor asked for
_ONCE = "svae.once"  # results of calls made once, by key
_GOING = "svae.going"  # by section of a page: the key of the series that is to go on
_LOOKED_INTO = "svae.looked_into"  # the run whose latent spaces are explored, and its state
_WAITING = "svae.waiting"  # sections of the page that wait for something, by name


def settings() -> Settings:
    """The visitor's settings. News in the URL wins, unless a widget was moved just now.

    A link or a typed address brings its settings along, and going back undoes the last change.
    An empty query says nothing: the menu leads to pages without one, and settings stay.
    """
    state = st.session_state
    incoming = url.owned(st.query_params.to_dict())
    page = _page()
    if page != state.get(_PAGE):
        state[_PAGE], state[_SHOWN], state[_WRITTEN] = page, {}, None
    news = incoming and incoming != state[_WRITTEN] and not _touched()
    if _SETTINGS not in state and not incoming:
        incoming = _linked()  # the run's own, for a link that names nothing but a run
    if _SETTINGS not in state or news:
        state[_SETTINGS] = url.from_query(incoming)
        state[_WRITTEN] = incoming
    return state[_SETTINGS]


def keep(chosen: Settings) -> Settings:
    """Remember these settings and, if they are new on this page, write them into the URL.

    Not at every run: each writing is a step in the browser's history, and nobody could go back.
    """
    state = st.session_state
    state[_SETTINGS] = chosen
    query = url.to_query(chosen)
    if query == state[_WRITTEN]:
        return chosen
    present = url.owned(st.query_params.to_dict())
    for name in present.keys() - query.keys():
        del st.query_params[name]
    if changed := {name: text for name, text in query.items() if present.get(name) != text}:
        st.query_params.update(changed)
    state[_WRITTEN] = query
    return chosen


def offer(key: str, value: Any) -> None:
    """Before a widget is drawn: show this value, unless the visitor has just set another."""
    state = st.session_state
    shown = state.get(_SHOWN, {})
    # On a new page a key may still name the widget of the page before, whose value goes with it.
    drawn_here = key in shown and key in state
    moved = drawn_here and state[key] != shown[key]
    if not drawn_here or (not moved and state[key] != value):
        state[key] = value


def taken(key: str, value: Any) -> Any:
    """After a widget is drawn: note what it shows, so that a later move is seen as one."""
    st.session_state.setdefault(_SHOWN, {})[key] = value
    return value


def lesson() -> lessons.Lesson | None:
    """The lesson in the URL. It brings its settings along, but those in the URL come first.

    A run in the URL, as after a reload, has been begun with its settings already.
    """
    state, query = st.session_state, st.query_params
    name = query.get("lesson", "")
    found = lessons.find(name)
    if state.get(_LESSON, "") != name:
        state[_LESSON] = name
        if found and "run" not in query:
            query.update(url.to_link(found.settings) | url.owned(query.to_dict()))
    return found


def class_code() -> str:
    """The code of the class that this visitor belongs to; "" for none."""
    return _remembered("class", _CLASS)


def class_key() -> str:
    """The key of the class that this visitor leads; "" for none, or where it has ended."""
    key = _remembered("teach", _TEACH)
    return key if sessions.led_with(key) else ""


def teach(key: str, code: str) -> None:
    """Lead a class from here on, or with empty words no longer."""
    for name, place, text in (("teach", _TEACH, key), ("class", _CLASS, code)):
        st.session_state[place] = text
        if text:
            st.query_params[name] = text
        elif name in st.query_params:
            del st.query_params[name]


def class_run() -> str:
    """The code of the class whose teacher's run this page is to show; "" for none."""
    code = st.query_params.get("follow", "")
    if code:
        st.session_state[_CLASS] = code
    return code


def page_address() -> str:
    """The address of this page without a query, for links to hand out."""
    return (st.context.url or "").partition("?")[0]


def locked() -> bool:
    """Whether a page is to hide its controls, as a link for a classroom may ask."""
    return st.query_params.get("lock") == "1"


def projector() -> bool:
    """Whether a page is looked at from the back of a room."""
    return st.query_params.get("projector") == "1"


def run_of(members: tuple[Settings, ...], lesson: str = "") -> str:
    """The run begun for these members: the one at hand while it still is, else a new one.

    Its id stands in the URL, so that a reload or a shared link finds it again. A run that was
    changed meanwhile, or branched off, is still the run of these settings: only when the page's
    own settings are touched does another one begin.
    """
    state, request = st.session_state, RunRequest(members, lesson)
    run = _found(request.__eq__)
    try:
        registry.recall(run)
    except RequestError as error:
        st.warning(str(error))
    if run is None or registry.request_of(run) != request:
        try:
            run = registry.watch(members, lesson, owner())
        except RequestError as error:
            st.error(str(error))
            st.stop()
    state[_RUN] = run
    sessions.enter(class_code(), run)
    if st.query_params.get("run") != run:
        st.query_params["run"] = run
    return run


def _found(fits: Callable[[RunRequest], bool]) -> str | None:
    """The run in the URL; else the one that fits of those that stem from the run at hand."""
    return st.query_params.get("run") or registry.last_viewed(st.session_state.get(_RUN), fits)


def owner() -> str:
    """The key of this visitor's browser; of this visit only, where it takes no cookies."""
    key = st.context.cookies.get(owner_cookie.COOKIE, "")
    return key if owner_cookie.is_key(key) else str(st.session_state.setdefault(_OWNER, new_id()))


def sees_all_runs() -> bool:
    """Whether the Runs page shows all runs of this machine: on a server for one person.

    Such a server answers this machine only, and nobody else's requests are passed on to it.
    SVAE_SHARED_RUNS=1 or =0 decides otherwise.
    """
    chosen = os.environ.get("SVAE_SHARED_RUNS", "")
    if chosen in ("0", "1"):
        return chosen == "1"
    local = st.get_option("server.address") in ("localhost", "127.0.0.1", "::1")
    return local and "X-Forwarded-For" not in st.context.headers


def picked() -> list[str]:
    """The folders that a link to the Runs page points out."""
    return [name for name in st.query_params.get("pick", "").split(",") if name]


def replay(run: str) -> None:
    """Show this run on the Runs page, from the next drawing on."""
    st.query_params["run"] = run


def replayed() -> str | None:
    """The run that the Runs page shows."""
    return st.query_params.get("run")


def link(page: str, query: dict[str, str]) -> str:
    """The address of another page of this app, to hand on."""
    return f"{page_address().rsplit('/', 1)[0]}/{page}?{urlencode(query)}"


def run_at_hand(members: tuple[Settings, ...]) -> str:
    """The run of these members watched last, a lesson's too; else one begun for them now."""
    run = _found(lambda request: request.members == members)
    with suppress(RequestError):  # said where the run is asked for
        registry.recall(run)
    request = registry.request_of(run)
    return run_of(members, request.lesson if request and request.members == members else "")


def looked_into(run: str) -> State | None:
    """The state of this run that the visitor looks into, if one was chosen."""
    of, state = st.session_state.get(_LOOKED_INTO, ("", None))
    return state if of == run else None


def look_into(run: str, state: State) -> None:
    """Look into this state of the run from now on, whatever becomes of the run."""
    st.session_state[_LOOKED_INTO] = run, state


@dataclasses.dataclass(frozen=True, eq=False)
class Seen:
    """What is known by now of the run that was watched last."""

    moments: tuple[Moment, ...]
    certificates: tuple[Certificate, ...]  # none before it has finished
    members: tuple[Settings, ...]  # as they are in force at its end


def run_seen(members: tuple[Settings, ...]) -> Seen:
    """The run watched last on the data of these members, a branch too; else nothing of them."""
    fits, watched = partial(registry.same_data, members[-1]), None
    try:
        watched = registry.look_at(_found(fits))
    except RequestError as error:
        st.warning(str(error))
    if watched is None or not fits(watched.request):
        return Seen((), (), members)
    last = tuple(settings_at(settings, sys.maxsize) for settings in watched.members)
    return Seen(tuple(watched.moments), watched.certificates, last)


def ask(key: str) -> None:
    """Note that this visitor wants the errand of this key: its result stays on their page."""
    st.session_state.setdefault(_ASKED, set()).add(key)


def asked(key: str, call: Callable[[], Future[Any]]) -> Future[Any] | None:
    """The errand of this key if the visitor asked for it; one call serves all who ask the same."""
    wanted = key in st.session_state.get(_ASKED, ())
    return cache.background_task(key, call) if wanted else None


def once(key: str, call: Callable[[], Any]) -> tuple[Any, bool]:
    """The result of a call that is made once for this visitor and key; and whether just now."""
    made = st.session_state.setdefault(_ONCE, {})
    fresh = key not in made
    if fresh:
        made[key] = call()
    return made[key], fresh


def waiting(section: str) -> bool:
    """Whether this section of the page was waiting when it was drawn last."""
    return section in st.session_state.get(_WAITING, ())


def note_waiting(section: str, waits: bool) -> None:
    """Note whether this section of the page waits."""
    others = {name for name in st.session_state.get(_WAITING, ()) if name != section}
    st.session_state[_WAITING] = others | ({section} if waits else set())


def move_on(section: str, key: str, series: Series[Any]) -> bool:
    """Move a series on if it is to go on for this visitor; whether it still is afterwards."""
    if goes(section, key):
        series.go_on()
        if series.done:
            rest(section)
    return goes(section, key)


def goes(section: str, key: str) -> bool:
    """Whether that series is to go on for this visitor."""
    return bool(st.session_state.get(_GOING, {}).get(section) == key)


def go(section: str, key: str, series: Series[Any]) -> None:
    """Let a series begin, or go on after a pause or an error."""
    series.resume()
    st.session_state.setdefault(_GOING, {})[section] = key


def rest(section: str) -> None:
    """Let what this section follows rest; what it has done is kept."""
    st.session_state.get(_GOING, {}).pop(section, None)


def note(name: str, value: Any) -> None:
    """Remember something about a page of this visitor's, which is not worth a place in the URL."""
    st.session_state[f"svae.noted.{name}"] = value


def noted(name: str) -> Any:
    """What was noted last; None before."""
    return st.session_state.get(f"svae.noted.{name}")


def clicked(keys: Iterable[str]) -> Any:
    """The `customdata` of the point that is selected on one of these charts, before it is drawn."""
    for key in keys:
        chart = st.session_state.get(key)
        for point in chart.selection.points if chart else ():
            return point.get("customdata")
    return None


def parameter(name: str, default: str) -> str:
    """What the URL says of a page's own choice."""
    return str(st.query_params.get(name, default))


def listed(name: str, default: str, known: Iterable[str]) -> list[str]:
    """What a list in the URL names, each once; unknown names are left out."""
    asked = parameter(name, default).split(",")
    return [one for one in dict.fromkeys(asked) if one in known]


def put_parameter(name: str, value: str, default: str) -> None:
    """Write a page's own choice into the URL, unless it is there or is the default."""
    if value != parameter(name, default):
        if value == default:
            del st.query_params[name]
        else:
            st.query_params[name] = value


def dark() -> bool:
    """Whether the visitor's page is dark."""
    return st.context.theme.type == "dark"


def _remembered(name: str, place: str) -> str:
    """A word from the URL, kept for pages whose URL lacks it."""
    word = st.query_params.get(name) or st.session_state.get(place, "")
    st.session_state[place] = word
    return str(word)


def _linked() -> dict[str, str]:
    """The settings of the run in the URL, from disk if need be."""
    run = st.query_params.get("run")
    try:
        registry.recall(run)
    except RequestError:
        return {}  # said where the run is asked for
    request = registry.request_of(run)
    return url.to_query(request.members[-1]) if request else {}


def _page() -> str | None:
    context = get_script_run_ctx()
    return context.page_script_hash if context else None


def _touched() -> bool:
    state = st.session_state
    shown = state.get(_SHOWN, {})
    return any(key in state and state[key] != value for key, value in shown.items())
