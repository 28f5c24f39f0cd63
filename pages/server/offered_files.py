"""Files that pages offer: each has an address of its own and is made when it is fetched.

Streamlit makes a file on a click as well, but drops it as soon as two other scripts have ended: on
a busy server before the browser has fetched it. What it is given in memory it keeps as long as the
page shows it; that is the way for small files.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class OfferedFile:
    """A file's name and type, and how its text is made; `make` holds what it is made from."""

    name: str
    media_type: str
    make: Callable[[], str]


class OfferedFiles:
    """The files offered last, at most `most` of them, by an unguessable key. For all threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._files: OrderedDict[str, OfferedFile] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, file: OfferedFile) -> None:
        """Offer this file under this key, instead of what was offered under it before."""
        with self._lock:
            self._files[key] = file
            self._files.move_to_end(key)
            if len(self._files) > self._most:
                self._files.popitem(last=False)

    def find(self, key: str) -> OfferedFile | None:
        """The file of this key; None if it is offered no longer."""
        with self._lock:
            return self._files.get(key)
