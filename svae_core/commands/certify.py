"""Certify a saved run, or train one and certify it."""

from __future__ import annotations

import argparse

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._training import (
    add_save,
    add_saved,
    one_thread,
    place_of,
    saved_state,
    trained,
)
from svae_core.config.writable import check_file, write_file
from svae_core.methods import title_of
from svae_core.records import Certificate, RequestError, to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """A saved run or the settings of a new one, and the file for a printable page."""
    add_settings(command)
    add_save(command)
    add_saved(command, "?")
    command.add_argument(
        "--model",
        default="",
        metavar="METHOD",
        help="method of a saved run with several models (default: all)",
    )
    command.add_argument("--page", metavar="FILE.html", help="write a printable page")


def run(request: argparse.Namespace) -> None:
    """Print the certificate of every model, on training points and on held-out points, if any."""
    trouble = ""
    if request.page:
        check_file(request.page, f"--page {request.page}")
    if request.saved:
        named = _of_saved(request.saved, request.model, bool(request.page))
    elif request.model:
        raise RequestError("--model selects from a saved RUN; for a new run use --method.")
    else:
        settings = settings_of(request)
        ended = trained(settings, request.save)
        named, trouble = [(settings.method, ended.certificates[0])], ended.trouble
    if request.page:
        _write_page(named[0][1], request.page)
    _print(named, request.json)
    if trouble:
        raise RequestError(trouble)


def _print(named: list[tuple[str, Certificate]], as_json: bool) -> None:
    if as_json:
        answers = [to_json(certificate) | {"method": name} for name, certificate in named]
        print_json(answers[0] if len(answers) == 1 else {"certificates": answers})
        return
    for name, certificate in named:
        before = f"{title_of(name)}, " if len(named) > 1 else ""
        for part in (certificate, certificate.held_out):
            if part is not None:
                print(f"{before}{part.part}: {part.sentence}")


def _of_saved(run: str, model: str, one: bool) -> list[tuple[str, Certificate]]:
    """Every model of a saved run, or the one that is named; `one`: there may be no more."""
    from svae_core.training import loop

    one_thread()
    state = saved_state(run)
    if model:
        state = loop.member(state, place_of(state, model, "--model"))
    methods = [settings.method for settings in state.settings]
    if one and len(methods) > 1:
        names = ", ".join(methods)
        raise RequestError(f"--page shows one model, but the run has: {names}; pick by --model.")
    return list(zip(methods, loop.certify(state), strict=True))


def _write_page(certificate: Certificate, path: str) -> None:
    from svae_core.certificate.html import certificate_page

    write_file(path, certificate_page(certificate), f"--page {path}")
