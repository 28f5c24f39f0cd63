"""How many files and connections the server may have open at once.

Each connection, each session and each saved run that trains takes some. Systems allow a process few
of them unless it asks: 256 on macOS, 1,024 on Linux.
"""

from __future__ import annotations

import logging

try:
    import resource

    _LIMITED = True
except ImportError:  # on Windows
    _LIMITED = False

_log = logging.getLogger(__name__)
#: Enough for a thousand visitors; more would only cost memory.
WANTED = 2**14


def allow_many() -> int | None:
    """Raise the soft limit as far as it may be, up to WANTED; what it is now, None if unlimited."""
    if not _LIMITED:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited:
        return None
    wanted = WANTED if hard == unlimited else min(WANTED, hard)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:  # macOS refuses what its kernel does not allow
            _log.warning("Only %d files may be open at once: %s.", soft, error)
        else:
            soft = wanted
    return int(soft)
