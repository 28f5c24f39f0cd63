"""Train methods × seeds side by side."""

from __future__ import annotations

import argparse
from dataclasses import replace

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._training import add_save, train_members
from svae_core.methods import method_for
from svae_core.records import RequestError


def add_options(command: argparse.ArgumentParser) -> None:
    """The settings, which methods, how many seeds."""
    add_settings(command, without=("method",))
    add_save(command)
    command.add_argument(
        "--methods", default="baseline,spherical", help="names, separated by commas"
    )
    command.add_argument(
        "--seeds", type=int, default=1, help="how many seeds, counted up from --seed"
    )


def run(request: argparse.Namespace) -> None:
    """One row a run."""
    names = [name.strip() for name in request.methods.split(",") if name.strip()]
    if not names:
        raise RequestError("--methods is empty; name at least one method.")
    if request.seeds < 1:
        raise RequestError(f"--seeds is {request.seeds}, but must be at least 1.")
    members = tuple(
        replace(settings_of(request, name), seed=request.seed + offset)
        for name in names
        for offset in range(request.seeds)
    )
    for settings in members:
        method_for(settings)
    runs = train_members(members, request.save)
    if request.json:
        print_json({"dataset": members[0].dataset, "runs": runs})
        return
    print(f"{'method':20} {'seed':>4} {'loss':>8} {'delta':>8} {'KL':>8} {'active':>6}  verdict")
    for run in runs:
        print(
            f"{run['method']:20} {run['seed']:4} {run['loss']:8.4f} {run['delta']:8.4f} "
            f"{run['kl']:8.4f} {run['active_units']:6}  {run['verdict']}"
        )
