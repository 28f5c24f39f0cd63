"""Thousands of hostile files, and one large valid one.

    PYTHONPATH=. python tests/benchmarks/bench_fuzz.py [--cases 12000] [--seed 0] > fuzz.md

Every case is read and shaped in this process, without the limits of the process that reads files
in the app, so that the readers themselves are measured. Any result other than success or one
sentence stops the benchmark, as does a case that takes more than ten seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pyarrow as pa
import tqdm
from hypothesis import given
from pyarrow import csv as arrow_csv

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.hostile_files import HEADERS, TEXTS, ZIPS, corpus, damaged, outcome  # noqa: E402

from svae_core import __version__  # noqa: E402
from svae_core.own_data import kept  # noqa: E402

PATIENCE = 10.0  # seconds a case may take
ROWS, COLUMNS = 500_000, 50
#: Bytes of the largest specimen: in larger files, damage to a few bytes has little effect.
_MOST_BYTES = 100_000
_SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Tally:
    """Counts of the outcomes of one kind of case."""

    def __init__(self) -> None:
        self.taken = self.refused = 0
        self.seconds = 0.0
        self.sentences: Counter[str] = Counter()

    def case(self, name: str, content: bytes) -> None:
        """Read one file."""
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
            sentence = outcome(name, content, Path(folder))
        seconds = time.perf_counter() - started
        if seconds > PATIENCE:
            raise AssertionError(f"{name} took {seconds:.1f} s")
        self.seconds = max(self.seconds, seconds)
        self.taken += not sentence
        self.refused += bool(sentence)
        if sentence:
            self.sentences["".join(c for c in sentence if not c.isdigit())[-60:]] += 1

    def row(self, kind: str) -> str:
        """One line of the table."""
        return (
            f"| {kind} | {self.taken + self.refused:,} | {self.taken:,} | {self.refused:,} "
            f"| {len(self.sentences)} | {self.seconds:.2f} |"
        )


def damaged_files(count: int, seed: int) -> dict[str, Tally]:
    """Damaged specimens, by their file format."""
    tallies: dict[str, Tally] = {}
    some = [specimen for specimen in corpus() if len(specimen.content) < _MOST_BYTES]
    rng = np.random.default_rng(seed)
    for _ in tqdm.trange(count, file=sys.stderr, disable=None):
        first, second = (some[int(rng.integers(0, len(some)))] for _ in range(2))
        kind = f"damaged {first.name.rsplit('.', 1)[-1]}"
        content = damaged(first.content, second.content, rng)
        tallies.setdefault(kind, Tally()).case(first.name, content)
    return dict(sorted(tallies.items()))


def made_files(name: str, strategy: Any, count: int, seed: int) -> Tally:
    """Files that Hypothesis generates."""
    tally = Tally()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @given(strategy)
    def one(content: bytes) -> None:
        tally.case(name, content)

    one()
    return tally


def peak(who: int = resource.RUSAGE_SELF) -> float:
    """Largest resident memory so far, in MB."""
    return resource.getrusage(who).ru_maxrss / 1024


def large_file(folder: Path) -> None:
    """Print the cost of reading a large valid table, and of using it in a new process."""
    path = folder / "large.csv"
    write_large(path)
    size = path.stat().st_size
    os.environ["SVAE_HOME"] = str(folder / "home")
    shares: list[float] = []
    started, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    key = kept.deposit(path, tell=shares.append)
    seconds = time.perf_counter() - started
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu
    table = kept.find(key)
    reader = peak(resource.RUSAGE_CHILDREN)
    code = f"""
import resource, time
from svae_core.datasets import load_dataset
from svae_core.records import Settings
started = time.perf_counter()
data = load_dataset(Settings(dataset="file", dataset_options=(("key", {key!r}),)))
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(*data.points.shape, round(seconds, 1), peak)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    rows, columns, used, memory = done.stdout.split()
    print(
        f"\nA CSV of {ROWS:,} × {COLUMNS} numbers, a class and gaps ({size / 1e6:.0f} MB) was read "
        f"in {seconds:.0f} s ({cpu:.0f} s of one core), {len(shares)} signs of progress, at most "
        f"{reader:.0f} MB of memory in its reader. Of its {table.rows:,} rows a new process made "
        f"{int(rows):,} × {columns} points (the limit on points) in {used} s with {memory} MB."
    )


def write_large(path: Path) -> None:
    """A table of normal numbers with four decimals, some missing values, and a class."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for start in range(0, ROWS, 50_000):
            values = rng.normal(size=(50_000, COLUMNS)).round(4)
            values[rng.integers(0, 50_000, 20), rng.integers(0, COLUMNS, 20)] = np.nan
            columns = {f"c{i}": pa.array(values[:, i], from_pandas=True) for i in range(COLUMNS)}
            columns["sort"] = pa.array([f"class {i % 7}" for i in range(50_000)])
            options = arrow_csv.WriteOptions(include_header=start == 0)
            arrow_csv.write_csv(pa.table(columns), file, options)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    warnings.simplefilter("error")
    started, before = time.perf_counter(), peak()
    print("# Hostile files\n")
    print(
        "Each was taken, or refused in one sentence without markup; nothing else happened, or this "
        "table would not be here. Sentences are counted without their numbers and names.\n"
    )
    print("| files | cases | taken | refused | different sentences | slowest, s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    whole = Tally()
    for specimen in corpus():
        whole.case(specimen.name, specimen.content)
    print(whole.row("the corpus as it is"))
    made = chosen.cases // 12
    total = whole.taken + whole.refused + 3 * made
    for kind, tally in damaged_files(chosen.cases - 3 * made, chosen.seed).items():
        print(tally.row(kind), flush=True)
        total += tally.taken + tally.refused
    for kind, name, strategy in (
        ("made-up text", "made.csv", TEXTS),
        ("made-up arrays", "made.npy", HEADERS),
        ("made-up archives", "made.zip", ZIPS),
    ):
        print(made_files(name, strategy, made, chosen.seed).row(kind), flush=True)
    seconds = time.perf_counter() - started
    print(
        f"\n{total:,} cases in {seconds:.0f} s, all in one process: {before:.0f} MB of memory "
        f"before, {peak():.0f} MB at most."
    )
    with tempfile.TemporaryDirectory() as folder:
        large_file(Path(folder))
    print(
        f"\nsvae_core {__version__}, pyarrow {pa.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}."
    )


if __name__ == "__main__":
    main()
