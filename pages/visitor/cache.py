"""Results that visitors share: each is computed once for all who request it.

The only user of Streamlit's caches. If a result cannot be computed, the page ends with one
sentence.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from pages.server.current import server
from pages.visitor.markdown import for_visitors, plain
from svae_core.compute.workers import WorkerLost
from svae_core.config.settings import DATA_FIELDS, settings_key
from svae_core.figures.start_animation import Recording, load_recording
from svae_core.latent.results import A, BandStudy, Question, load_studies
from svae_core.problem import with_band
from svae_core.records import FeasibleRegion, FloorCurves, Problem, RequestError, Settings, State

#: A call for which nobody waited for so many seconds is given up.
_NOBODY_WAITS = 4.0
_lock = threading.Lock()
_waiters: Counter[Future[Any]] = Counter()
SharedObject = TypeVar("SharedObject")
Result = TypeVar("Result")
#: The settings that decide the region.
REGION_FIELDS = (*DATA_FIELDS, "collapse_loss", "band", "lower_edge")
_PREPARED_FIELDS = (*DATA_FIELDS, "method", "method_options")
_PREPARING = "Mapping the data onto the shell, clustering, computing the floors"
_RECORDED = Path(__file__).parents[2] / "assets" / "recorded_run.npz"
_STUDIED = Path(__file__).parents[2] / "assets" / "band_study.json"


def problem(chosen: Settings, doing: str = _PREPARING) -> Problem:
    """Everything that is fixed before training, prepared by a worker and cached."""
    wait_for_file(chosen)
    asked = Settings(**{name: getattr(chosen, name) for name in _PREPARED_FIELDS})
    key = settings_key(asked, _PREPARED_FIELDS)
    return _result(
        _preparation(key, asked),
        doing,
        lambda prepared: with_band(prepared, chosen),
        forget=lambda: _preparation.clear(key, asked),
    )


def wait_for_file(chosen: Settings) -> None:
    """End the page with an invitation where own data are chosen and none are given yet."""
    if chosen.dataset == "file" and not dict(chosen.dataset_options).get("key"):
        st.info("Give your file under “Your file”, and it is drawn here.")
        st.stop()


def sharpened(chosen: Settings) -> Future[tuple[FloorCurves, ...]]:
    """The floors of the same data with the kernel bounds in them, computed in the background."""
    asked = Settings(**{name: getattr(chosen, name) for name in _PREPARED_FIELDS})
    key = f"sharpened.{settings_key(asked, _PREPARED_FIELDS)}"
    return background_task(key, lambda: server().engine.floors((asked,)))


def explore(state: State, question: Question[A]) -> A:
    """The answer to a question about the latent spaces of the state's models."""
    models = [settings_key(settings) for settings in state.settings]
    key = f"{models} {state.step} {question}"
    answer: A = _result(
        _exploration(key, state, question),
        "Looking into the latent spaces",
        lambda found: found,
        forget=lambda: _exploration.clear(key, state, question),
    )
    return answer


def regions_by_definition(prepared: Problem, chosen: Settings) -> dict[str, FeasibleRegion]:
    """The region by each definition of the collapse loss, all else equal."""
    return {
        name: with_band(prepared, dataclasses.replace(chosen, collapse_loss=name)).region
        for name in prepared.region.deltas
    }


def proposal(chosen: Settings) -> tuple[tuple[int, float, float], ...]:
    """(K, W, silhouette) of the numbers of clusters that were tried, whatever K is in use."""
    asked = dataclasses.replace(chosen, clusters=0)
    return problem(asked, "Trying other numbers of clusters").clusters.proposal


@st.cache_resource(show_spinner=False)
def recording() -> Recording:
    """The recorded run on the Start page, read once."""
    return load_recording(_RECORDED)


@st.cache_resource(show_spinner=False)
def studies() -> tuple[BandStudy, ...]:
    """The recorded studies of sample quality over the width of the band, read once."""
    return load_studies(_STUDIED)


def background_task(key: str, call: Callable[[], Future[Any]]) -> Future[Any]:
    """A call of many seconds, started by the first visitor who requests it."""
    return _background_task(key, call)


def retry_task(key: str, call: Callable[[], Future[Any]]) -> None:
    """Forget the failed call of this key, so that the next request starts it again."""
    _background_task.clear(key, call)


def shared_job(section: str, key: str, make: Callable[[], SharedObject]) -> SharedObject:
    """An object that all visitors of a section share by key; `make` constructs it, idle."""
    found: SharedObject = _shared_object(f"{section}.{key}", make)
    return found


@st.cache_resource(max_entries=64, show_spinner=False)
def _exploration(key: str, _state: State, _question: Question[Any]) -> Future[Any]:
    return server().engine.explore(_state, _question)


@st.cache_resource(max_entries=12, show_spinner=False)
def _preparation(key: str, _asked: Settings) -> Future[Problem]:
    return server().engine.prepare(_asked)


@st.cache_resource(max_entries=48, show_spinner=False)
def _background_task(key: str, _call: Callable[[], Future[Any]]) -> Future[Any]:
    return _call()


@st.cache_resource(max_entries=16, show_spinner=False)
def _shared_object(key: str, _make: Callable[[], Any]) -> Any:
    return _make()


def _result(
    future: Future[Any],
    doing: str,
    finish: Callable[[Any], Result],
    forget: Callable[[], None],
) -> Result:
    """The result of a call. A failed call is removed from the cache, so that it can be repeated.

    A call for which nobody waits any more is cancelled.
    """
    try:
        with _waiting(future, forget):
            _await(future, doing)
        return finish(future.result())
    except (RequestError, WorkerLost) as error:
        sentence = str(error)
    except CancelledError:
        sentence = "This was given up, since nobody waited for it; reload the page to ask again."
    forget()
    st.error(plain(for_visitors(sentence)))
    st.stop()


@contextmanager
def _waiting(future: Future[Any], forget: Callable[[], None]) -> Iterator[None]:
    """Count as one who waits meanwhile; whoever leaves last lets the call be given up soon.

    Not at once: a page that is drawn again because a control was moved waits for it again.
    """
    with _lock:
        _waiters[future] += 1
    try:
        yield
    finally:
        with _lock:
            _waiters[future] -= 1
        if not future.done():
            timer = threading.Timer(_NOBODY_WAITS, _give_up, (future, forget))
            timer.daemon = True
            timer.start()
        else:
            with _lock:
                _waiters.pop(future, None)


def _give_up(future: Future[Any], forget: Callable[[], None]) -> None:
    """Cancel a call for which nobody waits now."""
    with _lock:
        if _waiters[future] > 0:
            return
        _waiters.pop(future, None)
    if future.cancel():
        forget()


def _await(future: Future[Any], doing: str) -> None:
    """Wait, and show for how long; Streamlit can interrupt the script at each output."""
    start = time.monotonic()
    place = st.empty()
    while not wait([future], timeout=0.25).done:
        seconds = time.monotonic() - start
        place.info(f"{doing} … {seconds:.0f} s")
    place.empty()
