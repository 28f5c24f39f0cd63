"""A visitor's state across pages: settings, runs, choices.

The only user of session_state. Settings live here and in every page's URL, which is written here:
Streamlit's `bind="query-params"` drops parameters that a page does not bind.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.classroom import lessons
from pages.live.pace import Pace
from pages.live.registry import same_data
from pages.live.run_source import RunRequest
from pages.server.current import server
from pages.visitor import cache, owner_cookie, settings_in_url
from pages.visitor.drawn import DrawnWidgets
from pages.visitor.markdown import plain, refusal
from pages.visitor.shared_job import Job
from svae_core.config.settings import settings_at
from svae_core.records import Certificate, Moment, RequestError, Settings
from svae_core.runs.manifest import new_id

_SETTINGS = "svae.settings"  # the current Settings
_WRITTEN = "svae.written"  # the query that describes them
_PAGE = "svae.page"  # the page that used them last
_OWNER = "svae.owner"  # the visitor's key, if there is no cookie
_RUN = "svae.run"  # the run viewed last
_LESSON = "svae.lesson"  # the lesson whose settings were applied
_CLASS = "svae.class"  # the code of the class that this visitor belongs to
_TEACH = "svae.teach"  # the key of the class that this visitor leads
_PROJECTOR = "svae.projector"  # "1" for large type
_DRAWN = "svae.drawn"  # the widgets of the page
_ASKED = "svae.asked"  # keys of the background tasks that this visitor requested
_ONCE = "svae.once"  # results of calls made once, by key
_GOING = "svae.going"  # key of the running job, by section of a page
_WAITING = "svae.waiting"  # names of the sections that are waiting
#: Pixels of a page's letters, usually and for a projector.
USUAL_TYPE, LARGE_TYPE = 16, 21


def settings() -> Settings:
    """The visitor's settings. A changed URL takes precedence, unless a widget was moved just now.

    A link or a typed address brings its settings, and the browser's back button undoes the last
    change. An empty query changes nothing, since the menu links to pages without a query.
    """
    state = st.session_state
    incoming = settings_in_url.owned(st.query_params.to_dict())
    if (page := _page()) != state.get(_PAGE):
        widgets().forget()
        state[_PAGE], state[_WRITTEN] = page, None
    changed = incoming and incoming != state[_WRITTEN] and not widgets().moved(state)
    if _SETTINGS not in state and not incoming:
        incoming = _query_of_linked_run()  # for a link that names only a run
    if _SETTINGS not in state or changed:
        widgets().untaken.clear()
        state[_SETTINGS], state[_WRITTEN] = settings_in_url.from_query(incoming), incoming
        for sentence in settings_in_url.misread(incoming):
            st.toast(plain(sentence), duration="infinite")
    return state[_SETTINGS]


def keep(chosen: Settings, drawn: bool = True) -> Settings:
    """Store these settings and, if they are new on this page, write them into the URL.

    Not at every rerun: each write adds an entry to the browser's history, which would make the back
    button useless. `drawn`: with the values of all drawn so far; not so from a button's callback.
    """
    state = st.session_state
    state[_SETTINGS] = chosen
    if drawn:
        widgets().taken_over()
    if (query := settings_in_url.to_query(chosen)) == state[_WRITTEN]:
        return chosen
    whole = st.query_params.to_dict()
    present = settings_in_url.owned(whole)
    if present and settings_in_url.from_query(present) == chosen:
        query = present
    else:
        others = whole.keys() - present.keys()  # all at once: one entry of the history
        st.query_params.from_dict({name: whole[name] for name in others} | query)
    state[_WRITTEN] = query
    return chosen


def widget(name: str, value: Any, draw: Callable[[str], Any]) -> Any:
    """Draw a widget, by its key, with this value, or with that to which it was just moved."""
    return widgets().draw(st.session_state, name, value, draw)


def answered(question: str, now: bool = False) -> bool:
    """Whether the visitor has answered this question; `now`: they have just done so."""
    answers = st.session_state.setdefault("answered", set())
    if now:
        answers.add(question)
    return question in answers


def lesson() -> lessons.Lesson | None:
    """The lesson in the URL. Its settings apply where the URL does not give others.

    With a run in the URL, as after a reload, they were applied when the run was started.
    """
    state, query = st.session_state, st.query_params
    name = query.get("lesson", "")
    found = lessons.find(name)
    if state.get(_LESSON, "") != name:
        state[_LESSON] = name
        if found and "run" not in query:
            query.update(
                settings_in_url.to_link(found.settings) | settings_in_url.owned(query.to_dict())
            )
    return found


def class_code() -> str:
    """The code of the class that this visitor belongs to; "" for none, or where it has ended."""
    code = _remembered("class", _CLASS)
    return code if server().classes.find(code) else ""


def class_key() -> str:
    """The key of the class that this visitor leads; "" for none, or where it has ended."""
    key = _remembered("teach", _TEACH)
    return key if server().classes.find_by_key(key) else ""


def lead_class(key: str, code: str) -> None:
    """Lead the class of this key from now on; empty strings end it."""
    _remember("teach", _TEACH, key)
    _remember("class", _CLASS, code)


def followed_class() -> str:
    """The code of the class whose teacher's run this page shows; "" for none."""
    code = st.query_params.get("follow", "")
    if code:
        st.session_state[_CLASS] = code
    return code


