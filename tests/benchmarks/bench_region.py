"""`region` on large files: seconds, memory, and the shares of K-means and the floors.

Each file is made here (10 Gaussian clusters, float32), then `python -m svae_core region` runs on it
in its own process, whose memory is its largest resident set, imports and the mapped file included.
Peers: ten starts of K-means on all points, and the search for modes of the tight floor from all
points, at a size where that takes minutes and not hours.

Run: python tests/benchmarks/bench_region.py
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from svae_core import problem
from svae_core.certificate import information_floors, kernel_modes
from svae_core.config.limits import own_machine
from svae_core.geometry import kmeans
from svae_core.geometry.region import collapse_losses
from svae_core.geometry.shell import fit_shell
from svae_core.records import Clusters, FloorCurves

SIZES = ((1_000_000, 64), (60_000, 784))
PEER = (50_000, 64)


def write(path: Path, n: int, d: int) -> None:
    """Write ten clusters, block by block."""
    rng = np.random.default_rng(1)
    centers = rng.standard_normal((10, d), dtype=np.float32)
    points = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, d))
    for start in range(0, n, 65_536):
        count = min(65_536, n - start)
        noise = rng.standard_normal((count, d), dtype=np.float32)
        points[start : start + count] = centers[rng.integers(10, size=count)] + 0.7 * noise


def timed(place: Any, name: str, spent: dict[str, float]) -> None:
    """Wrap a function of a module so that its processor time is recorded."""
    original: Callable[..., Any] = getattr(place, name)

    def noting(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return original(*arguments, **named)
        finally:
            spent[name] = time.process_time() - start

    setattr(place, name, noting)


def child(path: str) -> None:
    """The command itself, with a clock at two of its stages; prints one JSON object."""
    from svae_core.__main__ import main

    spent: dict[str, float] = {}
    timed(problem, "cluster", spent)
    timed(problem, "floor_curves", spent)
    own_machine()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["region", "--dataset", path, "--json"]) == 0
    print(json.dumps({"answer": json.loads(said.getvalue()), "spent": spent}))


def row(folder: Path, n: int, d: int) -> str:
    path = folder / f"{n}x{d}.npy"
    write(path, n, d)
    environment = {**os.environ, "SVAE_HOME": str(folder)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, str(path)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    assert status == 0
    found = json.loads(printed)
    answer, spent = found["answer"], found["spent"]
    assert answer["n"] == n
    cpu = used.ru_utime + used.ru_stime
    size, resident = path.stat().st_size, used.ru_maxrss * 1024
    path.unlink()
    return (
        f"| {n:,} × {d} | {wall:.0f} | {cpu:.0f} | {spent['cluster'] / cpu:.0%} "
        f"| {spent['floor_curves'] / cpu:.0%} | {size / 1e6:.0f} | {resident / 1e6:.0f} "
        f"| {resident / size:.2f} | {answer['W']:.4f} | {answer['floors']['proved']:.4f} "
        f"| {answer['floors']['tight']:.4f} |"
    )


def peers(folder: Path) -> list[str]:
    """Processor seconds of both ways, and their answers."""
    path = folder / "peer.npy"
    write(path, *PEER)
    shell = fit_shell(np.load(path), 0.8, 1.2, "linear")
    points = shell.points

    def grouped() -> Clusters:
        return kmeans.cluster(points, 10)

    ours, quick = clocked(grouped)
    kmeans._STARTED_ON = len(points)
    theirs, slow = clocked(grouped)
    mean_norm = float(np.linalg.norm(points.mean(axis=0, dtype=float)))
    delta = collapse_losses(slow.within, slow.total, mean_norm, 0.8, 1.2)["shell"]
    spectrum = information_floors.covariance_spectrum(points)
    loss = slow.within + 0.25 * (delta - slow.within)

    def curves() -> FloorCurves:
        return information_floors.floor_curves(
            points, slow.centroids, slow.sizes, (0.8, 1.2), delta, slow.within, spectrum
        )

    sampled, few = clocked(curves)
    kernel_modes.SOUGHT_IN = len(points)
    full, many = clocked(curves)
    tight = [information_floors.floors_at(found, loss).tight for found in (few, many)]
    return [
        f"| K-means | {ours:.1f} | {theirs:.1f} | {theirs / ours:.1f}× "
        f"| W {quick.within:.6f} | {slow.within:.6f} |",
        f"| floors | {sampled:.1f} | {full:.1f} | {full / sampled:.1f}× "
        f"| tight {tight[0]:.5f} | {tight[1]:.5f} |",
    ]


def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def report() -> None:
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, scikit-learn "
        f"{sklearn.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} (seconds of "
        "the clock are others' too; cpu is user + system). MB are 10⁶ bytes.\n"
    )
    print(
        "| data | seconds | cpu s | K-means | floors | file MB | peak MB | peak / file "
        "| W | proved at hi | tight at hi |"
    )
    print("| --- |" + " ---: |" * 10, flush=True)
    with tempfile.TemporaryDirectory() as name:
        for n, d in SIZES:
            print(row(Path(name), n, d), flush=True)
        print(f"\nA sample first, against all points at once, {PEER[0]:,} × {PEER[1]}, cpu s:\n")
        print("| stage | ours | all | ratio | ours finds | all finds |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
        for line in peers(Path(name)):
            print(line, flush=True)


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else report()
