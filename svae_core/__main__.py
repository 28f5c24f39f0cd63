"""The command line: python -m svae_core COMMAND.

Standard output carries the answer (with --json one JSON object and nothing else), standard error
the progress. Exit status 0: done; 2: the request is wrong, and one sentence says how to mend it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from svae_core import __version__
from svae_core.datasets import scan_datasets
from svae_core.methods import method_for, scan_methods
from svae_core.records import (
    Budget,
    Certificate,
    RequestError,
    Settings,
    check_settings,
    flag,
    knobs,
    to_json,
)
from svae_core.registry import Plugin

# Members trained as one batch; more gain little (measured in tests/benchmarks).
_CHUNK = 16


class _Parser(argparse.ArgumentParser):
    """argparse, but a wrong request gets one sentence."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    try:
        parser = _parser()
        request = parser.parse_args(arguments)
        return int(request.run(request) or 0)
    except RequestError as error:
        print(f"svae_core: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("svae_core: stopped.", file=sys.stderr)
        return 130


# ------------------------------------------------------------------------------ options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m svae_core", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for name, run, help_, settings in (
        ("datasets", _datasets, "list the built-in datasets", False),
        ("methods", _methods, "list the training methods", False),
        ("region", _region, "W, B, T, the collapse losses, the band and its guarantee", True),
        ("train", _train, "train one model and certify it", True),
        ("compare", _compare, "train methods × seeds side by side", True),
        ("certify", _certify, "certify a saved run, or train one and certify it", True),
        ("attack", _attack, "search for a collapsed run inside the band", False),
    ):
        command = commands.add_parser(name, help=help_, description=help_.capitalize() + ".")
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="one JSON object on stdout")
        if settings:
            _add_settings(command, single=name != "compare")
        if name in ("train", "compare", "certify"):
            command.add_argument("--save", action="store_true", help="keep the runs on disk")
        if name == "certify":
            command.add_argument("saved", nargs="?", metavar="RUN", help="folder of a saved run")
            command.add_argument("--page", metavar="FILE.html", help="write a printable page")
        if name == "attack":
            command.add_argument("--runs", type=int, default=64, help="how many runs to try")
            command.add_argument("--seed", type=int, default=0, help="seed of the search")
            command.add_argument(
                "--out", metavar="FILE.jsonl", help="append attempts there; resume from there"
            )
        if name == "compare":
            command.add_argument(
                "--methods", default="baseline,spherical", help="names, separated by commas"
            )
            command.add_argument(
                "--seeds", type=int, default=1, help="how many seeds, counted up from --seed"
            )
    return parser


def _add_settings(command: argparse.ArgumentParser, single: bool) -> None:
    hints = get_type_hints(Settings)
    defaults: dict[str, Any] = {item.name: item.default for item in fields(Settings)}
    for name, knob in knobs(Settings).items():
        if name == "method" and not single:
            continue
        default, text = defaults[name], knob.help.replace("%", "%%")
        shown = f"{text} (default: {' '.join(map(str, default)) if name == 'band' else default})"
        if name == "band":
            command.add_argument(
                "--band", nargs=2, type=float, metavar=("A", "B"), default=default, help=shown
            )
        elif hints[name] is bool:
            command.add_argument(
                flag(name), action=argparse.BooleanOptionalAction, default=default, help=text
            )
        else:
            kind = _clusters if name == "clusters" else hints[name]
            metavar = "|".join(knob.choices) or name.upper()
            command.add_argument(
                flag(name), type=kind, metavar=metavar, default=default, help=shown
            )
    _add_plugin_options(command, "dataset", scan_datasets())
    _add_plugin_options(command, "method", scan_methods())


def _add_plugin_options(
    command: argparse.ArgumentParser, kind: str, plugins: dict[str, Plugin]
) -> None:
    for plugin in plugins.values():
        known = knobs(plugin.config)
        if not known:
            continue
        group = command.add_argument_group(f"{kind} {plugin.name}", plugin.title)
        hints = get_type_hints(plugin.config)
        for name, knob in known.items():
            group.add_argument(
                f"--{plugin.name}.{name.replace('_', '-')}",
                dest=f"{kind}:{plugin.name}:{name}",
                type=hints[name] if hints[name] is not bool else _truth,
                metavar="VALUE",
                default=argparse.SUPPRESS,
                help=knob.help.replace("%", "%%"),
            )


