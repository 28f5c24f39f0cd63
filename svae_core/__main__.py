"""The command line: python -m svae_core COMMAND; the commands are in commands/.

Standard output has the answer (with --json one JSON object and nothing else), standard error the
progress. Exit status 0: success; 2: invalid request, with one sentence on how to fix it.
"""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from svae_core import __version__
from svae_core.commands import scan_commands
from svae_core.config.limits import own_machine
from svae_core.records import RequestError


class _Parser(argparse.ArgumentParser):
    """argparse, but an invalid request raises RequestError with one sentence."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    try:
        parser = _parser()
        request = parser.parse_args(arguments)
        return int(request.run(request) or 0)
    except RequestError as error:
        print(f"svae_core: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("svae_core: stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m svae_core", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for name, module in scan_commands().items():
        text = (module.__doc__ or "").strip()
        help_ = text.splitlines()[0].rstrip(".")
        command = commands.add_parser(name, help=help_[:1].lower() + help_[1:], description=text)
        command.set_defaults(run=module.run)
        command.add_argument("--json", action="store_true", help="one JSON object on stdout")
        module.add_options(command)
    return parser


if __name__ == "__main__":
    own_machine()
    sys.exit(main())
