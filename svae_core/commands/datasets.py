"""List the built-in datasets."""

from __future__ import annotations

import argparse

from svae_core.commands import list_plugins
from svae_core.datasets import scan_datasets


def add_options(command: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(request: argparse.Namespace) -> None:
    """Name, title, explanation, source and options of each."""
    list_plugins(request, "datasets", scan_datasets())
