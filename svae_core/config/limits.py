"""Limits that protect a server from its visitors, set by environment variables.

    limits() -> Limits;  check_data(n, d);  check_epochs(epochs)

Each limit is read from its variable whenever it is needed, so a server started with
`SVAE_MAX_POINTS=20000 streamlit run app.py` applies it, and so do its workers. Data and epochs are
checked on the command line as well, where an error message is better than running out of memory;
there `own_machine` allows more points, unless the variable is set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from svae_core.config.fields import Field, RequestError, knobs, option

MEGABYTE = 2**20
#: Points of a data set on the command line.
OWN_POINTS = 2**24
#: What else a command may ask for: whoever waits for it is who asked.
_OWN = {"points": OWN_POINTS, "clusters": OWN_POINTS, "prepare_s": 10**9, "weights": 10**12}
#: Seconds of one core for one point, cluster and coordinate: ten starts of K-means on the sample
#: that they run on, then what is done on all points; and for the spectrum of the covariance, by
#: n d² and d³. Measured, and rather too many than too few.
_STARTS, _FINISHING, _PRODUCTS, _SPECTRUM = 7e-8, 4e-9, 1e-10, 3e-10
_STARTED_ON, _FEW_COORDINATES = 20_000, 20


@dataclass(frozen=True)
class Limits:
    """All limits; each field's variable is SVAE_MAX_ and its name in capitals."""

    points: int = option(200_000, "points of a data set", low=4)
    dimensions: int = option(10_000, "features of each point", low=2)
    epochs: int = option(100_000, "passes over the data in one run", low=1)
    clusters: int = option(1_000, "clusters of a data set", low=1)
    prepare_s: int = option(60, "seconds that clustering data and their floors may take", low=1)
    weights: int = option(16_000_000, "weights of all models of one run together", low=1)
    runs: int = option(40, "runs that one session keeps on the server", low=1)
    map_runs: int = option(2_000, "runs of one phase diagram in the app", low=1)
    session_mb: int = option(512, "megabytes that one session's runs may hold", low=1)
    upload_mb: int = option(100, "megabytes of one uploaded file", low=1)
    disk_mb: int = option(4096, "megabytes that saved runs may fill", low=1)
    visitor_mb: int = option(
        2048, "megabytes that one visitor's runs may fill, and as many their own data", low=1
    )


def variable(name: str) -> str:
    """The environment variable of a limit."""
    return f"SVAE_MAX_{name.upper()}"


def limits() -> Limits:
    """The limits in force; RequestError if a variable is no whole number in its range."""
    chosen = {}
    for item in fields(Limits):
        text = os.environ.get(variable(item.name), "").strip()
        if text:
            chosen[item.name] = from_variable(knobs(Limits)[item.name], variable(item.name), text)
    return Limits(**chosen)


def from_variable(about: Field, variable: str, text: str) -> int:
    """The whole number that an environment variable holds; RequestError if it is none."""
    try:
        return int(about.parse(text))
    except RequestError as error:
        highest = "up" if about.high is None else f"to {about.high:g}"
        raise RequestError(
            f"{variable} is {text!r}, but must be a whole number from {about.low:g} {highest}."
        ) from error


def own_machine() -> None:
    """Raise the limits for commands, in this process and its child processes."""
    for name, allowed in _OWN.items():
        if variable(name) not in os.environ:
            os.environ[variable(name)] = str(allowed)
            _raised.add(variable(name))


def for_visitors() -> dict[str, str]:
    """The environment for a server: without what `own_machine` raised."""
    return {name: value for name, value in os.environ.items() if name not in _raised}


_raised: set[str] = set()  # variables that were not set when a command began


def refuse_more(name: str, asked: float, said: str, mend: str, what: str = "") -> None:
    """RequestError where more is asked for than this limit; what was asked, and what to do."""
    allowed = getattr(limits(), name)
    if asked > allowed:
        raise RequestError(
            f"{said}, and {allowed:,}{what} are allowed here; {mend}, or raise {variable(name)}."
        )


def check_data(points: int, dimensions: int) -> None:
    """RequestError if a data set is larger than the limits allow."""
    said = f"The data have {points:,} points"
    refuse_more("points", points, said, "ask for a sample with fewer")
    refuse_more(
        "dimensions", dimensions, f"The data have {dimensions:,} features", "leave some out"
    )


def check_clusters(clusters: int) -> None:
    """RequestError where more clusters are asked for than the limits allow, whatever the data."""
    refuse_more("clusters", clusters, f"K is {clusters:,}", "ask for fewer", " clusters")


def check_preparation(points: int, dimensions: int, clusters: int = 0) -> None:
    """RequestError where clustering data of this size, or their spectrum, would take too long."""
    started_on = min(points, max(_STARTED_ON, 10 * clusters))
    passes = _STARTS * started_on + _FINISHING * points
    seconds = clusters * (dimensions + _FEW_COORDINATES) * passes
    seconds += _PRODUCTS * points * dimensions**2 + _SPECTRUM * dimensions**3
    with_k = f" in K = {clusters:,} clusters" if clusters else ""
    data = f"{points:,} points with {dimensions:,} features{with_k}"
    said = f"Preparing {data} would take about {seconds:,.0f} s"
    refuse_more("prepare_s", seconds, said, "ask for less")


def check_weights(weights: int) -> None:
    """RequestError where the models of a run have more weights than the limits allow."""
    said = f"The models have {weights:,} weights"
    refuse_more("weights", weights, said, "ask for narrower layers")


def check_epochs(epochs: int) -> None:
    """RequestError if a run is longer than the limits allow."""
    refuse_more("epochs", epochs, f"The run has {epochs:,} epochs", "ask for fewer")
