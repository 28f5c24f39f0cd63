"""The maps of a watched run: its newest moment is kept laid out, one layout at a time."""

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


class Mapped(Protocol):
    """A run whose moments are laid out."""

    signal: Signal
    status: str

    @property
    def moments(self) -> list[Moment]: ...

    @property
    def layouts(self) -> list[tuple[Layout, ...]]: ...

    @property
    def seen(self) -> bool: ...

    @property
    def done(self) -> bool: ...

    @property
    def newest_step(self) -> int: ...


class MapLayouts:
    """What a run takes of the layouts that all subscribers of its SharedTraining share."""

    def __init__(self, run: Mapped) -> None:
        self._run = run
        self._shared_training: SharedTraining | None = None
        self._taken = 0  # of the shared layouts

    def join(self, shared: SharedTraining) -> None:
        """The run follows this training from here on; what it has of its layouts stays."""
        self._shared_training, layouts = shared, self._run.layouts
        last = layouts[-1][0].step if layouts else -1
        self._taken = sum(one[0].step <= last for one in shared.layouts)

    def take(self) -> None:
        """Take the layouts that are there of moments the run has seen."""
        run = self._run
        if self._shared_training is not None:
            self._taken = self._shared_training.hand_over(run.layouts, self._taken, run.newest_step)

    async def keep(self) -> None:
        """Keep the newest moment laid out, until nothing more will come."""
        run = self._run
        while True:
            # Once a second, since nothing tells when UMAP is compiled, perhaps after a short run.
            await run.signal.wait_for(lambda: self._due() or self._complete(), every=1.0)
            if self._complete():
                return
            before = run.layouts[-1] if run.layouts else None
            assert self._shared_training is not None
            try:
                await self._shared_training.lay_out(run.moments[-1], before)
            except WorkerLost:
                await run.signal.wait_for(partial(self._moved_past, run.newest_step))
            self.take()
            run.signal.notify()

    def _moved_past(self, step: int) -> bool:
        return self._run.done or self._run.newest_step > step

    def _due(self) -> bool:
        return self._run.seen and self._outdated()

    def _outdated(self) -> bool:
        shared, moments = self._shared_training, self._run.moments
        return bool(shared and moments and shared.outdated(moments[-1]))

    def _complete(self) -> bool:
        return self._run.status in _ENDED and not self._outdated() and not self._provisional()

    def _provisional(self) -> bool:
        """Whether PCA stands where UMAP will."""
        layouts = self._run.layouts
        return bool(layouts) and any(layout.kind == "pca" for layout in layouts[-1])
