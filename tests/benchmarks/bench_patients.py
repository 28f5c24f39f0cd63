"""Planted patients: does the clinic name the cause that was planted, and does its cure do as said?

    PYTHONPATH=. python tests/benchmarks/bench_patients.py > tests/benchmarks/patients.md

Five causes × five seeds × three data sets, each with a declared loss. Results are kept in the file
that --kept names, and the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import machine
import numpy as np

from svae_core.clinic.diagnosis import CAUSES, diagnose, wakes
from svae_core.clinic.suspects import Patient, patient_of, suspects
from svae_core.clinic.training_loss import TrainingLoss
from svae_core.clinic.unit_gauge import diagnose_losses
from svae_core.problem import prepared_data
from svae_core.records import Settings
from svae_core.studies import jsonl
from svae_core.studies.reruns import Reran, Rerun, Reruns

DATA = {"digits": 10, "clusters": 5, "wine": 3}
PLANTED = ("units", "weight", "start", "decoder", "healthy")
SEEDS = 5
STEPS = 600
#: Gauges by seed. An autoregressive decoder makes do without z from a gauge that the data decide.
GAUGES = {
    "units": (0.25, 0.25, 0.3, 0.2, 0.25),
    "weight": (1.3, 2.0, 4.0, 10.0, 40.0),
    "start": (0.2, 0.25, 0.3, 0.25, 0.3),
    "healthy": (0.1, 0.2, 0.3, 0.4, 0.5),
}
DECODER_GAUGES = {"digits": 0.3, "clusters": 0.45, "wine": 0.3}
#: Reductions that make a loss another than its numbers say, by seed.
REDUCTIONS = (
    {"over_coordinates": "mean"},
    {"kl_over_batch": "sum"},
    {"over_coordinates": "mean", "kl_over_batch": "sum"},
    {"noise_scale": 3.0},
    {"over_coordinates": "mean", "kl_over_batch": "sum", "kl_over_dimensions": "mean"},
)


_INTRODUCTION = """# Planted patients

Each patient is a conventional VAE with a declared loss, the nets of the mlp and 600 steps, that is
ill by one cause: *units* (by its numbers the gauge is .2 to .3, but a mean, a sum over the batch or
scaled noise multiplies it), *weight* (as stated, gauges from 1.3 to 40), *start* (held at the
collapsed solution above the edge; the stated weight, gauge .2 to .3, comes in the last fifth, when
steps are too small to leave it), *decoder* (autoregressive, at a gauge between its own edge and
that of a plain one). The diagnosis knows the loss, the nets and the reruns, not what was planted. A
prescription is run with another seed than the reruns. Its prediction is that of a linear VAE, which
nonlinear nets exceed on clustered data near the edge (clusters, decoder: gauge .45).

What this does not show: the plants are ours, one cause each. The gauges of *start* and *decoder*,
and how *start* is planted, were chosen after pilot runs on these data, so that each is really ill
by its cause. Patients whose cure is the same settings and seed share one outcome, which is why the
different runs are counted too.
"""


@dataclass(frozen=True)
class Found:
    """One patient, its diagnosis, and the prescription's outcome."""

    dataset: str
    planted: str
    seed: int
    cause: str
    gauge: float
    kl: float
    predicted: float | None  # of the prescription
    measured: float | None
    awake: bool | None
    sentence: str
    prescribed: str


def plant(dataset: str, planted: str, seed: int) -> Patient:
    """A patient with this cause and no other, stated by a training loss."""
    settings = Settings(dataset=dataset, clusters=DATA[dataset], seed=seed, device="cpu")
    prepared = prepared_data(settings)
    n = len(prepared.shell.points)
    per_epoch = math.ceil(n / settings.batch_size)
    epochs = STEPS // per_epoch
    arch = "autoregressive" if planted == "decoder" else "mlp"
    settings = replace(settings, epochs=epochs, arch=arch)
    gauge = DECODER_GAUGES[dataset] if planted == "decoder" else GAUGES[planted][seed]
    points = prepared.dataset.points
    lambda_max = float(np.linalg.eigvalsh(np.cov(points.T, bias=True))[-1])
    # With w = 1/2 and plain sums, βσ² is the KL weight.
    loss = TrainingLoss(factor=0.5, kl_weight=gauge * lambda_max)
    if planted == "units":
        loss = replace(loss, **REDUCTIONS[seed])  # type: ignore[arg-type]
    sizes = settings.latent_dim, settings.batch_size
    gauges = tuple(diagnose_losses((loss, loss.plain_sums()), points, *sizes))
    patient = patient_of(settings, prepared.eigenvalues, n, loss, gauges)
    if planted == "start":
        # Held at the collapsed solution above the edge; the stated weight comes when steps are
        # too small to leave it.
        late = epochs * per_epoch * 4 // 5
        held = replace(
            patient.settings,
            start="collapsed",
            sigma2=2 * patient.lambda_max,
            changes=((late, "sigma2", patient.settings.sigma2),),
        )
        patient = replace(patient, settings=held)
    return patient