def page_address() -> str:
    """The address of this page without a query, for links."""
    return (st.context.url or "").partition("?")[0]


def locked() -> bool:
    """Whether the page hides its controls, as a link for a classroom may demand."""
    return st.query_params.get("lock") == "1"


def projector() -> bool:
    """Whether pages use large type for a projector: from a link or a click that says so on."""
    return _remembered("projector", _PROJECTOR) == "1"


def use_projector(wanted: bool) -> None:
    """Use large type from the next rerun on, or no longer."""
    _remember("projector", _PROJECTOR, "1" if wanted else "")


def run_of(members: tuple[Settings, ...], lesson: str = "", pace: Pace | None = None) -> str:
    """The run started for these members: the current one if it fits, else a new one.

    Its id is written into the URL, for reloads and links. A run that was changed or branched since
    is still the run of these settings: a new one starts only when the page's settings change.
    """
    state, request = st.session_state, RunRequest(members, lesson)
    run = _run_in_url(request.__eq__)
    found = None
    try:
        found = server().runs.load(run)
        if "run" in st.query_params and found is None:
            st.toast("The link's run is not on this server: a new one begins.", duration="infinite")
    except RequestError as error:
        st.warning(refusal(error))
    if run is None or found is None or found.request != request:
        try:
            run = server().runs.start_run(members, lesson, owner(), pace)
        except RequestError as error:
            st.error(refusal(error))
            st.stop()
    state[_RUN] = run
    server().classes.enter(class_code(), run)
    keep_class_in_url({"run": run})
    return run


def keep_class_in_url(others: dict[str, str] | None = None) -> None:
    """Write these into the URL with what a reload must not lose, in one entry of the history."""
    # The menu's links lead to pages without a query, where only the session knows of a class.
    words = {"teach": class_key(), "class": class_code(), "projector": "1" * projector()}
    query = (others or {}) | {name: word for name, word in words.items() if word}
    if query.items() - st.query_params.to_dict().items():
        st.query_params.update(query)


def _run_in_url(fits: Callable[[RunRequest], bool]) -> str | None:
    """The run in the URL; without one, the fitting descendant of the session's run."""
    return st.query_params.get("run") or server().runs.last_viewed(st.session_state.get(_RUN), fits)


def owner() -> str:
    """The key of this visitor's browser; without cookies, a key for this session only."""
    key = st.context.cookies.get(owner_cookie.COOKIE, "")
    return key if owner_cookie.is_key(key) else str(st.session_state.setdefault(_OWNER, new_id()))


def picked() -> list[str]:
    """The folders that a link to the Runs page selects."""
    return [name for name in st.query_params.get("pick", "").split(",") if name]


def replay(run: str) -> None:
    """Show this run on the Runs page from the next rerun on."""
    st.query_params["run"] = run


def replayed() -> str | None:
    """The run that the Runs page shows."""
    return st.query_params.get("run")


def link(page: str, query: dict[str, str]) -> str:
    """The full address of another page of this app."""
    return f"{page_address().rsplit('/', 1)[0]}/{page}?{urlencode(query)}"


def current_run(members: tuple[Settings, ...]) -> str:
    """The run of these members viewed last, a lesson's too; else a new one."""
    run = _run_in_url(lambda request: request.members == members)
    lesson = ""
    with suppress(RequestError):  # `run_of` shows it
        if (found := server().runs.load(run)) and found.request.members == members:
            lesson = found.request.lesson
    return run_of(members, lesson)


@dataclasses.dataclass(frozen=True, eq=False)
class LastRun:
    """The results so far of the run that was viewed last."""

    moments: tuple[Moment, ...]
    certificates: tuple[Certificate, ...]  # empty before it has finished
    members: tuple[Settings, ...]  # with the settings in force at its end


