"""Results that visitors share: each is computed once for all who request it.

If a result cannot be computed, the page ends with one sentence.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import streamlit as st

from pages.server.current import server
from pages.server.shared_results import SharedResults
from pages.visitor.markdown import for_visitors, plain
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.clinic.unit_gauge import UnitDiagnosis
from svae_core.compute import tasks
from svae_core.compute.engine import Lane
from svae_core.compute.workers import WorkerLost
from svae_core.config.settings import DATA_FIELDS, settings_key
from svae_core.latent.results import A, BandStudy, Question, load_studies
from svae_core.own_data.formats import listed
from svae_core.problem import with_band
from svae_core.records import FeasibleRegion, FloorCurves, Problem, RequestError, Settings, State

Arguments = TypeVarTuple("Arguments")
Item = TypeVar("Item")
#: The settings that decide the region.
REGION_FIELDS = (*DATA_FIELDS, "collapse_loss", "band", "lower_edge")
_GAUGE_FIELDS = (*DATA_FIELDS, "latent_dim", "batch_size", "beta", "sigma2")
_PREPARED_FIELDS = (*DATA_FIELDS, "method", "method_options")
_PREPARING = "Mapping the data onto the shell, clustering, computing the floors"
_STUDIED = Path(__file__).parents[2] / "assets" / "band_study.json"


def problem(chosen: Settings, doing: str = _PREPARING) -> Problem:
    """Everything that is fixed before training, prepared by a worker and cached."""
    wait_for_file(chosen)
    asked = Settings(**{name: getattr(chosen, name) for name in _PREPARED_FIELDS})
    key = settings_key(asked, _PREPARED_FIELDS)
    call = _call(Lane.PREPARATION, tasks.prepare, asked)
    return with_band(_result(server().prepared, key, call, doing), chosen)


def wait_for_file(chosen: Settings, where: str = "in the sidebar, which » opens") -> None:
    """End the page with an invitation where own data are chosen and none are given yet."""
    if chosen.dataset == "file" and not dict(chosen.dataset_options).get("key"):
        st.info(
            f"Give your file under “Your file” {where}, and it is drawn here. Formats: {listed()}."
        )
        st.stop()


def sharpened(chosen: Settings) -> Future[tuple[FloorCurves, ...]]:
    """The floors of the same data with the kernel bounds in them, computed in the background."""
    asked = Settings(**{name: getattr(chosen, name) for name in _PREPARED_FIELDS})
    key = f"sharpened.{settings_key(asked, _PREPARED_FIELDS)}"
    return background_task(key, in_background(tasks.floors, (asked,)))


def explore(state: State, question: Question[A]) -> A:
    """The answer to a question about the latent spaces of the state's models."""
    models = [settings_key(settings) for settings in state.settings]
    key = f"{models} {state.step} {question}"
    call = _call(Lane.AT_ONCE, tasks.explore, state, question)
    answer: A = _result(server().explored, key, call, "Looking into the latent spaces")
    return answer


def gauges(chosen: Settings, losses: tuple[TrainingLoss, ...]) -> tuple[UnitDiagnosis, ...] | str:
    """What training losses imply on the data, or a sentence on why they do not fit them."""
    wait_for_file(chosen)
    key = f"gauges.{settings_key(chosen, _GAUGE_FIELDS)} {losses}"
    call = _call(Lane.AT_ONCE, tasks.gauges, chosen, losses)
    return _result(server().explored, key, call, "Finding the data's eigenvalues")


def regions_by_definition(prepared: Problem, chosen: Settings) -> dict[str, FeasibleRegion]:
    """The region by each definition of the collapse loss, all else equal."""
    return {
        name: with_band(prepared, dataclasses.replace(chosen, collapse_loss=name)).region
        for name in prepared.region.deltas
    }


def proposal(chosen: Settings) -> tuple[tuple[int, float, float], ...]:
    """(K, W, silhouette) of the numbers of clusters that were tried, whatever K is in use."""
    asked = Settings(**{name: getattr(chosen, name) for name in DATA_FIELDS} | {"clusters": 0})
    key = f"proposal.{settings_key(asked, DATA_FIELDS)}"
    call = _call(Lane.PREPARATION, tasks.proposal, asked)
    return _result(server().prepared, key, call, "Trying other numbers of clusters")


@cache
def studies() -> tuple[BandStudy, ...]:
    """The recorded studies of sample quality over the width of the band, read once."""
    return load_studies(_STUDIED)


def in_background(
    task: Callable[[*Arguments], Item], *arguments: *Arguments
) -> Callable[[], Future[Item]]:
    """A call on the worker for what takes many seconds, for `background_task`."""
    return _call(Lane.BACKGROUND, task, *arguments)


def background_task(key: str, call: Callable[[], Future[Any]]) -> Future[Any]:
    """A call of many seconds, started by the first visitor who requests it."""
    return server().tasks.get(key, call)


def retry_task(key: str) -> None:
    """Forget the failed call of this key, so that the next request starts it again."""
    server().tasks.forget(key)


def shared_job(section: str, key: str, make: Callable[[], Item]) -> Item:
    """An object that all visitors of a section share by key; `make` constructs it, idle."""
    found: Item = server().jobs.get(f"{section}.{key}", make)
    return found


def _call(
    lane: Lane, task: Callable[[*Arguments], Item], *arguments: *Arguments
) -> Callable[[], Future[Item]]:
    """A call on a worker, to be begun when its result is asked for and not there yet."""
    return lambda: server().engine.submit(task, *arguments, lane=lane)


def _result(
    results: SharedResults[Future[Any]], key: str, call: Callable[[], Future[Item]], doing: str
) -> Item:
    """The result of a call. A failed call is forgotten, so that it can be repeated.

    A call for which nobody waits any more is cancelled.
    """
    future: Future[Item] = results.get(key, call)
    try:
        with results.waiting(key, future):
            _await(future, doing)
        return future.result()
    except (RequestError, WorkerLost) as error:
        sentence = str(error)
    except CancelledError:
        sentence = "This was given up, since nobody waited for it; reload the page to ask again."
    results.forget(key)
    st.error(plain(for_visitors(sentence)))
    st.stop()


def _await(future: Future[Any], doing: str) -> None:
    """Wait, and show for how long; Streamlit can interrupt the script at each output."""
    start = time.monotonic()
    place = st.empty()
    while not wait([future], timeout=0.25).done:
        seconds = time.monotonic() - start
        place.info(f"{doing} … {seconds:.0f} s")
    place.empty()
