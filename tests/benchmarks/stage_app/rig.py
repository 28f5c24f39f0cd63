"""Runs without training: moving points, made beforehand, sent by the app's own websocket."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go

from pages.live import registry
from pages.live.run import LiveRun
from pages.live.shared_training import Trainings
from pages.server.current import server
from svae_core.compute import tasks
from svae_core.compute.scheduler import QueuePosition
from svae_core.figures.palette import scene_style
from svae_core.latent.projection import Layout
from svae_core.records import Moment, PreparedData, Settings

POOL = 40  # clouds made beforehand; a run shows them in turn
SCRUBBED = 200  # moments of a finished run
MOST = 1000  # moments of a live run
#: The live runs: number of points, and moments per second. A rate above what a page can draw
#: measures what it can draw; at a low rate it draws every moment.
LIVE = {"live-2000": (2000, 60.0), "live-5000": (5000, 60.0), "slow-2000": (2000, 8.0)}
NO_ENGINE = SimpleNamespace(cluster_lost="")
MEMBERS = registry.pair(Settings(dataset="digits"))


class Puppet(LiveRun):
    """A live run whose moments are added from outside, without computation."""

    queue_position = QueuePosition(0, 1)

    def start(self) -> None:
        """Do nothing: there is no task."""

    def add(self, moment: Moment) -> None:
        """Add the next moment, and with every third one a layout."""
        self.shared.history.add((moment,), self.members)
        self.count += 1
        if moment[0].step % 3 == 0:
            coordinates = moment[0].shell_view[:, :2] * 2
            said = f"PCA, computed at step {moment[0].step}."
            layout = Layout(coordinates, "pca", moment[0].step, said, coordinates)
            self.shared.history.add_layout((layout, layout))
        self.signal.notify()


@cache
def ground(count: int) -> PreparedData:
    """Digits, repeated as necessary, up to a number of points."""
    base = tasks.prepared_data(MEMBERS[-1])
    rows = np.arange(count) % len(base.view_points)
    return dataclasses.replace(
        base,
        dataset=dataclasses.replace(base.dataset, points=base.dataset.points[rows]),
        shell=dataclasses.replace(base.shell, points=base.shell.points[rows]),
        clusters=dataclasses.replace(base.clusters, labels=base.clusters.labels[rows]),
        view_points=base.view_points[rows],
    )


@cache
def clouds(count: int) -> list[np.ndarray]:
    """Points [count, 3] moving around the shell."""
    points = ground(count).view_points
    generator = np.random.default_rng(0)
    found = []
    for turn in np.linspace(0, 2 * np.pi, POOL, endpoint=False):
        cos, sin = np.cos(turn), np.sin(turn)
        moved = points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        found.append((moved + generator.normal(0, 0.01, moved.shape)).astype(np.float32))
    return found


@cache
def _first() -> Moment:
    return tasks.begin(MEMBERS)[1]


def moment(count: int, step: int, steps: int) -> Moment:
    """A moment whose sentence is the time at which it was made."""
    made = f"{time.time():.6f}"
    frames = []
    for m, frame in enumerate(_first()):
        kl = np.abs(np.sin(0.02 * step + m + np.arange(8))).astype(np.float32)
        moved = {"step": step, "epoch": step, "steps": steps, "kl_per_dim": kl}
        view = clouds(count)[(step + 7 * m) % POOL]
        told = {"shell_view": view, "kl": float(kl.sum()), "sentence": made}
        loss = 0.7 + 0.2 * float(np.sin(0.05 * step + m))
        frames.append(dataclasses.replace(frame, **moved, **told, loss=loss))
    return tuple(frames)


def figure(live: LiveRun, step: int) -> go.Figure:
    """Both shells of a moment as Plotly draws them fastest: one figure, one trace per cluster."""
    assert live.prepared is not None
    labels = live.prepared.clusters.labels
    frames = moment(len(labels), step, MOST)
    drawn = go.Figure()
    for m, frame in enumerate(frames):
        for cluster in range(live.prepared.clusters.k):
            x, y, z = frame.shell_view[labels == cluster].T
            colour, symbol = scene_style(cluster)
            marker = {"size": 2.6, "color": colour, "symbol": symbol}
            scene = f"scene{m + 1 if m else ''}"
            drawn.add_scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, scene=scene)
    axis = {"visible": False, "range": [-1.2, 1.2]}
    for m in range(2):
        scene = {"xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "cube"}
        drawn.update_layout({f"scene{m + 1 if m else ''}": scene})
        drawn.layout[f"scene{m + 1 if m else ''}"].domain = {"x": [m / 2, (m + 1) / 2]}
    return drawn.update_layout(height=264, margin={"l": 0, "r": 0, "t": 0, "b": 0})


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Start some live runs, and a finished one for scrubbing."""
    runs = {name: _puppet(name, count, "playing") for name, (count, _) in LIVE.items()}
    scrubbed = _puppet("scrub-2000", 2000, "finished")
    for step in range(1, SCRUBBED):
        scrubbed.add(moment(2000, step, SCRUBBED - 1))
    moving = [asyncio.create_task(_move(runs[name], *LIVE[name])) for name in runs]
    yield
    for task in moving:
        task.cancel()
    server().runs.by_id.clear()


def _puppet(name: str, count: int, status: str) -> Puppet:
    server().runs.by_id[name] = puppet = Puppet(MEMBERS, Trainings(NO_ENGINE))  # type: ignore[arg-type]
    puppet.prepared, puppet.status = ground(count), status
    puppet.add(moment(count, 0, MOST))
    return puppet


async def _move(run: Puppet, count: int, pace: float) -> None:
    while True:
        if run.viewers.count and len(run.moments) < MOST:
            run.add(moment(count, len(run.moments), MOST))
        await asyncio.sleep(1 / pace)
