"""Has a model collapsed, and why: reruns with one thing changed in each, or a model's arrays."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands._examining import examine_file, is_arrays
from svae_core.commands._loss import add_loss, known_loss, stated_loss, states_loss
from svae_core.commands._studying import make
from svae_core.commands._training import one_thread, place_of, saved_state
from svae_core.records import RequestError, to_json

if TYPE_CHECKING:
    from svae_core.clinic.diagnosis import Diagnosis
    from svae_core.clinic.suspects import Patient
    from svae_core.studies.reruns import Reran, Rerun


def add_options(command: argparse.ArgumentParser) -> None:
    """A saved run, or the settings of one and the loss that was meant to train it."""
    command.add_argument(
        "saved",
        nargs="?",
        metavar="RUN|FILE",
        help="folder or name of a saved run, or its beginning; or a file with the arrays of any "
        "model by name (NPZ, HDF5, MATLAB or safetensors): points, z, reconstructions, mean, "
        "log_variance, labels, beta_sigma2",
    )
    command.add_argument(
        "--page", metavar="FILE.html", help="write a printable page about a FILE of arrays"
    )
    command.add_argument(
        "--model",
        default="",
        metavar="METHOD",
        help="method of a saved run with several models (default: the first that has collapsed)",
    )
    command.add_argument(
        "--method",
        default="baseline",
        metavar="METHOD",
        help="training method of a run stated by its settings (default: baseline); a stated loss "
        "is that of the conventional VAE",
    )
    add_loss(command)
    add_settings(command, without=("method",))
    add_scheduler(command)


def run(request: argparse.Namespace) -> int:
    """Print the table of reruns, the cause, and the prescription beside its outcome."""
    from svae_core.clinic.diagnosis import diagnose, wakes
    from svae_core.clinic.suspects import suspects
    from svae_core.studies.reruns import Rerun

    one_thread()
    if request.saved and is_arrays(request.saved):
        examine_file(request)
        return 0
    if request.page:
        raise RequestError("--page is about a FILE of arrays; for a run use certify.")
    patient, rows = _saved(request) if request.saved else (_stated(request), [])
    # A saved run that is awake has nothing to be explained.
    awake = any(row.certificate is not None and wakes(row.certificate) for row in rows)
    made = _reran(request, () if awake else suspects(patient, trained=bool(rows)))
    if isinstance(made, int):
        return made
    rows += made
    refused = next((row.refused for row in rows if row.name == "as stated"), "")
    if refused:
        raise RequestError(refused)
    found, tried = diagnose(patient, rows), None
    if found.prescription is not None:
        made = _reran(request, (Rerun("prescription", found.prescription.settings),))
        if isinstance(made, int):
            return made
        tried = made[0]
    _print(request, found, rows, tried)
    return 0


def _stated(request: argparse.Namespace) -> Patient:
    """The patient that settings and a loss describe."""
    from svae_core.clinic.suspects import patient_of
    from svae_core.clinic.unit_gauge import diagnose_losses
    from svae_core.problem import prepared_data

    if request.model:
        raise RequestError("--model selects from a saved RUN; for settings use --method.")
    stated, settings = states_loss(request), settings_of(request)
    prepared = prepared_data(settings)
    points = prepared.dataset.points
    if not stated:
        return patient_of(settings, prepared.eigenvalues, len(points))
    loss = stated_loss(request, known_loss(request.code_base)[0])
    gauges = tuple(
        diagnose_losses((loss, loss.plain_sums()), points, settings.latent_dim, settings.batch_size)
    )
    return patient_of(settings, prepared.eigenvalues, len(points), loss, gauges)


def _saved(request: argparse.Namespace) -> tuple[Patient, list[Reran]]:
    """The patient that a saved run is, and its certificate as the run that was made as stated."""
    from svae_core.clinic.suspects import patient_of
    from svae_core.problem import prepared_data
    from svae_core.studies.reruns import Reran
    from svae_core.training import loop

    if states_loss(request):
        raise RequestError("A saved RUN has its own loss; state one for settings only.")
    state = saved_state(request.saved)
    if request.model:
        state = loop.member(state, place_of(state, request.model, "--model"))
    certificates = loop.certify(state, own_floors=False)
    ill = (i for i, one in enumerate(certificates) if one.verdict != "certified")
    index = next(ill, 0)
    settings, certificate = state.settings[index], certificates[index]
    prepared = prepared_data(settings)
    patient = patient_of(settings, prepared.eigenvalues, len(prepared.shell.points))
    return patient, [Reran("as stated", settings, certificate)]


def _reran(request: argparse.Namespace, runs: tuple[Rerun, ...]) -> list[Reran] | int:
    """The runs, made on all cores or a cluster; an exit status where that was cut short."""
    from svae_core.studies.reruns import Reruns

    study = Reruns(runs)
    with engine_of(request) as engine:
        if status := make(study, None, engine):
            return status
    order = {run.name: at for at, run in enumerate(runs)}
    return sorted(study.rows, key=lambda row: order[row.name])


def _print(
    request: argparse.Namespace, found: Diagnosis, rows: list[Reran], tried: Reran | None
) -> None:
    from svae_core.clinic.diagnosis import outcome

    told = ""
    if tried is not None and tried.certificate is not None and found.prescription is not None:
        told = outcome(found.prescription, tried.certificate)
    if request.json:
        plain: dict[str, Any] = to_json(found)
        if found.prescription is not None:
            plain["prescription"] = _prescription(found, tried, told)
        print_json(plain | {"reruns": [_row(row) for row in rows]})
        return
    for row in rows:
        print(f"{row.name:18} {_in_words(row)}")
    print(f"\n{found.sentence}")
    if found.prescription is not None:
        print(f"{found.prescription.sentence}\n{told}")


def _row(row: Reran) -> dict[str, Any]:
    """A rerun as JSON values."""
    from svae_core.clinic.suspects import CHANGES
    from svae_core.config.settings import settings_to_dict

    about: dict[str, Any] = {"name": row.name, "changed": CHANGES[row.name], "refused": row.refused}
    about |= {"settings": settings_to_dict(row.settings)}
    return about | _measured(row) if row.certificate else about


def _measured(row: Reran) -> dict[str, Any]:
    """What was measured of a run that was made."""
    from svae_core.clinic.diagnosis import wakes

    assert row.certificate is not None
    names = ("kl", "loss", "loss_margin", "delta", "delta_definition", "active_units", "verdict")
    found: dict[str, Any] = to_json({name: getattr(row.certificate, name) for name in names})
    return found | {"woke": wakes(row.certificate)}


def _prescription(found: Diagnosis, tried: Reran | None, told: str) -> dict[str, Any]:
    """The prescription as JSON values, with what came of it."""
    from svae_core.config.settings import settings_to_dict

    assert found.prescription is not None
    plain: dict[str, Any] = to_json(found.prescription)
    plain["settings"] = settings_to_dict(found.prescription.settings)
    if tried is None or tried.certificate is None:
        return plain | {"outcome": None}
    return plain | {"outcome": {"sentence": told} | _measured(tried)}


def _in_words(row: Reran) -> str:
    """What became of a rerun, in one line."""
    from svae_core.clinic.diagnosis import state_of

    c = row.certificate
    if c is None:
        return row.refused
    numbers = f"KL {c.kl:6.2f}  loss {c.loss:.3f} (+{c.loss_margin:.3f})  δ {c.delta:.3f}"
    return f"{numbers}  {state_of(c)}"
