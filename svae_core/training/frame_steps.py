"""At which steps of a run its members are measured and drawn: by the run's length alone.

    is_frame_step(step, steps, dense_start);  next_frame(step, steps, dense_start)

Most happens at the beginning, so each of the first fifty steps has a frame; then every s-th, and
the last. Runs recorded by versions before spread about 200 frames evenly, and go on so.
"""

from __future__ import annotations

#: Frames of a run, about, where s need not be capped.
FRAMES = 200
#: The first steps have a frame each.
DENSE = 50
#: s at most: a pair on digits shows about five moments a second on a machine that takes 2,000 of
#: its steps a second.
LONGEST_GAP = 400
#: Frames of the longest runs, which a server has to hold; there s is longer again.
MOST_FRAMES = 1_000


def is_frame_step(step: int, steps: int, dense_start: bool = True) -> bool:
    """Whether this step of a run has a frame; `dense_start`: see State."""
    if not dense_start:
        count = min(FRAMES, steps)
        return step == 0 or step * count // steps != (step - 1) * count // steps
    return step <= DENSE or step == steps or (step - DENSE) % gap(steps) == 0


def next_frame(step: int, steps: int, dense_start: bool = True) -> int:
    """The first step after this one, before the end of the run, that has a frame."""
    return next(at for at in range(step + 1, steps + 1) if is_frame_step(at, steps, dense_start))


def gap(steps: int) -> int:
    """s: steps from one frame to the next, after the dense start."""
    rest = max(1, steps - DENSE)
    even = -(-rest // (FRAMES - DENSE - 1))
    return max(min(even, LONGEST_GAP), -(-rest // (MOST_FRAMES - DENSE - 1)))
