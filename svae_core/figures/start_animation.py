"""An animated figure of a recorded comparison for the start page; needs no worker.

The recording is a small file written by `tests/benchmarks/record_start_run.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from svae_core.figures.palette import (
    FONT_SIZE,
    blank,
    camera,
    cluster_style,
    faint,
    ink,
    quiet,
    scatter,
)
from svae_core.figures.shell_view import wireframe

_SCENES = ("scene", "scene2")
_CENTRES = (0.25, 0.75)


@dataclass(frozen=True, eq=False)
class Recording:
    """Two members trained side by side, reduced to what the start page shows."""

    titles: np.ndarray  # [2] text
    sentences: np.ndarray  # [2] text, the verdict at the end
    points: np.ndarray  # [2, frames, v, 3] float16, sampled reconstructions in the 3-D view
    data: np.ndarray  # [v, 3] float16, the data themselves in the same view
    labels: np.ndarray  # [v] int, cluster of each point
    epochs: np.ndarray  # [frames] int
    losses: np.ndarray  # [2, frames]
    kls: np.ndarray  # [2, frames] nats
    deltas: np.ndarray  # [2] the collapse loss that applies to each decoder
    radii: np.ndarray  # [2] of the shell


def load_recording(path: Path) -> Recording:
    """Read a recording from a file."""
    with np.load(path) as file:
        return Recording(**{item.name: file[item.name] for item in fields(Recording)})


def save_recording(recording: Recording, path: Path) -> None:
    """Write a recording to a compressed file."""
    parts = {item.name: getattr(recording, item.name) for item in fields(Recording)}
    np.savez_compressed(path, **parts)


def recorded(recording: Recording, dark: bool = False, narrow: bool = False) -> go.Figure:
    """Both shells at the last epoch, with a button that plays the run and a slider over epochs."""
    last = len(recording.epochs) - 1
    figure = blank(dark, 430)
    for member in range(2):
        figure.add_trace(_cloud(recording, member, last).update(_look(recording, member)))
    for member in range(2):
        for trace in _backdrop(recording, member, dark):
            figure.add_trace(trace)
    figure.frames = [_frame(recording, at) for at in range(last + 1)]
    reach = 1.02 * float(recording.radii[1])
    figure.update_layout(
        **{name: _scene(reach, member, narrow) for member, name in enumerate(_SCENES)},
        annotations=_words(recording, last),
        showlegend=False,
        updatemenus=[_play(dark)],
        sliders=[_slider(recording, dark, narrow)],
        margin={"l": 0, "r": 0, "t": 80, "b": 0},
    )
    return figure


def describe_recorded(recording: Recording) -> str:
    """The final sentences of both members."""
    return " ".join(
        f"{title}: {sentence}"
        for title, sentence in zip(recording.titles, recording.sentences, strict=True)
    )


def _frame(recording: Recording, at: int) -> go.Frame:
    return go.Frame(
        name=str(at),
        data=[_cloud(recording, member, at) for member in range(2)],
        traces=[0, 1],
        layout={"annotations": _words(recording, at)},
    )


def _cloud(recording: Recording, member: int, at: int) -> go.Scatter3d:
    return scatter(recording.points[member, at])


def _look(recording: Recording, member: int) -> dict[str, object]:
    """The properties of a cloud that are the same in all frames, so given only once."""
    styles = [cluster_style(int(label)) for label in recording.labels]
    return {
        "mode": "markers",
        "marker": {
            "size": 4,
            "color": [colour for colour, _ in styles],
            "symbol": [symbol for _, symbol in styles],
        },
        "scene": _SCENES[member],
        "hoverinfo": "skip",
        "name": str(recording.titles[member]),
    }


def _backdrop(recording: Recording, member: int, dark: bool) -> list[go.Scatter3d]:
    """The outer sphere of the shell, and the data as small dots."""
    dust = scatter(
        recording.data,
        mode="markers",
        marker={"size": 2, "color": quiet(dark)},
        hoverinfo="skip",
        name="data",
    )
    traces = [wireframe(float(recording.radii[1]), "shell", dark), dust]
    for trace in traces:
        trace.scene = _SCENES[member]
    return traces


def _words(recording: Recording, at: int) -> list[dict[str, object]]:
    """The label above each shell: title, epoch, loss and KL."""
    return [
        {
            "x": _CENTRES[member],
            "xref": "paper",
            "xanchor": "center",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": FONT_SIZE + 1},
            # Three short lines, since the two shells are side by side on a phone as well.
            "text": f"<b>{recording.titles[member]}</b><br>epoch {recording.epochs[at]}, "
            f"δ = {recording.deltas[member]:.2f}<br>loss {recording.losses[member, at]:.2f}, "
            f"<b>KL {recording.kls[member, at]:.2f} nats</b>",
        }
        for member in range(2)
    ]


def _scene(reach: float, member: int, narrow: bool) -> dict[str, object]:
    axis = {"range": [-reach, reach], "visible": False}
    return {
        "domain": {"x": [0.5 * member, 0.5 * member + 0.5], "y": [0.0, 1.0]},
        "xaxis": axis,
        "yaxis": axis,
        "zaxis": axis,
        "aspectmode": "cube",
        "camera": camera(1.9 if narrow else 1.0),
    }


def _play(dark: bool) -> dict[str, object]:
    step = {"frame": {"duration": 110, "redraw": True}, "transition": {"duration": 0}}
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0.0,
        "y": -0.02,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 6},
        "bgcolor": faint(dark),
        "bordercolor": faint(dark),
        "font": {"size": FONT_SIZE, "color": ink(dark)},
        "buttons": [{"label": "▶ Play", "method": "animate", "args": [None, step]}],
    }


def _slider(recording: Recording, dark: bool, narrow: bool) -> dict[str, object]:
    beside = 0.27 if narrow else 0.12  # the button
    go_to = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    return {
        "active": len(recording.epochs) - 1,
        "x": beside,
        "len": 1.0 - beside,
        "y": -0.02,
        "pad": {"t": 6},
        "bgcolor": faint(dark),
        "bordercolor": faint(dark),
        "tickcolor": faint(dark),
        "font": {"size": FONT_SIZE - 1, "color": ink(dark)},
        "currentvalue": {"visible": False},
        "steps": [
            {"label": str(epoch), "method": "animate", "args": [[str(at)], go_to]}
            for at, epoch in enumerate(recording.epochs)
        ],
    }
