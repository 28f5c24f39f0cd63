"""A class of thirty beside three abusers: the server alone, then behind nginx. `make school`.

    PYTHONPATH=. python tests/benchmarks/bench_abusers.py > tests/benchmarks/abusers.md

Students as in bench_classroom.py, five minutes each time; K bombs, import bombs and socket floods
meanwhile (abusers.py). nginx is the real one, with docs/deployment/nginx.conf, TLS and prefix.
SVAE_SECONDS gives a shorter class, SVAE_STUDENTS a smaller one, SVAE_PHASES=alone or =nginx one of
the two. Exit status 1 where a student saw an error.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import statistics
import sys
import tempfile
from pathlib import Path

import psutil
from abusers import abused
from bench_classroom import EPOCHS, quantiles, students_of
from students import Student, memory, server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.nginx import in_front_of

STUDENTS = int(os.environ.get("SVAE_STUDENTS", "30"))
SECONDS = float(os.environ.get("SVAE_SECONDS", "300"))
PHASES = os.environ.get("SVAE_PHASES", "alone nginx").split()
_BEHIND = ("--server.baseUrlPath=svae", "--server.allowedHosts=localhost")


def main() -> int:
    """Print the tables; whether a student saw an error."""
    print("# A class beside abusers\n")
    failed = 0
    for phase in PHASES:
        options = ("--server.address=127.0.0.1", *(_BEHIND if phase == "nginx" else ()))
        with server(*options) as (address, process), tempfile.TemporaryDirectory() as folder:
            if phase == "alone":
                address = address.replace("localhost", "127.0.0.1")
                failed += _measured(phase, address, None, process)
                continue
            port = int(address.partition("/")[0].rpartition(":")[2])
            with in_front_of(port, Path(folder)) as proxy:
                failed += _measured(phase, proxy.address, proxy.tls, process)
    return int(bool(failed))


def _measured(phase: str, address: str, tls: ssl.SSLContext | None, process: psutil.Process) -> int:
    """One class; the number of errors that its students saw."""
    asyncio.run(students_of(address, 1, 20.0, f"epochs={EPOCHS}", tls))  # loads what comes late
    before, load = memory(process), []

    async def attended() -> list[Student]:
        loads = asyncio.create_task(_loads(load))
        students = await students_of(address, STUDENTS, SECONDS, f"epochs={EPOCHS}", tls)
        loads.cancel()
        return students

    with abused(address, tls) as done:
        students = asyncio.run(attended())
    errors = [error for student in students for error in student.errors]
    steps = sorted(student.steps for student in students)
    reruns = [seconds for student in students for seconds in student.reruns]
    commands = [seconds for student in students for seconds in student.commands]
    title = "The server alone" if phase == "alone" else "Behind nginx, with TLS and a prefix"
    print(f"| {title}: {STUDENTS} students, {SECONDS:.0f} s | |\n| --- | ---: |")
    print(f"| errors that students saw (asked: none) | {len(errors)} |")
    print(f"| a click that runs the page: median, p95, s (asked: p95 ≤ .3) | {quantiles(reruns)} |")
    print(f"| pause and play: median, p95, s | {quantiles(commands)} |")
    ratio = steps[0] / max(1.0, statistics.median(steps))
    print(f"| slowest run ÷ median, in steps (asked: at least .6) | {ratio:.2f} |")
    print(f"| steps of a run: slowest, median | {steps[0]}, {statistics.median(steps):.0f} |")
    print(f"| server memory before, at the end, MB | {before:.0f}, {memory(process):.0f} |")
    for what, count in sorted(done.items()):
        print(f"| {what} | {count:,} |")
    mean = statistics.fmean(load) if load else os.getloadavg()[0]
    print(f"\n{psutil.cpu_count()} cores, shared with others; mean load {mean:.1f}.\n")
    for error in sorted(set(errors)):
        print(f"* {error}")
    sys.stdout.flush()
    return len(errors)


async def _loads(found: list[float]) -> None:
    while True:
        await asyncio.sleep(10)
        found.append(os.getloadavg()[0])


if __name__ == "__main__":
    sys.exit(main())
