"""Train methods × seeds side by side, on one data set or several, and score them.

Every method gets the same shell points, networks, seeds, minibatches and epochs. The answer has one
entry per run and one row per method with mean and spread over the seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands._comparing import scored
from svae_core.commands._training import add_save
from svae_core.config.writable import check_file, check_folder, write_file
from svae_core.methods import method_for
from svae_core.records import RequestError, Settings, to_json
from svae_core.studies.grid import MOST_RUNS

if TYPE_CHECKING:
    from svae_core.compute.engine import Engine
    from svae_core.runs.comparison_folders import ComparisonFolders
    from svae_core.studies.scores import Score

_TABLES = ("csv", "latex", "markdown")


def add_options(command: argparse.ArgumentParser) -> None:
    """The settings, methods, data sets, number of seeds, and files for tables."""
    add_settings(command, without=("method",))
    add_save(command)
    add_scheduler(command)
    add_methods(command)
    add_tables(command)


def add_methods(command: argparse.ArgumentParser) -> None:
    """--methods, --datasets and --seeds: what is compared."""
    command.add_argument(
        "--methods", default="baseline,spherical", help="names, separated by commas, or all"
    )
    command.add_argument(
        "--datasets", default="", help="names, separated by commas, in place of --dataset"
    )
    command.add_argument(
        "--seeds", type=int, default=1, help="number of seeds, counted up from --seed"
    )


def add_tables(command: argparse.ArgumentParser) -> None:
    """--csv, --latex and --markdown."""
    for kind in _TABLES:
        command.add_argument(
            f"--{kind}", metavar="FILE", help=f"also write the table to this file in {kind}"
        )


def run(request: argparse.Namespace) -> None:
    """Print one row per method; with --json, one entry per run as well."""
    from svae_core.runs.comparison_folders import ComparisonFolders
    from svae_core.runs.folder import home

    check_tables(request)
    runs = compared_runs(request)
    folders = None
    if request.save:
        check_folder(home(), "Runs")
        folders = ComparisonFolders(runs)
        folders.check()
    with engine_of(request) as engine:
        answer(request, runs, folders, engine)


def check_tables(request: argparse.Namespace) -> None:
    """Raise RequestError if a table cannot be written."""
    for kind in _TABLES:
        if path := getattr(request, kind):
            check_file(path, f"--{kind} {path}")


def answer(
    request: argparse.Namespace,
    runs: tuple[Settings, ...],
    folders: ComparisonFolders | None,
    engine: Engine,
) -> None:
    """Make or resume a comparison, print its answer and write its tables."""
    from svae_core.studies.scores import rows, to_csv, to_latex, to_markdown

    tables = [(f"--{kind}", getattr(request, kind)) for kind in _TABLES if getattr(request, kind)]
    words = tuple(word for table in tables for word in table)
    with scored(runs, engine, folders, words) as scores:
        table = rows(found for found, _ in scores)
        plain = [found for found, _ in scores]
        for path, text in (
            (request.csv, to_csv(plain)),
            (request.latex, to_latex(table)),
            (request.markdown, to_markdown(table) + "\n"),
        ):
            if path:
                write_file(path, text)
        if request.json:
            entries = [_entry(found, extra) for found, extra in scores]
            print_json({"dataset": plain[0].settings.dataset, "runs": entries, "rows": table})
        else:
            print(to_markdown(table))


def compared_runs(request: argparse.Namespace) -> tuple[Settings, ...]:
    """The runs that are compared: each data set and method, with each seed."""
    from svae_core.methods import scan_methods

    names = [name.strip() for name in request.methods.split(",") if name.strip()]
    if names == ["all"]:
        names = list(scan_methods())
    if not names:
        raise RequestError("--methods is empty; name at least one method.")
    if request.seeds < 1:
        raise RequestError(f"--seeds is {request.seeds}, but must be at least 1.")
    data = [name.strip() for name in request.datasets.split(",") if name.strip()]
    data = data or [request.dataset]
    # Before any of them is made: so many would fill the memory.
    if (count := len(data) * len(names) * request.seeds) > MOST_RUNS:
        raise RequestError(
            f"The comparison has {count:,} runs, but at most {MOST_RUNS:,} are allowed; take fewer "
            "--seeds."
        )
    runs = []
    for dataset in data:
        chosen = argparse.Namespace(**{**vars(request), "dataset": dataset})
        for name in dict.fromkeys(names):
            first = settings_of(chosen, name)
            method_for(first)
            runs += [replace(first, seed=first.seed + k) for k in range(request.seeds)]
    return tuple(runs)


def _entry(found: Score, extra: dict[str, Any]) -> dict[str, Any]:
    """A run as JSON values: its certificate, and the further measures."""
    answer: dict[str, Any] = to_json(found.certificate) if found.certificate else {}
    own = {k: v for k, v in vars(found).items() if k not in ("settings", "certificate")}
    about = {"method": found.settings.method, "seed": found.settings.seed}
    return {**about, "dataset": found.settings.dataset, **answer, **own, **extra}
