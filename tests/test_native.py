"""Training by native code: the same as by torch, member by member, however it is sliced."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.effort import effort
from support.slopes import slopes_of

from svae_core.methods import method_for, scan_methods
from svae_core.problem import prepared_data
from svae_core.records import Budget, Settings, State
from svae_core.runs.tensors import pack_state, unpack_state
from svae_core.training import evaluate, loop, trainer
from svae_core.training.native import compiled

ROOT = Path(__file__).resolve().parents[1]
AVERAGED = [n for n, plugin in scan_methods().items() if hasattr(plugin.module.Method, "slopes")]
TOY = Settings(dataset="wine", clusters=3, latent_dim=3, hidden=24, batch_size=40, epochs=20)


def run(members: tuple[Settings, ...], steps: int, engine: str = "native") -> State:
    state = dataclasses.replace(loop.begin(members), engine=engine)
    return loop.advance(state, Budget(steps=steps, frames=False)).state


def members_of(base: Settings, names: list[str]) -> tuple[Settings, ...]:
    return tuple(dataclasses.replace(base, method=name) for name in names)


def assert_same(one: State, other: State) -> None:
    for name in ("parameters", "first_moment", "second_moment"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.memory.keys() == other.memory.keys()
    for name, value in one.memory.items():
        np.testing.assert_array_equal(value, other.memory[name])


# -------------------------------------------------------------------------------- slopes

_levels = st.floats(0.01, 5.0)


@pytest.mark.parametrize("name", AVERAGED)
@given(loss=_levels, kl=st.tuples(_levels, _levels, _levels), step=st.integers(0, 50))
def test_slopes_are_the_derivatives_of_the_value(
    name: str, loss: float, kl: tuple[float, ...], step: int
) -> None:
    settings = dataclasses.replace(TOY, method=name)
    prepared, method = prepared_data(settings), method_for(settings)
    constants = method.constants(prepared, settings)
    memory = {}
    if hasattr(method, "memory"):
        memory = {key: float(value) for key, value in method.memory(prepared, settings).items()}
    same: dict[str, Any] = {"memory": memory, "step": step, "progress": step / 50}
    found = slopes_of(method, constants, loss=loss, kl=kl, **same)
    h = 1e-6

    def slope(**changed: Any) -> tuple[float, float]:
        """One-sided differences: at a corner the slope lies between them."""
        here = {"loss": loss, "distortion": loss, "kl": kl} | same
        values = [
            slopes_of(method, constants, **(here | {k: v[i] for k, v in changed.items()})).value
            for i in range(2)
        ]
        return (found.value - values[0]) / h, (values[1] - found.value) / h

    by = [
        ("loss", slope(loss=(loss - h, loss + h)), found.by_loss),
        ("distortion", slope(distortion=(loss - h, loss + h)), found.by_distortion),
    ]
    for j in range(len(kl)):
        lower, upper = (
            tuple(v + sign * h * (i == j) for i, v in enumerate(kl)) for sign in (-1, 1)
        )
        by.append((f"KL_{j}", slope(kl=(lower, upper)), found.by_kl[j]))
    for of, (left, right), claimed in by:
        slack = 1e-4 * max(1.0, abs(left), abs(right))
        assert min(left, right) - slack <= claimed <= max(left, right) + slack, (
            f"∂/∂{of} of {name} is said to be {claimed}, but its value changes by {left}, {right}: "
            "what depends on this step's averages may enter the loss at the next step, by memory."
        )


@pytest.mark.parametrize("name", AVERAGED)
def test_slopes_compile(name: str) -> None:
    method = scan_methods()[name].module.Method
    assert not compiled.slopes_of(method).reason and compiled.is_for_native(method)


def test_a_method_that_cannot_be_compiled_slows_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It trains by torch, beside others by native code, and `doctor` says why."""
    geco = scan_methods()["geco"].module.Method
    stated = geco.slopes
    monkeypatch.setattr(geco, "slopes", staticmethod(lambda batch: tuple(list(stated(batch)))))
    compiled.slopes_of.cache_clear()
    try:
        assert "TypingError" in compiled.slopes_of(geco).reason
        assert "\n" not in compiled.slopes_of(geco).reason
        own = dataclasses.replace(TOY, seed=9)  # no other test's, for answers are kept
        state = loop.begin(members_of(own, ["geco", "spherical"]))
        assert [model.native is None for model in loop.models(state)] == [True, False]
        assert loop.advance(state, Budget(steps=2)).state.step == 2
    finally:
        compiled.slopes_of.cache_clear()


# ------------------------------------------------------------------------- the same as torch


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["mlp", "linear"])
@pytest.mark.parametrize("dataset", ["wine", "digits"])
def test_a_hundred_steps_end_where_torch_ends(dataset: str, arch: str) -> None:
    base = dataclasses.replace(TOY, dataset=dataset, arch=arch, clusters=10, epochs=40)
    members = members_of(base, AVERAGED)
    native, torch = run(members, 100), run(members, 100, "torch")
    assert native.engine == "native" and torch.engine == "torch"
    gap = native.parameters - torch.parameters
    assert np.sqrt((gap**2).mean()) < 1e-6 and np.abs(gap).max() < 2e-4
    for name, value in native.memory.items():
        np.testing.assert_allclose(value, torch.memory[name], atol=1e-4)


