"""Every view of the stage that shows data, by the name of its file, as SVG.

draw("shells", run, Look(width=640)) -> the text of an SVG file
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from svae_core.figures.papers import clouds, curves, latents, pictures
from svae_core.figures.papers.run_picture import SMALLEST, Look, RunPicture
from svae_core.figures.papers.svg import Drawing
from svae_core.records import RequestError


@dataclass(frozen=True)
class View:
    """A figure: its title, its usual size in pixels of 1/96 inch, and what draws it."""

    title: str
    size: tuple[float, float]
    draw: Callable[[RunPicture, Look, Drawing], None]


VIEWS = {
    "shells": View("Reconstructions on the shell", (640.0, 346.0), clouds.shells),
    "kl": View("KL per latent dimension, in nats", (640.0, 150.0), latents.kl_bars),
    "lifelines": View("KL over time, dimension by dimension", (480.0, 240.0), latents.lifelines),
    "loss": View("Loss against δ", (480.0, 300.0), curves.loss),
    "plane": View("Rate–distortion plane", (480.0, 300.0), curves.plane),
    "maps": View("Latent means", (640.0, 370.0), clouds.maps),
    "pictures": View("Reconstructions", (480.0, 270.0), pictures.reconstructions),
}

#: Height of a figure in millimetres for its width, at least, as in `paper.js`: names and legend
#: keep their size, and leave room for what they are of.
_FLATTEST = 0.62


def draw(name: str, run: RunPicture, look: Look) -> str:
    """A view of a run as the text of an SVG file; RequestError if there is no such view."""
    if name not in VIEWS:
        raise RequestError(f"There is no figure {name[:40]!r}; there are {', '.join(VIEWS)}.")
    view = VIEWS[name]
    width, height = _size(look, view)
    step = run.frames[0].step
    title = f"{view.title}, {run.prepared.dataset.title}, step {step:,} of {run.steps:,}"
    if look.chosen is not None:
        title += f"; {look.selection or 'picked out'}: {len(look.chosen):,} points"
    drawing = Drawing(width, height, title, look.millimetres)
    view.draw(run, look, drawing)
    return str(drawing)


def _size(look: Look, view: View) -> tuple[float, float]:
    """The size asked for; a side that is not given follows the other in the usual proportion."""
    usual, tall = view.size
    width = look.width or max(SMALLEST, usual * (look.height / tall if look.height else 1))
    flattest = _FLATTEST * width if look.millimetres else SMALLEST
    return width, look.height or max(flattest, SMALLEST, tall * width / usual)