def last_run(members: tuple[Settings, ...]) -> LastRun:
    """The run viewed last on the data of these members, or a branch of it; else an empty one."""
    fits, live = partial(same_data, members[-1]), None
    try:
        live = server().runs.load(_run_in_url(fits), pause=True)
    except RequestError as error:
        st.warning(refusal(error))
    if live is None or not fits(live.request):
        return LastRun((), (), members)
    last = tuple(settings_at(settings, sys.maxsize) for settings in live.members)
    return LastRun(tuple(live.moments), live.certificates, last)


def request_task(key: str) -> None:
    """Record that this visitor requested a background task: its result stays on the page."""
    st.session_state.setdefault(_ASKED, set()).add(key)


def requested_task(key: str, call: Callable[[], Future[Any]]) -> Future[Any] | None:
    """The task of this key if the visitor requested it; one call serves all visitors."""
    wanted = key in st.session_state.get(_ASKED, ())
    return cache.background_task(key, call) if wanted else None


def once(key: str, call: Callable[[], Any]) -> tuple[Any, bool]:
    """The result of a call that is made once per visitor and key; and whether it was made now."""
    made = st.session_state.setdefault(_ONCE, {})
    if fresh := key not in made:
        made[key] = call()
    return made[key], fresh


def waiting(section: str) -> bool:
    """Whether this section of the page was waiting when it was drawn last."""
    return section in st.session_state.get(_WAITING, ())


def note_waiting(section: str, waits: bool) -> None:
    """Record whether this section of the page is waiting."""
    others = {name for name in st.session_state.get(_WAITING, ()) if name != section}
    st.session_state[_WAITING] = others | ({section} if waits else set())


def advance_job(section: str, key: str, job: Job) -> bool:
    """Advance a job if it runs for this visitor; return whether it still runs."""
    if job_is_running(section, key):
        job.advance()
        if job.done:
            pause_job(section)
    return job_is_running(section, key)


def job_is_running(section: str, key: str) -> bool:
    """Whether that job runs in this section for this visitor."""
    return bool(st.session_state.get(_GOING, {}).get(section) == key)


def start_job(section: str, key: str, job: Job) -> None:
    """Start a job, or resume it after a pause or an error."""
    job.resume()
    st.session_state.setdefault(_GOING, {})[section] = key


def pause_job(section: str) -> None:
    """Pause the job of this section; its results are kept."""
    st.session_state.get(_GOING, {}).pop(section, None)


def set_page_value(name: str, value: Any) -> None:
    """Store a value of a page that need not be in the URL."""
    st.session_state[f"svae.noted.{name}"] = value


def page_value(name: str) -> Any:
    """The value stored last; None before."""
    return st.session_state.get(f"svae.noted.{name}")


def clicked(keys: Iterable[str]) -> Any:
    """The `customdata` of the point selected on one of these charts, before they are drawn."""
    for key in keys:
        chart = st.session_state.get(key)
        for point in chart.selection.points if chart else ():
            return point.get("customdata")
    return None


def told_by(component: str, trigger: str) -> dict[str, Any]:
    """What this component's viewer did: went to another run, or chose another look."""
    return dict(st.session_state[component][trigger])


def look() -> dict[str, str]:
    """What points are coloured by ("": clusters), and "1" where they are drawn as pictures."""
    return {name: _remembered(name, f"svae.{name}") for name in ("colour", "pictures")}


def keep_look(chosen: dict[str, Any]) -> None:
    """Draw points so from now on, on all pages."""
    for name in look().keys() & chosen.keys():
        _remember(name, f"svae.{name}", str(chosen[name])[:200])


def dark() -> bool:
    """Whether the page has the dark theme."""
    return st.context.theme.type == "dark"


def _remembered(name: str, place: str) -> str:
    """A URL parameter, stored for pages whose URL lacks it."""
    word = st.query_params.get(name) or st.session_state.get(place, "")
    st.session_state[place] = word
    return str(word)


def _remember(name: str, place: str, text: str) -> None:
    """Keep a text in the session and the URL; "" forgets it."""
    st.session_state[place] = text
    if text:
        st.query_params[name] = text
    elif name in st.query_params:
        del st.query_params[name]


def _query_of_linked_run() -> dict[str, str]:
    """The settings of the run in the URL, loaded from disk if necessary."""
    run = st.query_params.get("run")
    with suppress(RequestError):  # `run_of` shows it
        if found := server().runs.load(run):
            return settings_in_url.to_query(found.request.members[-1])
    return {}


def _page() -> str | None:
    context = get_script_run_ctx()
    return context.page_script_hash if context else None


def widgets() -> DrawnWidgets:
    """The widgets that the page has drawn."""
    found: DrawnWidgets = st.session_state.setdefault(_DRAWN, DrawnWidgets())
    return found
