"""Messages to the stage: the scene of a run, its moments, and what is asked of single points.

    messages.scene(prepared, members);  messages.moment(run, index, request)

Live and recorded runs tell the same; `svae_core.stage.framing` makes bytes of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from svae_core.certificate.information_floors import floors_along
from svae_core.commentary import Remark
from svae_core.config.settings import changeable_at, settings_at
from svae_core.figures import colouring
from svae_core.figures.members import member_marks, member_names
from svae_core.figures.palette import MARKS, Mark, cluster_style, faint, ink, scale
from svae_core.figures.unit_gauge import gauge_value
from svae_core.latent.images import FEATURES, data_pictures, feature_names, output_pictures
from svae_core.latent.results import Follow, Followed
from svae_core.methods import method_for
from svae_core.methods.spherical import describe_aim
from svae_core.records import (
    Certificate,
    FloorCurves,
    Frame,
    Moment,
    PreparedData,
    Settings,
    to_json,
)
from svae_core.stage.framing import Message

if TYPE_CHECKING:
    from svae_core.latent.projection import Layout

#: Points that are drawn as pictures, at most: more would cover one another.
MOST_PICTURES = 200


class Run(Protocol):
    """What messages read of a run; nothing of it changes while they do."""

    @property
    def members(self) -> tuple[Settings, ...]:
        """The settings of each model."""

    @property
    def generation(self) -> int:
        """Another number once the run has started over …"""

    @property
    def version(self) -> int:
        """… and once anything else than its moments has changed."""

    @property
    def prepared(self) -> PreparedData | None:
        """Its data, reduced to the viewed points; None until they are prepared."""

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Its moments so far."""

    @property
    def layouts(self) -> tuple[tuple[Layout, ...], ...]:
        """Maps of the latents, each of the step that it was computed at."""

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What was said of it so far."""

    @property
    def floors(self) -> tuple[FloorCurves, ...]:
        """The floors of each model; empty until they are computed."""

    @property
    def sharpened(self) -> bool:
        """Whether they contain the kernel bounds."""

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Of its models, once they are trained."""


@dataclass(frozen=True)
class FrameRequest:
    """A request of the stage: which moment it wants, and what it has already."""

    want: str | int
    have: int = -1  # index of the moment it shows
    version: int = -1
    generation: int = -1
    rows: int = 0  # how many moments' numbers it has
    layout: int = -1  # number of the layout it shows
    floors: int = 0  # whether it has the floors: 1 the quick ones, 2 the sharpened
    remarks: int = 0  # how many remarks it has
    lead: int = -2  # on a student's page: the moment that the teacher showed last
    seat: int = -1  # in a class: the version of what it was told of the class

    @classmethod
    def read(cls, request: dict[str, Any]) -> FrameRequest:
        """Parse a request; ValueError or KeyError if it is invalid."""
        want = request["want"]
        if want not in ("scene", "newest"):
            want = int(want)
        names = [field.name for field in fields(cls)[1:]]
        return cls(want, **{name: int(request[name]) for name in names if name in request})


# ------------------------------------------------------------------------------- scene


def scene(
    prepared: PreparedData,
    members: Sequence[Settings],
    pictures: int = 8,
    most_columns: int = colouring.MOST_COLUMNS,
    names: Sequence[str] = (),
) -> Message:
    """Everything that is fixed before training, and the colours and symbols.

    `pictures`: of how many points frames have reconstructions. `most_columns`: of the data, by
    which points can be coloured. `names`: of the models, where they are not methods of ours.
    """
    header = {
        "kind": "scene",
        "error": None,
        "data": prepared.dataset.title,
        "radii": [prepared.shell.r_min, prepared.shell.r_max],
        "image": prepared.dataset.image_shape,
        "symbols": prepared.dataset.symbols,
        "features": feature_names(prepared),
        "band": _band(members, prepared),
        "variances": prepared.eigenvalues[: members[-1].latent_dim],
        "handles": handle_scale(members, prepared),
        "lesson": None,
        "members": _members(members, names or member_names(members), prepared),
        "clusters": [_group(str(n + 1), n) for n in range(prepared.clusters.k)],
        "colours": colouring.names_of(prepared, most_columns),
        "scale": {"light": scale(False), "dark": scale(True)},
        "key": f"{prepared.dataset.fingerprint} {prepared.settings.data_seed}",
        "look": {name: _themes(name) for name in ("delta", "band", "W")},
        "ink": {"light": ink(False), "dark": ink(True)},
        "faint": {"light": faint(False), "dark": faint(True)},
    }
    arrays = {"points": prepared.view_points, "labels": prepared.clusters.labels}
    arrays["originals"] = data_pictures(prepared, slice(0, pictures))
    if not prepared.dataset.image_shape:  # what a visitor may set, of points without pictures
        values = prepared.dataset.points[:, :FEATURES]
        arrays |= {"lowest": values.min(axis=0), "highest": values.max(axis=0), "first": values[0]}
    return to_json(header), arrays


