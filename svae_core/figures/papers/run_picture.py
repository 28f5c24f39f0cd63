"""What the figures of a run are drawn from, and how large and from where they are seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svae_core.figures.colouring import CLUSTER
from svae_core.figures.members import member_marks, member_names
from svae_core.figures.palette import Mark
from svae_core.records import FloorCurves, Moment, PreparedData, RequestError, Settings

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout

#: Pixels that a figure may be wide or high.
SMALLEST, LARGEST = 120, 4000


@dataclass(frozen=True, eq=False)
class RunPicture:
    """A run at one of its moments; clusters and points are the viewed ones."""

    prepared: PreparedData
    members: tuple[Settings, ...]
    moments: tuple[Moment, ...]
    layouts: tuple[tuple[Layout, ...], ...]
    floors: tuple[FloorCurves, ...]  # empty: not known
    deaths: tuple[tuple[int, int, int], ...]  # model, dimension from 0, step
    banded: bool  # whether a model is held in the band
    index: int  # of the moment shown

    @property
    def frames(self) -> Moment:
        """The frames of the moment shown."""
        return self.moments[self.index]

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return max(1, self.frames[0].steps)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each model."""
        return member_names(self.members)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Colour, symbol and dash of each model."""
        return member_marks(self.members)

    @property
    def layout(self) -> tuple[Layout, ...] | None:
        """The newest map of each model at this moment, if there is one."""
        step = self.frames[0].step
        earlier = [layout for layout in self.layouts if layout[0].step <= step]
        return earlier[-1] if earlier else None

    @property
    def corridor(self) -> list[tuple[int, float, float]]:
        """Step, lo and hi of the last model's band, at its start and at every change."""
        edges: list[tuple[int, float, float]] = []
        for moment in self.moments:
            frame = moment[-1]
            if frame.lo <= frame.hi and (not edges or edges[-1][1:] != (frame.lo, frame.hi)):
                edges.append((frame.step, frame.lo, frame.hi))
        return edges


@dataclass(frozen=True)
class Look:
    """Size in pixels of 1/96 inch, camera of the shells, colours, and points picked out."""

    width: float = 0.0  # 0: as the view has it
    height: float = 0.0
    millimetres: bool = False  # whether the file tells its size in millimetres
    turn: float = math.pi / 4  # radians about the vertical axis …
    tilt: float = 0.36  # … and above the equator
    zoom: float = 1.0
    colour: str = CLUSTER  # what points are coloured by, of `colouring.names_of`
    hidden: frozenset[int] = frozenset()  # groups of that colouring that are left out
    chosen: frozenset[int] | None = None  # points picked out, if some are
    vanish: bool = False  # whether the others are left out; else they fade
    selection: str = ""  # what the points picked out are called

    def __post_init__(self) -> None:
        """RequestError if a number is out of range."""
        for name in ("width", "height"):
            value = getattr(self, name)
            if value and not SMALLEST <= value <= LARGEST:
                raise RequestError(
                    f"The {name} of a figure is {value:g} px, but must be from {SMALLEST} to "
                    f"{LARGEST:,}."
                )
        if not (math.isfinite(self.turn) and abs(self.tilt) <= 1.5 and 0.5 <= self.zoom <= 8):
            raise RequestError(
                "The camera needs a finite turn, a tilt of at most 1.5, and a zoom from 0.5 to 8."
            )
