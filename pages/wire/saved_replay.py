"""The replay of a saved run, as a program: python -m pages.wire.saved_replay ID FILE.

What `svae export RUN --what replay` starts: the command line knows no screen, and a replay is one.
Exit status 2 and one sentence on standard error where it cannot be made.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pages.live import persistence
from pages.live.run_source import check_data
from pages.live.shared_training import Trainings
from pages.wire import routes
from svae_core.compute import tasks
from svae_core.compute.engine import Engine
from svae_core.config.writable import write_file
from svae_core.records import RequestError


async def write(run: str, path: Path) -> None:
    """Write the replay of the run of that id; in this process, which trains nothing."""
    engine = Engine()  # never started
    try:
        live = persistence.load_live_run(run, Trainings(engine))
        if live is None or not live.moments:
            raise RequestError(
                "This run is not among the saved runs of this machine, or has no moments yet; a "
                "run that was exported is first imported: runs import FILE.zip."
            )
        prepared = tasks.prepared_data(live.members[-1])
        check_data(prepared, live.fingerprint)
        live.prepared, live.floors = prepared, tasks.floors(live.members)
        page = await routes.replay_of(live)
    finally:
        engine.stop()
    write_file(path, page)


if __name__ == "__main__":
    try:
        asyncio.run(write(sys.argv[1], Path(sys.argv[2])))
    except RequestError as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
