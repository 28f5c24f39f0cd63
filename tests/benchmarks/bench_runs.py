"""Shows 3 and 5 of issue 5: a killed server, a full disk, damaged files, a thousand saved runs.

    PYTHONPATH=. python tests/benchmarks/bench_runs.py > tests/benchmarks/runs.md

Parts can be chosen by name: list, cost, kill, disk, damage. The disk is a tmpfs of a few
megabytes, which only root may mount; without root that part prints a sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "benchmarks")]
from saving import MEGABYTE, cost, home  # noqa: E402
from students import Student  # noqa: E402
from support.ports import free_port  # noqa: E402

from pages.live import persistence, registry  # noqa: E402
from pages.live.persistence import Autosave  # noqa: E402
from pages.server.current import server  # noqa: E402
from pages.widgets import run_table  # noqa: E402
from svae_core.__main__ import main as command  # noqa: E402
from svae_core.commands._training import one_thread  # noqa: E402
from svae_core.records import RequestError, Settings  # noqa: E402
from svae_core.runs import store  # noqa: E402
from svae_core.runs.folder import folder_name, load  # noqa: E402
from svae_core.runs.manifest import ABOUT, about_to_json, new_id, read_about  # noqa: E402
from svae_core.training import loop  # noqa: E402

KILLS = 3


def saved_by_command(*words: str) -> Path:
    """The folder of a run trained on the command line."""
    out = subprocess.run(
        [sys.executable, "-m", "svae_core", "train", *words, "--save", "--json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return Path(json.loads(out.stdout)["run"])


# ------------------------------------------------------------------------- a thousand runs


def thousand() -> None:
    """Seconds to list 1,000 runs."""
    with home() as place:
        short = ("--dataset", "wine", "--clusters", "3", "--epochs", "30")
        one = saved_by_command(*short)
        about = read_about(one)
        for number in range(1, 1000):
            copy = dataclasses.replace(about, id=new_id(), created=about.created - 60 * number)
            folder = place / folder_name(copy)
            folder.mkdir()
            for path in one.iterdir():
                if path.name == ABOUT:
                    (folder / ABOUT).write_text(about_to_json(copy))
                else:
                    (folder / path.name).write_bytes(path.read_bytes())
        listed = _median(lambda: store.saved_runs(place), 5)
        table = _median(
            lambda: run_table.table(run_table.saved(place, run_table.Viewer("", True))), 5
        )
        found = _median(lambda: store.by_id(place, copy.id), 5)
        read = _median(lambda: [load(entry.folder) for entry in store.saved_runs(place)], 1)
        words = [sys.executable, "-m", "svae_core", "runs", "--json"]
        whole = _median(
            lambda: subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, check=True), 3
        )
        size = store.usage(place) / MEGABYTE
    print(f"\n## 1,000 saved runs ({size:.0f} MB)\n")
    print("| what | s | of processor time | of reading them all |")
    print("| --- | ---: | ---: | ---: |")
    for what, (seconds, used) in (
        ("the list, with sizes, asked: under 1", listed),
        ("the same as the Runs page's table", table),
        ("the run of an id", found),
        ("`python -m svae_core runs --json`, start of Python included", whole),
        ("reading all 1,000 whole", read),
    ):
        print(f"| {what} | {seconds:.3f} | {used:.3f} | {used / read[1]:.3f} |")


def _median(work: Any, times: int) -> tuple[float, float]:
    """Median seconds on the clock and of the processor, children included."""
    clock, processor = [], []
    for _ in range(times):
        started, before = time.perf_counter(), sum(os.times()[:4])
        work()
        clock.append(time.perf_counter() - started)
        processor.append(sum(os.times()[:4]) - before)
    return statistics.median(clock), statistics.median(processor)


# ------------------------------------------------------------------------ a killed server


def kill() -> None:
    """kill −9 of the server, repeatedly, in the middle of one run."""
    settings = Settings(epochs=80)
    missing: list[float] = []
    steps: list[int] = []
    with home() as place:
        port = free_port()
        query, errors = f"epochs={settings.epochs}", []
        for attempt in range(KILLS + 1):
            process = _server(port)
            student = Student(f"localhost:{port}", query)
            if attempt < KILLS:
                asyncio.run(_attend(student, 4.0))
                process.send_signal(signal.SIGKILL)
                killed = time.time()
                process.wait()
                query, errors = student.query, errors + student.errors  # the link has the run's id
                (entry,) = store.saved_runs(place)
                assert entry.about is not None, entry.trouble
                missing.append(killed - entry.about.saved)
                steps.append(entry.about.step)
            else:
                asyncio.run(_finish(student, place))
                process.terminate()
                process.wait()
        (entry,) = store.saved_runs(place)
        saved = load(entry.folder)
    one_thread()  # as in the workers: with other thread counts, sums differ in the last bits
    state = loop.begin(registry.pair(settings))
    undisturbed = (loop.first_frames(state), *loop.advance(state).moments)
    compared, equal = _compare(saved.moments, undisturbed)
    print(f"\n## kill −9 of the server, {KILLS} times in one run (digits, pair)\n")
    print("| what | measured |\n| --- | ---: |")
    print(f"| listed after each kill, readable | {len(steps)} of {KILLS} |")
    print(f"| saved at step | {', '.join(map(str, steps))} of {entry.about.steps} |")  # type: ignore[union-attr]
    print(f"| age of what was saved, s, most (asked: at most 2) | {max(missing):.2f} |")
    print(f"| moments at the end, and undisturbed | {len(saved.moments)}, {len(undisturbed)} |")
    print(f"| frames' fields compared, equal bit for bit | {compared}, {equal} |")
    print(f"| errors that the student saw | {len(errors)} |")


def _server(port: int) -> subprocess.Popen[bytes]:
    command_line = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    process = subprocess.Popen(command_line, cwd=ROOT, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5)
            return process
        time.sleep(0.2)
    raise SystemExit("the server did not start")


async def _attend(student: Student, seconds: float) -> None:
    task = asyncio.create_task(student.attend(time.monotonic() + 1000))
    found: set[int] = set()
    while len(found) < 3:  # it trains again
        await asyncio.sleep(0.1)
        assert not student.errors, student.errors
        found |= {student.steps} - {0}
    await asyncio.sleep(seconds)
    task.cancel()  # without a clean end, as when a server is killed


async def _finish(student: Student, place: Path) -> None:
    task = asyncio.create_task(student.attend(time.monotonic() + 1000))
    while True:
        await asyncio.sleep(1.0)
        (entry,) = store.saved_runs(place)
        if task.done() or (entry.about and entry.about.verdicts):
            break
    task.cancel()


def _compare(some: Any, others: Any) -> tuple[int, int]:
    compared = equal = 0
    for mine, theirs in zip(some, others, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            for item in dataclasses.fields(one):
                if item.name != "latent_mean":
                    a, b = getattr(one, item.name), getattr(other, item.name)
                    compared += 1
                    equal += bool(np.array_equal(a, b, equal_nan=not isinstance(a, str)))
    return compared, equal


# ------------------------------------------------------------------- a full or read-only disk


def disk() -> None:
    """A disk of 2 MB that fills up and grows; then one that becomes read-only for a while."""
    print("\n## A disk that refuses (tmpfs, digits, pair)\n")
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True
        )
        if mounted.returncode:
            print("Not measured: a tmpfs cannot be mounted here (only root may).")
            return
        try:
            os.environ["SVAE_HOME"] = f"{folder}/home"
            asyncio.run(_refused(Path(folder)))
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


async def _refused(folder: Path) -> None:
    server().runs.loop = asyncio.get_running_loop()
    run = server().runs.start_run(registry.pair(Settings(epochs=60)))
    live = server().runs.by_id[run]
    heard: list[str] = []
    persistence._log.warning = lambda *words: heard.append(words[-1])  # type: ignore[method-assign]
    autosave = Autosave(lambda: {run: live})
    saving = asyncio.create_task(autosave.run())
    print("| when | what happened |\n| --- | --- |")
    with live.viewed():
        await live.signal.wait_for(lambda: bool(heard), every=0.2)
        full_at = live.moments[-1][0].step
        print(f"| full, at step {full_at} | told: “{heard[0]}” |")
        await asyncio.sleep(5)
        on = live.moments[-1][0].step
        entries = store.saved_runs(Path(os.environ["SVAE_HOME"]))
        state = [entry.trouble or f"readable, at step {entry.about.step}" for entry in entries]  # type: ignore[union-attr]
        print(f"| 5 s later | trained on to step {on}; told {len(heard)} times; on disk: {state} |")
        _remount(folder, "size=64m")
        await live.signal.wait_for(lambda: len(heard) > 1, every=0.2)
        print(f"| the disk has room again | told: “{heard[1]}” |")
        _remount(folder, "ro")
        await live.signal.wait_for(lambda: len(heard) > 2 or live.status == "finished", every=0.2)
        print(f"| read-only | told: “{heard[-1]}” |")
        await live.signal.wait_for(lambda: live.status == "finished")
        _remount(folder, "rw")
        await live.signal.wait_for(lambda: live.notice is None, every=0.2)
        print(f"| writable again, training over | told: “{heard[-1]}” |")
        await asyncio.sleep(3)
    saving.cancel()
    await asyncio.gather(saving, return_exceptions=True)
    await autosave.close()
    (entry,) = store.saved_runs(Path(os.environ["SVAE_HOME"]))
    saved = load(entry.folder)
    compared, equal = _compare(saved.moments, live.moments)
    print(
        f"| at the end | {len(saved.moments)} moments on disk, {equal} of {compared} fields equal "
        f"to those in memory; {len(saved.certificates)} certificates |"
    )
    server().runs.evict(run)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


# ---------------------------------------------------------------------------------- damage


def damage() -> None:
    """Every file of a saved run cut at every tenth byte; newer and foreign folders."""
    with home() as place:
        words = ("--dataset", "wine", "--clusters", "3", "--epochs", "2", "--latent-dim", "2")
        folder = saved_by_command(*words, "--hidden", "8", "--n-points", "40")
        counts: dict[str, list[int]] = {}
        for path in sorted(folder.iterdir()):
            whole = path.read_bytes()
            kind = counts.setdefault(path.name.split("-")[0], [0, 0, 0])
            for cut in range(0, len(whole), 10):
                path.write_bytes(whole[:cut])
                kind[0] += 1
                kind[1] += any("damaged" in entry.trouble for entry in store.saved_runs(place))
                try:
                    load(folder)
                except RequestError:
                    kind[2] += 1
            path.write_bytes(whole)
        assert not store.look(folder).trouble
        print("\n## Files cut at every tenth byte\n")
        print("| file | cuts | listed as damaged, with the reason | refused in one sentence |")
        print("| --- | ---: | ---: | ---: |")
        for name, (cuts, listed, refused) in counts.items():
            print(f"| {name} | {cuts} | {listed} | {refused} |")
        plain = json.loads((folder / ABOUT).read_text())
        (folder / ABOUT).write_text(json.dumps(plain | {"schema": 99}))
        (place / "holiday").mkdir()
        print("\n| folder | what the list says |\n| --- | --- |")
        for entry in store.saved_runs(place):
            what = "foreign" if entry.folder.name == "holiday" else "of a newer schema"
            said = entry.trouble.replace(str(place), "…")
            print(f"| {what} | {said} |")
        with contextlib.redirect_stdout(sys.stderr):
            assert command(["runs"]) == 0


PARTS = {"list": thousand, "cost": cost, "kill": kill, "disk": disk, "damage": damage}

if __name__ == "__main__":
    print("# Runs on disk")
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
        sys.stdout.flush()
    load_now = os.getloadavg()[0]
    print(f"\n{psutil.cpu_count()} cores, shared with others; load at the end {load_now:.1f}.")
    server().runs.stop()
