"""Serialisation of moments, layouts and states to named arrays, exact in both directions.

    moments.<member>.<field>         [n, …]  a field of n consecutive frames of a member
    layouts.<number>.<member>        [v, 2]  coordinates of a map, in order of computation
    state.<field>, memory.<name>     [m, …]  the training state
    latents.<member>, maps.<member>  [v, k]  latents from which the next map continues

The format is safetensors, which many languages read and which holds nothing but arrays; texts are
in its metadata. Numbers are float64 or int64, pictures float32, so reading returns what was
written.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from svae_core.config.fields import type_hints
from svae_core.latent.projection import Layout
from svae_core.own_data.damage import reason_of
from svae_core.records import Frame, Moment, Settings, State
from svae_core.runs.bounded_json import COUNT, parse

#: Fields of a frame that are arrays: their type, and their axes in one frame.
_ARRAYS = {
    "kl_per_dim": (np.dtype(np.float32), 1),
    "active": (np.dtype(np.bool_), 1),
    "shell_view": (np.dtype(np.float32), 2),
    "samples": (np.dtype(np.float32), 2),
}
#: Not stored with a frame: latents are larger than all other fields and serve the next map only.
_NOT_KEPT = "latent_mean"
#: Their value in a frame that was read.
NO_LATENTS = np.empty((0, 0), np.float32)
_STATE = ("parameters", "first_moment", "second_moment")
_MAP_TEXTS = ("kind", "step", "sentence")
#: Moments and maps of a run at most; training makes fewer (training/frame_steps).
MOST_MOMENTS = 4096
#: Bytes and values of a file's words, and characters of one sentence, at most.
_LONGEST_WORDS, _MOST_WORDS, _LONGEST_SENTENCE = 2**22, 2**19, 1000
Arrays = dict[str, np.ndarray]


# ----------------------------------------------------------------------- moments and maps


def pack_frames(moments: Sequence[Moment], layouts: Sequence[tuple[Layout, ...]]) -> bytes:
    """Consecutive moments and layouts as one file."""
    arrays: Arrays = {}
    texts: dict[str, Any] = {"moments": len(moments), "layouts": []}
    for member, frames in enumerate(zip(*moments, strict=True)):
        for item in fields(Frame):
            values = [getattr(frame, item.name) for frame in frames]
            key = f"moments.{member}.{item.name}"
            if item.name == _NOT_KEPT:
                continue
            if isinstance(values[0], str):
                texts[key] = values
            elif isinstance(values[0], np.ndarray):
                arrays[key] = np.stack(values)
            else:
                arrays[key] = np.array(values, "<i8" if isinstance(values[0], int) else "<f8")
    for number, row in enumerate(layouts):
        texts["layouts"].append([[getattr(one, name) for name in _MAP_TEXTS] for one in row])
        for member, layout in enumerate(row):
            arrays[f"layouts.{number}.{member}"] = layout.coordinates
    return _pack(arrays, texts)


def unpack_frames(data: bytes) -> tuple[list[Moment], list[tuple[Layout, ...]]]:
    """The inverse of `pack_frames`, without latents. ValueError where it is not such a file."""
    arrays, texts = _unpack(data)
    try:
        count = _count(texts["moments"], MOST_MOMENTS)
        members = [list(_frames(arrays, texts, m, count)) for m in range(_members(arrays))]
        layouts = [
            tuple(
                Layout(_map(arrays[f"layouts.{number}.{m}"]), *_map_words(*told), NO_LATENTS)
                for m, told in enumerate(row)
            )
            for number, row in enumerate(texts["layouts"])
        ]
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"its frames cannot be read, since {reason_of(error)}") from error
    return list(zip(*members, strict=True)), layouts


def _members(arrays: Arrays) -> int:
    return sum(name.startswith("moments.") and name.endswith(".loss") for name in arrays)


def _frames(arrays: Arrays, texts: dict[str, Any], member: int, count: int) -> Iterator[Frame]:
    """The frames of one member; ValueError or KeyError where a field is not what it must be."""
    columns: dict[str, list[Any]] = {}
    for item in fields(Frame):
        key = f"moments.{member}.{item.name}"
        if item.name == _NOT_KEPT:
            continue
        if key in texts:
            columns[item.name] = [_sentence(text) for text in texts[key]]
        elif key in arrays:
            if arrays[key].shape[:1] != (count,):  # before it is listed: rows may take no bytes
                raise ValueError(f"{item.name} is not there for every moment")
            columns[item.name] = _column(item.name, type_hints(Frame)[item.name], arrays[key])
        elif item.default is dataclasses.MISSING:
            raise ValueError(f"{key} is missing")
    if wrong := [name for name, column in columns.items() if len(column) != count]:
        raise ValueError(f"{wrong[0]} is not there for every moment")
    columns[_NOT_KEPT] = [NO_LATENTS] * count  # by now `count` is no more than there is
    for number in range(count):
        yield Frame(**{name: column[number] for name, column in columns.items()})


def _column(name: str, kind_of_number: type, array: np.ndarray) -> list[Any]:
    if name not in _ARRAYS:
        whole = kind_of_number is int
        if array.ndim != 1 or array.dtype != np.dtype("<i8" if whole else "<f8"):
            raise ValueError(f"{name} is no column of numbers")
        if whole and not ((array >= 0) & (array < COUNT)).all():
            raise ValueError(f"{name} holds an impossible number")
        return list(array.tolist())
    kind, axes = _ARRAYS[name]
    if array.dtype != kind or array.ndim != axes + 1:
        raise ValueError(f"{name} has a wrong type or shape")
    if name == "shell_view" and array.shape[-1] != 3:
        raise ValueError("shell_view is not three-dimensional")
    return list(array)


def _count(value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError("it has an impossible number of steps or moments")
    return value


def _sentence(text: Any) -> str:
    if not isinstance(text, str) or len(text) > _LONGEST_SENTENCE:
        raise ValueError("a sentence in it is none, or too long")
    return text


def _map_words(kind: Any, step: Any, sentence: Any) -> tuple[Any, int, str]:
    if kind not in ("pca", "umap", "none"):
        raise ValueError("a map is of an unknown kind")
    return kind, _count(step, COUNT - 1), _sentence(sentence)


def _map(coordinates: np.ndarray) -> np.ndarray:
    if coordinates.dtype != np.float32 or coordinates.ndim != 2 or coordinates.shape[1] != 2:
        raise ValueError("a map has a wrong type or shape")
    return coordinates


# ---------------------------------------------------------------------- where it stands


def pack_state(
    state: State, newest: Sequence[Moment] = (), maps: Sequence[tuple[Layout, ...]] = ()
) -> bytes:
    """A state, and the latents of the newest moment and map, as one file."""
    arrays = {f"state.{name}": getattr(state, name) for name in _STATE}
    arrays |= {f"memory.{name}": array for name, array in state.memory.items()}
    arrays |= {
        f"latents.{m}": frame.latent_mean for m, frame in enumerate(newest[-1] if newest else ())
    }
    arrays |= {f"maps.{m}": layout.latent_mean for m, layout in enumerate(maps[-1] if maps else ())}
    texts = {"step": state.step, "engine": state.engine, "frame_rule": state.frame_rule}
    return _pack(arrays, texts)


def unpack_state(
    data: bytes, members: tuple[Settings, ...]
) -> tuple[State, list[np.ndarray], list[np.ndarray]]:
    """The state of these members, latents of the newest moment, latents of the newest map."""
    arrays, texts = _unpack(data)
    try:
        rows = {name: arrays[f"state.{name}"] for name in _STATE}
        shape = rows["parameters"].shape
        if any(row.dtype != np.float32 or row.shape != shape for row in rows.values()):
            raise ValueError("weights and optimiser do not fit together")
        if len(shape) != 2 or shape[0] != len(members):
            raise ValueError("there is not one row of weights for each member")
        memory = {
            name.removeprefix("memory."): array
            for name, array in arrays.items()
            if name.startswith("memory.")
        }
        step = _count(texts["step"], COUNT - 1)
        engine = str(texts.get("engine", "torch"))  # what there was before there were two
        # Versions before had fewer rules: evenly spread frames, then also a dense start.
        rule = _count(texts.get("frame_rule", int(bool(texts.get("dense_start")))), 2)
        state = State(members, step, **rows, memory=memory, engine=engine, frame_rule=rule)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"its state cannot be read, since {reason_of(error)}") from error
    latents, maps = (
        [arrays[f"{kind}.{m}"] for m in range(len(members)) if f"{kind}.{m}" in arrays]
        for kind in ("latents", "maps")
    )
    return state, latents, maps


# ------------------------------------------------------------------------------ the file


def _pack(arrays: Arrays, texts: dict[str, Any]) -> bytes:
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return bytes(save(whole, {"texts": json.dumps(texts, ensure_ascii=False)}))


def _unpack(data: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and words; ValueError where the file is cut short or is something else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        (length,) = struct.unpack_from("<Q", data)
        if length > _LONGEST_WORDS:
            raise ValueError("its words are too long")
        header = parse(data[8 : 8 + length], _MOST_WORDS)
        texts = parse(header["__metadata__"]["texts"].encode(), _MOST_WORDS)
        if not isinstance(texts, dict):
            raise ValueError("its words are no dictionary")
        arrays = load(data)
    except (
        *(SafetensorError, LookupError, TypeError, AttributeError),
        *(ArithmeticError, struct.error),
    ) as error:
        raise ValueError("it is cut short, or no such file") from error
    return arrays, texts
