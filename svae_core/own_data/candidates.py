"""Which of several arrays in a file holds the points: by name, else the one with most numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from svae_core.own_data.limits import CLASSES
from svae_core.own_data.names import cleaned, own_name, some
from svae_core.records import RequestError

#: Names that files give their labels, in the order in which they are looked for.
LABELS = (
    *("labels", "label", "y", "target", "targets", "classes", "class", "digit", "digits"),
    *("species", "group", "gnd"),  # of MATLAB's examples, and of much used collections
)
#: Names of points in this order, and the labels that belong to them; a test set comes last.
_PAIRS = {
    "x_train": ("y_train",),
    "train_images": ("train_labels",),
    "train_x": ("train_y",),
    "train_data": ("train_labels", "train_y"),
    "train_set_x": ("train_set_y",),
    "imgs": ("latents_classes",),
    **dict.fromkeys(("points", "x", "data", "features", "images", "embeddings"), LABELS),
    "arr_0": (*LABELS, "arr_1"),
    "x_test": ("y_test",),
    "test_images": ("test_labels",),
    "test_data": ("test_labels",),
}
#: Parts of a name by which an array is never the points.
_NO_POINTS = ("label", "target", "class", "latents", "index", "ids", "indices", "indptr")


def choose(shapes: Mapping[str, Sequence[int]], wanted: str, what: str) -> str:
    """The name of the array with the points, of arrays of numbers by name and shape.

    `wanted`: the name asked for. RequestError where it is not there, where nothing can be the
    points, or where two are equally likely; `what` says in the sentence which kind of file it is.
    """
    if wanted:
        if wanted not in shapes:
            raise RequestError(
                f"The {what} holds no array {cleaned(wanted)!r}; it has: {listed(shapes)}."
            )
        return wanted
    if not shapes:
        raise RequestError(f"The {what} holds no array of numbers.")
    able = {key: shape for key, shape in shapes.items() if not names_no_points(key)}
    wide = {key: shape for key, shape in able.items() if len(shape) >= 2} or able
    lower = {own_name(key): key for key in wide}
    for name in _PAIRS:
        if name in lower:
            return lower[name]
    if not wide:
        raise RequestError(
            f"The {what} holds {listed(shapes)}, and none of them looks like points; name the "
            "array with the points “points”."
        )
    ordered = sorted(wide, key=lambda key: math.prod(wide[key]))
    if len(ordered) > 1 and math.prod(wide[ordered[-1]]) == math.prod(wide[ordered[-2]]):
        raise RequestError(
            f"The {what} holds several arrays ({listed(wide)}) of the same size; choose one of "
            "them, or name the one with the points “points”."
        )
    return ordered[-1]


def offered(shapes: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Arrays that may be chosen as the points: of rows and columns, or pictures."""
    return tuple(key for key, shape in shapes.items() if len(shape) >= 2 and 0 not in shape)


def names_no_points(key: str) -> bool:
    """Whether an array of this name is labels, indices or the like, and never the points."""
    lower = key.lower()
    return own_name(key) in LABELS or any(part in lower for part in _NO_POINTS)


def labels_among(shapes: Mapping[str, Sequence[int]], points: str) -> str:
    """The name of the labels that belong to the points: as many, and named so; or nothing."""
    rows = shapes[points][0]
    lower = {own_name(key): key for key in shapes if key != points}
    for name in _PAIRS.get(own_name(points), (*LABELS, "arr_1")):
        shape = shapes[lower[name]] if name in lower else ()
        # A vector, a column, a row as MATLAB has it, or a column of 0 and 1 for each class.
        if tuple(shape) in ((rows,), (rows, 1), (1, rows)) or (
            len(shape) == 2 and shape[0] == rows and 2 <= shape[1] <= CLASSES
        ):
            return lower[name]
    return ""


def question_of(shapes: Mapping[str, Sequence[int]], points: str) -> str:
    """Why the columns of a matrix may be the points: labels of another array are as many."""
    shape = shapes[points]
    if len(shape) != 2 or shape[0] == shape[1] or labels_among(shapes, points):
        return ""
    turned = {**shapes, points: tuple(shape[::-1])}
    labels = labels_among(turned, points)
    fits = labels and math.prod(shapes[labels]) == shape[1]
    return f"{cleaned(labels)} has as many values as {cleaned(points)} has columns" if fits else ""


def said_of_others(shapes: Mapping[str, Sequence[int]], *used: str) -> tuple[str, ...]:
    """The note that names the arrays that were left out, if there are any."""
    others = {key: shape for key, shape in shapes.items() if key not in used}
    return (f"Other arrays were left out: {listed(others)}.",) if others else ()


def listed(shapes: Mapping[str, Sequence[int]]) -> str:
    """Names and shapes, for a sentence."""
    return some([f"{cleaned(key)} ({_times(shape)})" for key, shape in shapes.items()])


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "a number"
