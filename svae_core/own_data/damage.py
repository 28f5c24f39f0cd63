"""What is said of files whose bytes make no sense, and how that is mended."""

from __future__ import annotations

from svae_core.records import RequestError

#: How a damaged file is mended; the end of a sentence.
AGAIN = "give a whole copy of it, or save it anew"


def damaged(what: str, why: str = "") -> RequestError:
    """The error that `what`, such as "Parquet file", is damaged; `why` follows a colon."""
    return RequestError(f"The {what} is damaged or cut off{why and f': {why}'}; {AGAIN}.")
