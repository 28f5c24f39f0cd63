"""Messages from the server to the stage, one binary message each, for live and recorded runs alike.

    uint32 length of the header · header in JSON, padded to 4 bytes · float32 arrays, one by one

All little-endian. The header's `arrays` lists name and shape of each array in order.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pages.classroom.sessions import Seat
from pages.live.history import member_names
from pages.live.run import LiveRun
from pages.live.run_view import RunView, view_of
from pages.live.setting_changes import changeable_at
from pages.visitor.markdown import for_visitors
from pages.wire import message_fields
from svae_core.certificate.information_floors import floors_along
from svae_core.config.settings import settings_at
from svae_core.figures.palette import MARKS, Mark, cluster_style, faint, ink, mark_apart, mark_of
from svae_core.figures.unit_gauge import gauge_value
from svae_core.latent.images import data_pictures, feature_names, output_pictures
from svae_core.methods.spherical import describe_aim
from svae_core.records import Decoded, FloorCurves, Frame, Moment, PreparedData, Settings, to_json

Message = tuple[dict[str, Any], dict[str, np.ndarray]]


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


def encode(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """A message as bytes."""
    listed = [[name, list(array.shape)] for name, array in arrays.items()]
    blobs = [np.ascontiguousarray(array, "<f4").tobytes() for array in arrays.values()]
    return framed({**header, "arrays": listed}, blobs)


def decode(message: bytes) -> Message:
    """The inverse of `encode`."""
    header, at = unframed(message)
    arrays = {}
    for name, shape in header.pop("arrays"):
        count = math.prod(shape)
        arrays[name] = np.frombuffer(message, "<f4", count, at).reshape(shape)
        at += 4 * count
    return header, arrays


def framed(header: dict[str, Any], blobs: list[bytes]) -> bytes:
    """The length of a header, the header in JSON, and blobs, each padded to 4 bytes."""
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    padded = (blob + b"\0" * (-len(blob) % 4) for blob in blobs)
    return b"".join([struct.pack("<I", len(text)), text, *padded])


def unframed(message: bytes) -> tuple[dict[str, Any], int]:
    """The header of `framed`, and where the first blob begins."""
    (length,) = struct.unpack_from("<I", message)
    return json.loads(message[4 : 4 + length]), 4 + length


def answer(live: LiveRun, request: FrameRequest, seat: Seat | None = None) -> Message | None:
    """The answer to a request, or None while nothing has changed. `seat`: in a class."""
    if request.want == "scene":
        return scene(view_of(live)) if live.prepared or live.error else None
    newest = live.count - 1
    if isinstance(request.want, int):
        index = max(0, min(request.want, newest))
        return moment(view_of(live), index, request, seat) if newest >= 0 else None
    changed = (
        (seat is not None and seat.version != request.seat)
        or live.generation != request.generation
        or live.version != request.version
        or newest > request.have
        or len(live.layouts) - 1 > request.layout
    )
    return moment(view_of(live), newest, request, seat) if changed else None


def answer_class_follower(
    live: LiveRun, request: FrameRequest, shown: int, seat: Seat
) -> Message | None:
    """The same for a student's page: with the moment that the teacher shows, without run ids."""
    message = answer(live, request, seat)
    if message is None and request.want == "newest" and request.lead != shown and live.count:
        message = moment(view_of(live), live.count - 1, request, seat)
    if message is None:
        return None
    header, arrays = message
    if "tree" in header:
        header |= {"tree": []}
    return {**header, "lead": shown}, arrays


# ------------------------------------------------------------------------------- scene


def scene(view: RunView) -> Message:
    """Everything that is fixed before training, and the colours and symbols."""
    if view.prepared is None:
        return {"kind": "scene", "error": for_visitors(view.error or "") or None}, {}
    prepared = view.prepared
    header = {
        "kind": "scene",
        "error": None,
        "data": prepared.dataset.title,
        "radii": [prepared.shell.r_min, prepared.shell.r_max],
        "image": prepared.dataset.image_shape,
        "features": feature_names(prepared),
        "band": _band(view.members, prepared),
        "variances": prepared.eigenvalues[: view.members[-1].latent_dim],
        "handles": message_fields.handle_scale(prepared),
        "lesson": message_fields.lesson_question(view),
        "members": _members(view.members, prepared),
        "clusters": [_cluster(number) for number in range(prepared.clusters.k)],
        "look": {name: _themes(name) for name in ("delta", "band", "W")},
        "ink": {"light": ink(False), "dark": ink(True)},
        "faint": {"light": faint(False), "dark": faint(True)},
    }
    arrays = {"points": prepared.view_points, "labels": prepared.clusters.labels}
    count = len(view.moments[0][0].samples) if view.moments else 8
    arrays["originals"] = data_pictures(prepared, slice(0, count))
    return to_json(header), arrays


