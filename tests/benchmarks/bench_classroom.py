"""Show 1 of issue 5: a class on one server.

    PYTHONPATH=. python tests/benchmarks/bench_classroom.py > tests/benchmarks/classroom.md

30 students (`students.py`) train digits for 3 minutes, each with its own seed, so that nothing is
shared between them. SVAE_STUDENTS and SVAE_SECONDS set the size and duration of the class.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import statistics
import time

import psutil
from students import Student, memory, processor_seconds, server

STUDENTS = int(os.environ.get("SVAE_STUDENTS", "30"))
SECONDS = float(os.environ.get("SVAE_SECONDS", "180"))
ARRIVING = 15.0  # seconds within which all students arrive
EPOCHS = int(
    os.environ.get("SVAE_EPOCHS", "400")
)  # enough that no run finishes before the class ends
AFTER = 155.0  # after the last student: sessions stay for two minutes, memory half a minute longer


def main() -> None:
    """Run the class and print the measurements."""
    query = f"epochs={EPOCHS}"
    with server() as (address, process):
        asyncio.run(students_of(address, 1, 20.0, query))  # loads everything that is imported late
        time.sleep(20)
        before = memory(process)
        started = processor_seconds(process)
        students = asyncio.run(students_of(address, STUDENTS, SECONDS, query))
        after_class = memory(process)
        used = _since(started, processor_seconds(process))
        server_used = used[process.pid]
        time.sleep(AFTER)
        left = processor_seconds(process)
        time.sleep(5)
        busy = max(_since(left, processor_seconds(process)).values()) / 5
        _report(students, used, server_used)
        after = memory(process)
        print(
            f"| server memory before, at the end, {AFTER:.0f} s after all left, MB "
            f"| {before:.0f}, {after_class:.0f}, {after:.0f} |"
        )
        print(f"| of these kept (asked: at most 150) | {after - before:.0f} |")
        print(f"| busiest process afterwards (asked: none busy) | {busy:.0%} of a core |")
    load = os.getloadavg()[0]
    print(f"\n{psutil.cpu_count()} cores, shared with others; load at the end {load:.1f}.")


async def students_of(
    address: str, count: int, seconds: float, query: str, tls: ssl.SSLContext | None = None
) -> list[Student]:
    """So many students, each with a seed of its own, who arrive one after the other."""
    until = time.monotonic() + seconds + (ARRIVING if count > 1 else 0)
    students = [Student(address, f"{query}&seed={100 + n}", n, tls) for n in range(count)]
    pauses = [ARRIVING * n / count for n in range(count)]
    await asyncio.gather(*(s.attend(until, p) for s, p in zip(students, pauses, strict=True)))
    return students


def _since(before: dict[int, float], after: dict[int, float]) -> dict[int, float]:
    return {pid: used - before.get(pid, 0.0) for pid, used in after.items()}


def _report(students: list[Student], used: dict[int, float], server_used: float) -> None:
    steps = sorted(student.steps for student in students)
    median = statistics.median(steps)
    reruns = [seconds for student in students for seconds in student.reruns]
    commands = [seconds for student in students for seconds in student.commands]
    errors = [error for student in students for error in student.errors]
    print("# A class on one server\n")
    print(f"| {len(students)} students, digits, {SECONDS:.0f} s | |")
    print("| --- | ---: |")
    print(f"| errors (asked: none) | {len(errors)} {' / '.join(sorted(set(errors)))} |")
    print(f"| steps of a run: slowest, median, quickest | {steps[0]}, {median:.0f}, {steps[-1]} |")
    print(f"| slowest ÷ median (asked: at least .6) | {steps[0] / median:.2f} |")
    rates = sorted(student.steps / student.watched for student in students if student.watched)
    print(
        f"| steps per second of a run since its first moment: slowest, median, quickest "
        f"| {rates[0]:.2f}, {statistics.median(rates):.2f}, {rates[-1]:.2f} |"
    )
    print(f"| steps per second, all together | {sum(steps) / SECONDS:.0f} |")
    print(
        f"| a click that runs the page: median, p95 of {len(reruns)}, s (asked: p95 ≤ 1) "
        f"| {quantiles(reruns)} |"
    )
    print(
        f"| pause and play, until the stage has obeyed: median, p95 of {len(commands)}, s "
        f"| {quantiles(commands)} |"
    )
    firsts = [student.first_moment for student in students if student.first_moment]
    print(
        f"| page opened → first moment: median, slowest, s "
        f"| {statistics.median(firsts):.2f}, {max(firsts):.2f} |"
    )
    shown = sum(student.moments for student in students)
    print(f"| moments shown per second, all together | {shown / SECONDS:.1f} |")
    print(
        f"| CPU of the server process, of all | {server_used:.0f} s, {sum(used.values()):.0f} s |"
    )


def quantiles(values: list[float]) -> str:
    """Median and 95 % quantile of some seconds."""
    if len(values) < 2:
        return "none"
    return f"{statistics.median(values):.3f}, {statistics.quantiles(values, n=20)[-1]:.3f}"


if __name__ == "__main__":
    main()
