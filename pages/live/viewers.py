"""The viewers of a run: how many there are, and how long the next one is waited for.

with viewers.one_more(): …     # while a page shows the run
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds that a run trains without a viewer, for pages that are being opened or reloaded.
GRACE = 15.0


class Viewers:
    """Those of one run. Lives on the server's event loop."""

    def __init__(self) -> None:
        self.count = 0  # pages that show the run
        self.fetches = 0  # answers that are made from it now, such as its export
        self.last_at = time.monotonic()  # when it had the last viewer, or one was announced
        self._closes = False

    @property
    def observed(self) -> bool:
        """Whether there is a viewer, or was one within the grace time."""
        return self.count > 0 or time.monotonic() - self.last_at < GRACE

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count as a viewer while open."""
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
            self.last_at = time.monotonic() - (GRACE if self._closes else 0.0)
            self._closes = False

    def expect_one(self) -> None:
        """Begin the grace time anew."""
        self.last_at = time.monotonic()

    def one_closes(self) -> None:
        """Note that a viewer closes its page on purpose, so that no reload is expected."""
        self._closes = True
