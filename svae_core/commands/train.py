"""Train one model and certify it."""

from __future__ import annotations

import argparse

from svae_core.commands import add_settings, settings_of
from svae_core.commands._cluster import add_scheduler, engine_of
from svae_core.commands._training import add_save, tell, trained


def add_options(command: argparse.ArgumentParser) -> None:
    """The settings, and whether to save the run."""
    add_settings(command)
    add_save(command)
    add_scheduler(command)


def run(request: argparse.Namespace) -> None:
    """Print the certificate; with --json, speed and folder of the run as well."""
    settings = settings_of(request)
    with engine_of(request) as engine:
        tell(trained(settings, request.save, engine), request.json)
