"""What anyone's model leaves in arrays: points, sampled z, reconstructions, mean and log-variance.

    model_arrays({"points": x, "z": z, "mu": mu, "logvar": logvar, "recon": x_hat}) -> ModelArrays

Names are those that code uses; images are flattened; several draws come first: [draws, n, …].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from svae_core.certificate.arrays import LARGEST, check_varied, numbers
from svae_core.config.fields import RequestError
from svae_core.own_data.names import cleaned, outermost, own_name, said, some

#: What each array may be called, in small letters; the first is the name in sentences.
NAMES = {
    "points": ("points", "x", "data", "inputs", "images", "x_true"),
    "z": ("z", "latents", "latent", "samples_z", "z_samples"),
    "reconstructions": (
        "reconstructions",
        "reconstruction",
        "recon",
        "x_hat",
        "x_recon",
        "recon_x",
    ),
    "mean": ("mean", "means", "mu", "z_mean"),
    "log_variance": ("log_variance", "logvar", "log_var", "z_log_var", "log_variances"),
    "labels": ("labels", "label", "y", "targets"),
    "beta_sigma2": ("beta_sigma2",),
}
_MADE = "“reconstructions”, “mean”, “log_variance” and “z”"
#: Numbers in draws of one array, 512 MiB of float64.
MOST_NUMBERS = 2**26
#: More points than this are represented by a seeded sample of so many …
MOST_POINTS = 5_000
#: … or of fewer, where they have more numbers than this.
_POINT_NUMBERS = 2**24
_FEWEST = 4
#: Classes of labels; the rarest beyond are taken together.
MOST_CLASSES = 40


@dataclass(frozen=True, eq=False)
class ModelArrays:
    """A model's arrays, checked against each other; None where one was not given."""

    points: np.ndarray  # [n, d]
    z: np.ndarray | None = None  # [draws, n, k] sampled
    reconstructions: np.ndarray | None = None  # [draws, n, d] of sampled z
    mean: np.ndarray | None = None  # [n, k] of a Gaussian posterior
    log_variance: np.ndarray | None = None  # [n, k]
    labels: np.ndarray | None = None  # [n]
    beta_sigma2: float = math.nan  # that the model was trained with
    of: int = 0  # points that were given; more than n where these are a sample
    others: tuple[str, ...] = ()  # names that are not known here, or mean what lies further out

    @property
    def latent_dim(self) -> int:
        """k; 0 where no array tells."""
        known = self.mean if self.mean is not None else self.z
        return 0 if known is None else int(known.shape[-1])


def model_arrays(given: Mapping[str, Any], seed: int = 0) -> ModelArrays:
    """The arrays under any of their names; others are left out, and named.

    RequestError, one sentence, where points are missing, or shapes or values do not fit.
    """
    found = _by_name(given)
    if "points" not in found:
        raise RequestError(
            f"There are no points among the arrays ({_held(given)}); name them “points”, and what "
            f"the model makes of them {_MADE}."
        )
    if ("mean" in found) != ("log_variance" in found):
        missing = "log_variance" if "mean" in found else "mean"
        raise RequestError(
            f"A posterior needs mean and log_variance, but {missing} is missing among the arrays "
            f"({_held(given)}); give both, or neither."
        )
    points = _points(found["points"])
    n, d = points.shape
    checked: dict[str, Callable[[Any], Any]] = {
        "z": lambda value: _draws("z", value, n, None),
        "reconstructions": lambda value: _draws("reconstructions", value, n, d),
        "mean": lambda value: _rows("mean", value, n),
        "log_variance": lambda value: _rows("log_variance", value, n),
        "labels": lambda value: _labels(value, n),
        "beta_sigma2": _positive,
    }
    known = {name: check(found[name]) for name, check in checked.items() if name in found}
    others = tuple(said(str(name)) for name in given if not _is_used(name, given, found))
    arrays = ModelArrays(points, of=n, others=others, **known)
    _check_latents(arrays)
    arrays = _sampled(arrays, seed)
    check_varied(arrays.points, "The points")
    return arrays


def _points(value: Any) -> np.ndarray:
    """The points [n, d]; RequestError where they are too few, or have too many numbers."""
    points = _rows("points", value, None)
    n, d = points.shape
    if n < _FEWEST:
        raise RequestError(
            f"There are {n} points, too few to examine a model; give {_FEWEST} or more."
        )
    if d > _POINT_NUMBERS // _FEWEST:
        raise RequestError(f"Points have {d:,} numbers each, too many; make images smaller.")
    return points


