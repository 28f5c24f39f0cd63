"""Write the embeddings, reconstructions or weights of a saved run's model to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from svae_core.commands import print_json
from svae_core.commands._training import one_thread, saved_state
from svae_core.methods import title_of
from svae_core.records import RequestError

_WHAT = ("embeddings", "reconstructions", "weights")


def add_options(command: argparse.ArgumentParser) -> None:
    """The run, what to write of it, and the file."""
    command.add_argument(
        "saved", metavar="RUN", help="folder or name of a saved run, or its beginning"
    )
    command.add_argument(
        "--what",
        choices=_WHAT,
        default="embeddings",
        help="posterior means and variances · sampled reconstructions in the units of the data · "
        "weights by layer",
    )
    command.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help=".csv, .parquet or .npz; for weights .safetensors",
    )
    command.add_argument(
        "--method", default="", help="method, of a run with several models (default: last)"
    )


def run(request: argparse.Namespace) -> None:
    """Write the file, and print what it holds."""
    from svae_core.latent import exports
    from svae_core.training import loop

    one_thread()
    path = Path(request.to)
    if (path.suffix == ".safetensors") != (request.what == "weights"):
        ending = ".safetensors" if request.what == "weights" else ".csv, .parquet or .npz"
        raise RequestError(f"--to is {request.to}, but {request.what} go to {ending}.")
    state = saved_state(request.saved)
    names = [settings.method for settings in state.settings]
    if request.method and request.method not in names:
        raise RequestError(f"--method is {request.method}, but the run has: {', '.join(names)}.")
    index = names.index(request.method) if request.method else len(names) - 1
    model = loop.models(loop.member(state, index))[0]
    if request.what == "weights":
        exports.write_bytes(exports.weights(model), path)
    else:
        sheet = getattr(exports, request.what)(model)
        exports.write(sheet, path)
    answer = {
        "file": str(path),
        "what": request.what,
        "method": names[index],
        "points": len(model.prepared.shell.points),
        "fingerprint": model.prepared.dataset.fingerprint,
    }
    if request.json:
        print_json(answer)
    else:
        print(f"Wrote {request.what} of the {title_of(names[index])} to {path}.")
