"""The command line: svae COMMAND, or python -m svae_core COMMAND; commands/ has the commands.

Standard output has the answer (with --json one JSON object and nothing else), standard error the
progress. Exit status 0: done; 2: invalid request, with one sentence on how to fix it; 1: an answer
that asks for attention: what was compared differs (`record replay`), the cluster was lost and what
is finished is kept, `doctor` has found something; 130: stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from typing import IO, Any, NoReturn

from svae_core import __version__

# Nothing else is imported before `main` waits for Ctrl-C, which may come at any moment.

#: What a shell gives for a program that was interrupted, and for one whose reader is gone.
_INTERRUPTED, _NO_READER = 130, 141
#: How a pipe whose reader is gone refuses: Windows calls it an invalid argument.
_BROKEN_PIPE = {errno.EPIPE, errno.EINVAL} if sys.platform == "win32" else {errno.EPIPE}


class _Parser(argparse.ArgumentParser):
    """argparse, but an invalid request raises RequestError with one sentence."""

    def error(self, message: str) -> NoReturn:
        from svae_core.records import RequestError

        raise RequestError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but a command names its own unknown words, and the option that is meant."""
        request, unknown = super().parse_known_args(args, namespace)
        if unknown:
            import difflib

            known = self._option_string_actions
            near = difflib.get_close_matches(unknown[0].split("=")[0], known, 1)
            nearest = f", the nearest is {near[0]}" if near else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{nearest}")
        return request, unknown


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        _say("stopped.")
        return _INTERRUPTED


def entry() -> int:
    """The command line as a program; returns the exit status.

    Streams are UTF-8 under any locale: not every encoding holds σ², and after hours of work is no
    time to find that out. Where the reader of a pipe is gone, as with `| head`, it ends quietly.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    status = 0
    refused: OSError | None = None
    try:
        status = main()
    except SystemExit as ended:  # of --help and --version
        status = int(ended.code or 0)
    except OSError as error:
        refused = error
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on it ends the program without a word
    for stream in (sys.stdout, sys.stderr):
        refused = _flush(stream) or refused
    if refused is None:
        return status
    if refused.errno in _BROKEN_PIPE:
        return _NO_READER
    if refused.errno != errno.ENOSPC:
        raise refused
    _say(f"The answer cannot be written: {refused.strerror}.")
    return 2


def _run(arguments: list[str] | None) -> int:
    from svae_core.commands import print_json
    from svae_core.commands._stopping import Stopped
    from svae_core.config.limits import own_machine
    from svae_core.records import RequestError

    if arguments is None:  # those that were typed
        own_machine()
    request = argparse.Namespace(json=False)
    try:
        request = _parser().parse_args(arguments)
        return int(request.run(request) or 0)
    except RequestError as error:
        _say(str(error))
        return 2
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from svae_core.config.machine import install, without_torch

        _say(f"torch is not installed: {without_torch() or install('torch')}.")
        return 2
    except Stopped as stopped:
        _say(str(stopped))
        if request.json and stopped.answer is not None:
            print_json(stopped.answer)
        return stopped.status


def _say(sentence: str) -> None:
    print(f"svae_core: {' '.join(sentence.split())}", file=sys.stderr)


def _flush(stream: IO[str] | None) -> OSError | None:
    """Write what is left; where that fails, forget it, so that Python does not try once more."""
    try:
        if stream is not None:
            stream.flush()
    except OSError as error:
        assert stream is not None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return error
    return None


def _parser() -> argparse.ArgumentParser:
    from svae_core.commands import scan_commands

    called, _ = os.path.splitext(os.path.basename(sys.argv[0]))
    prog = "svae" if called == "svae" else "python -m svae_core"
    parser = _Parser(prog=prog, description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for name, module in scan_commands().items():
        text = (module.__doc__ or "").strip()
        first = text.splitlines()[0].rstrip(".")
        if first[1:2].islower():  # and not "W, B, T, …"
            first = first[:1].lower() + first[1:]
        command = commands.add_parser(name, help=first, description=text)
        command.set_defaults(run=module.run)
        command.add_argument("--json", action="store_true", help="one JSON object on stdout")
        module.add_options(command)
    return parser


if __name__ == "__main__":
    sys.exit(entry())
