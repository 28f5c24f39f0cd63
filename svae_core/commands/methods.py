"""List the training methods."""

from __future__ import annotations

import argparse

from svae_core.commands import list_plugins
from svae_core.methods import scan_methods


def add_options(command: argparse.ArgumentParser) -> None:
    """No options."""


def run(request: argparse.Namespace) -> None:
    """Print name and title of each; with --json, explanation, source and options as well."""
    list_plugins(request, "methods", scan_methods())
