"""A randomised search for counter-examples: runs inside their band that have collapsed.

    for batch in Attack(500, seed).plan(): attempts = batch.advance(0.0).rows

Every batch draws data (structured, unstructured or degenerate), an architecture with small layers,
a latent dimension, and sometimes a start at the collapsed solution; every member draws K from 2 to
N/2, a band, a collapse loss, and β and σ² over four decades. For runs that end outside their band
the reason is measured too, since "the penalty did not get there" is itself a claim.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.certificate.diagnostics import COLLAPSED_KL
from svae_core.problem import prepared_data
from svae_core.records import Budget, Certificate, Options, RequestError, Settings, State
from svae_core.studies import jsonl
from svae_core.studies.job import row_to_dict

#: Runs trained as one batch; they share data, architecture and start.
BATCH = 16
_STEPS = 1_200  # optimiser steps of each run: enough to converge on a few hundred points
_POINTS = 300
#: A loss counts as "on the edge of the band" within this fraction of δ − W.
_EDGE = 0.03

HELD = "inside the band, not collapsed"
BROKEN = "inside the band, collapsed"
OUTSIDE = "never reached the band"
NO_BAND = "the band is empty"
OUTCOMES = (HELD, BROKEN, OUTSIDE, NO_BAND)


@dataclass(frozen=True)
class Attempt:
    """One run of the search and its outcome."""

    settings: Settings
    outcome: str  # one of OUTCOMES
    explanation: str
    certificate: Certificate | None  # None if the band was empty, so the run was not trained


@dataclass(frozen=True)
class Data:
    """A data set of the search with its options."""

    dataset: str
    options: Options = ()


#: Structured, unstructured and degenerate data (one blob, near copies, a plane, almost a circle).
DATA = (
    Data("clusters", (("points", _POINTS),)),
    Data("clusters", (("angular_noise", 3.0), ("number", 1), ("points", _POINTS))),
    Data("clusters", (("angular_noise", 0.02), ("points", _POINTS), ("radial_noise", 0.0))),
    Data("clusters", (("ambient_dim", 2), ("angular_noise", 1.0), ("points", _POINTS))),
    Data("clusters", (("ambient_dim", 64), ("angular_noise", 1.0), ("points", _POINTS))),
    Data("swiss_roll", (("points", _POINTS),)),
    Data("wine"),
    Data("breast_cancer"),
    Data("digits"),
)


@dataclass(frozen=True)
class Batch:
    """Runs of the search that are trained as one batch, in one slice."""

    number: int
    members: tuple[Settings, ...]
    rows: tuple[Attempt, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the runs were made."""
        return len(self.rows) == len(self.members)

    @property
    def completed_runs(self) -> int:
        """The number of completed runs."""
        return len(self.rows)

    def advance(self, _seconds: float) -> Batch:
        """The batch with all of its attempts."""
        return dataclasses.replace(self, rows=attempt(self.members))


