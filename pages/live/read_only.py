"""Read-only links: a token that leads to a run, and that does not tell the run's id.

    token = token_of(run);  find(token, server().runs) -> the run's id, or None

Whoever knows a run's id may change the run. The token is a digest of the id, from which nobody gets
back to its 128 random bits. So it needs no secret and no list: it is the same after a restart.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

from svae_core.runs import store
from svae_core.runs.folder import home, id_digest

if TYPE_CHECKING:
    from pages.live.registry import Registry

_TOKEN = re.compile(r"[0-9a-f]{48}")
_DIGEST = 16  # letters of it that name the run's folder


def token_of(run: str) -> str:
    """The token of a run: the digest that its folder is named by, and another one of its own."""
    return id_digest(run) + hashlib.sha256(f"read only: {run}".encode()).hexdigest()[:32]


def find(token: str, runs: Registry) -> str | None:
    """The id of the run, in memory or on disk. Reads files: not for the event loop."""
    if not _TOKEN.fullmatch(token):
        return None
    known = [*list(runs.by_id), *(id for _, id in store.by_digest(home(), token[:_DIGEST]))]
    return next((run for run in known if secrets.compare_digest(token_of(run), token)), None)
