"""Train one model and certify it."""

from __future__ import annotations

import argparse

from svae_core.commands import add_settings, print_json, settings_of
from svae_core.commands._training import add_save, train_members


def add_options(command: argparse.ArgumentParser) -> None:
    """The settings, and whether to keep the run."""
    add_settings(command)
    add_save(command)


def run(request: argparse.Namespace) -> None:
    """The certificate, speed and folder of one run."""
    settings = settings_of(request)
    (run,) = train_members((settings,), request.save)
    if request.json:
        print_json(run)
    else:
        print(run["sentence"])