def _truth(text: str) -> bool:
    if text.lower() in ("true", "yes", "1", "false", "no", "0"):
        return text.lower() in ("true", "yes", "1")
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _clusters(text: str) -> int:
    return 0 if text == "auto" else int(text)


_clusters.__name__ = "number of clusters"  # argparse names the type in its sentence


def _settings(request: argparse.Namespace, method: str | None = None) -> Settings:
    values = {name: getattr(request, name) for name in knobs(Settings) if hasattr(request, name)}
    values["band"] = tuple(values["band"])
    if method is not None:
        values["method"] = method
    for kind in ("dataset", "method"):
        prefix = f"{kind}:{values[kind]}:"
        given = {
            key.removeprefix(prefix): value
            for key, value in vars(request).items()
            if key.startswith(prefix)
        }
        values[f"{kind}_options"] = tuple(sorted(given.items()))
    return check_settings(Settings(**values))


# ----------------------------------------------------------------------------- commands


def _datasets(request: argparse.Namespace) -> None:
    _list_plugins(request, "datasets", scan_datasets())


def _methods(request: argparse.Namespace) -> None:
    _list_plugins(request, "methods", scan_methods())


def _list_plugins(request: argparse.Namespace, kind: str, plugins: dict[str, Plugin]) -> None:
    rows = []
    for plugin in plugins.values():
        defaults = {item.name: item.default for item in fields(plugin.config)}
        row: dict[str, Any] = {"name": plugin.name, "title": plugin.title}
        row |= {"explanation": plugin.explanation, "source": plugin.source, "options": defaults}
        if kind == "methods":
            method = plugin.module.Method
            row |= {"projected": method.projected, "guards": method.guards}
        rows.append(row)
    if request.json:
        _print_json({kind: rows})
        return
    for row in rows:
        print(f"{row['name']:16} {row['title']}")


def _region(request: argparse.Namespace) -> None:
    from svae_core.floors import floors_at
    from svae_core.problem import prepare
    from svae_core.region import penalty_weight

    settings = _settings(request)
    problem = prepare(settings)
    region = problem.region
    answer = {
        "dataset": problem.dataset.name,
        "n": len(problem.shell.points),
        "ambient_dim": problem.shell.points.shape[1],
        "clusters": problem.clusters.k,
        "W": region.within,
        "B": region.between,
        "T": region.total,
        "delta": region.deltas,
        "collapse_loss": region.collapse_loss,
        "lo": region.lo,
        "hi": region.hi,
        "empty": region.empty,
        "explanation": region.explanation,
        "lambda_max": problem.lambda_max,
        "floors": None if region.empty else floors_at(problem.floors, region.hi),
        "water_level": None if region.empty else problem.water_level,
        "penalty_weight": (
            None if region.empty else penalty_weight(settings.beta, problem.water_level)
        ),
    }
    if request.json:
        _print_json(answer)
        return
    for name, value in to_json(answer).items():
        print(f"{name:16} {_plain(value)}")


def _train(request: argparse.Namespace) -> None:
    settings = _settings(request)
    (run,) = _train_members((settings,), request.save)
    if request.json:
        _print_json(run)
    else:
        print(run["sentence"])


def _compare(request: argparse.Namespace) -> None:
    names = [name.strip() for name in request.methods.split(",") if name.strip()]
    if not names:
        raise RequestError("--methods is empty; name at least one method.")
    if request.seeds < 1:
        raise RequestError(f"--seeds is {request.seeds}, but must be at least 1.")
    members = tuple(
        replace(_settings(request, name), seed=request.seed + offset)
        for name in names
        for offset in range(request.seeds)
    )
    for settings in members:
        method_for(settings)
    runs = _train_members(members, request.save)
    if request.json:
        _print_json({"dataset": members[0].dataset, "runs": runs})
        return
    print(f"{'method':20} {'seed':>4} {'loss':>8} {'delta':>8} {'KL':>8} {'active':>6}  verdict")
    for run in runs:
        print(
            f"{run['method']:20} {run['seed']:4} {run['loss']:8.4f} {run['delta']:8.4f} "
            f"{run['kl']:8.4f} {run['active_units']:6}  {run['verdict']}"
        )


