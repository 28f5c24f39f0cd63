"""Runs and links of an earlier version, in tests/kept: they open, replay, go on and train again.

`recorded.json` holds what the version that exported them said of them: digests of every array of
every frame, and the settings that its links lead to. `clusters-finished.npz` is where it ended when
it resumed the paused pair. Nothing there is ever made anew: a version that disagrees is at fault.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pytest
from support.live_runs import in_a_loop, trainings, until

from pages.live import persistence
from pages.visitor.settings_in_url import from_query, to_link
from svae_core.config.settings import settings_to_dict
from svae_core.records import Frame, Settings
from svae_core.runs import store, transfer
from svae_core.runs.folder import SavedRun, load
from svae_core.training.loop import advance, begin

KEPT = Path(__file__).with_name("kept")
RECORDED: dict[str, Any] = json.loads((KEPT / "recorded.json").read_text(encoding="utf-8"))
FINISHED = ("wine", "breast_cancer")
#: One more vectorised sum, in another order, may differ by this; a wrong step differs by more.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture
def opened(home: Path) -> Any:
    """Imports a kept run as a visitor would, and loads it."""

    def open_run(name: str) -> tuple[Path, SavedRun]:
        folder = transfer.unpack((KEPT / f"{name}.zip").read_bytes(), home)
        return folder, load(folder)

    return open_run


def digest_of(frames: list[Frame], field: str) -> str:
    """One digest over a field of all frames: of types, shapes and bits."""
    digest = hashlib.sha256()
    for frame in frames:
        value = getattr(frame, field)
        if isinstance(value, str):
            text = value.encode()
            digest.update(b"%d:" % len(text) + text)
        else:
            array = np.ascontiguousarray(value)
            digest.update(f"{array.dtype.str}{np.shape(value)}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def on_a_cpu(members: tuple[Settings, ...]) -> tuple[Settings, ...]:
    return tuple(dataclasses.replace(settings, device="cpu") for settings in members)


def contains(plain: dict[str, Any], recorded: dict[str, Any]) -> bool:
    """Whether all that was recorded is still so; fields that are new since then are free."""
    return {name: plain.get(name) for name in recorded} == recorded


@pytest.mark.parametrize("name", RECORDED["runs"])
def test_a_kept_run_opens_and_replays_bit_for_bit(opened: Any, home: Path, name: str) -> None:
    recorded = RECORDED["runs"][name]
    folder, run = opened(name)
    (entry,) = store.saved_runs(home)
    assert entry.folder == folder and not entry.trouble
    for settings, plain in zip(run.about.members, recorded["settings"], strict=True):
        assert contains(settings_to_dict(settings), plain)
    assert (run.about.status, run.about.steps) == (recorded["status"], recorded["steps"])
    assert (run.state.step, len(run.moments)) == (recorded["step"], recorded["moments"])
    for index, fields in enumerate(recorded["frames"]):
        frames = [moment[index] for moment in run.moments]
        assert {field: digest_of(frames, field) for field in fields} == fields
    for field, wanted in recorded["state"].items():
        bits = np.ascontiguousarray(getattr(run.state, field)).tobytes()
        assert hashlib.sha256(bits).hexdigest() == wanted, field
    certificates = [[one.verdict, one.loss, one.kl] for one in run.certificates or ()]
    assert certificates == recorded["certificates"]


@pytest.mark.parametrize("name", FINISHED)
def test_a_kept_run_trained_again_ends_where_it_ended(opened: Any, name: str) -> None:
    _, run = opened(name)
    again = advance(begin(on_a_cpu(run.about.members)))
    assert again.state.step == run.state.step
    np.testing.assert_allclose(again.state.parameters, run.state.parameters, **CLOSE)
    for moment, then in zip(again.moments, run.moments[1:], strict=True):
        for frame, old in zip(moment, then, strict=True):
            assert frame.step == old.step
            assert (frame.loss, frame.kl) == pytest.approx((old.loss, old.kl), rel=1e-4, abs=1e-4)


def test_the_kept_pair_trained_again_passes_where_it_was_and_ends_where_it_ended(
    opened: Any,
) -> None:
    _, run = opened("clusters")
    end = np.load(KEPT / "clusters-finished.npz")
    again = advance(begin(on_a_cpu(run.about.members)))
    np.testing.assert_allclose(again.state.parameters, end["parameters"], **CLOSE)
    losses = [frame.loss for frame in again.moments[-1]]
    np.testing.assert_allclose(losses, end["loss"], **CLOSE)
    for moment, then in zip(again.moments, run.moments[1:], strict=False):
        for frame, old in zip(moment, then, strict=True):
            assert frame.loss == pytest.approx(old.loss, rel=1e-4, abs=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("home", "patience")
def test_the_kept_pair_goes_on_to_the_end_that_was_reached_then(opened: Any) -> None:
    folder, run = opened("clusters")
    end = np.load(KEPT / "clusters-finished.npz")

    @in_a_loop
    async def to_the_end() -> None:
        live = persistence.live_run_from(run, folder, trainings())
        live.viewers.count = 1
        live.start()
        live.play()
        await until(live, lambda: live.status in ("finished", "failed"))
        assert live.status == "finished", live.error
        assert live.newest is not None
        np.testing.assert_allclose(live.newest.parameters, end["parameters"], **CLOSE)
        losses = [frame.loss for frame in live.moments[-1]]
        np.testing.assert_allclose(losses, end["loss"], **CLOSE)
        # What was said, but not in which words.
        told = [(one.step, one.kind, one.model, one.dimension) for one in live.remarks]
        assert told == [tuple(one) for one in RECORDED["remarks"]]
        (verdicts,) = json.loads(str(end["certs"]))
        for certificate, (verdict, loss, kl) in zip(live.certificates, verdicts, strict=True):
            assert certificate.verdict == verdict
            assert (certificate.loss, certificate.kl) == pytest.approx((loss, kl), abs=1e-4)

    to_the_end()


@pytest.mark.parametrize("recorded", RECORDED["links"], ids=lambda link: link["link"])
def test_a_kept_link_leads_to_the_same_settings(recorded: dict[str, Any]) -> None:
    query = dict(parse_qsl(recorded["link"].removeprefix("?")))
    settings = from_query(query)
    assert contains(settings_to_dict(settings), recorded["settings"])
    assert from_query(to_link(settings)) == settings
