"""10,000 runs on 32 nodes, simulated from overheads that are measured here.

    PYTHONPATH=. python tests/benchmarks/bench_cluster_scale.py > tests/benchmarks/cluster_scale.md

A real sweep on a real scheduler with two workers gives, per call: processor seconds of the command,
of the scheduler and of the worker, and the bytes that travel. The simulation has one command, one
scheduler and one network link, each of which does one thing at a time, and the nodes' cores. Times
are processor seconds, so that other work on this machine changes little of them.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import pickle
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.dask_processes import Dask, dask_processes

from svae_core.commands._cluster import _FAR_SLICE, in_slices
from svae_core.compute.engine import Engine
from svae_core.records import Settings
from svae_core.studies import jsonl
from svae_core.studies.grid import Grid
from svae_core.studies.sweep import Sweep

BASE = Settings(dataset="digits", clusters=10, epochs=10)
#: Of the simulated network, and the way there and back on a campus.
_BYTES_PER_SECOND, _WAY = 1e9 / 8, 1e-3
RUNS, NODES, MEASURED = 10_000, 32, 144


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes of one call, a slice of a part."""

    command: float  # of the command's process: packing, unpacking, keeping rows
    scheduler: float
    sent: float  # bytes there and back
    part: float  # processor seconds of a whole part on a worker
    runs: float  # runs of a part
    plan: float  # seconds per run before anything is trained


def grid(runs: int) -> Grid:
    """As many runs as asked for: σ² and β of one method."""
    side = math.ceil(math.sqrt(runs))
    values = tuple(0.05 * 40 ** (i / max(1, side - 1)) for i in range(side))
    sweep: Any = Grid((BASE,), (("sigma2", values), ("beta", values)), (0,))
    return sweep


def measured(dask: Dask, runs: int) -> tuple[Costs, float]:
    """The costs of a real sweep of about so many runs, and its seconds."""
    engine = Engine(0, dask.address)
    engine.submit(int).result()
    sweep = Sweep(grid(runs))
    parts = sweep.plan()
    scheduler = psutil.Process(dask.scheduler.pid)
    workers = [dask.process_of(number) for number in range(len(dask.workers))]
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "rows.jsonl")
        before = _cpu([scheduler]), _cpu(workers), time.process_time(), time.perf_counter()
        calls, sizes = 0, []
        with jsonl.writing(out):
            for _, part in in_slices(parts, len(parts), engine, 0.5):
                calls += part.progress > 0 or part.done
                sizes.append(len(pickle.dumps(part)))
                if part.done:
                    jsonl.append(out, sweep.take(part, part.rows))
        after = _cpu([scheduler]), _cpu(workers), time.process_time(), time.perf_counter()
    engine.stop()
    spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
    planned = time.process_time()
    count = len(Sweep(grid(900)).plan())
    planned = (time.process_time() - planned) / 900
    assert count
    costs = Costs(
        command=spent[2] / calls,
        scheduler=spent[0] / calls,
        sent=2 * sum(sizes) / len(sizes),
        part=spent[1] / len(parts),
        runs=len(sweep.grid.runs) / len(parts),
        plan=planned,
    )
    return costs, spent[3]


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(one.cpu_times().user + one.cpu_times().system for one in processes)


@dataclass
class _Queue:
    """What does one thing at a time."""

    free: float = 0.0
    busy: float = 0.0

    def serve(self, at: float, seconds: float) -> float:
        self.free = max(self.free, at) + seconds
        self.busy += seconds
        return self.free


def simulated(costs: Costs, runs: int, cores: int) -> tuple[float, dict[str, float]]:
    """Seconds until all rows are kept, and the share of it that each bottleneck was busy."""
    command, scheduler, link = _Queue(costs.plan * runs), _Queue(), _Queue()
    left = [costs.part] * math.ceil(runs / costs.runs)
    waiting = list(range(len(left)))
    free = [0.0] * cores  # when each core has nothing to do
    heapq.heapify(free)
    events: list[tuple[float, int]] = []  # a slice's answer has come back
    ahead = 2 * cores  # calls that are sent before an answer has come, as the command does it

    def send(part: int, at: float) -> None:
        there = command.serve(at, costs.command / 2)
        there = link.serve(there, costs.sent / 2 / _BYTES_PER_SECOND) + _WAY
        there = scheduler.serve(there, costs.scheduler)
        core = heapq.heappop(free)
        seconds = min(left[part], _FAR_SLICE)
        done = max(core, there) + seconds
        left[part] -= seconds
        heapq.heappush(free, done)
        back = link.serve(done, 0.0) + costs.sent / 2 / _BYTES_PER_SECOND + _WAY
        heapq.heappush(events, (back, part))

    while waiting and len(events) < ahead:
        send(waiting.pop(0), command.free)
    end = 0.0
    while events:
        at, part = heapq.heappop(events)
        end = command.serve(at, costs.command / 2)
        if left[part] > 0:
            send(part, end)
        elif waiting:
            send(waiting.pop(0), end)
    busy = {"command": command.busy / end, "scheduler": scheduler.busy / end}
    return end, busy | {"link": link.busy / end}


def main() -> None:
    """Measure, simulate and print."""
    machine.check()
    with dask_processes(2) as dask:
        measured(dask, 4)  # imports and compiled code
        costs, seconds = measured(dask, MEASURED)
    again, _ = simulated(dataclasses.replace(costs, plan=0.0), MEASURED, 2)
    print("# A cluster of 32 nodes\n")
    print(f"Written by bench_cluster_scale.py. Measured: a sweep of {MEASURED} runs of digits,")
    print(f"{BASE.epochs} epochs, on a scheduler and two workers of one thread.\n")
    print("| per call | |\n| --- | ---: |")
    print(f"| processor time of the command, ms | {1e3 * costs.command:.1f} |")
    print(f"| of the scheduler, ms | {1e3 * costs.scheduler:.1f} |")
    print(f"| there and back, kB | {costs.sent / 1e3:.0f} |")
    print(f"| runs of a part, processor seconds of it | {costs.runs:.0f}, {costs.part:.2f} |")
    print(f"| planning, ms per run | {1e3 * costs.plan:.2f} |")
    print(f"| the {MEASURED} runs: measured, simulated, s | {seconds:.1f}, {again:.1f} |")
    print(f"\nSimulated: {RUNS:,} runs of the same kind and of a hundred times the length.\n")
    print("| cores of a node | length | s | of the ideal | busy: command, scheduler, link |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for cores in (1, 4, 16):
        for length in (1, 100):
            one = dataclasses.replace(costs, part=length * costs.part)
            seconds, busy = simulated(one, RUNS, NODES * cores)
            ideal = RUNS / one.runs * one.part / (NODES * cores)
            shares = ", ".join(f"{share:.0%}" for share in busy.values())
            print(f"| {cores} | ×{length} | {seconds:,.1f} | {ideal / seconds:.0%} | {shares} |")
    print(f"\n{machine.about()}")


if __name__ == "__main__":
    main()
