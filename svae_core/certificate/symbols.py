"""What a squared error of one-hot sequences amounts to in symbols."""

from __future__ import annotations

import numpy as np

from svae_core.records import SequenceErrors


def sequence_errors(points: np.ndarray, answers: np.ndarray, symbols: int) -> SequenceErrors:
    """The errors of answers [n, d] to one-hot points [n, d], both in the data's units.

    Two one-hot vectors that differ are at squared distance 2, so a hard answer has an error of
    twice the number of wrong symbols: a soft one can be much better than the best guess of each.
    """
    n, d = points.shape
    brier = float(((answers - points) ** 2).sum(axis=1, dtype=np.float64).mean())
    constant = float(points.var(axis=0, dtype=np.float64).sum())
    true, said = (each.reshape(n, -1, symbols).argmax(axis=2) for each in (points, answers))
    wrong = float((true != said).sum(axis=1).mean())
    length = d // symbols
    return SequenceErrors(
        brier=brier,
        brier_constant=constant,
        wrong=wrong,
        hard=2.0 * wrong,
        length=length,
        sentence=(
            f"Off the shell the answers, as probabilities, have a Brier score of {brier:.2f} a "
            f"sequence (the best constant answer: {constant:.2f}), and the most probable symbols "
            f"are wrong at {wrong:.1f} of {length} positions, a hard answer's squared error of 2 × "
            f"{wrong:.1f} = {2 * wrong:.1f}."
        ),
    )
