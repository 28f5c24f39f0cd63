"""Commands on all cores: the same rows, bit for bit, as of one process."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from svae_core.commands import _cluster
from svae_core.commands._cluster import in_slices
from svae_core.compute.engine import Engine
from svae_core.records import Settings, to_json
from svae_core.studies import attack
from svae_core.studies.comparison import Comparison, ComparisonBatch
from svae_core.studies.grid import Grid
from svae_core.studies.sweep import Chunk, Sweep

ROOT = Path(__file__).resolve().parents[1]
TOY = Settings(dataset="wine", clusters=3, latent_dim=2, hidden=8, epochs=4)
WAIT = 600.0  # only ends a test that hangs: a busy machine may be slow


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Two workers that are there already."""
    engine = Engine(workers=2, scheduler="")
    engine.submit(int).result(WAIT)
    yield engine
    engine.stop()


def rows(parts: tuple[Any, ...], engine: Engine | None, seconds: float = 0.0) -> list[Any]:
    """The rows of all parts, in the order of the plan, as JSON values without times."""
    ended: dict[int, Any] = {}
    for number, part in in_slices(parts, len(parts), engine, seconds):
        ended[number] = part
    assert all(part.done for part in ended.values()) and len(ended) == len(parts)
    plain = [to_json(vars(row)) for number in sorted(ended) for row in ended[number].rows]
    for row in plain:
        for spent in ("seconds", "cpu_seconds"):
            row.pop(spent, None)
    return plain


def made_here(monkeypatch: pytest.MonkeyPatch) -> set[tuple[Settings, ...]]:
    """The members of the parts that this process, and no worker, makes a slice of."""
    made: set[tuple[Settings, ...]] = set()
    for kind in (Chunk, ComparisonBatch):

        def here(part: Any, seconds: float, advance: Any = kind.advance) -> Any:
            made.add(part.members)
            return advance(part, seconds)

        monkeypatch.setattr(kind, "advance", here)
    return made


@pytest.mark.slow
def test_rows_of_two_processes_are_those_of_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attack, "_STEPS", 20)
    bases = tuple(replace(TOY, method=name) for name in ("baseline", "geco", "iwae"))
    grid = Grid(bases, (("sigma2", (0.1, 1.0)),), (0, 1))
    seeds = [replace(one, seed=seed) for one in bases for seed in (0, 1)]
    studies = (Sweep(grid), Comparison(tuple(seeds)))
    for study in studies:
        parts = study.plan()
        alone = rows(parts, None)
        assert len(alone) == study.total
        with monkeypatch.context() as patch:
            here = made_here(patch)
            assert rows(parts, engine) == alone
            assert 0 < len(here) < len(parts)


def _loaded() -> tuple[bool, bool]:
    """In a worker: whether scikit-learn and pandas are loaded."""
    return "sklearn" in sys.modules, "pandas" in sys.modules


def _pandas_version() -> str:
    import pandas

    return str(pandas.__version__)


@pytest.mark.slow
def test_workers_hold_no_pandas_but_find_it(engine: Engine) -> None:
    assert engine.submit(_loaded).result(WAIT) == (True, False)
    assert engine.submit(_pandas_version).result(WAIT) == importlib.metadata.version("pandas")


@pytest.mark.slow
def test_workers_make_what_this_process_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cluster, "_ALONE", 0.0)
    parts = Comparison(tuple(replace(TOY, hidden=8 + n) for n in range(3))).plan()
    alone = rows(parts, None)
    engine = Engine(workers=2, scheduler="")
    made = made_here(monkeypatch)
    advance = ComparisonBatch.advance

    def slowly(part: ComparisonBatch, seconds: float) -> ComparisonBatch:
        deadline = time.monotonic() + WAIT
        while not engine.ready and time.monotonic() < deadline:
            time.sleep(0.05)
        return advance(part, seconds)

    monkeypatch.setattr(ComparisonBatch, "advance", slowly)
    try:
        assert rows(parts, engine) == alone
        assert made == {parts[0].members}
    finally:
        engine.stop()


@pytest.mark.slow
def test_little_work_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(workers=2, scheduler="")
    monkeypatch.setattr(Engine, "start_training", lambda _: pytest.fail("a worker was started"))
    try:
        assert len(rows(Comparison((TOY,)).plan(), engine)) == 1
    finally:
        engine.stop()


_SWEEP = """
import sys
from svae_core.__main__ import main
from svae_core.commands import _cluster, _studying

def slices(parts, count, engine, seconds):
    engine.submit(int).result()  # the workers are there
    yield from _cluster.in_slices(parts, count, engine, seconds)

_studying.in_slices, _cluster._FAR_SLICE = slices, 0.05
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_with_its_workers_it_leaves_none_and_goes_on(how: int, tmp_path: Path) -> None:
    out = tmp_path / "map.jsonl"
    words = [*("sweep", "--dataset", "wine", "--clusters", "3", "--latent-dim", "2"), "--json"]
    words += ["--methods", "baseline", "--hidden", "8", "--epochs", "150", "--out", str(out)]
    words += ["--sigma2", "0.1", "1", "--seeds", "8"]
    environment = os.environ | {"SVAE_WORKERS": "2", "SVAE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", _SWEEP, *words]
    started = {"cwd": ROOT, "env": environment, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, **started, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + WAIT
    while len(_children(process.pid)) < 2 or not (out.exists() and out.stat().st_size):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    workers = _children(process.pid)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does: to all of its processes
    else:
        process.kill()
    _, said = process.communicate(timeout=WAIT)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on" in said and "Traceback" not in said
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kept = out.read_text().splitlines()
    again = [sys.executable, "-m", "svae_core", *words]
    started["env"] = environment | {"SVAE_WORKERS": "1"}  # no more processes to start
    ended = subprocess.run(again, **started, capture_output=True, check=True)
    assert json.loads(ended.stdout)["complete"]
    assert out.read_text().splitlines()[: len(kept) - 1] == kept[:-1]


def _children(pid: int) -> set[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    found: set[int] = set()
    for children in tasks:
        with contextlib.suppress(OSError):
            found |= set(map(int, children.read_text().split()))
    return found
