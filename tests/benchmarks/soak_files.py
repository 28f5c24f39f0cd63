"""What visitors of the soak upload: own data, arrays of models, and runs; whole, and damaged.

A whole file has what must be shown for it; a damaged one (`right` None) must be refused.
"""

from __future__ import annotations

import io
import random
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.hostile_files import corpus
from support.linear_arrays import linear_model
from support.own_cases import CASES, RIGHT

from svae_core.runs.store import NAME

#: Formats in which a piece that is cut off always shows.
_CUT = (".npy", ".npz", ".parquet", "-ubyte")
_HOSTILE = tuple(one for one in corpus() if one.refusal)


@dataclass(frozen=True)
class File:
    """A file, and what is right for it: (rows, numbers each), or (verdict, points)."""

    name: str
    content: bytes
    right: tuple[Any, int] | None = None


def own_data(dice: random.Random) -> File:
    """A data set: of those that were read wrong once, made anew, cut, or hostile."""
    kind = dice.random()
    if kind < 0.3:
        name = dice.choice(list(RIGHT))
        return File(name, (CASES / name).read_bytes(), RIGHT[name][:2])
    if kind < 0.6:
        return _made(dice)
    if kind < 0.8:
        name = dice.choice([one for one in RIGHT if one.endswith(_CUT)])
        content = (CASES / name).read_bytes()
        return File(name, content[: dice.randrange(20, len(content) - 100)])
    hostile = dice.choice(_HOSTILE)
    return File(hostile.name, hostile.content)


def _made(dice: random.Random) -> File:
    n, d = dice.randrange(30, 400), dice.randrange(2, 9)
    values = np.random.default_rng(dice.randrange(2**31)).normal(size=(n, d)).round(5)
    names = [f"column {i}" for i in range(d)]
    how = dice.choice(("csv", "tsv", "npy", "npz", "parquet"))
    out = io.BytesIO()
    if how in ("csv", "tsv"):
        between = "," if how == "csv" else "\t"
        lines = [between.join(names), *(between.join(map(repr, row)) for row in values.tolist())]
        out.write("\n".join(lines).encode())
    elif how == "npy":
        np.save(out, values)
    elif how == "npz":
        np.savez(out, points=values)
    else:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(dict(zip(names, values.T, strict=True))), out)
    return File(f"made.{how}", out.getvalue(), (n, d))


def model(dice: random.Random) -> File:
    """Arrays of a model that is awake or has collapsed, or that do not fit, or that are cut."""
    n, seed = dice.randrange(120, 400), dice.randrange(2**31)
    verdict, c = dice.choice((("has not collapsed", 0.2), ("has collapsed", 3.0)))
    arrays = linear_model(n, c, 4, seed)
    if dice.random() < 0.6:
        return File("model.npz", _packed(arrays), (verdict, n))
    kind = dice.choice(("cut", "rows", "none", "unnumbered", "noise"))
    if kind == "cut":
        content = _packed(arrays)
        return File("cut.npz", content[: dice.randrange(4, len(content) - 30)])
    if kind == "rows":
        return File("rows.npz", _packed({**arrays, "mean": arrays["mean"][1:]}))
    if kind == "none":
        return File("none.npz", _packed({"mean": arrays["mean"]}))
    if kind == "unnumbered":
        return File("unnumbered.npz", _packed({**arrays, "points": np.full((n, 4), np.nan)}))
    return File("noise.npz", dice.randbytes(5_000))


def _packed(arrays: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def damaged_run(whole: bytes, dice: random.Random) -> bytes:
    """An exported run that is cut, lacks a file, or has other bytes in one; or no run at all."""
    kind = dice.choice(("cut", "lacks", "other", "noise"))
    if kind == "cut":
        return whole[: dice.randrange(len(whole) - 30)]
    if kind == "noise":
        return dice.randbytes(3_000)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as before, zipfile.ZipFile(out, "w") as after:
        names = [one for one in before.namelist() if one != NAME]  # it may have any name
        chosen = dice.choice(names)
        for name in before.namelist():
            content = before.read(name)
            if name == chosen and kind == "lacks":
                continue
            if name == chosen:
                at = dice.randrange(len(content))
                content = content[:at] + b"\xff\x00\xfe" + content[at + 3 :]
            after.writestr(name, content)
    return out.getvalue()