class Attack:
    """The search as a study; its file has one line for each batch."""

    def __init__(
        self, total: int, seed: int = 0, found: Callable[[Attempt], None] | None = None
    ) -> None:
        self.total = total
        self.seed = seed
        self._found = found  # called with a counter-example before it is recorded
        self.attempts: dict[int, list[Any]] = {}  # as JSON values, by batch

    def plan(self) -> tuple[Batch, ...]:
        """The batches that have no attempts yet."""
        batches = enumerate(plan(self.total, self.seed))
        # A shorter search may have recorded only part of a batch.
        return tuple(
            Batch(number, members)
            for number, members in batches
            if len(self.attempts.get(number, ())) < len(members)
        )

    def resume(self, out: str | None) -> None:
        """Take over the attempts of this seed that a file holds; a torn line is ignored.

        RequestError where a line holds something else than attempts.
        """
        rows = [] if out is None else jsonl.read_rows(out, '{"seed":')
        try:
            self.attempts = dict(
                _recorded(row) for row in rows if row.get("seed") == self.seed and "batch" in row
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise jsonl.damaged(out, "an attempt", error) from error

    def take(self, part: Batch, rows: tuple[Attempt, ...]) -> list[dict[str, Any]]:
        """Take over the attempts of a batch; the line that records them."""
        for row in rows:
            if self._found is not None and row.outcome == BROKEN:
                self._found(row)
        plain = list(map(row_to_dict, rows))
        self.attempts[part.number] = plain
        return [{"seed": self.seed, "batch": part.number, "attempts": plain}]

    @property
    def ended(self) -> int:
        """The number of runs that were made."""
        return len(self.rows)

    @property
    def rows(self) -> list[Any]:
        """All attempts in order; a longer search may have recorded more than are asked for."""
        batches = sorted(number for number in self.attempts if number * BATCH < self.total)
        most = (self.attempts[number][: self.total - number * BATCH] for number in batches)
        return [row for batch in most for row in batch]


def summary(rows: list[Any], seed: int) -> dict[str, Any]:
    """Counts by outcome and by explanation, and the counter-examples, of attempts in JSON."""
    outside = [row["explanation"] for row in rows if row["outcome"] == OUTSIDE]
    held = [row["certificate"] for row in rows if row["outcome"] == HELD]
    slack = [row["kl"] - row["floors"]["tight"] for row in held]
    return {
        "seed": seed,
        "runs": len(rows),
        "trained": sum(row["certificate"] is not None for row in rows),
        "outcomes": {name: sum(row["outcome"] == name for row in rows) for name in OUTCOMES},
        "outside": dict(Counter(outside).most_common()),
        "least_kl_above_floor": min(slack) if slack else None,
        "least_kl_inside": min(row["kl"] for row in held) if held else None,
        "counter_examples": [row for row in rows if row["outcome"] == BROKEN],
    }


def _recorded(row: dict[str, Any]) -> tuple[int, list[Any]]:
    """Number and attempts of a batch in a file; an error of reading where `summary` could not."""
    number, attempts = row["batch"], row["attempts"]
    if type(number) is not int or number < 0:
        raise ValueError("a batch has no number")
    for one in attempts:
        if one["outcome"] not in OUTCOMES:
            raise ValueError("an outcome is none")
        Counter([one["explanation"]])
        if one["certificate"] is not None and one["outcome"] == HELD:
            float(one["certificate"]["kl"]) - float(one["certificate"]["floors"]["tight"])
    return number, list(attempts)


def plan(count: int, seed: int = 0) -> tuple[tuple[Settings, ...], ...]:
    """`count` random runs in batches; the seed determines all of them."""
    batches = []
    for index in range(math.ceil(count / BATCH)):
        rng = np.random.default_rng([seed, index])
        shared = _shared(rng)
        n = _point_count(shared)
        size = min(BATCH, count - index * BATCH)
        batches.append(tuple(_member(shared, n, rng) for _ in range(size)))
    return tuple(batches)


def attempt(members: tuple[Settings, ...]) -> tuple[Attempt, ...]:
    """Train a batch of the plan; returns the outcome of each run, in the order given."""
    from svae_core.training.batch_context import check_run

    able, refused = [], {}
    for settings in members:
        try:
            check_run(settings)
            able.append(settings)
        except RequestError as error:
            refused[settings] = Attempt(settings, NO_BAND, str(error), None)
    judged = {item.settings: item for item in _train(tuple(able))} if able else {}
    return tuple(refused.get(settings) or judged[settings] for settings in members)


def retrain(settings: Settings) -> State:
    """The final state of one run of the search, equal to that of the search bit for bit."""
    from svae_core.training import loop

    return loop.advance(loop.begin((settings,)), Budget(frames=False)).state


def markdown(answer: dict[str, Any]) -> str:
    """The summary as a Markdown table."""
    lines = ["| how runs ended | runs |", "| --- | ---: |"]
    lines += [f"| {name} | {count} |" for name, count in answer["outcomes"].items()]
    lines += [f"| — {name} | {count} |" for name, count in answer["outside"].items()]
    return "\n".join(lines)


# --------------------------------------------------------------------------- random runs


def _shared(rng: np.random.Generator) -> Settings:
    data = DATA[rng.integers(len(DATA))]
    sampled = data.dataset in ("digits", "breast_cancer")
    return Settings(
        dataset=data.dataset,
        dataset_options=data.options,
        n_points=_POINTS if sampled else 0,
        data_seed=int(rng.integers(1000)),
        radial_map=str(rng.choice(["linear", "rank"])),
        arch=str(rng.choice(["linear", "mlp"])),
        hidden=int(rng.choice([2, 8, 32, 64])),
        latent_dim=int(rng.choice([1, 2, 4, 8, 16])),
        start=str(rng.choice(["usual", "usual", "collapsed"])),
        batch_size=64,
        learning_rate=float(rng.choice([2e-3, 5e-3])),
        device="cpu",
    )


def _point_count(shared: Settings) -> int:
    return len(prepared_data(dataclasses.replace(shared, clusters=2)).shell.points)


def _member(shared: Settings, n: int, rng: np.random.Generator) -> Settings:
    low = float(rng.choice([0.0, 0.0, rng.uniform(0.0, 0.4)]))
    high = float(rng.uniform(low + 0.1, 0.9))
    return dataclasses.replace(
        shared,
        method="spherical",
        epochs=math.ceil(_STEPS / math.ceil(n / shared.batch_size)),
        clusters=int(np.exp(rng.uniform(np.log(2), np.log(n // 2)))),
        collapse_loss=str(rng.choice(["shell", "shell", "free", "between"])),
        band=(round(low, 3), round(high, 3)),
        lower_edge=bool(rng.integers(2)),
        sigma2=float(10 ** rng.uniform(-2, 2)),
        beta=float(10 ** rng.uniform(-2, 2)),
        seed=int(rng.integers(1_000_000)),
    )


# ------------------------------------------------------------------------------- outcomes


def _train(members: tuple[Settings, ...]) -> tuple[Attempt, ...]:
    from svae_core.training import loop

    # Frames of the last tenth only: they show whether the loss is still falling at the end.
    late = Budget(steps=int(0.9 * _STEPS), frames=False)
    advance = loop.advance(loop.advance(loop.begin(members), late).state)
    attempts = []
    certificates = loop.certify(advance.state)
    reach = _reach(members, certificates)
    for index, (settings, certificate) in enumerate(zip(members, certificates, strict=True)):
        falling = advance.moments[0][index].loss - advance.moments[-1][index].loss
        attempts.append(_judge(settings, certificate, reach.get(index, math.nan), falling))
    return tuple(attempts)


def _reach(
    members: tuple[Settings, ...], certificates: tuple[Certificate, ...]
) -> dict[int, float]:
    """For runs above their band: the loss the same network reaches when it minimises D alone."""
    from svae_core.training import loop

    above = [
        index for index, certificate in enumerate(certificates) if certificate.loss > certificate.hi
    ]
    if not above:
        return {}
    # β → 0 and no penalty: what is left of the objective is D/(2σ²).
    free = tuple(
        dataclasses.replace(
            members[index], beta=1e-6, sigma2=1.0, method_options=(("strength", 0.0),)
        )
        for index in above
    )
    found = loop.certify(loop.advance(loop.begin(free), Budget(frames=False)).state)
    return {index: certificate.loss for index, certificate in zip(above, found, strict=True)}


def _judge(settings: Settings, certificate: Certificate, reach: float, falling: float) -> Attempt:
    if certificate.in_band:
        collapsed = max(certificate.kl_per_dim) < COLLAPSED_KL
        short = certificate.kl < certificate.floors.tight
        if collapsed or short:
            why = (
                f"D = {certificate.loss:.4f} lies in [{certificate.lo:.4f}, {certificate.hi:.4f}], "
                f"yet KL = {certificate.kl:.4f} nats (floor {certificate.floors.tight:.4f})."
            )
            return Attempt(settings, BROKEN, why, certificate)
        return Attempt(settings, HELD, "", certificate)
    explanation = _explain(settings, certificate, reach, falling)
    return Attempt(settings, OUTSIDE, explanation, certificate)


# These sentences are counted in results files, also in those of earlier versions: they stay.
def _explain(settings: Settings, certificate: Certificate, reach: float, falling: float) -> str:
    loss, lo, hi = certificate.loss, certificate.lo, certificate.hi
    edge = _EDGE * (certificate.delta - lo) / max(1e-9, 1 - settings.band[0])
    if not math.isfinite(loss):
        return "training diverged"
    if lo - edge <= loss <= hi + edge:
        return "ended on the edge of the band"
    if loss < lo:
        if not settings.lower_edge:
            return "below the band: the lower edge was switched off (the guarantee holds there)"
        return "below the band: 1/(2σ²) pulls harder than the penalty (the guarantee holds there)"
    if reach > hi:
        return "above the band: this net does not reach it even when nothing but the loss counts"
    if falling > 0.02 * loss:
        return "above the band: still falling when its epochs ended"
    return "above the band: settled there, although the net can reach it"
