"""Write the model card of a saved run, with its certificate."""

from __future__ import annotations

import argparse
from pathlib import Path

from svae_core.commands import print_json
from svae_core.commands._training import add_saved, one_thread, saved_state
from svae_core.config.writable import check_file, write_file
from svae_core.records import RequestError


def add_options(command: argparse.ArgumentParser) -> None:
    """The run, and the file."""
    add_saved(command)
    command.add_argument(
        "--to", metavar="FILE.md", default="", help="file to write (default: standard output)"
    )
    command.add_argument("--title", default="", help="first heading (default: from the data set)")


def run(request: argparse.Namespace) -> None:
    """Measure all models of the run again, and write what was found."""
    from svae_core.integrations.model_card import card
    from svae_core.training import loop

    path = Path(request.to)
    if request.to:
        if path.suffix != ".md":
            raise RequestError(f"--to is {request.to}, but a model card goes to .md.")
        check_file(path, f"--to {path}")
    one_thread()
    state = saved_state(request.saved)
    certificates = loop.certify(state)
    dataset = state.settings[0].dataset
    text = card(state.settings, certificates, request.title or f"VAE on {dataset}")
    if request.to:
        write_file(path, text, f"--to {path}")
    if request.json:
        verdicts = [certificate.verdict for certificate in certificates]
        print_json({"file": request.to or None, "card": text, "verdicts": verdicts})
    else:
        print(f"Wrote the model card to {path}." if request.to else text)