def _certify(request: argparse.Namespace) -> None:
    from svae_core import run, training
    from svae_core.certificate_page import certificate_page

    if request.saved:
        one_thread()
        certificate = training.certify(run.load(Path(request.saved)).state)[0]
    else:
        (certificate,) = _trained((_settings(request),), request.save)[0]
    if request.page:
        try:
            Path(request.page).write_text(certificate_page(certificate), encoding="utf-8")
        except OSError as error:
            raise RequestError(
                f"--page {request.page} cannot be written: {error.strerror}."
            ) from error
    if request.json:
        _print_json(certificate)
        return
    for part in (certificate, certificate.held_out):
        if part is not None:
            print(f"{part.part}: {part.sentence}")


def _attack(request: argparse.Namespace) -> None:
    from tqdm import tqdm

    from svae_core import attack, run

    if request.runs < 1:
        raise RequestError(f"--runs is {request.runs}, but must be at least 1.")
    one_thread()
    ended = attack.recorded(request.out, request.seed)
    plan = attack.plan(request.runs, request.seed)
    with tqdm(total=request.runs, unit="run", file=sys.stderr, disable=None, leave=False) as bar:
        for index, members in enumerate(plan):
            if index not in ended:
                attempts = attack.attempt(members)
                for item in attempts:
                    if item.outcome == attack.BROKEN:
                        folder = run.save(attack.retrain(item.settings), item.certificate)
                        print(f"COUNTER-EXAMPLE saved in {folder}", file=sys.stderr)
                ended[index] = attack.record(request.out, request.seed, index, attempts)
            bar.update(len(members))
    answer = attack.summary([ended[index] for index in range(len(plan))], request.seed)
    if request.json:
        _print_json(answer)
        return
    print(attack.markdown(answer))


# ----------------------------------------------------------------------------- training


def one_thread() -> None:
    """Let this process compute on one thread: runs are then bit for bit the same everywhere."""
    import torch

    torch.set_num_threads(1)


def _train_members(members: tuple[Settings, ...], save: bool) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = []
    for start in range(0, len(members), _CHUNK):
        chunk = members[start : start + _CHUNK]
        certificates, seconds, samples, folders = _trained(chunk, save)
        for certificate, folder in zip(certificates, folders, strict=True):
            answer: dict[str, Any] = to_json(certificate)
            speed = samples / seconds
            runs.append(answer | {"seconds": seconds, "samples_per_second": speed, "run": folder})
    return runs


def _trained(
    members: tuple[Settings, ...], save: bool
) -> tuple[tuple[Certificate, ...], float, int, list[str | None]]:
    """Certificates, seconds, samples seen by each member, and folders where runs were saved."""
    from tqdm import tqdm

    from svae_core import run, training

    one_thread()
    state = training.begin(members)
    n = training.point_count(state)
    steps = training.total_steps(members[0], n)
    started = time.perf_counter()
    with tqdm(total=steps, unit="step", file=sys.stderr, disable=None, leave=False) as bar:
        while state.step < steps:
            before = state.step
            state = training.advance(state, Budget(seconds=0.5, frames=False)).state
            bar.update(state.step - before)
    seconds = time.perf_counter() - started
    certificates = training.certify(state)
    folders: list[str | None] = [None] * len(members)
    if save:
        solos = (training.member(state, index) for index in range(len(members)))
        folders = [
            str(run.save(solo, certificate))
            for solo, certificate in zip(solos, certificates, strict=True)
        ]
    return certificates, seconds, members[0].epochs * n, folders


def _print_json(answer: Any) -> None:
    print(json.dumps(to_json(answer), ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{name} {_plain(item)}" for name, item in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