def handle_scale(members: Sequence[Settings], prepared: PreparedData) -> dict[str, float] | None:
    """The losses at positions 0 (W) and 1 (δ) of the band's handles.

    None where the band is empty, or no model's loss is kept in it.
    """
    region = prepared.region
    if region.empty or not any(method_for(one).guards_information for one in members):
        return None
    return {"within": region.within, "delta": region.delta}


def _members(
    members: Sequence[Settings], names: Sequence[str], prepared: PreparedData
) -> list[dict[str, Any]]:
    """Name and mark of each member, and where its units put it."""
    looks = zip(members, names, member_marks(members), strict=True)
    return [_member(settings, name, mark, prepared) for settings, name, mark in looks]


def _member(settings: Settings, name: str, mark: Mark, prepared: PreparedData) -> dict[str, Any]:
    return {
        "method": settings.method,
        "name": name,
        "light": mark.light,
        "dark": mark.dark,
        "dash": mark.dash,
        "symbol": mark.symbol,
        "gauge": gauge_value(prepared, settings),
    }


def _group(name: str, number: int) -> dict[str, str]:
    light, symbol = cluster_style(number)
    dark, _ = cluster_style(number, dark=True)
    return {"name": name, "light": light, "dark": dark, "symbol": symbol}


def _themes(name: str) -> dict[str, str]:
    return {"light": MARKS[name].light, "dark": MARKS[name].dark}


# ------------------------------------------------------------------------------ moment


def moment(run: Run, index: int, request: FrameRequest) -> Message:
    """One moment of the run, without what the page has already; index -1: none yet."""
    fresh = run.generation != request.generation
    header: dict[str, Any] = {
        "kind": "moment",
        "generation": run.generation,
        "version": run.version,
        "count": len(run.moments),
        "index": index,
        "certificates": run.certificates,
        "remarks": _remarks(run, 0 if fresh else request.remarks),
        "corridor": _corridor(run),
    }
    arrays: dict[str, np.ndarray] = {}
    if index < 0:
        return to_json(header), arrays
    frames = run.moments[index]
    first = frames[0]
    header |= {"step": first.step, "steps": first.steps, "epoch": first.epoch}
    header["then"] = changeable_at(run.members[-1], first.step)
    header["models"] = _models(run, frames)
    rows = 0 if fresh else min(request.rows, len(run.moments))
    header["from"] = rows
    arrays["history"] = _history(run.moments[rows:])
    if fresh or index != request.have:
        arrays["shells"] = np.stack([frame.shell_view for frame in frames])
        if run.prepared:
            shown = [output_pictures(run.prepared, frame.samples) for frame in frames]
            arrays["pictures"] = np.stack(shown)
    kind = 1 + run.sharpened if run.floors else 0
    if kind and (fresh or request.floors < kind):
        header["floors"] = kind
        arrays["floors"] = np.stack([_floors(curves) for curves in run.floors])
    number = _layout_of(run, first.step)
    if number >= 0 and (fresh or number != request.layout):
        layouts = run.layouts[number]
        models = [{"kind": layout.kind, "sentence": layout.sentence} for layout in layouts]
        header["layout"] = {"number": number, "step": layouts[0].step, "models": models}
        arrays |= {f"layout{i}": layout.coordinates for i, layout in enumerate(layouts)}
    return to_json(header), arrays


def _models(run: Run, frames: Moment) -> list[dict[str, Any]]:
    """The numbers of each model, and the gauge of the settings that its last step had."""
    models = [_numbers(frame) for frame in frames]
    if run.prepared:
        for model, frame, settings in zip(models, frames, run.members, strict=True):
            trained_with = settings_at(settings, max(0, frame.step - 1))
            model["gauge"] = gauge_value(run.prepared, trained_with)
    return models


def _remarks(run: Run, known: int) -> dict[str, Any]:
    known = min(known, len(run.remarks))
    return {"from": known, "lines": run.remarks[known:]}


