"""Train one model and certify it."""

from __future__ import annotations

import argparse

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands._training import add_save, trained
from svae_core.records import to_json


def add_options(command: argparse.ArgumentParser) -> None:
    """The settings, and whether to save the run."""
    add_settings(command)
    add_save(command)
    add_scheduler(command)


def run(request: argparse.Namespace) -> None:
    """Print the certificate; with --json, speed and folder of the run as well."""
    settings = settings_of(request)
    with engine_of(request) as engine:
        batch = trained((settings,), request.save, engine)
    (certificate,) = batch.certificates
    if request.json:
        print_json(to_json(certificate) | batch.about(0))
    else:
        print(certificate.sentence)
