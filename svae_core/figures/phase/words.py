"""Phase maps in words: agreement of the cells with theory, and each cell in full."""

from __future__ import annotations

from collections.abc import Sequence

from svae_core.figures.names import counted
from svae_core.figures.phase.axes import SYMBOLS, View, label, value_of
from svae_core.studies.phase_cells import MEASURES, Cell, Spread, Theory

#: Measures that are shares of verdicts; the verdicts are also given in words.
SHARES = ("certified", "collapsed")


def describe_map(cells: Sequence[Cell], theory: Theory, name: str) -> str:
    """Verdicts of one method's cells on both sides of the line βσ² = λ_max, in sentences."""
    done = [cell for cell in cells if cell.seeds]
    if not done:
        return f"{name}: nothing is trained yet. The line is βσ² = λₘₐₓ = {theory.lambda_max:.3f}."
    beyond = [cell for cell in done if cell.gauge >= 1]
    before = [cell for cell in done if cell.gauge < 1]
    parts = []
    if beyond:
        parts.append(
            f"Beyond the line βσ² = λₘₐₓ every seed collapsed in {_all(beyond, 'collapsed')} and "
            f"every seed is certified in {_all(beyond, 'certified')}."
        )
    if before:
        alive = sum(cell.verdicts["collapsed"] == 0 for cell in before)
        parts.append(
            f"Before it no seed collapsed in {alive} of {_count(before)} and every seed is "
            f"certified in {_all(before, 'certified')}."
        )
    differing = sum(map(mixed, done))
    if len(done[0].seeds) > 1 or differing:
        parts.append(f"The seeds' verdicts differ in {differing} of {_count(done)}.")
    if left := len(cells) - len(done):
        parts.append(f"{_count(left)} without a result so far.")
    return f"{name}. {' '.join(parts)}"


def describe_staircase(cells: Sequence[Cell]) -> str:
    """In how many cells of a conventional VAE the active units are those of a linear one."""
    done = [cell for cell in cells if cell.seeds]
    units = [(cell.values["active_units"], cell.eigenvalues_above) for cell in done]
    agree = sum(found.low == found.high == told for found, told in units)
    near = sum(abs(found.low - told) <= 1 >= abs(found.high - told) for found, told in units)
    linear = bool(cells) and cells[0].settings.arch == "linear"
    also = "" if linear else f", and a number at most 1 off in {near}"
    exact = "" if linear else " They are exact for linear nets and a first guess for these."
    law = (
        "Theory predicts the active units of a linear VAE: the number of eigenvalues λᵢ > βσ², "
        "whose lines are dotted, so that one dimension dies at each."
    )
    counted = f" Every seed has that number in {agree} of {_count(done)}{also}." if done else ""
    return f"{law}{counted}{exact}"


def place(cell: Cell, view: View) -> str:
    """The coordinates of a cell, in words."""
    names = (view.x, view.y)
    return ", ".join(f"{SYMBOLS[name]} = {label(value_of(cell, name))}" for name in names)


def cell_table(cells: Sequence[Cell], names: Sequence[str]) -> str:
    """A Markdown table: every measure at one point of the map, a column per method."""
    lines = [
        f"| | {' | '.join(names)} |",
        f"| --- |{' ---: |' * len(names)}",
        f"| seeds | {' | '.join(str(len(cell.seeds)) for cell in cells)} |",
        f"| verdicts | {' | '.join(_verdicts(cell).replace('|', '¦') for cell in cells)} |",
    ]
    for name, measure in MEASURES.items():
        if name in SHARES:
            continue
        unit = f", {measure.unit}" if measure.unit else ""
        values = " | ".join(_spread(cell.values.get(name)) for cell in cells)
        lines.append(f"| {measure.title}{unit} | {values} |")
    return "\n".join(lines)


def mixed(cell: Cell) -> bool:
    """Whether the seeds' verdicts differ."""
    return sum(count > 0 for count in cell.verdicts.values()) > 1


def hover(cell: Cell, view: View) -> str:
    """The hover text of a cell."""
    head = f"<b>{place(cell, view)}</b><br>βσ²/λₘₐₓ = {cell.gauge:.3g}"
    if cell.refused:
        return f"{head}<br>{cell.refused}"
    if not cell.seeds:
        return f"{head}<br>not trained yet"
    lines = [
        f"{measure.title}: {_spread(cell.values[name])} {measure.unit}"
        for name, measure in MEASURES.items()
        if name not in SHARES
    ]
    return "<br>".join([head, f"{counted(len(cell.seeds), 'seed')}: {_verdicts(cell)}", *lines])


def _verdicts(cell: Cell) -> str:
    counts = [f"{count} {name}" for name, count in cell.verdicts.items() if count]
    return ", ".join(counts) or cell.refused or "–"


def _spread(found: Spread | None) -> str:
    if found is None:
        return "–"
    mean, low, high = (
        f"{value:.0f}" if value == round(value) else f"{value:z.3f}"
        for value in (found.mean, found.low, found.high)
    )
    return mean if low == high else f"{mean} ({low} … {high})"


def _all(cells: Sequence[Cell], verdict: str) -> str:
    """In how many of these cells all seeds have that verdict."""
    count = sum(cell.verdicts[verdict] == len(cell.seeds) for cell in cells)
    return f"{count} of {_count(cells)}"


def _count(cells: Sequence[Cell] | int) -> str:
    return counted(cells if isinstance(cells, int) else len(cells), "cell")
