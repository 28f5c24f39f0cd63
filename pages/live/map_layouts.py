"""The 2-D map layouts of a live run: a background task lays out its newest moment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from pages.live.shared_training import SharedTraining
from pages.live.signal import Signal
from svae_core.compute.workers import WorkerLost

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout
    from svae_core.records import Moment

_ENDED = ("certifying", "finished")


class LayoutSource(Protocol):
    """The part of a live run that its map layouts depend on."""

    signal: Signal
    status: str

    @property
    def moments(self) -> list[Moment]: ...

    @property
    def layouts(self) -> list[tuple[Layout, ...]]: ...

    @property
    def observed(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    @property
    def newest_step(self) -> int: ...


class MapLayouts:
    """Copies the layouts of a SharedTraining into one run that subscribes to it."""

    def __init__(self, run: LayoutSource) -> None:
        self._run = run
        self._shared_training: SharedTraining | None = None
        self._collected = 0  # how many of the shared layouts have been copied

    def join(self, shared: SharedTraining) -> None:
        """Take layouts from this training from now on; the run keeps the layouts it has."""
        self._shared_training, layouts = shared, self._run.layouts
        last = layouts[-1][0].step if layouts else -1
        self._collected = sum(one[0].step <= last for one in shared.layouts)

    def collect(self) -> None:
        """Copy the new layouts of moments that the run has reached."""
        run = self._run
        if self._shared_training is not None:
            self._collected = self._shared_training.copy_layouts(
                run.layouts, self._collected, run.newest_step
            )

    async def keep(self) -> None:
        """Lay out the newest moment again and again, until no layout is missing or provisional."""
        run = self._run
        while True:
            # Polled once a second: no signal is sent when UMAP has been compiled, which may be
            # after the end of a short run.
            await run.signal.wait_for(lambda: self._due() or self._complete(), every=1.0)
            if self._complete():
                return
            before = run.layouts[-1] if run.layouts else None
            assert self._shared_training is not None
            try:
                await self._shared_training.lay_out(run.moments[-1], before)
            except WorkerLost:
                await run.signal.wait_for(partial(self._moved_past, run.newest_step))
            self.collect()
            run.signal.notify()

    def _moved_past(self, step: int) -> bool:
        """Whether the run has ended or has a moment after this step."""
        return self._run.done or self._run.newest_step > step

    def _due(self) -> bool:
        return self._run.observed and self._outdated()

    def _outdated(self) -> bool:
        shared, moments = self._shared_training, self._run.moments
        return bool(shared and moments and shared.outdated(moments[-1]))

    def _complete(self) -> bool:
        return self._run.status in _ENDED and not self._provisional() and not self._outdated()

    def _provisional(self) -> bool:
        """Whether the newest layout is by PCA, which a layout by UMAP will replace."""
        layouts = self._run.layouts
        return bool(layouts) and any(layout.kind == "pca" for layout in layouts[-1])
