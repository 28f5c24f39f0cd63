"""Start the app in this machine's browser, from any folder."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import svae_core
from svae_core.commands import print_json
from svae_core.config.limits import for_visitors
from svae_core.records import RequestError

_PORTS = range(1, 65_536)


def add_options(command: argparse.ArgumentParser) -> None:
    """Where the server listens."""
    add_port(command)
    command.add_argument(
        "--address",
        default="localhost",
        help="address to listen at; 0.0.0.0: all of this machine's, for a classroom "
        "(default: localhost)",
    )


def add_port(command: argparse.ArgumentParser) -> None:
    """Add the option --port, which `port_of` reads."""
    command.add_argument("--port", default="8501", help="port of the app (default: 8501)")


def port_of(request: argparse.Namespace) -> int:
    """The port; RequestError if there is none of that number."""
    if not (request.port.isdecimal() and int(request.port) in _PORTS):
        raise RequestError(f"--port is {request.port}, but must be from 1 to {_PORTS[-1]}.")
    return int(request.port)


def run(request: argparse.Namespace) -> int:
    """Serve the app until Ctrl-C, and return the server's exit status."""
    port = port_of(request)
    require_app()
    script = app_script()
    options = [f"--server.port={port}", f"--server.address={request.address}"]
    here = "localhost" if request.address == "0.0.0.0" else request.address
    if request.json:
        print_json({"url": f"http://{here}:{port}", "app": str(script)})
        sys.stdout.flush()
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options]
    if os.name != "posix":
        return subprocess.call(command, stdout=sys.stderr, env=for_visitors())
    # The server takes this process over, and with it whatever signals come. What it prints is
    # progress, not the answer.
    os.dup2(2, 1)
    os.execve(command[0], command, for_visitors())


def require_app() -> None:
    """RequestError unless the packages of the app are installed."""
    if importlib.util.find_spec("streamlit") is None:
        raise RequestError(
            "The app needs packages that are not installed: pip install "
            "'spherical-vae-explorer[app]'."
        )


def app_script() -> Path:
    """app.py: inside the installed package, or at the top of a checkout."""
    package = Path(svae_core.__file__).parent
    for folder in (package / "_app", package.parent):
        if (folder / "pages" / "router.py").is_file():
            return folder / "app.py"
    raise RequestError("This installation has no app; install spherical-vae-explorer again.")
