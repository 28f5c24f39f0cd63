"""The Theory page: conditions checked, objections measured, the search for a counter-example."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from support.information_laws import assert_information_laws
from support.screens import SMALL, charts_of, open_page, resolved, without_exception

from pages.live import registry
from pages.visitor import session
from pages.visitor.shared_job import Job
from svae_core import objections
from svae_core.compute import tasks
from svae_core.compute.engine import Lane
from svae_core.compute.workers import WorkerLost
from svae_core.records import Settings
from svae_core.studies import attack
from svae_core.training import loop

pytestmark = pytest.mark.usefixtures("immediate_engine")


def _table(app: AppTest) -> str:
    return next(text.value for text in app.markdown if "here and now" in text.value)


@pytest.mark.slow
def test_the_server_lists_objections_without_what_measures_them() -> None:
    """They are found by name as the page is drawn, which no reader of imports sees."""
    program = (
        "import sys; from svae_core.objections import objections; assert len(objections()) > 5; "
        "print(*{'torch', 'numba', 'sklearn'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, ""), ran.stdout + ran.stderr


@pytest.mark.slow
def test_theory_checks_what_it_can_without_a_run() -> None:
    table = _table(open_page("theory", SMALL))
    assert table.count("✓ holds") == 1 and table.count("○ open") == 5
    assert "above 1" in table  # the gauge of the plain settings
    table = _table(open_page("theory", {**SMALL, "collapse_loss": "between", "sigma2": "0.01"}))
    assert "✗ fails" in table and "empty" in table and "below 1" in table


@pytest.mark.slow
def test_theory_checks_the_run_that_was_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    members = registry.pair(Settings(dataset="wine", clusters=3, epochs=30))
    state = loop.begin(members)
    advance = loop.advance(state)
    certificates = loop.certify(advance.state)
    for certificate in certificates:
        assert_information_laws(certificate)
    seen = session.LastRun((loop.first_frames(state), *advance.moments), certificates, members)
    monkeypatch.setattr(session, "last_run", lambda _members: seen)
    app = open_page("theory", {**SMALL, "epochs": "30"})
    table = _table(app)
    assert "○ open" not in table
    for certificate in certificates:
        assert f"{certificate.loss:.3f} + {certificate.loss_margin:.3f}" in table
        assert any(certificate.sentence in text.value for text in app.markdown)
    assert len(app.get("download_button")) == 4
    assert {"Conventional VAE", "Spherical VAE"} <= {
        trace.get("name") for trace in charts_of(app)[0]["data"]
    }


@pytest.mark.slow
def test_an_objection_is_measured_when_asked_and_stays() -> None:
    app = open_page("theory", SMALL)
    assert len(app.expander) == len(objections.objections()) + 2  # and two in the sidebar
    measure = [button for button in app.button if button.label == "Measure"]
    assert len(measure) == 6
    without_exception(measure[0].click().run())
    assert any("The best constant answer on the shell" in text.value for text in app.markdown)
    without_exception(app.run())
    assert sum(button.label == "Measure" for button in app.button) == 5
    without_exception(app.number_input(key="clusters").set_value(4).run())
    assert sum(button.label == "Measure" for button in app.button) == 6  # other data


@pytest.mark.slow
def test_a_refused_objection_is_one_sentence() -> None:
    app = open_page("theory", {**SMALL, "collapse_loss": "between"})
    without_exception(app.button[3].click().run())
    assert "empty" in app.error[0].value


@pytest.mark.slow
def test_the_search_runs_to_its_end_and_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "_STEPS", 20)
    app = open_page("theory", SMALL)
    without_exception(app.select_slider(key="attack.runs").set_value(16).run())
    without_exception(
        next(button for button in app.button if button.label == "Start").click().run()
    )
    assert any("16 runs: no counter-example" in text.value for text in app.markdown)
    assert len(charts_of(app)) == 2 and not app.error
    assert any(button.label == "Start" for button in app.button)


def test_a_search_rests_when_cancelled_and_goes_on_when_resumed() -> None:
    series = Job(attack.Attack(32, 3), _Slow())  # type: ignore[arg-type]
    assert not series.begun
    series.advance()
    series.advance()
    assert not series.done and series.rows == [] and series.seconds_left is None
    assert series.begun and "paused; what is done is kept" in series.state(going=False)
    waiting = _Slow.waiting
    assert len(waiting) == 2
    first, second = attack.Attack(32, 3).plan()
    waiting.pop(0).set_result(replace(first, rows=tuple(_attempts(16))))
    series.resume()
    series.advance()
    assert (len(series.rows), series.progress) == (16, 0.5)
    assert "16 of 32 runs" in series.state(going=True)
    waiting.pop(0).set_exception(WorkerLost("gone"))
    series.advance()
    assert series.done and "resume to try again" in series.error
    series.resume()
    series.advance()
    waiting.pop(0).set_result(replace(second, rows=tuple(_attempts(16))))
    series.advance()
    assert series.done and series.error is None
    assert [row.outcome for row in series.rows].count(attack.BROKEN) == 2


class _Slow:
    """Plans at once; batches end when the test says so."""

    waiting: list[Future[Any]] = []  # noqa: RUF012

    def submit(self, task: Callable[..., Any], *arguments: Any, lane: Lane) -> Future[Any]:
        if task is tasks.plan:
            return resolved(lambda: task(*arguments))
        self.waiting.append(Future())
        return self.waiting[-1]


def _attempts(count: int) -> list[attack.Attempt]:
    """Runs without a band, and one counter-example among them."""
    ends = [attack.BROKEN, *[attack.NO_BAND] * (count - 1)]
    return [attack.Attempt(Settings(), end, "because", None) for end in ends]


@pytest.mark.slow
def test_a_counter_example_is_loud_and_leads_to_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attack, "attempt", lambda members: tuple(_attempts(len(members))))
    app = open_page("theory", SMALL)
    without_exception(app.select_slider(key="attack.runs").set_value(16).run())
    without_exception(
        next(button for button in app.button if button.label == "Start").click().run()
    )
    assert "Counter-example" in app.error[0].value
    assert any("COUNTER" in text.value for text in app.markdown)
    assert any(link.proto.label == "Train this run" for link in app.get("page_link"))
