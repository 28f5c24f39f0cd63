"""The server's log, in sentences for whoever runs it, on standard error.

    2026-11-29 10:15:02  info      Runs: 31 watched, 30 in training on 2 workers, 31 in memory.
    2026-11-29 10:16:40  warning   A worker process was lost; another is started.

SVAE_LOG says from which level on: debug, info (as it comes), warning or error.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from pages.server.health import counts, problems
from svae_core.config import machine
from svae_core.config.fields import RequestError
from svae_core.config.home import home

LEVELS = ("debug", "info", "warning", "error")
#: Our own loggers; other packages' have their own handlers.
_OURS = ("svae_core", "pages")
#: Seconds between two lines on how much there is to do, while there is something.
_EVERY = 300.0
_CHECKED = 10.0  # seconds between two looks at what may be wrong
_log = logging.getLogger(__name__)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


def to_standard_error() -> None:
    """Write our log to standard error from now on; RequestError if SVAE_LOG is no level."""
    level = os.environ.get("SVAE_LOG", "info").lower()
    if level not in LEVELS:
        raise RequestError(f"SVAE_LOG is {level!r}, but must be one of: {', '.join(LEVELS)}.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s  %(levelname)-8s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())


async def report_forever() -> None:
    """Say what the server has to do, and at once and once what is wrong with it."""
    _log.info("The server runs; runs are kept in %s.", home())
    said: list[str] = []
    waited = _EVERY
    while True:
        wrong = problems(machine.descriptors())
        for sentence in wrong:
            if sentence.split()[0] not in [old.split()[0] for old in said]:
                _log.error(sentence)
        if said and not wrong:
            _log.info("The server is well again.")
        said = wrong
        now = counts()
        if waited >= _EVERY and now["watched_runs"]:
            waited = 0.0
            _log.info(
                "Runs: %d watched, %d in training on %d workers, %d in memory.",
                *(now[name] for name in ("watched_runs", "training", "workers", "runs")),
            )
        await asyncio.sleep(_CHECKED)
        waited += _CHECKED