def _corridor(run: Run) -> list[list[float]]:
    """[step, lo, hi] of the last member's band, at its start and at every change."""
    edges: list[list[float]] = []
    for frames in run.moments:
        frame = frames[-1]
        if frame.lo <= frame.hi and (not edges or edges[-1][1:] != [frame.lo, frame.hi]):
            edges.append([frame.step, frame.lo, frame.hi])
    return edges


def _numbers(frame: Frame) -> dict[str, Any]:
    names = ("loss", "delta", "lo", "hi", "kl", "kl_per_dim", "active", "structure", "sentence")
    return {name: getattr(frame, name) for name in names}


def _history(moments: Sequence[Moment]) -> np.ndarray:
    """[moments, 1 + members · (2 + k)]: the step, then loss, KL and KL per dimension of each."""
    rows = [
        np.concatenate(
            [[frames[0].step], *([frame.loss, frame.kl, *frame.kl_per_dim] for frame in frames)]
        )
        for frames in moments
    ]
    return np.array(rows, np.float32) if rows else np.empty((0, 0), np.float32)


def _layout_of(run: Run, step: int) -> int:
    """The number of the newest layout computed no later than this step, or -1."""
    earlier = [n for n, layouts in enumerate(run.layouts) if layouts[0].step <= step]
    return earlier[-1] if earlier else -1


def _floors(curves: FloorCurves) -> np.ndarray:
    """[3, losses]: losses up to δ, denser where the floors approach zero, and both floors there."""
    losses = curves.delta * np.concatenate([np.linspace(0.02, 0.9, 45), np.linspace(0.91, 1, 19)])
    along = floors_along(curves, losses)
    return np.stack([losses, along["proved"], along["tight"]])


# ------------------------------------------------------------------- what points look like


def looks(prepared: PreparedData, request: dict[str, Any]) -> list[Message]:
    """The answer to a request for how points look; none where they are no images."""
    if "colour" in request:
        return [coloured(prepared, colouring.names_of(prepared)[int(request["colour"])])]
    return [small_pictures(prepared)] if prepared.dataset.image_shape else []


def coloured(prepared: PreparedData, name: str) -> Message:
    """The points by one of the scene's `colours`: their groups, or places on a scale."""
    found = colouring.colouring(prepared, name)
    groups = [_group(group, number) for number, group in enumerate(found.groups)] or None
    header = {"kind": "coloured", "name": name, "groups": groups}
    return {**header, "low": found.low, "high": found.high}, {"of": found.of}


def small_pictures(prepared: PreparedData) -> Message:
    """Some of the points as images, evenly chosen, to be drawn in the points' places."""
    step = max(1, math.ceil(len(prepared.view_points) / MOST_PICTURES))
    images = data_pictures(prepared, slice(None, None, step))
    return {"kind": "small", "step": step}, {"images": images}


# ----------------------------------------------------------------------- followed points


def followed(point: Followed, asked: int) -> Message:
    """One point on its way through both models; `asked`: the number of the question."""
    members = point.members
    words = ("near", "near_labels", "kl", "loss", "spread", "shift", "sentence")
    header = {
        "kind": "followed",
        "asked": asked,
        "index": point.index,
        "step": point.step,
        "cluster": point.cluster,
        "name": point.name,
        "models": [{name: getattr(model, name) for name in words} for model in members],
    }
    arrays = {
        "values": point.values,
        "original": point.original[None],
        "centroid": point.centroid[None],
        "place": point.place,
    }
    for name in ("mean", "deviation", "latents", "outputs", "places", "near_pictures"):
        arrays[name] = np.stack([getattr(model, name) for model in members])
    return to_json(header), arrays


def read_question(request: dict[str, Any]) -> Follow:
    """The question of a request to follow a point; ValueError or KeyError if it is malformed."""
    values = dict(request.get("changes", {}))
    changes = ((int(column), float(value)) for column, value in values.items())
    lines = (list(map(float, line)) for line in request.get("strokes", []))
    strokes = (tuple(zip(line[::2], line[1::2], strict=True)) for line in lines)
    point, seed = int(request["follow"]), int(request.get("seed", 0))
    if not 0 <= seed < 2**31:
        raise ValueError("there is no such seed")
    text = None if request.get("text") is None else str(request["text"])
    return Follow(point, tuple(changes), tuple(strokes), text, seed)


def _band(members: Sequence[Settings], prepared: PreparedData) -> str:
    """The band in words, and where a spherical member aims in it."""
    aims = [describe_aim(prepared, one) for one in members if one.method == "spherical"]
    return " ".join(filter(None, [prepared.region.explanation, *aims[:1]]))
