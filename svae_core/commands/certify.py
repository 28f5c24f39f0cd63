"""Certify a saved run, or train one and certify it."""

from __future__ import annotations

import argparse
from pathlib import Path

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._training import add_save, one_thread, trained
from svae_core.records import RequestError


def add_options(command: argparse.ArgumentParser) -> None:
    """A saved run or the settings of a new one, and where to write a page."""
    add_settings(command)
    add_save(command)
    command.add_argument("saved", nargs="?", metavar="RUN", help="folder of a saved run")
    command.add_argument("--page", metavar="FILE.html", help="write a printable page")


def run(request: argparse.Namespace) -> None:
    """The certificate, and that of held-out points where there are any."""
    from svae_core import run as runs
    from svae_core import training
    from svae_core.certificate_page import certificate_page

    if request.saved:
        one_thread()
        certificate = training.certify(runs.load(Path(request.saved)).state)[0]
    else:
        (certificate,) = trained((settings_of(request),), request.save).certificates
    if request.page:
        try:
            Path(request.page).write_text(certificate_page(certificate), encoding="utf-8")
        except OSError as error:
            raise RequestError(
                f"--page {request.page} cannot be written: {error.strerror}."
            ) from error
    if request.json:
        print_json(certificate)
        return
    for part in (certificate, certificate.held_out):
        if part is not None:
            print(f"{part.part}: {part.sentence}")
