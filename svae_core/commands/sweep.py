"""Train a grid of runs over σ², bands, seeds and more, in batches, saving results as they come.

Axes are lists (--sigma2 .05 .1 .2) or ranges LOW:HIGH:STEPS (--sigma2 0.01:1:9), evenly spaced on
a logarithmic scale for --sigma2, --beta and --clusters. Bands are edges A,B (--band 0,0.25 0,0.5);
B may be a range, evenly spaced (--band 0,0.1:0.9:5). With --out FILE every completed run is
appended to that file, and the same command resumes where the last one was stopped.
"""

from __future__ import annotations

import argparse
from typing import Any

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands._studying import make
from svae_core.config.shares import percent
from svae_core.methods import method_for, title_of
from svae_core.records import RequestError, Settings, knobs
from svae_core.studies.grid import AXES, Grid, check_grid, seeds_of, values_of

_VALUE_HELP = {
    "sigma2": "LOW:HIGH:STEPS, or values",
    "beta": "LOW:HIGH:STEPS, or values",
    "clusters": "values, LOW:HIGH:STEPS, or auto",
    "band": "A,B or A,LOW:HIGH:STEPS, several of them",
    "arch": "names",
}


def add_options(command: argparse.ArgumentParser) -> None:
    """The settings; those that can be axes take several values."""
    add_settings(command, without=("method", *AXES))
    axes = command.add_argument_group("axes", "each takes several values; the grid has all of them")
    known = knobs(Settings)
    texts = {
        name: f"{known[name].help.replace('%', '%%')}; {_VALUE_HELP[name]}"
        for name in reversed(AXES)
    }
    defaults = {name: known[name].format(known[name].default) for name in AXES}
    texts["methods"] = "training methods, separated by commas or blanks"
    texts["seeds"] = "one number: the count, from --seed up; several: the seeds themselves"
    defaults |= {"methods": "baseline,spherical", "seeds": "1"}
    for name, text in texts.items():
        shown = f"{text} (default: {defaults[name]})"
        default = [defaults[name]]
        axes.add_argument(f"--{name}", nargs="+", metavar="VALUE", default=default, help=shown)
    command.add_argument(
        "--out", metavar="FILE.jsonl", help="append completed runs to this file and resume from it"
    )
    add_scheduler(command)


def run(request: argparse.Namespace) -> int:
    """Print the grid's cells; with --json, the theory as well.

    Exit status 130 if interrupted, 1 if workers were lost.
    """
    from svae_core.studies.sweep import Sweep, report

    sweep = Sweep(_grid(request))
    with engine_of(request) as engine:
        status = make(sweep, request.out, engine)
    answer = {"complete": status == 0, **report(sweep.grid, sweep.outcomes.values())}
    if request.json:
        print_json(answer)
    else:
        _print_cells(answer)
    return status


def _grid(request: argparse.Namespace) -> Grid:
    names = " ".join(request.methods).replace(",", " ").split()
    if not names:
        raise RequestError("--methods is empty; name at least one method.")
    axes = tuple((name, values_of(name, " ".join(getattr(request, name)))) for name in AXES)
    settings = argparse.Namespace(**{k: v for k, v in vars(request).items() if k not in AXES})
    bases = tuple(settings_of(settings, name) for name in dict.fromkeys(names))
    for base in bases:
        method_for(base)
    return check_grid(Grid(bases, axes, seeds_of(" ".join(request.seeds), bases[0].seed)))


def _print_cells(answer: dict[str, Any]) -> None:
    """Print one row per cell: the values of the axes, then the means over seeds."""
    axes = [name for name, values in answer["grid"]["axes"].items() if len(values) > 1]
    width = max(len(title_of(name)) for name in answer["grid"]["methods"])
    print(
        f"{'method':{width}} {' '.join(f'{name:>12}' for name in axes)} {'βσ²/λₘₐₓ':>9} seeds "
        f"{'KL':>8} {'active':>6} {'in band':>8}  certified"
    )
    for cell in answer["cells"]:
        place = " ".join(f"{_shown(cell[name]):>12}" for name in axes)
        title = f"{title_of(cell['method']):{width}}"
        line = f"{title} {place} {cell['gauge']:9.3f} {len(cell['seeds']):5}"
        if not cell["seeds"]:
            print(f"{line}  {cell['refused'] or 'not trained yet'}")
            continue
        kl, active, position = (cell[name]["mean"] for name in ("kl", "active_units", "position"))
        kl, position = ("–" if value is None else f"{value:.3f}" for value in (kl, position))
        share = cell["verdicts"]["certified"]
        print(f"{line} {kl:>8} {active:6.1f} {position:>8}  {percent(share)}")


def _shown(value: Any) -> str:
    return ",".join(f"{edge:g}" for edge in value) if isinstance(value, list) else f"{value}"
