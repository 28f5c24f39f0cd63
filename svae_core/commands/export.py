"""Write the embeddings, reconstructions, weights, model, replay or figures of a saved run."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.commands import _figures, print_json
from svae_core.commands._training import add_saved, one_thread, place_of, saved_state
from svae_core.commands.app import app_script, require_app
from svae_core.config.writable import check_file, write_file
from svae_core.methods import title_of
from svae_core.records import RequestError

if TYPE_CHECKING:
    from svae_core.training.evaluate import Model

#: What can be written, and the endings of its file.
_ENDINGS = {
    "embeddings": (".csv", ".parquet", ".npz"),
    "reconstructions": (".csv", ".parquet", ".npz"),
    "weights": (".safetensors",),
    "module": (".py",),
    "program": (".pt2",),
    "onnx": (".onnx",),
    "replay": (".html",),
    "figures": ("",),
}


def add_options(command: argparse.ArgumentParser) -> None:
    """The run, what to write of it, and the file."""
    add_saved(command)
    command.add_argument(
        "--what",
        choices=tuple(_ENDINGS),
        default="embeddings",
        help="posterior means and variances · sampled reconstructions in the units of the data · "
        "weights by layer · module: encoder and decoder as a Python file that needs torch alone, "
        "and its weights beside it · program: both by torch.export · onnx: both as ONNX · replay: "
        "the run as a page that plays by itself, also in an <iframe> (needs the app) · figures: "
        "every view of the stage at one moment, in light colours",
    )
    command.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help=".csv, .parquet or .npz; weights .safetensors, module .py, program .pt2, onnx .onnx, "
        "replay .html; figures a folder",
    )
    command.add_argument(
        "--method", default="", help="method, of a run with several models (default: last)"
    )
    _figures.add_options(command)


def run(request: argparse.Namespace) -> None:
    """Write the file, and print what it holds."""
    from svae_core.training import loop

    one_thread()
    path, endings = Path(request.to), _ENDINGS[request.what]
    if request.what == "figures":
        files = _figures.write(request, path)
        told = {"file": str(path), "files": [*map(str, files)], "what": "figures"}
        return _answer(request, told, "the figures")
    if path.suffix not in endings:
        *first, last = endings
        allowed = f"{', '.join(first)} or {last}" if first else last
        raise RequestError(f"--to is {request.to}, but {request.what} go to {allowed}.")
    check_file(path, f"--to {path}")
    if request.what == "replay":
        from svae_core.stage.replay_file import embedding

        _write_replay(request.saved, path)
        told = {"file": str(path), "what": "replay", "embed": embedding(path.name)}
        _answer(request, told, "the replay")
        if not request.json:
            print(f"To show it in a page or on a slide: {told['embed']}")
        return
    state = saved_state(request.saved)
    index = place_of(state, request.method) if request.method else len(state.settings) - 1
    method = state.settings[index].method
    model = loop.models(loop.member(state, index))[0]
    files = _write(request.what, model, path)
    answer: dict[str, Any] = {
        "file": str(path),
        "files": [str(file) for file in files],
        "what": request.what,
        "method": method,
        "points": len(model.prepared.shell.points),
        "fingerprint": model.prepared.dataset.fingerprint,
    }
    _answer(request, answer, f"{request.what} of the {title_of(method)}")


def _answer(request: argparse.Namespace, answer: dict[str, Any], what: str) -> None:
    if request.json:
        print_json(answer)
    else:
        print(f"Wrote {what} to {', '.join(answer.get('files', [answer['file']]))}.")


def _write(what: str, model: Model, path: Path) -> tuple[Path, ...]:
    """Write one model; the files that were written."""
    from svae_core.integrations import exchange
    from svae_core.latent import exports

    if what == "weights":
        write_file(path, exports.weights(model))
    elif what == "module":
        return exchange.write_module(exchange.plain(model), path)
    elif what == "program":
        return exchange.write_program(exchange.plain(model), path)
    elif what == "onnx":
        return exchange.write_onnx(exchange.plain(model), path)
    else:
        exports.write(getattr(exports, what)(model), path)
    return (path,)


def _write_replay(name: str, path: Path) -> None:
    """Write the replay, by a program of the app."""
    from svae_core.runs import folder as runs
    from svae_core.runs import store

    require_app()
    entry = store.find(runs.home(), name)
    about = entry.about
    if about is None:
        raise RequestError(entry.trouble)
    if not about.id:
        raise RequestError(f"{name} is of an old version, which kept no moments; train it again.")
    places = [str(app_script().parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pages.wire.saved_replay", about.id, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason is known"]
        raise RequestError(said[-1])
