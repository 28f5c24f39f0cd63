"""The figures of a saved run as SVG files: `svae export RUN --what figures --to FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from svae_core.config.writable import refusal
from svae_core.records import RequestError

if TYPE_CHECKING:
    from svae_core.figures.papers.run_picture import RunPicture
    from svae_core.runs.folder import SavedRun


def add_options(command: argparse.ArgumentParser) -> None:
    """What figures are drawn, of which moment, and how large."""
    figures = command.add_argument_group("figures")
    figures.add_argument("--format", choices=("svg",), default="svg", help="of the files")
    figures.add_argument(
        "--views", default="", help="names, separated by commas (default: every view)"
    )
    figures.add_argument(
        "--step", type=int, help="the moment at this step, or the last before it (default: last)"
    )
    for side in ("width", "height"):
        figures.add_argument(
            f"--{side}",
            default="",
            help="pixels of 1/96 inch, or millimetres, as in 85mm (default: the view's)",
        )
    figures.add_argument(
        "--colour",
        default="cluster",
        metavar="NAME",
        help="what points are coloured by: cluster, label, or the name of a column",
    )
    figures.add_argument(
        "--points",
        default="",
        help="points to pick out, by their numbers in the figures, counted from 1: 1-20,45",
    )
    figures.add_argument(
        "--others",
        choices=("fade", "vanish"),
        default="fade",
        help="what the points do that were not picked out",
    )


def write(request: argparse.Namespace, folder: Path) -> tuple[Path, ...]:
    """Draw the views of a saved run into a folder; the files."""
    from svae_core.figures.colouring import colouring
    from svae_core.figures.papers.run_picture import Look
    from svae_core.figures.papers.views import VIEWS, draw
    from svae_core.runs import folder as runs
    from svae_core.runs import store

    width, height = (_pixels(getattr(request, side), side) for side in ("width", "height"))
    names = [name.strip() for name in request.views.split(",") if name.strip()] or [*VIEWS]
    for name in names:
        if name not in VIEWS:
            raise RequestError(f"--views has {name!r}, but the views are {', '.join(VIEWS)}.")
    place = Path(request.saved)
    saved = runs.load(place if place.is_dir() else store.find(runs.home(), request.saved).folder)
    run = picture_of(saved, request.saved, request.step)
    look = Look(
        width,
        height,
        millimetres="mm" in request.width + request.height,
        colour=colouring(run.prepared, request.colour).name,
        chosen=_chosen(request.points, len(run.prepared.view_points)),
        vanish=request.others == "vanish",
    )
    files = tuple(folder / f"{name}.{request.format}" for name in names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in zip(names, files, strict=True):
            file.write_text(draw(name, run, look), encoding="utf-8")
    except OSError as error:
        raise refusal(f"--to {folder}", folder, error) from error
    return files


def _pixels(text: str, side: str) -> float:
    """A length as pixels of 1/96 inch; 0 where none is given."""
    from svae_core.figures.papers.svg import PER_MILLIMETRE

    words = text.strip().removesuffix("px")
    number = words.removesuffix("mm")
    try:
        length = float(number or 0)
    except ValueError as error:
        refusal = f"--{side} is {text!r}, but must be a number of pixels, or end in mm."
        raise RequestError(refusal) from error
    return length * (PER_MILLIMETRE if number != words else 1.0)


def _chosen(text: str, count: int) -> frozenset[int] | None:
    """Points by their numbers, counted from 1, as in 1-20,45; None where none are given."""
    found: set[int] = set()
    for part in filter(None, (one.strip() for one in text.split(","))):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise RequestError(f"--points has {part!r}, but must be numbers, as in 1-20,45.")
        if not 1 <= int(first) <= int(last or first) <= count:
            raise RequestError(f"--points has {part!r}, but points go from 1 to {count:,}.")
        found.update(range(int(first) - 1, int(last or first)))
    return frozenset(found) if found else None


def picture_of(saved: SavedRun, name: str, step: int | None) -> RunPicture:
    """What figures need of a saved run: its data are prepared, and its floors computed."""
    from svae_core.commands._training import check_data
    from svae_core.commentary import CommentaryState, deaths, update
    from svae_core.compute import tasks
    from svae_core.figures.papers.run_picture import RunPicture
    from svae_core.latent.projection import pca_layout
    from svae_core.methods import method_for

    about, moments = saved.about, saved.moments
    if not moments:
        raise RequestError(f"{name} has no moments to draw yet; train it first.")
    check_data(about, name)
    earlier = [n for n, one in enumerate(moments) if step is None or one[0].step <= step]
    if not earlier:
        raise RequestError(f"--step is {step}, but the first moment is at {moments[0][0].step}.")
    state, remarks = CommentaryState(), []
    for moment in moments:
        state, new = update(state, tuple(one.method for one in about.members), moment)
        remarks += new
    prepared = tasks.prepared_data(about.members[-1])
    last = moments[-1]
    layouts = saved.layouts
    if not layouts and all(len(frame.latent_mean) for frame in last):
        # Runs of the command line keep no maps, and latents of the last moment only.
        layouts = (tuple(pca_layout(frame.latent_mean, frame.step) for frame in last),)
    guarded = any(method_for(one).guards_information for one in about.members)
    return RunPicture(
        prepared=prepared,
        members=about.members,
        moments=moments,
        layouts=layouts,
        floors=tasks.floors(about.members),
        deaths=deaths(remarks),
        banded=guarded and not prepared.region.empty,
        index=earlier[-1],
    )