def _members(members: Sequence[Settings], prepared: PreparedData) -> list[dict[str, Any]]:
    """Name and mark of each member, and where its units put it."""
    same = len({settings.method for settings in members}) < len(members)
    return [
        _member(settings, name, mark_apart(n) if same else mark_of(settings.method), prepared)
        for n, (settings, name) in enumerate(zip(members, member_names(members), strict=True))
    ]


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


def _cluster(number: int) -> dict[str, str]:
    light, symbol = cluster_style(number)
    dark, _ = cluster_style(number, dark=True)
    return {"name": str(number + 1), "light": light, "dark": dark, "symbol": symbol}


def _themes(name: str) -> dict[str, str]:
    return {"light": MARKS[name].light, "dark": MARKS[name].dark}


# ------------------------------------------------------------------------------ moment


def moment(view: RunView, index: int, request: FrameRequest, seat: Seat | None = None) -> Message:
    """One moment of the run, without what the page has already; index -1: none yet."""
    fresh = view.generation != request.generation
    header: dict[str, Any] = {
        "kind": "moment",
        "generation": view.generation,
        "version": view.version,
        "status": view.status,
        "error": for_visitors(view.error or "") or None,
        "left": view.speed.seconds_left,
        "speed": view.speed.steps_per_second,
        "standing": view.queue_position,
        "count": len(view.moments),
        "index": index,
        "certificates": view.certificates,
        "lesson": message_fields.lesson_state(view, seat),
        "seat": seat.version if seat else -1,
    }
    header |= message_fields.time_fields(
        view, 0 if fresh else request.remarks, fresh or view.version != request.version
    )
    arrays: dict[str, np.ndarray] = {}
    if index < 0:
        return to_json(header), arrays
    frames = view.moments[index]
    first = frames[0]
    header |= {"step": first.step, "steps": first.steps, "epoch": first.epoch}
    header["then"] = changeable_at(view.members[-1], first.step)
    header["models"] = [_numbers(frame) for frame in frames]
    if view.prepared:
        for model, settings in zip(header["models"], view.members, strict=True):
            trained_with = settings_at(settings, max(0, first.step - 1))
            model["gauge"] = gauge_value(view.prepared, trained_with)
    rows = 0 if fresh else min(request.rows, len(view.moments))
    header["from"] = rows
    arrays["history"] = _history(view.moments[rows:])
    if fresh or index != request.have:
        arrays["shells"] = np.stack([frame.shell_view for frame in frames])
        if view.prepared:
            arrays["pictures"] = np.stack(
                [output_pictures(view.prepared, f.samples) for f in frames]
            )
    kind = 1 + view.sharpened if view.floors else 0
    if kind and (fresh or request.floors < kind):
        header["floors"] = kind
        arrays["floors"] = np.stack([_floors(curves) for curves in view.floors])
    number = _layout_of(view, first.step)
    if number >= 0 and (fresh or number != request.layout):
        layouts = view.layouts[number]
        models = [{"kind": layout.kind, "sentence": layout.sentence} for layout in layouts]
        header["layout"] = {"number": number, "step": layouts[0].step, "models": models}
        arrays |= {f"layout{i}": layout.coordinates for i, layout in enumerate(layouts)}
    return to_json(header), arrays


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


def _layout_of(view: RunView, step: int) -> int:
    """The number of the newest layout computed no later than this step, or -1."""
    earlier = [n for n, layouts in enumerate(view.layouts) if layouts[0].step <= step]
    return earlier[-1] if earlier else -1


def _floors(curves: FloorCurves) -> np.ndarray:
    """[3, losses]: losses up to δ, denser where the floors approach zero, and both floors there."""
    losses = curves.delta * np.concatenate([np.linspace(0.02, 0.9, 45), np.linspace(0.91, 1, 19)])
    along = floors_along(curves, losses)
    return np.stack([losses, along["proved"], along["tight"]])


# ------------------------------------------------------------------------ decoded points


def decoded(prepared: PreparedData, point: Decoded) -> Message:
    """One point, its centroid and each model's reconstruction of it, as images."""
    header = {
        "kind": "decoded",
        "index": point.index,
        "step": point.step,
        "cluster": int(prepared.clusters.labels[point.index]),
    }
    arrays = {
        "original": data_pictures(prepared, slice(point.index, point.index + 1)),
        "centroid": output_pictures(prepared, point.centroid[None]),
        "outputs": output_pictures(prepared, point.outputs),
    }
    return header, arrays


def _band(members: Sequence[Settings], prepared: PreparedData) -> str:
    """The band in words, and where a spherical member aims in it."""
    aims = [describe_aim(prepared, one) for one in members if one.method == "spherical"]
    return " ".join(filter(None, [prepared.region.explanation, *aims[:1]]))