def _is_used(name: Any, given: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether an array is read, by this or by another name; None of an own argument is none."""
    if given[name] is None:
        return name in NAMES
    known = any(own_name(str(name)) in names for names in NAMES.values())
    return known and any(value is given[name] for value in found.values())


def _held(given: Mapping[str, Any]) -> str:
    return some([said(str(name)) for name in given]) or "nothing"


def _by_name(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, known in NAMES.items():
        here = outermost(
            other
            for other, value in given.items()
            if own_name(str(other)) in known and value is not None
        )
        if len({id(given[other]) for other in here}) > 1:  # else one, to which a link leads
            both = " and ".join(said(str(one)) for one in here)
            raise RequestError(
                f"{both} are all names of {name}, and which is meant is unknown; give one of them."
            )
        if here:
            found[name] = given[here[0]]
    return found


def _labels(value: Any, n: int) -> np.ndarray:
    """One name [n] for each point, without markup; rare classes beyond the limit are one.

    A coarser teacher is a teacher too, and what passes of it passes of the finer one.
    """
    labels = np.asarray(value).reshape(-1)
    if len(labels) != n:
        raise RequestError(f"There are {len(labels):,} labels, but {n:,} points.")
    is_float = labels.dtype.kind == "f"
    labels = labels if is_float else labels.astype(str)
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    words = [str(name).removesuffix(".0") if is_float else name for name in names]  # 1.0 is 1
    shown = np.array([cleaned(word) or "empty" for word in words], object)
    if len(set(shown)) < len(names):  # cut or cleaned to the same word
        shown = np.array([f"{word} ({at + 1})" for at, word in enumerate(shown)], object)
    if len(names) > MOST_CLASSES:
        shown[np.argsort(-counts, kind="stable")[MOST_CLASSES - 1 :]] = "all others"
    return shown[codes].astype(str)


def _rows(name: str, value: Any, n: int | None) -> np.ndarray:
    """An array as finite rows [n, …], with images flattened."""
    what = f"The array {name}"
    array = numbers(value, what)
    if array.ndim < 2:
        raise RequestError(f"{what} has shape {array.shape}, but needs a row for each point.")
    _check_filled(what, array)
    array = array.reshape(len(array), -1)
    if n is not None and len(array) != n:
        raise RequestError(f"{what} has {len(array)} rows, but there are {n} points.")
    _check_finite(what, array)
    return array


def _draws(name: str, value: Any, n: int, width: int | None) -> np.ndarray:
    """An array as draws [draws, n, width]; a first axis other than n counts draws."""
    what = f"The array {name}"
    array = numbers(value, what)
    _check_filled(what, array)
    several = array.ndim >= 3 and array.shape[1] == n and array.shape[0] != n
    if array.ndim >= 3 and array.shape[:2] == (n, n):
        several = width is None or math.prod(array.shape[2:]) == width
    array = array if several else array[None]
    if array.ndim < 3 or array.shape[1] != n:
        raise RequestError(
            f"{what} has shape {np.shape(value)}, but must be ({n}, …), or (draws, {n}, …)."
        )
    array = array.reshape(len(array), n, -1)
    if array.size > MOST_NUMBERS:
        raise RequestError(f"{what} has {array.size:,} numbers, too many; give fewer draws.")
    if width is not None and array.shape[2] != width:
        raise RequestError(
            f"{what} has {array.shape[2]} numbers for each point, but points have {width}."
        )
    _check_finite(what, array)
    return array


def _check_filled(what: str, array: np.ndarray) -> None:
    if array.size == 0:
        raise RequestError(f"{what} is empty: its shape is {array.shape}.")


def _check_finite(what: str, array: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        good = np.abs(array) <= LARGEST  # false for NaN
    if not good.all():
        place = ", ".join(str(index + 1) for index in np.argwhere(~good)[0])
        raise RequestError(
            f"{what} has a number that is not finite, or above 1e17, at ({place}); training may "
            "have diverged."
        )


def _positive(value: Any) -> float:
    array = numbers(value, "The number beta_sigma2")
    if array.size != 1 or not (np.isfinite(array).all() and array.min() > 0):
        raise RequestError("beta_sigma2 must be one number above 0: β times the decoder's σ².")
    return float(array.reshape(()))


def _check_latents(arrays: ModelArrays) -> None:
    mean, log_variance, z = arrays.mean, arrays.log_variance, arrays.z
    if mean is not None and log_variance is not None and mean.shape != log_variance.shape:
        raise RequestError(
            f"mean has shape {mean.shape}, but log_variance {log_variance.shape}; they must agree."
        )
    if mean is not None and z is not None and z.shape[2] != mean.shape[1]:
        raise RequestError(
            f"z has {z.shape[2]} dimensions, but the posterior {mean.shape[1]}; they must agree."
        )


def _sampled(arrays: ModelArrays, seed: int) -> ModelArrays:
    """All arrays on a seeded sample of the points, where there are many."""
    n, d = arrays.points.shape
    most = min(MOST_POINTS, _POINT_NUMBERS // d)
    if n <= most:
        return arrays
    rows = np.sort(np.random.default_rng([seed, 89]).choice(n, most, replace=False))

    def at(array: np.ndarray | None, axis: int) -> np.ndarray | None:
        return None if array is None else array.take(rows, axis)

    return replace(
        arrays,
        points=arrays.points[rows],
        z=at(arrays.z, 1),
        reconstructions=at(arrays.reconstructions, 1),
        mean=at(arrays.mean, 0),
        log_variance=at(arrays.log_variance, 0),
        labels=at(arrays.labels, 0),
    )
