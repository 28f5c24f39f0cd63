"""What is said of files whose bytes make no sense, and how that is mended."""

from __future__ import annotations

from svae_core.records import RequestError

#: How a damaged file is mended; the end of a sentence.
AGAIN = "give a whole copy of it, or save it anew"


def reason_of(error: Exception) -> str:
    """Why reading failed, as a part of a sentence: our own words, and none of Python's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing" if error.args else "something in it is missing"
    if isinstance(error, ValueError):
        return " ".join(str(error).split()).rstrip(".")
    return "something in it is missing, or of a wrong kind"


def damaged(what: str, why: str = "") -> RequestError:
    """The error that `what`, such as "Parquet file", is damaged; `why` follows a colon."""
    return RequestError(f"The {what} is damaged or cut off{why and f': {why}'}; {AGAIN}.")