def made(runs: tuple[Rerun, ...]) -> list[Reran]:
    """The runs, here and now."""
    rows: list[Reran] = []
    for part in Reruns(runs).plan():
        while not part.done:
            part = part.advance(10.0)
        rows += part.rows
    return rows


def examined(dataset: str, planted: str, seed: int) -> Found:
    """A planted patient's diagnosis; one that is awake as stated needs no rerun."""
    patient = plant(dataset, planted, seed)
    first, *others = suspects(patient)
    rows = made((first,))
    assert rows[0].certificate is not None
    if not wakes(rows[0].certificate):
        rows += made(tuple(others))
    found = diagnose(patient, rows)
    tried = None
    if found.prescription is not None:
        (ran,) = made((Rerun("prescription", found.prescription.settings),))
        tried = ran.certificate
    return Found(
        dataset=dataset,
        planted=planted,
        seed=seed,
        cause=found.cause,
        gauge=found.gauge,
        kl=rows[0].certificate.kl,
        predicted=found.prescription.predicted_kl if found.prescription else None,
        measured=tried.kl if tried else None,
        awake=wakes(tried) if tried else None,
        sentence=found.sentence,
        prescribed=found.prescription.sentence if found.prescription else "",
    )


def tables(rows: list[Found]) -> Iterator[str]:
    """The confusion matrix, the prescriptions, and every patient that was missed."""
    yield "| planted | " + " | ".join(CAUSES) + " |"
    yield "| --- |" + " ---: |" * len(CAUSES)
    for planted in PLANTED:
        counts = Counter(row.cause for row in rows if row.planted == planted)
        yield f"| {planted} | " + " | ".join(str(counts[c] or "") for c in CAUSES) + " |"
    right = sum(row.cause == row.planted for row in rows)
    ill = sum(row.cause != "healthy" for row in rows if row.planted == "healthy")
    yield f"\n{right} of {len(rows)} right; {ill} healthy ones called ill.\n"
    yield "## Prescriptions: KL predicted and measured, nats\n"
    yield "| data | planted | predicted → measured, by seed | within 20 % | awake |"
    yield "| --- | --- | --- | ---: | ---: |"
    cured = [row for row in rows if row.predicted and row.measured is not None]
    for dataset in DATA:
        for planted in PLANTED:
            some = [row for row in cured if (row.dataset, row.planted) == (dataset, planted)]
            if some:
                pairs = ", ".join(f"{row.predicted:.2f} → {row.measured:.2f}" for row in some)
                yield (
                    f"| {dataset} | {planted} | {pairs} | {sum(map(near, some))} of {len(some)} "
                    f"| {sum(bool(row.awake) for row in some)} of {len(some)} |"
                )
    yield f"\n{sum(map(near, cured))} of {len(cured)} within 20 %; of {_distinct(cured)}.\n"
    for row in rows:
        if row.cause != row.planted:
            yield f"* {row.dataset}, {row.planted}, seed {row.seed}: {row.sentence}"


def _distinct(cured: list[Found]) -> str:
    """How many cures are different runs, and how many of those came out within 20 %."""
    # Equal settings and seed give equal KL, bit for bit.
    runs = {(row.dataset, row.measured): row for row in cured}
    return f"{len(runs)} different runs {sum(map(near, runs.values()))}"


def near(row: Found) -> bool:
    """Whether the predicted KL is within 20 % of the outcome."""
    assert row.predicted is not None and row.measured is not None
    return abs(row.predicted - row.measured) <= 0.2 * row.measured


def main() -> None:
    """Print the report as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    kept = Path(tempfile.gettempdir()) / "svae-patients.jsonl"
    parser.add_argument("--kept", default=str(kept), help="file of results, to go on from")
    out = parser.parse_args().kept
    machine.check()
    lines = Path(out).read_text().splitlines() if Path(out).exists() else []
    done = [json.loads(line) for line in lines]
    seconds = sum(line["seconds"] for line in done)
    rows = [Found(**line["found"]) for line in done]
    known = {(row.dataset, row.planted, row.seed) for row in rows}
    for dataset in DATA:
        for planted in PLANTED:
            for seed in range(SEEDS):
                if (dataset, planted, seed) in known:
                    continue
                started = time.process_time()
                rows.append(examined(dataset, planted, seed))
                spent = time.process_time() - started
                seconds += spent
                jsonl.append(out, [{"seconds": spent, "found": asdict(rows[-1])}])
    print(_INTRODUCTION)
    print("\n".join(tables(rows)))
    print(f"\n{seconds:.0f} CPU seconds on one thread. {machine.about()}")


if __name__ == "__main__":
    main()
