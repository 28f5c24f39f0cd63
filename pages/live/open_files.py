"""How many files and connections the server may have open at once.

Each connection, each session and each saved run that trains takes some. Systems allow a process few
of them unless it asks: 256 on macOS, 1,024 on Linux.
"""

from __future__ import annotations

import logging
import sys

if sys.platform != "win32":
    import resource

_log = logging.getLogger(__name__)
#: Enough for a thousand visitors; more would only cost memory.
WANTED = 2**14


def allow_many() -> int | None:
    """Raise the soft limit as far as it may be, up to WANTED; what it is now, None if unlimited."""
    limit = None  # Windows has none
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = resource.RLIM_INFINITY
        if soft != unlimited:
            wanted = WANTED if hard == unlimited else min(WANTED, hard)
            limit = wanted if soft < wanted and _set(soft, wanted, hard) else int(soft)
    return limit


def _set(soft: int, wanted: int, hard: int) -> bool:
    """Whether the system accepted the limit."""
    accepted = False
    if sys.platform != "win32":
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            accepted = True
        except (OSError, ValueError) as error:  # macOS refuses what its kernel does not allow
            _log.warning("Only %d files may be open at once: %s.", soft, error)
    return accepted
