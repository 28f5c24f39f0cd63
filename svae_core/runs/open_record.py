"""The open record: a comparison as one JSON file, which anyone can replay and check.

    data = to_bytes(record);  record = from_bytes(data)
    replayed(recorded_run, run, tolerance) -> Replay       # whether training again gave the same

A record holds settings, versions, scores with their certificates, and a hash of every frame: no
data, no weights and no code. It comes from anyone, so it is read within bounds, its settings are
checked as all settings are, and its numbers are claims until they are replayed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import math
import platform
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from svae_core.certificate.diagnostics import VERDICTS
from svae_core.config.settings import settings_to_dict
from svae_core.config.shares import percent
from svae_core.datasets import scan_datasets
from svae_core.methods import method_for
from svae_core.own_data.damage import reason_of
from svae_core.own_data.names import cleaned
from svae_core.records import Frame, RequestError, Settings, from_json, to_json
from svae_core.runs.bounded_json import COUNT, parse
from svae_core.runs.manifest import DAMAGE, certificate_from_json, settings_of
from svae_core.studies.scores import Score

SCHEMA = 1
#: Bytes and values of a record, and its runs, at most: so many of the longest runs fit.
LONGEST, MOST_VALUES, MOST_RUNS = 2**24, 2**20, 300
#: Relative difference of a number that still counts as the same on another kind of machine.
TOLERANCE = 0.02
#: Numbers of a certificate that are compared between machines, in nats or squared error.
COMPARED = ("loss", "delta", "kl", "mutual_information")
#: Not compared: what is said elsewhere, and how a machine went about its work.
_UNCOMPARED = {
    *("settings", "sentence", "version", "dataset"),
    *("seconds", "cpu_seconds", "batch_runs", "engine"),
}
_SMALL = 0.1  # differences of smaller numbers are taken relative to this
_PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "torch")
_HASH = 16  # hexadecimal digits of a frame's hash
_Word = Annotated[str, Meta(max_length=80)]
_Hash = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{_HASH}}}\Z")]


@dataclass(frozen=True)
class Made:
    """With what a record was made."""

    system: _Word  # of which kind, such as Linux x86_64
    processor: _Word  # as LLVM calls it: it decides, with BLAS's kernels, how sums are rounded
    python: _Word
    versions: dict[_Word, _Word]


@dataclass(frozen=True)
class RecordedRun:
    """One run: what it was, what came out, and hashes of its frames."""

    settings: Settings
    score: Score
    engine: _Word  # what trained it, see training/trainer
    steps: tuple[Annotated[int, Meta(ge=0, lt=COUNT)], ...]  # at which it has a frame
    frames: tuple[_Hash, ...]  # of the numbers of each


@dataclass(frozen=True)
class Record:
    """A comparison."""

    title: str
    made: Made
    runs: tuple[RecordedRun, ...]


@dataclass(frozen=True)
class Replay:
    """What training a run again gave, beside what is recorded."""

    settings: Settings
    equal: bool  # all frames and all scores, bit for bit
    close: bool  # same data and verdict, and no number differs by more than the tolerance
    first_difference: int | None  # step of the first frame that differs
    data: bool  # whether the data are the same
    numbers: dict[str, tuple[float, float]]  # recorded, replayed
    verdicts: tuple[str, str]
    #: Of equal frames: further scores that differ by more than the tolerance, so were not measured.
    altered: tuple[str, ...] = ()

    @property
    def largest(self) -> tuple[str, float]:
        """The number that differs most, and by which share of it."""
        shares = {name: _share(*pair) for name, pair in self.numbers.items()}
        name = max(shares, key=shares.__getitem__)
        return name, shares[name]


def made_here() -> Made:
    """The versions and the machine of this process, with the kernels that its BLAS has chosen.

    They need not be those of the processor (OPENBLAS_CORETYPE), and round sums in their own way.
    """
    import scipy.linalg  # noqa: F401 - brings the BLAS of native code
    from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_info

    from svae_core import __version__

    versions = {"svae": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "none"
    kernels = {str(one.get("architecture")) for one in threadpool_info() if "architecture" in one}
    versions["BLAS kernels"] = ", ".join(sorted(kernels)) or "unknown"
    system = f"{platform.system()} {platform.machine()}"
    return Made(system, get_host_cpu_name(), platform.python_version(), versions)


def frame_hash(frame: Frame) -> str:
    """A hash of all numbers of a frame; its sentence may be worded otherwise by other versions."""
    digest = hashlib.sha256()
    for item in dataclasses.fields(frame):
        if item.name == "sentence":
            continue
        value = getattr(frame, item.name)
        if isinstance(value, np.ndarray):
            little = value.dtype.newbyteorder("<")
            digest.update(f"{item.name} {little.str} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value, little).tobytes())
        else:
            text = float(value).hex() if isinstance(value, float) else value
            digest.update(f"{item.name} {text}".encode())
    return digest.hexdigest()[:_HASH]


def check_recordable(runs: Iterable[Settings]) -> None:
    """RequestError where others could not have the data."""
    for settings in runs:
        if settings.dataset == "file":
            raise RequestError(
                "A record holds no data, so one of a file of your own could not be replayed; name "
                "a data set of `svae datasets`."
            )
        if settings.dataset not in scan_datasets():
            raise RequestError(
                f"There is no data set {cleaned(settings.dataset)!r} here; `svae datasets` lists "
                "all, and one of your own is a file in the folder that SVAE_PLUGINS names."
            )
        method_for(settings)


def check_number(runs: Collection[Settings]) -> None:
    """RequestError where a record of these runs could not be read again."""
    if len(runs) > MOST_RUNS:
        raise RequestError(
            f"These are {len(runs):,} runs, but a record holds {MOST_RUNS} at most; make several."
        )
    if sum(run.latent_dim for run in runs) > MOST_VALUES // 8:
        raise RequestError(
            "These runs have too many latent dimensions together for one record; make several."
        )


def to_bytes(record: Record) -> bytes:
    """The record as JSON, a line for each run."""
    runs = [_run_to_json(run) for run in record.runs]
    head = {"svae_record": SCHEMA, "title": record.title, "made": to_json(record.made)}
    text = json.dumps(head, ensure_ascii=False)[:-1]
    lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in runs)
    return f'{text}, "runs": [\n{lines}\n]}}\n'.encode()


def _run_to_json(run: RecordedRun) -> dict[str, Any]:
    plain: dict[str, Any] = to_json(dataclasses.replace(run, settings=None))  # type: ignore[arg-type]
    del plain["score"]["settings"]
    return plain | {"settings": settings_to_dict(run.settings)}


def from_bytes(data: bytes) -> Record:
    """The record in a file that anyone may have written; RequestError if it is none."""
    try:
        if len(data) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST:,} bytes")
        plain = parse(data, MOST_VALUES)
        if not isinstance(plain, dict) or type(plain.get("svae_record")) is not int:
            raise ValueError("it does not say so")
        if plain["svae_record"] < 1:
            raise ValueError("there is no such version")
        if plain["svae_record"] > SCHEMA:
            raise RequestError("This record is of a newer version; update this program.")
        if not 0 < len(plain["runs"]) <= MOST_RUNS:
            raise ValueError(f"it needs 1 to {MOST_RUNS} runs")
        _check_words(plain)
        settings = settings_of("This record", [run["settings"] for run in plain["runs"]])
        runs = tuple(map(_run_from_json, plain["runs"], settings))
        check_recordable(run.settings for run in runs)
        return Record(cleaned(plain["title"]), from_json(Made, plain["made"]), runs)
    except RequestError:
        raise
    except DAMAGE as error:
        raise RequestError(
            f"This is no record of a comparison, or a damaged one ({reason_of(error)[:200]}); give "
            "a whole copy of what `record make` wrote."
        ) from error


def _check_words(plain: Any) -> None:
    """ValueError for control characters: a terminal would obey those of a stranger."""
    if isinstance(plain, str):
        if not plain.isprintable():
            raise ValueError("it holds control characters")
    elif isinstance(plain, dict):
        for name, value in plain.items():
            _check_words(name)
            _check_words(value)
    elif isinstance(plain, list):
        for value in plain:
            _check_words(value)


def _run_from_json(plain: Any, settings: Settings) -> RecordedRun:
    score = dict(plain["score"])
    certificate = certificate_from_json(score["certificate"])
    certificate = dataclasses.replace(certificate, dataset=cleaned(certificate.dataset))
    if certificate.method != settings.method or score.get("refused"):
        raise ValueError("the certificate of a run is another one's")
    if certificate.verdict not in VERDICTS:
        raise ValueError("the verdict of a run is none")
    score |= {"settings": settings, "certificate": certificate}
    run = from_json(RecordedRun, plain | {"settings": settings, "score": from_json(Score, score)})
    if len(run.steps) != len(run.frames) or list(run.steps) != sorted(set(run.steps)):
        raise ValueError("the frames of a run are not in order")
    return run


def replayed(was: RecordedRun, now: RecordedRun, tolerance: float = TOLERANCE) -> Replay:
    """What is equal between a recorded run and the same one trained again."""
    before, after = was.score.certificate, now.score.certificate
    assert before is not None and after is not None
    recorded, found = (dict(zip(run.steps, run.frames, strict=True)) for run in (was, now))
    steps = sorted(recorded.keys() | found.keys())
    differing = [step for step in steps if recorded.get(step) != found.get(step)]
    numbers = {name: (getattr(before, name), getattr(after, name)) for name in COMPARED}
    data = before.fingerprint == after.fingerprint
    verdicts = before.verdict, after.verdict
    close = all(_share(*pair) <= tolerance for pair in numbers.values())
    claimed, measured = _leaves(was.score), _leaves(now.score)
    # What is not recorded (None) is not claimed: later versions measure more.
    shares = {
        name: _apart(one, measured.get(name)) for name, one in claimed.items() if one is not None
    }
    # Other machines round otherwise, which moves some scores far; equal training cannot.
    altered = () if differing else tuple(name for name in shares if shares[name] > tolerance)
    return Replay(
        settings=was.settings,
        equal=data and not differing and not any(shares.values()),
        close=close and data and verdicts[0] == verdicts[1] and not altered,
        first_difference=differing[0] if differing else None,
        data=data,
        numbers=numbers,
        verdicts=verdicts,
        altered=altered,
    )


def _leaves(score: Score) -> dict[str, Any]:
    """All numbers and words of a score by their names, but for those of wording, time and place."""
    found: dict[str, Any] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                if key not in _UNCOMPARED:
                    walk(f"{name} {key}".strip(), one)
        elif isinstance(value, list):
            for at, one in enumerate(value):
                walk(f"{name} {at + 1}", one)
        else:
            found[name] = value

    walk("", to_json(dataclasses.replace(score, settings=None)))  # type: ignore[arg-type]
    return found


def _apart(was: Any, now: Any) -> float:
    """The share by which numbers differ; ∞ for words that do."""
    if isinstance(was, int | float) and isinstance(now, int | float):
        return _share(float(was), float(now))
    return 0.0 if was == now else math.inf


def _share(was: float, now: float) -> float:
    """|now − was| as a share of |was|, or of _SMALL; 0 where both are unknown."""
    if math.isnan(was) or math.isnan(now):
        return 0.0 if math.isnan(was) and math.isnan(now) else math.inf
    return abs(now - was) / max(abs(was), _SMALL)


def said(replay: Replay) -> str:
    """The replay of a run in one sentence: equal, close, or what differs and how much."""
    settings = replay.settings
    what = f"{settings.dataset}, {settings.method}, seed {settings.seed}"
    if replay.equal:
        return f"{what}: equal, bit for bit."
    if not replay.data:
        return f"{what}: differs, since the data are others."
    told = {f"certificate {name}" for name in (*COMPARED, "verdict")}  # by the sentence below
    if replay.altered and not told & set(replay.altered):
        names = ", ".join(replay.altered[:5]) + (" …" if len(replay.altered) > 5 else "")
        return f"{what}: differs: it trains as recorded, but its scores are others: {names}."
    name, share = replay.largest
    was, now = replay.numbers[name]
    where = f"frames from step {replay.first_difference} on"
    where = where if replay.first_difference is not None else "numbers of the certificate"
    most = f"{name} most, by {percent(share, '.2g')} ({was:.5g} recorded, {now:.5g} here)"
    if replay.verdicts[0] != replay.verdicts[1]:
        most += f"; recorded as {replay.verdicts[0]}, here {replay.verdicts[1]}"
    return f"{what}: {'close' if replay.close else 'differs'}: {where}, {most}."


def others(made: Made, here: Made) -> str:
    """In what this machine differs from that of the record, as a phrase; empty: in nothing."""
    pairs = {"system": (made.system, here.system), "processor": (made.processor, here.processor)}
    pairs["Python"] = made.python, here.python
    pairs |= {name: (made.versions.get(name, "none"), v) for name, v in here.versions.items()}
    return ", ".join(
        f"{name} {cleaned(was)} there and {now} here"
        for name, (was, now) in pairs.items()
        if was != now
    )
