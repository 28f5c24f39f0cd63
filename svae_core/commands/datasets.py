"""List the built-in data sets."""

from __future__ import annotations

import argparse

from svae_core.commands import list_plugins
from svae_core.datasets import scan_datasets


def add_options(command: argparse.ArgumentParser) -> None:
    """No options."""


def run(request: argparse.Namespace) -> None:
    """Print name and title of each; with --json, explanation, source and options as well."""
    list_plugins(request, "datasets", scan_datasets())
