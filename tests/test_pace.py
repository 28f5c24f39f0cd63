"""Laws of the pace: a lesson lasts as long on any machine, and slowest where most happens."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pages.live.pace import Pace


def shown(pace: Pace, steps: list[int], since: int = 0) -> float:
    """Seconds from the first of these moments to the last."""
    total = steps[-1]
    return sum(pace.dwell(a, b, total, since) for a, b in pairwise(steps))


@given(st.integers(120, 400), st.integers(1, 40), st.sampled_from([15.0, 22.0, 30.0]))
def test_a_schedule_lasts_its_seconds_however_many_moments_there_are(
    moments: int, apart: int, seconds: float
) -> None:
    steps = [50 + apart * number for number in range(moments)]
    found = shown(Pace(seconds=seconds), steps, since=50)
    longest = max(seconds, moments / 60 + 50 / 15)
    assert 0.8 * seconds <= found <= longest + 1e-9


@given(st.integers(100, 5000), st.floats(0.1, 0.5))
def test_before_its_turn_a_lesson_has_its_own_seconds(total: int, turn: float) -> None:
    pace = Pace(seconds=22.0, turn=turn, before=8.0)
    end = pace.turn_step(total)
    assert pace.left(0, total, 0) == 8.0
    assert pace.left(end, total, 0) == 0.0
    assert pace.left(end + 1, total, 0) is not None and pace.left(end + 1, total, 0) > 20  # type: ignore[operator]


@given(st.integers(200, 5000), st.integers(1, 20))
def test_time_left_falls_by_what_was_shown_and_never_jumps(total: int, apart: int) -> None:
    pace = Pace(seconds=22.0)
    left = [pace.left(step, total, 0) for step in range(0, total + 1, apart)]
    falls = [a - b for a, b in pairwise(left) if a is not None and b is not None]
    assert min(falls) >= -1e-9
    assert max(falls) <= falls[0] + 1e-9, "most at the start, where moments last longest"


def test_without_a_schedule_only_the_first_moments_are_slow() -> None:
    pace = Pace()
    assert pace.dwell(0, 1, 2000, 0) > 3 * pace.dwell(500, 510, 2000, 0) > 0
    assert pace.left(10, 2000, 0) is None


def test_a_moved_lever_is_answered_within_a_moment() -> None:
    pace = Pace(seconds=22.0, turn=0.2)
    assert pace.dwell(900, 920, 4500, 900) <= 0.5
