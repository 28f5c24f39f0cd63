"""Files of one's own: 500 damages and all hostile files of each format, and what large ones take.

    bench_own_data.py [damages|large]       both without a word

Writes own_data.md; a part that is not measured keeps what it says there. SVAE_DAMAGES: damages of
each format, instead of 500.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.damage import damaged
from support.forked_reader import Reader
from support.hostile_formats import honest, hostile, names_of

from svae_core.own_data.formats import formats
from svae_core.own_data.limits import READER_BYTES

HERE = Path(__file__).parent
DAMAGES = int(os.environ.get("SVAE_DAMAGES", "500"))
#: Peak memory, in units of the larger of file and kept matrix, that a command may take.
MOST = 3.0


def damages() -> list[str]:
    """A line for each format: what became of damaged and hostile files."""
    lines = [
        f"## {DAMAGES} random damages of each format, and its hostile files",
        "",
        "A process that ended (a library's crash, or the memory limit) is refused as damaged by",
        "the app; broken would be a traceback, and must be 0, as must files opened outside.",
        "",
        "| format | files | taken | refused | process ended | broken | opened outside | "
        "longest s | most MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as folder, Reader(Path(folder)) as reader:
        for form in (item.name for item in formats() if item.endings):
            lines.append(_damages_of(form, reader))
            print(lines[-1], flush=True)
    return lines


def _damages_of(form: str, reader: Reader) -> str:
    chance, names = random.Random(f"bench {form}"), names_of(form)
    files = hostile(form, every=True)
    count: Counter[str] = Counter()
    longest = most = 0.0
    for number in range(len(files) + DAMAGES):
        if number < len(files):
            name, content = files[number]
        else:
            name = names[number % len(names)]
            content = damaged(honest(name), chance)
        outcome = reader.read(content, name)
        count[outcome.kind] += 1
        count["opened"] += len(outcome.opened)
        longest, most = max(longest, outcome.seconds), max(most, outcome.megabytes)
        if outcome.kind == "broken" or outcome.opened:
            print(f"   {name}: {outcome}", flush=True)
    kinds = [count[kind] for kind in ("taken", "refused", "ended", "broken", "opened")]
    total = f"{len(files)} + {DAMAGES}"
    return f"| {form} | {total} | {' | '.join(map(str, kinds))} | {longest:.1f} | {most:.0f} |"


# ------------------------------------------------------------------------------ large files


def _list_column(path: Path) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    rows, width = 500_000, 50
    schema = pa.schema([("embedding", pa.list_(pa.float32(), width))])
    with parquet.ParquetWriter(path, schema) as out:
        for part in range(10):
            block = _block(part, rows // 10, width).reshape(-1)
            column = pa.FixedSizeListArray.from_arrays(pa.array(block), width)
            out.write_table(pa.table({"embedding": column}, schema=schema))
    return 4 * rows * width


def _hdf5(path: Path) -> int:
    import h5py

    rows, width = 1_000_000, 64
    with h5py.File(path, "w") as file:
        points = file.create_dataset("points", (rows, width), "f4", chunks=(10_000, width))
        for part in range(10):
            points[part * rows // 10 : (part + 1) * rows // 10] = _block(part, rows // 10, width)
    return 4 * rows * width


def _h5ad(path: Path) -> int:
    import h5py

    cells, genes, stored = 20_000, 20_000, 1_250
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "shape": (cells, genes)})
        data = group.create_dataset("data", (cells * stored,), "f4")
        indices = group.create_dataset("indices", (cells * stored,), "i4")
        group["indptr"] = np.arange(cells + 1, dtype=np.int64) * stored
        for part in range(0, cells, 1_000):
            inside = slice(part * stored, (part + 1_000) * stored)
            # One gene in each of `stored` runs of genes: sorted, and none twice.
            steps = rng.integers(0, genes // stored, (1_000, stored))
            column = steps + np.arange(stored) * (genes // stored)
            indices[inside] = column.astype(np.int32).reshape(-1)
            data[inside] = 1 + rng.poisson(1 + column % 7).reshape(-1).astype(np.float32)
        for frame, count in (("obs", cells), ("var", genes)):
            place = file.create_group(frame)
            place.attrs["_index"] = "_index"
            place["_index"] = [f"{frame}{i}" for i in range(count)]
    return 4 * cells * 2_000


def _block(part: int, rows: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(part)
    centers = np.random.default_rng(99).normal(size=(10, width))
    return (centers[rng.integers(0, 10, rows)] + 0.3 * rng.normal(size=(rows, width))).astype("f4")


#: Data, shell, clusters and band, as every command begins: without the kernel floors of `region`,
#: which hold about two gigabytes for 20,000 of any points.
PREPARE = """
import sys
from pathlib import Path
from svae_core.commands import deposited
from svae_core.config.settings import Settings
from svae_core.problem import prepared_data
path, *more = sys.argv[1:]
options = [("key", deposited(Path(path))), *zip(more[::2], more[1::2])]
print(prepared_data(Settings(dataset="file", dataset_options=tuple(sorted(options)))).region)
"""
LARGE: dict[str, tuple[str, Callable[[Path], int], list[str]]] = {
    "list.parquet": ("500,000 × 50 Parquet list column", _list_column, []),
    "points.h5": ("1,000,000 × 64 HDF5", _hdf5, []),
    "counts.h5ad": ("20,000 × 20,000 .h5ad in CSR", _h5ad, ["counts", "variable"]),
}


def large() -> list[str]:
    """A line for each large file and command: time, and peak memory of its largest process."""
    lines = [
        "## Large files on the command line",
        "",
        f"Peak: the largest process of the command; at most {MOST:g} times the larger of file and",
        "kept matrix. `data` reads the file; `prepare` shapes it, maps it and clusters it.",
        "",
        "| file | MB | kept matrix MB | command | s | peak MB | times | progress shown |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as place:
        for name, (title, write, more) in LARGE.items():
            path = Path(place) / name
            kept = write(path)
            for command in (
                ["data", str(path), "--json"],
                ["prepare", str(path), *more],
            ):
                lines.append(_measured(title, path, kept, command, Path(place)))
                print(lines[-1], flush=True)
            path.unlink()
    return lines


def _measured(title: str, path: Path, kept: int, command: list[str], place: Path) -> str:
    said = place / "said.txt"
    start = time.monotonic()
    environment = os.environ | {"SVAE_HOME": str(place / "home")}
    environment["PYTHONPATH"] = str(HERE.parents[1])
    with said.open("wb") as errors, (place / "answer.json").open("wb") as answer:
        # A bar is drawn on terminals only: standard error is one.
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        own = command[0] == "prepare"
        program = ["-c", PREPARE, *command[1:]] if own else ["-m", "svae_core", *command]
        child = subprocess.Popen(
            [sys.executable, *program],
            stdout=answer,
            stderr=theirs,
            env=environment,
        )
        os.close(theirs)
        threading.Thread(target=_copied, args=(ours, errors.fileno()), daemon=True).start()
        peak = _peak(child)
    if child.returncode:
        raise SystemExit(f"{command}: {(place / 'answer.json').read_text()[-500:]}")
    time.sleep(0.2)
    shown = said.read_bytes()
    larger = max(path.stat().st_size, kept)
    seconds = time.monotonic() - start
    return (
        f"| {title} | {path.stat().st_size / 1e6:.0f} | {kept / 1e6:.0f} | {command[0]} | "
        f"{seconds:.0f} | {peak / 1e6:.0f} | {peak / larger:.2f} | "
        f"{'yes' if b'%' in shown else 'no'} |"
    )


def _copied(terminal: int, file: int) -> None:
    """Write what appears on a terminal into a file, until the terminal is closed."""
    try:
        while said := os.read(terminal, 4_096):
            os.write(file, said)
    except OSError:
        pass  # the other end is gone


def _peak(child: subprocess.Popen[bytes]) -> int:
    """Bytes of the largest process below this one, at its largest, looked at every 20 ms."""
    import psutil

    most = 0
    while child.poll() is None:
        try:
            here = psutil.Process(child.pid)
            for process in (here, *here.children(recursive=True)):
                status = Path(f"/proc/{process.pid}/status").read_text()
                line = next(part for part in status.splitlines() if part.startswith("VmHWM"))
                most = max(most, 1024 * int(line.split()[1]))
        except (psutil.Error, OSError, StopIteration):
            pass  # it has just ended
        time.sleep(0.02)
    return most


def main() -> None:
    """Measure what was asked for and write the report."""
    makers = {"large": large, "damages": damages}
    wanted = sys.argv[1:] or list(makers)
    report = HERE / "own_data.md"
    before = report.read_text().split("\n## ")[1:] if report.exists() else []
    parts = dict(zip(makers, (f"## {part.strip()}" for part in before), strict=False))
    for name in wanted:
        parts[name] = "\n".join(makers[name]())
        head = (
            "# Files of one's own\n\nWritten by bench_own_data.py; limit of a reading process: "
            f"{READER_BYTES >> 20} MB. Two cores, shared."
        )
        report.write_text(
            "\n\n".join([head, *(parts[key] for key in makers if key in parts)]) + "\n"
        )


if __name__ == "__main__":
    main()
