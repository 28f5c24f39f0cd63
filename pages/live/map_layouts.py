"""The maps of a watched run: its newest moment is kept laid out, one layout at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pages.live.shared_training import Course
from pages.live.signal import News
from svae_core.compute.workers import WorkerLost

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout
    from svae_core.records import Moment

_ENDED = ("certifying", "finished")


class Mapped(Protocol):
    """A run whose moments are laid out."""

    news: News
    status: str

    @property
    def moments(self) -> list[Moment]: ...

    @property
    def layouts(self) -> list[tuple[Layout, ...]]: ...

    @property
    def seen(self) -> bool: ...

    @property
    def over(self) -> bool: ...

    @property
    def newest_step(self) -> int: ...


class Atlas:
    """What a run takes of the layouts that all runs of its course share."""

    def __init__(self, run: Mapped) -> None:
        self._run = run
        self._course: Course | None = None
        self._taken = 0  # of the course's layouts

    def join(self, course: Course) -> None:
        """The run follows this course from here on; what it has of its layouts stays."""
        self._course, layouts = course, self._run.layouts
        last = layouts[-1][0].step if layouts else -1
        self._taken = sum(one[0].step <= last for one in course.layouts)

    def take(self) -> None:
        """Take the layouts that are there of moments the run has seen."""
        run = self._run
        if self._course is not None:
            self._taken = self._course.hand_over(run.layouts, self._taken, run.newest_step)

    async def keep(self) -> None:
        """Keep the newest moment laid out, until nothing more will come."""
        run = self._run
        while True:
            # Once a second, since nothing tells when UMAP is compiled, perhaps after a short run.
            await run.news.until(lambda: self._due() or self._complete(), every=1.0)
            if self._complete():
                return
            before = run.layouts[-1] if run.layouts else None
            assert self._course is not None
            try:
                await self._course.lay_out(run.moments[-1], before)
            except WorkerLost:
                step = run.newest_step
                await run.news.until(lambda step=step: run.over or run.newest_step > step)  # type: ignore[misc]
            self.take()
            run.news.wake()

    def _due(self) -> bool:
        return self._run.seen and self._outdated()

    def _outdated(self) -> bool:
        course, moments = self._course, self._run.moments
        return bool(course and moments and course.outdated(moments[-1]))

    def _complete(self) -> bool:
        return self._run.status in _ENDED and not self._outdated() and not self._provisional()

    def _provisional(self) -> bool:
        """Whether PCA stands where UMAP will."""
        layouts = self._run.layouts
        return bool(layouts) and any(layout.kind == "pca" for layout in layouts[-1])
