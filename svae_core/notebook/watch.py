"""The stage below a cell: watch(monitor), watch(settings), watch("a saved run"), watch(model, X).

    from svae_core.notebook.watch import watch

    view = watch(monitor, steps=2_000)      # then the loop, which calls monitor.step()
    view                                    # the last line of a cell shows it

While a loop trains, the stage shows each reading; moments can be scrubbed, and a click on a point
decodes it. Once the run is over the cell's output holds all of it and plays without a kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from svae_core.records import RequestError, Settings
from svae_core.runs.folder import SavedRun

if TYPE_CHECKING:
    from svae_core.integrations.pytorch import FeasibleBand
    from svae_core.notebook.post import Watched
    from svae_core.notebook.widget import StageWidget


def watch(
    what: Any,
    X: Any = None,
    *,
    labels: Any = None,
    image: tuple[int, int] | None = None,
    band: FeasibleBand | None = None,
    steps: int = 0,
    name: str = "model",
) -> StageWidget:
    """The stage of a run, as a widget.

    `what` is one of: a CollapseMonitor in somebody's own loop; Settings, or several that train side
    by side, which `train()` of the widget trains; a saved run, as record, folder or name; an
    estimator that will be fitted; or a fitted one with the points `X` that it was fitted to, which
    `train()` trains again, step by step the same.
    A saved run that another process trains meanwhile, given by folder or name, is followed to its
    end: moments come about once a second, while no cell runs, for one that runs keeps the kernel.
    Of a monitor: `labels` are the classes [n] of its points, `image` height and width where points
    are images, `band` what the loop's penalty holds, `steps` the length of the loop, `name` what
    the model is called.
    Raises RequestError, one sentence, for anything else, and where anywidget or plotly is missing.
    """
    widget = _widget_class()
    look: dict[str, Any] = {"labels": labels, "image": image, "band": band}
    return widget(as_watched(what, X, **look, steps=steps, name=name))


def _widget_class() -> type[StageWidget]:
    try:
        from svae_core.notebook.widget import StageWidget
    except ImportError as error:
        raise RequestError(
            "The stage below a cell needs packages that are not installed "
            f"({error.name or error}): pip install 'spherical-vae-explorer[notebook]'."
        ) from error
    return StageWidget


def as_watched(what: Any, X: Any, **look: Any) -> Watched:
    """The run behind what `watch` is given; RequestError where there is none."""
    from svae_core.notebook import saved, trained

    if isinstance(what, SavedRun):
        return saved.Saved(what)
    if isinstance(what, str | Path):
        return saved.saved_run(what)
    members = (what,) if isinstance(what, Settings) else what
    if isinstance(members, tuple | list) and all(isinstance(one, Settings) for one in members):
        return trained.Trained(tuple(members))
    from svae_core.integrations.pytorch import CollapseMonitor

    if isinstance(what, CollapseMonitor):
        from svae_core.notebook.monitored import Monitored

        return Monitored(what, **look)
    from svae_core.estimator import SphericalVAE

    if isinstance(what, SphericalVAE):
        return _of_estimator(what, X)
    raise RequestError(
        f"A {type(what).__name__} cannot be watched; give a CollapseMonitor, Settings, a "
        "SphericalVAE, or a saved run by its folder or name."
    )


def _of_estimator(model: Any, X: Any) -> Watched:
    from svae_core.notebook.fitted import Fitted
    from svae_core.notebook.trained import training_of

    if not hasattr(model, "state_"):
        watched = Fitted()
        model.set_callbacks(watched)
        return watched
    if X is None:
        raise RequestError(
            "A fitted model keeps neither its points nor its moments: give the points as well, "
            "watch(model, X), or watch the model before fit."
        )
    return training_of(model, X)
