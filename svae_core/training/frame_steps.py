"""At which steps of a run its members are measured and drawn: by its length and its changes alone.

    is_frame_step(step, steps, rule, changed);  next_frame(step, steps, rule, changed)

Most happens at the beginning, so each of the first fifty steps has a frame; then every s-th, and
the last. Most happens after a change of settings, too: frames lie 1, 2, 4, 8, … steps after it, as
far as s. Runs recorded by versions before go on by the rule that they began with.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from svae_core.records import Settings

#: The rules, as `State.frame_rule` records them: about 200 frames, evenly spread …
EVEN = 0
#: … dense at the start, then even …
DENSE_START = 1
#: … and dense after each change of settings as well.
DENSE_CHANGES = 2
#: Frames of a run, about, where s need not be capped.
FRAMES = 200
#: The first steps have a frame each.
DENSE = 50
#: s at most: a pair on digits shows about five moments a second on a machine that takes 2,000 of
#: its steps a second.
LONGEST_GAP = 400
#: Frames of the longest runs without changes, which a server has to hold; there s is longer again.
MOST_FRAMES = 1_000
#: Frames are dense after so many changes of a run; a file holds 4,096 moments.
MOST_DENSE_CHANGES = 200


def changed_steps(members: Iterable[Settings]) -> tuple[int, ...]:
    """The steps at which settings of members change, rising: those that frames are dense after."""
    steps = {since for settings in members for since, _, _ in settings.changes}
    return tuple(sorted(steps)[:MOST_DENSE_CHANGES])


def is_frame_step(
    step: int, steps: int, rule: int = DENSE_CHANGES, changed: tuple[int, ...] = ()
) -> bool:
    """Whether this step of a run has a frame; `changed`: see changed_steps."""
    if rule == EVEN:
        count = min(FRAMES, steps)
        return step == 0 or step * count // steps != (step - 1) * count // steps
    if step <= DENSE or step == steps or (step - DENSE) % gap(steps) == 0:
        return True
    earlier = bisect_left(changed, step)
    if rule == DENSE_START or not earlier:
        return False
    since = step - changed[earlier - 1]
    return since < gap(steps) and since.bit_count() == 1


def next_frame(
    step: int, steps: int, rule: int = DENSE_CHANGES, changed: tuple[int, ...] = ()
) -> int:
    """The first step after this one, before the end of the run, that has a frame."""
    later = range(step + 1, steps + 1)
    return next(at for at in later if is_frame_step(at, steps, rule, changed))


def gap(steps: int) -> int:
    """s: steps from one frame to the next, after the dense start."""
    rest = max(1, steps - DENSE)
    even = -(-rest // (FRAMES - DENSE - 1))
    return max(min(even, LONGEST_GAP), -(-rest // (MOST_FRAMES - DENSE - 1)))
