"""Laws of the limits: one table, one sentence over each, and the README names them all."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from support.live_runs import trainings

from pages.live.quota import over_memory_limit, runs_to_evict, sentence
from pages.live.run import LiveRun
from svae_core import problem
from svae_core.config.limits import MEGABYTE, Limits, check_data, check_epochs, limits, variable
from svae_core.records import RequestError, Settings
from svae_core.training import loop

README = Path(__file__).resolve().parents[1] / "README.md"
TOY = Settings(dataset="clusters", n_points=120, clusters=3, epochs=4, batch_size=60, latent_dim=2)


@pytest.mark.parametrize("name", [item.name for item in fields(Limits)])
def test_every_limit_is_set_by_its_variable_and_documented(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), "77")
    assert limits() == replace(Limits(), **{name: 77})
    default = getattr(Limits(), name)
    assert f"| `{variable(name)}` | {default:,} |" in README.read_text("utf-8")


@pytest.mark.parametrize("text", ["many", "0", "-3", "1.5"])
def test_a_variable_that_makes_no_sense_is_named(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVAE_MAX_EPOCHS", text)
    with pytest.raises(RequestError, match=r"^SVAE_MAX_EPOCHS is '.*', but must be .*\.$"):
        limits()


def test_what_is_allowed_passes_and_one_more_does_not() -> None:
    allowed = Limits()
    check_data(allowed.points, allowed.dimensions)
    check_epochs(allowed.epochs)
    with pytest.raises(RequestError, match="SVAE_MAX_POINTS"):
        check_data(allowed.points + 1, 2)
    with pytest.raises(RequestError, match="SVAE_MAX_DIMENSIONS"):
        check_data(10, allowed.dimensions + 1)
    with pytest.raises(RequestError, match="SVAE_MAX_EPOCHS"):
        check_epochs(allowed.epochs + 1)


def run_of(owner: str, seen: float, size: int = 0, viewers: int = 0) -> LiveRun:
    live = LiveRun((TOY,), trainings())
    live.owner, live.viewers.last_at, live.size, live.viewers.count = owner, seen, size, viewers
    return live


def test_a_session_keeps_so_many_runs_and_unwatched_ones_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SVAE_MAX_RUNS", "3")
    watches = {"late": run_of("me", 9), "early": run_of("me", 1), "other's": run_of("you", 0)}
    assert runs_to_evict(watches, "me") == []
    watches["seen"] = run_of("me", 0, viewers=1)
    assert runs_to_evict(watches, "me") == ["early"]
    for live in watches.values():
        live.viewers.count = 1
    with pytest.raises(RequestError, match="shows 3 runs, and 3 are allowed here"):
        runs_to_evict(watches, "me")
    assert runs_to_evict(watches, "you") == []


def test_a_session_holds_so_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_MAX_SESSION_MB", "2")
    watches = {
        "idle": run_of("me", 0, MEGABYTE),
        "seen": run_of("me", 0, 2 * MEGABYTE, viewers=1),
        "other's": run_of("you", 0, 2 * MEGABYTE),
    }
    assert over_memory_limit(watches) == (["idle"], [])
    watches["seen"].size += 1
    gone, held = over_memory_limit(watches)
    assert (gone, held) == (["idle"], [watches["seen"]])
    held[0].interrupt(sentence())
    assert not held[0].training and "SVAE_MAX_SESSION_MB" in str(held[0].error)


def test_the_core_keeps_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVAE_MAX_EPOCHS", "3")
    with pytest.raises(RequestError, match="4 epochs, and 3 are allowed"):
        loop.begin((TOY,))
    monkeypatch.setenv("SVAE_MAX_POINTS", "117")
    with pytest.raises(RequestError, match="118 points, and 117 are allowed"):
        problem.prepared_data(replace(TOY, n_points=118))