@pytest.mark.parametrize("arch", ["mlp", "linear"])
@pytest.mark.parametrize("dataset", ["wine", "digits"])
def test_frames_by_native_code_are_those_of_torch_to_rounding(dataset: str, arch: str) -> None:
    base = dataclasses.replace(TOY, dataset=dataset, arch=arch, clusters=10)
    state = run(members_of(base, ["baseline", "spherical", "iwae"]), 30)
    models = loop.models(state)
    assert [model.native is None for model in models] == [False, False, True]
    position = evaluate.RunPosition(30, 1, 60)
    for model in models[:2]:
        native = evaluate.frame(model, position)
        torch = evaluate.frame(dataclasses.replace(model, native=None), position)
        for item in dataclasses.fields(native):
            one, other = getattr(native, item.name), getattr(torch, item.name)
            if isinstance(one, str) or item.name == "active":
                np.testing.assert_array_equal(one, other, err_msg=item.name)
            else:
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5, err_msg=item.name)


# ------------------------------------------------------------------------------- bit for bit


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["mlp", "linear"])
def test_a_member_equals_its_solo_run_whatever_trains_beside_it(arch: str) -> None:
    names = ["baseline", "iwae", "spherical", "spherical_lagrangian", "delta_vae"]
    members = members_of(dataclasses.replace(TOY, arch=arch), names)
    members = (*members, dataclasses.replace(members[2], seed=7))
    together = run(members, 30)
    for index, settings in enumerate(members):
        assert_same(loop.member(together, index), run((settings,), 30))


@pytest.mark.slow
def test_two_threads_train_as_one_does() -> None:
    members = members_of(TOY, ["baseline", "spherical", "geco"])
    alone = run(members, 30)
    torch.set_num_threads(2)
    try:
        assert_same(run(members, 30), alone)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("cuts", [(1,), (4, 5), (7, 30, 31)])
def test_resumed_equals_uninterrupted(cuts: tuple[int, ...]) -> None:
    members = members_of(TOY, ["geco", "spherical"])
    whole = run(members, 40)
    state = loop.begin(members)
    for end in (*cuts, 40):
        state = loop.advance(state, Budget(steps=end - state.step)).state
        state = unpack_state(pack_state(state), members)[0]
    assert state.engine == "native"
    assert_same(state, whole)


def test_a_deadline_stops_between_steps_and_loses_none() -> None:
    members = members_of(TOY, ["baseline"])
    state, taken = loop.begin(members), []
    while not loop.finished(state):
        before = state.step
        state = loop.advance(state, Budget(seconds=0.0, frames=False)).state
        taken.append(state.step - before)
    assert min(taken) >= 1
    assert_same(state, run(members, state.step))


def test_what_is_no_number_stays_one_and_is_said() -> None:
    state = loop.begin((TOY,))
    state.parameters[0, 5] = np.nan
    after = loop.advance(state, Budget(steps=10))
    assert np.isnan(after.state.parameters).any()
    assert not np.isfinite(after.moments[-1][0].loss)


# ---------------------------------------------------------------------- engines and the cache


def test_a_run_that_native_code_cannot_go_on_with_is_known_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = run((TOY,), 20)
    monkeypatch.setattr(compiled, "load", lambda: compiled.Native(None, None, "a test forbids it"))
    assert trainer.engine_of((TOY,)) == trainer.TORCH
    after = loop.advance(state, Budget(steps=20)).state
    assert after.engine == trainer.BOTH
    assert all(model.native is None for model in loop.models(after))
    monkeypatch.undo()
    assert all(model.native is None for model in loop.models(after))  # frames neither
    assert loop.advance(after, Budget(steps=1)).state.engine == trainer.BOTH  # never mixed again


def test_older_runs_go_on_with_torch() -> None:
    state = dataclasses.replace(loop.begin((TOY,)), engine="torch")
    assert loop.advance(state, Budget(steps=2)).state.engine == "torch"


_TRAIN = """
import hashlib, sys
from svae_core.records import Budget, Settings
from svae_core.training import loop
from svae_core.training.native import compiled
settings = Settings(dataset="wine", clusters=3, latent_dim=3, hidden=24, batch_size=40, epochs=20)
state = loop.advance(loop.begin((settings,)), Budget(steps=40, frames=False)).state
print(state.engine, hashlib.sha256(state.parameters.tobytes()).hexdigest(), compiled.load().reason)
"""


def trained_apart(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
def test_no_state_of_the_cache_changes_a_bit(tmp_path: Path) -> None:
    """A process killed while it compiles, then cold, warm, damaged; in soaks, nowhere to write."""
    code = "from svae_core.training.native import compiled; compiled.load()"
    killed = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"SVAE_CACHE": str(tmp_path)}
    )
    while not [*tmp_path.glob("numba/*/*")] and killed.poll() is None:
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    cold = trained_apart(SVAE_CACHE=str(tmp_path))
    assert cold[0] == "native"
    kernels_and_slopes = [*tmp_path.glob("numba/*/complete")]
    assert len(kernels_and_slopes) == 2
    assert trained_apart(SVAE_CACHE=str(tmp_path)) == cold
    for done in kernels_and_slopes:  # one file of each: numba compiles what it was for anew
        index = min(done.parent.rglob("*.nbi"))
        index.write_bytes(index.read_bytes()[:40])
    assert trained_apart(SVAE_CACHE=str(tmp_path)) == cold
    nowhere = tmp_path / "file"
    nowhere.touch()
    for _ in range(effort(0, 1)):  # compiles all of it once more, which takes a quarter of a minute
        assert trained_apart(SVAE_CACHE=str(nowhere)) == cold
    assert trained_apart(SVAE_CACHE=str(tmp_path), NUMBA_DISABLE_JIT="1")[0] == "torch"
