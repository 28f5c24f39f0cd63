"""Certify a saved run, or train one and certify it."""

from __future__ import annotations

import argparse
from pathlib import Path

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._training import add_save, one_thread, saved_state, trained
from svae_core.methods import title_of
from svae_core.records import Certificate, RequestError, to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """A saved run or the settings of a new one, and the file for a printable page."""
    add_settings(command)
    add_save(command)
    command.add_argument(
        "saved", nargs="?", metavar="RUN", help="folder or name of a saved run, or its beginning"
    )
    command.add_argument(
        "--model",
        default="",
        metavar="METHOD",
        help="method of a saved run with several models (default: all)",
    )
    command.add_argument("--page", metavar="FILE.html", help="write a printable page")


def run(request: argparse.Namespace) -> None:
    """Print the certificate of every model, on training points and on held-out points, if any."""
    if request.saved:
        named = _of_saved(request.saved, request.model)
    elif request.model:
        raise RequestError("--model selects from a saved RUN; for a new run use --method.")
    else:
        settings = settings_of(request)
        (certificate,) = trained((settings,), request.save).certificates
        named = [(settings.method, certificate)]
    if request.page:
        _write_page(named, request.page)
    if request.json:
        answers = [to_json(certificate) | {"method": name} for name, certificate in named]
        print_json(answers[0] if len(answers) == 1 else {"certificates": answers})
        return
    for name, certificate in named:
        before = f"{title_of(name)}, " if len(named) > 1 else ""
        for part in (certificate, certificate.held_out):
            if part is not None:
                print(f"{before}{part.part}: {part.sentence}")


def _of_saved(run: str, model: str) -> list[tuple[str, Certificate]]:
    from svae_core.training import loop

    one_thread()
    state = saved_state(run)
    methods = [settings.method for settings in state.settings]
    if model and model not in methods:
        raise RequestError(f"--model is {model}, but the run has: {', '.join(methods)}.")
    if model:
        state = loop.member(state, methods.index(model))
        methods = [model]
    return list(zip(methods, loop.certify(state), strict=True))


def _write_page(named: list[tuple[str, Certificate]], path: str) -> None:
    from svae_core.certificate.html import certificate_page

    if len(named) > 1:
        names = ", ".join(name for name, _ in named)
        raise RequestError(f"--page shows one model, but the run has: {names}; pick by --model.")
    try:
        Path(path).write_text(certificate_page(named[0][1]), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"--page {path} cannot be written: {error.strerror}.") from error
