"""A run as it is watched in a notebook: its moments so far, and the messages that the stage reads.

run = WatchedRun(prepared, members);  run.add(moment);  run.finish(certificates)
run.scene();  run.message(index, request);  run.packed()
"""

from __future__ import annotations

from collections.abc import Sequence

from svae_core import commentary
from svae_core.commentary import CommentaryState, Remark
from svae_core.config.settings import changeable_at
from svae_core.figures.members import member_names
from svae_core.latent.projection import Layout, pca_layouts
from svae_core.records import Certificate, FloorCurves, Moment, PreparedData, Settings
from svae_core.runs.folder import without_latents
from svae_core.stage import messages, replay_file
from svae_core.stage.framing import Message
from svae_core.stage.messages import FrameRequest

#: Bytes of a packed run that a saved notebook holds at most; longer ones lose every other moment.
LARGEST = 2_000_000
PLAYING, FINISHED = "playing", "finished"


class WatchedRun:
    """The moments of one training, in order, with what is said of them. A `messages.Run`."""

    def __init__(
        self,
        prepared: PreparedData,
        members: tuple[Settings, ...],
        names: Sequence[str] = (),
        floors: tuple[FloorCurves, ...] = (),
        sharpened: bool = False,
        banded: bool = False,
    ) -> None:
        """`prepared`: reduced to the viewed points. `names`: of the models on screen.

        `banded`: a penalty that is not of our methods holds the loss in the region's band.
        """
        self.banded = banded
        self.prepared, self.members = prepared, members
        self.names = tuple(names) or member_names(members)
        self.floors, self.sharpened = floors, sharpened
        self.generation = self.version = 0
        self.status = PLAYING
        self.certificates: tuple[Certificate, ...] = ()
        self.moments: tuple[Moment, ...] = ()
        self.layouts: tuple[tuple[Layout, ...], ...] = ()
        self.remarks: tuple[Remark, ...] = ()
        self._commentary = CommentaryState()

    def add(self, moment: Moment, mapped: bool = True) -> None:
        """Append a moment, what is to be said of it, and if `mapped` a map of its latents."""
        self._commentary, new = commentary.update(self._commentary, self.names, moment)
        self.remarks += tuple(new)
        if mapped:
            self.layouts += (pca_layouts(moment, self.layouts[-1] if self.layouts else ()),)
        self.moments += (without_latents(moment),)

    def finish(self, certificates: tuple[Certificate, ...] = ()) -> None:
        """The run is over, or was certified."""
        self.status, self.version = FINISHED, self.version + 1
        self.certificates = certificates

    @property
    def sentence(self) -> str:
        """What is known of it in words: the certificates', else the newest measurement's."""
        if self.certificates:
            return " ".join(one.sentence for one in self.certificates)
        if not self.moments:
            return "Nothing has been measured yet."
        return " ".join(frame.sentence for frame in self.moments[-1])

    def scene(self) -> Message:
        """Everything that is fixed before training."""
        pictures = len(self.moments[0][0].samples) if self.moments else 8
        header, arrays = messages.scene(
            self.prepared, self.members, pictures, replay_file.COLUMNS, names=self.names
        )
        if self.banded:
            region = self.prepared.region
            header |= {"handles": {"within": region.within, "delta": region.delta}}
        return header, arrays

    def message(self, index: int, seen: FrameRequest) -> Message:
        """One moment, without what a page has seen already."""
        header, arrays = messages.moment(self, index, seen)
        now = {"now": changeable_at(self.members[-1], self.moments[-1][0].step)}
        return {**header, **replay_file.STANDING, **now, "status": self.status}, arrays

    def packed(self, most: int = 0) -> bytes:
        """The run so far, as `assets/stage/archive.js` reads it; of `most` bytes, if that is given.

        Where that would be too many, moments are left out evenly, never the first and the last.
        """
        run = self
        while True:
            packed = replay_file.pack(*replay_file.recorded(run, run.scene(), run.message))
            count = len(run.moments)
            if not most or len(packed) <= most or count <= 2:
                return packed
            run = run.thinned(max(2, min(count - 1, int(0.9 * count * most / len(packed)))))

    def thinned(self, count: int) -> WatchedRun:
        """The same run with so many of its moments, evenly chosen."""
        last = len(self.moments) - 1
        kept = [self.moments[round(n * last / (count - 1))] for n in range(count)]
        steps = {moment[0].step for moment in kept}
        run = WatchedRun(self.prepared, self.members, self.names, self.floors, self.sharpened)
        run.__dict__.update(self.__dict__)
        run.moments = tuple(kept)
        if len(self.layouts) > count:
            run.layouts = tuple(one for one in self.layouts if one[0].step in steps)
        return run
