"""Open objections to the paper's claim, one file each, with measurements on the user's data.

    answer(5, settings) -> Answer

A file's docstring has three parts, as for plug-ins: title, objection, source. The file holds one
function, `measure(settings) -> Answer`, on the data of these settings. Models are small and trained
briefly, so that an answer takes seconds; an answer claims no more than these runs measured.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from svae_core.config.settings import DATA_FIELDS
from svae_core.problem import prepared_data
from svae_core.records import Budget, Certificate, RequestError, Settings, State

#: The files, in the order in which the objections are numbered from 1.
_FILES = (
    *("assumptions", "norm_constraint", "true_by_definition"),
    *("architectures", "prevention", "new_modes"),
)
#: Points (at most), optimiser steps and batch size of the short runs behind an answer.
POINTS, STEPS, BATCH = 600, 400, 64
#: The settings that an answer depends on; all others are fixed here.
DEPENDS_ON = (
    *DATA_FIELDS,
    *("collapse_loss", "band", "lower_edge"),
    *("arch", "hidden", "latent_dim", "sigma2", "beta", "device"),
)


@dataclass(frozen=True)
class Objection:
    """An objection as the screen shows it."""

    number: int
    title: str
    text: str


@dataclass(frozen=True)
class Answer:
    """The measured answer to one objection: numbers by name, sentences and a table."""

    numbers: dict[str, float]
    sentences: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def table(self) -> str:
        """The rows as a Markdown table, the first column aligned left and the others right."""
        rule = ("---", *("---:" for _ in self.columns[1:]))
        lines = (self.columns, rule, *self.rows)
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )


def objections() -> tuple[Objection, ...]:
    """All objections, in order of their numbers."""
    found = []
    for number, name in enumerate(_FILES, start=1):
        paragraphs = (_module(name).__doc__ or "").strip().split("\n\n")
        title, *middle, _source = (" ".join(part.split()) for part in paragraphs)
        found.append(Objection(number, title, "\n\n".join(middle)))
    return tuple(found)


def answer(number: int, settings: Settings) -> Answer:
    """Measure the answer to an objection on the data of these settings; takes seconds.

    Raises RequestError, one sentence, if the settings or the data are invalid.
    """
    if not 1 <= number <= len(_FILES):
        raise RequestError(f"There is no objection {number}; they are numbered 1 to {len(_FILES)}.")
    found: Answer = _module(_FILES[number - 1]).measure(settings)
    return found


# ------------------------------------------------------------------ shared by the answers


def short(settings: Settings, held_out: float | None = None) -> Settings:
    """Settings of a short spherical run on the same data, or on a sample of them."""
    share = settings.held_out if held_out is None else held_out
    prepared = prepared_data(settings)
    points = len(prepared.shell.points) + len(prepared.shell.held_out)
    kept = min(points, POINTS)
    trained = kept - round(share * kept)
    return dataclasses.replace(
        settings,
        n_points=kept if kept < points else settings.n_points,
        held_out=share,
        clusters=max(1, min(prepared.clusters.k, trained // 2)),
        method="spherical",
        method_options=(),
        start="usual",
        changes=(),
        seed=0,
        batch_size=BATCH,
        learning_rate=5e-3,
        epochs=math.ceil(STEPS / math.ceil(trained / BATCH)),
    )


def baseline(settings: Settings) -> Settings:
    """Settings of the conventional VAE, equal in everything else."""
    return dataclasses.replace(settings, method="baseline", method_options=())


def trained(members: Sequence[Settings]) -> tuple[State, tuple[Certificate, ...]]:
    """The state of these members after training, and their certificates."""
    from svae_core.training import loop

    state = loop.advance(loop.begin(tuple(members)), Budget(frames=False)).state
    return state, loop.certify(state)


def range_of(values: Sequence[float]) -> str:
    """The range of some numbers, or their single value: `0.61–0.64`, without a line break."""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    joiner = "\N{WORD JOINER}"
    return low if low == high else f"{low}{joiner}–{joiner}{high}"


def tiny(value: float) -> str:
    """An error as text: its order of magnitude, or 0."""
    return f"{value:.0e}" if value > 0 else "0"


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
