"""List the training methods."""

from __future__ import annotations

import argparse

from svae_core.commands import list_plugins
from svae_core.methods import scan_methods


def add_options(command: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(request: argparse.Namespace) -> None:
    """Name, title, explanation, source and options of each."""
    list_plugins(request, "methods", scan_methods())
