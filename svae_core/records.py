"""The records that pass between rooms: frozen, complete, and free of torch.

Every later room takes records and gives records. Arrays are float32 (points, frames) or float64
(statistics); they are shared, never written to. Information is in nats, losses are squared error
summed over coordinates and averaged over points.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

# Named here as well, for a plug-in's one line of imports.
from svae_core.options import Knob as Knob
from svae_core.options import RequestError as RequestError
from svae_core.options import check_knobs as check_knobs
from svae_core.options import flag as flag
from svae_core.options import knobs as knobs
from svae_core.options import option as option

Scalar = bool | int | float | str
Options = tuple[tuple[str, Scalar], ...]
#: From a step on, one of CHANGEABLE has another value: (step, name, value).
Change = tuple[int, str, Any]


# -------------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Settings:
    """Everything a run depends on: a run is a pure function of its Settings (and device kind)."""

    dataset: str = option(
        "digits", "which data to explore: a name, or on the command line a file", group="data"
    )
    dataset_options: Options = ()
    n_points: int = option(
        0, "keep a seeded sample of this many points (0: all)", label="points", low=0, group="data"
    )
    data_seed: int = option(
        0, "seed of generated data, of the sample and of K-means", low=0, group="data"
    )
    held_out: float = option(
        0.0,
        "share of the points kept out of training, with a certificate of its own",
        label="held out",
        low=0.0,
        high=0.9,
        group="data",
    )
    clusters: int = option(
        10, "number of K-means clusters K (0 or auto: proposed by silhouette)", low=0, group="data"
    )
    r_min: float = option(0.8, "inner radius of the shell", low=1e-6, high=1e6, group="shell")
    r_max: float = option(1.2, "outer radius of the shell", low=1e-6, high=1e6, group="shell")
    radial_map: str = option(
        "linear",
        "how norms are mapped to radii: linear, or by rank (robust to outliers)",
        choices=("linear", "rank"),
        group="shell",
    )
    collapse_loss: str = option(
        "shell",
        "which collapse loss bounds the band: shell (projected decoder), free, or between (B=T-W)",
        choices=("shell", "free", "between"),
        group="band",
    )
    band: tuple[float, float] = option(
        (0.0, 0.25),
        "the two edges of the feasible band, as fractions of the way from W to the collapse loss",
        group="band",
    )
    lower_edge: bool = option(
        True,
        "also forbid losses below the lower edge (the guarantee needs only the upper one)",
        group="band",
    )
    method: str = option("spherical", "training method", group="model")
    method_options: Options = ()
    arch: str = option(
        "mlp",
        "encoder and decoder architecture (conv needs images; autoregressive: an over-powerful "
        "decoder that foretells each coordinate from those before it)",
        choices=("linear", "mlp", "resmlp", "conv", "autoregressive"),
        group="model",
    )
    hidden: int = option(
        64, "width of the two hidden layers of the mlp", low=1, high=4096, group="model"
    )
    latent_dim: int = option(8, "number of latent dimensions k", low=1, high=512, group="model")
    sigma2: float = option(
        1.0,
        "decoder variance: the loss is D/(2 sigma2) + beta KL",
        label="σ²",
        low=1e-6,
        high=1e6,
        logarithmic=True,
        group="model",
    )
    beta: float = option(
        1.0, "weight of the KL term", label="β", low=1e-6, high=1e6, logarithmic=True, group="model"
    )
    seed: int = option(0, "seed of initial weights, minibatches and noise", low=0, group="training")
    epochs: int = option(150, "passes over the data", low=1, high=1_000_000, group="training")
    batch_size: int = option(128, "points per minibatch", low=1, high=1_000_000, group="training")
    learning_rate: float = option(
        2e-3, "Adam's first step size", low=1e-8, high=10.0, logarithmic=True, group="training"
    )
    changes: tuple[Change, ...] = ()  # made while it trained, in the order of their steps
    start: str = option(
        "usual",
        "first weights: usual, or collapsed (constant decoder, posterior = prior)",
        choices=("usual", "collapsed"),
        group="training",
    )
    device: str = option(
        "auto", "where training runs", choices=("auto", "cpu", "cuda"), group="training"
    )


#: Fields that decide the data, shell and clusters (but not the band).
DATA_FIELDS = (
    *("dataset", "dataset_options", "n_points", "data_seed", "held_out", "clusters"),
    *("r_min", "r_max", "radial_map"),
)
#: Fields in which members trained as one batch may differ; all others must agree.
MEMBER_FIELDS = (
    *("seed", "sigma2", "beta", "band", "lower_edge", "collapse_loss"),
    *("method", "method_options", "clusters", "changes"),
)
#: Fields that may change in the middle of a run; the change is part of the run's settings.
CHANGEABLE = ("band", "lower_edge", "sigma2", "beta")


def check_settings(settings: Settings) -> Settings:
    """The settings themselves, if they make sense; else RequestError with one sentence."""
    check_knobs(settings)
    a, b = settings.band
    if not (math.isfinite(a) and math.isfinite(b)):
        raise RequestError(f"--band is {a} {b}, but both edges must be finite numbers.")
    if not 0 <= a < b < 1:
        raise RequestError(
            f"--band is {a:g} {b:g}, but needs 0 <= A < B < 1 (fractions of the way from W to "
            "the collapse loss)."
        )
    if settings.r_min >= settings.r_max:
        raise RequestError(
            f"--r-min is {settings.r_min:g} and --r-max is {settings.r_max:g}, but the inner "
            "radius must be smaller than the outer one."
        )
    return settings


def check_changeable(name: str) -> None:
    """RequestError where this setting cannot change in the middle of a run."""
    if name not in CHANGEABLE:
        raise RequestError(
            f"{name!r} cannot change in the middle of a run; these can: {', '.join(CHANGEABLE)}."
        )


def change(settings: Settings, step: int, name: str, value: Any) -> Settings:
    """The settings of a run in which `name` is `value` from this step on.

    Later changes of an earlier history are dropped: what is branched off has its own future.
    """
    check_changeable(name)
    kept = tuple(
        item for item in settings.changes if item[0] < step or (item[0] == step and item[1] != name)
    )
    changed = dataclasses.replace(settings, changes=(*kept, (step, name, value)))
    check_settings(settings_at(changed, step))
    return changed


def settings_at(settings: Settings, step: int) -> Settings:
    """The settings in force at a step: with the changes made up to it, and none to come."""
    made = {name: value for since, name, value in settings.changes if since <= step}
    return dataclasses.replace(settings, changes=(), **made)


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """A plain, JSON-ready dictionary; `settings_from_dict` is its inverse."""
    plain = dataclasses.asdict(settings)
    for name in ("dataset_options", "method_options"):
        plain[name] = dict(plain[name])
    plain["band"] = list(plain["band"])
    plain["changes"] = [
        [step, name, list(value) if isinstance(value, tuple) else value]
        for step, name, value in settings.changes
    ]
    return plain


def settings_from_dict(plain: dict[str, Any]) -> Settings:
    """Settings from a dictionary; unknown names and wrong values raise RequestError."""
    known = {item.name for item in fields(Settings)}
    if unknown := sorted(set(plain) - known):
        raise RequestError(
            f"Unknown setting {unknown[0]!r}; known are: {', '.join(sorted(known))}."
        )
    values = dict(plain)
    for name in ("dataset_options", "method_options"):
        values[name] = tuple(sorted(dict(values.get(name, {})).items()))
    if "band" in values:
        values["band"] = tuple(float(edge) for edge in values["band"])
    values["changes"] = tuple(
        (int(step), str(name), tuple(value) if isinstance(value, list) else value)
        for step, name, value in values.get("changes", ())
    )
    settings = Settings(**values)
    for step, name, _ in settings.changes:
        check_changeable(name)
        check_settings(settings_at(settings, step))
    return check_settings(settings)


def settings_key(settings: Settings, names: tuple[str, ...] | None = None) -> str:
    """A stable text key of (some of) the settings, for caches."""
    plain = settings_to_dict(settings)
    return json.dumps({name: plain[name] for name in names or plain}, sort_keys=True)


# ------------------------------------------------------------------ data to the problem


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points as they came, before the shell. `labels` are integer classes where data have any."""

    name: str
    title: str
    points: np.ndarray  # [n, ambient_dim] float32
    labels: np.ndarray | None = None  # [n] int
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    fingerprint: str = ""  # of the points as used, after sampling
    notes: tuple[str, ...] = ()  # what was assumed of them and done to them, one sentence each


@dataclass(frozen=True, eq=False)
class Shell:
    """The fitted map of data onto the shell, and the data there.

    The norm of x - center is carried to a radius by linear interpolation between knots
    (knot_norms -> knot_radii), both strictly increasing, so the map has an exact inverse.
    """

    r_min: float
    r_max: float
    radial_map: str
    center: np.ndarray  # [d] float64
    knot_norms: np.ndarray  # [knots] float64
    knot_radii: np.ndarray  # [knots] float64
    points: np.ndarray  # [n, d] float32, on the shell
    directionless: int  # training points at the centre: they got a fixed direction
    round_trip_error: float  # largest error of the inverse, relative to the largest norm
    held_out: np.ndarray  # [h, d] float32, points kept out of training, on this shell
    clamped: int  # held-out points whose norm the training points did not reach


@dataclass(frozen=True, eq=False)
class Clusters:
    """K-means on the shell points and what it says of their structure."""

    k: int
    labels: np.ndarray  # [n] int32
    centroids: np.ndarray  # [k, d] float64
    within: float  # W = inertia / n
    between: float  # B = T - W
    total: float  # T, the paper's TSS / n
    sizes: np.ndarray  # [k]
    variances: np.ndarray  # [k] mean squared distance to the own centroid
    deviation: float  # standard deviation of squared distances to the own centroid
    smallest_gap: float  # distance of the two nearest centroids
    separation: float  # B / T
    silhouette: float  # mean over (a sample of) points; nan where undefined
    restarts: np.ndarray  # [r] W of single K-means starts: the spread of a local optimum
    proposal: tuple[tuple[int, float, float], ...] = ()  # (K, W, silhouette) looked at for "auto"
    started_on: int = 0  # points that the starts ran on: all, or a seeded sample (0: not known)


@dataclass(frozen=True, eq=False)
class FeasibleRegion:
    """The band of losses between W and the collapse loss in use; may be empty, and says so."""

    collapse_loss: str  # shell | free | between
    delta: float
    deltas: dict[str, float]
    within: float
    between: float
    total: float
    band: tuple[float, float]  # (a, b), fractions of the way from W to delta
    lo: float  # nan when empty
    hi: float  # nan when empty
    empty: bool
    lower_edge: bool  # whether lo is enforced
    explanation: str  # one sentence on the state of the band


@dataclass(frozen=True)
class Floors:
    """Lower bounds on I(x; x̂), hence on the mean KL, in nats, at one distortion."""

    elementary: float
    proved: float
    tight: float  # numerical: a missed mode would overstate it


@dataclass(frozen=True, eq=False)
class FloorCurves:
    """What all floors at all distortions share, computed once per data and decoder domain.

    A(λ) = log max_y E exp(−λ‖x−y‖²) over decoder outputs y: `proved` holds an upper bound,
    `tight` its numerical value, on a common grid of λ. A floor is then max_λ −λD − A(λ).
    """

    radii: tuple[float, float]  # decoder outputs have norms in this interval
    bound: float  # M: no squared distance on the shell is larger
    delta: float  # collapse loss of this decoder domain; all floors are 0 from here on
    lambdas: np.ndarray  # [l] increasing
    proved: np.ndarray  # [l]
    tight: np.ndarray  # [l]
    eigenvalues: np.ndarray  # [d] of the covariance of shell points, decreasing
    within: float  # the achievable point (W, H(cluster)) …
    cluster_entropy: float  # … in nats
    log_n: float  # no information estimate on n points can exceed log n
    sought_in: int = 0  # points in which modes were sought: all, or a seeded sample (0: not known)


@dataclass(frozen=True, eq=False)
class Groundwork:
    """What training needs, all fixed before it starts: data -> shell -> clusters -> region."""

    settings: Settings
    dataset: Dataset
    shell: Shell
    clusters: Clusters
    region: FeasibleRegion
    eigenvalues: np.ndarray  # [d] of the covariance of the shell points, decreasing
    lambda_max: float  # the largest of them
    water_level: float  # θ at D = hi (λ_max where hi ≥ T or the band is empty)
    view_index: np.ndarray  # [v] the seeded sample of points that is drawn
    view_basis: np.ndarray  # [d, 3] directions of the 3-D view
    view_points: np.ndarray  # [v, 3] float32, the data in that view


@dataclass(frozen=True, eq=False)
class Problem(Groundwork):
    """The groundwork and the floors, which take longer: all that can be said before training."""

    floors: FloorCurves  # for the decoder of the method in the settings


# -------------------------------------------------------------------- training and after


@dataclass(frozen=True, eq=False)
class State:
    """A batch of members at one moment: picklable, resumable, enough to go on anywhere."""

    settings: tuple[Settings, ...]  # one per member
    step: int
    parameters: np.ndarray  # [m, p] float32
    first_moment: np.ndarray  # [m, p] float32 (Adam)
    second_moment: np.ndarray  # [m, p] float32 (Adam)
    memory: dict[str, np.ndarray] = field(default_factory=dict)  # what methods carry, [m, …]


@dataclass(frozen=True, eq=False)
class Frame:
    """One member at one moment, complete: figures never ask a model anything."""

    method: str
    step: int
    epoch: int
    steps: int  # of the whole run
    loss: float  # D with sampled latents on the viewed points
    delta: float  # the collapse loss that applies to this member's decoder
    lo: float
    hi: float
    kl: float  # nats, mean over viewed points, summed over dimensions
    kl_per_dim: np.ndarray  # [k] nats
    active: np.ndarray  # [k] bool: Var m_j > threshold
    structure: float  # g = 1 − e^{−MI of the Gaussian channel}: 0 when latents are only noise
    latent_mean: np.ndarray  # [v, k] float32
    shell_view: np.ndarray  # [v, 3] float32 sampled reconstructions in the 3-D view
    samples: np.ndarray  # [few, d] float32 reconstructions of the first viewed points
    sentence: str


Moment = tuple[Frame, ...]  # one frame per member, all at the same step


@dataclass(frozen=True, eq=False)
class Decoded:
    """One viewed point, and what every member gives back for it from a sampled latent."""

    index: int  # among the viewed points
    step: int
    original: np.ndarray  # [d] float32, on the shell
    centroid: np.ndarray  # [d] float32, of its cluster
    outputs: np.ndarray  # [m, d] float32, as drawn in the frame of this step


@dataclass(frozen=True)
class Budget:
    """How far one slice may go: a number of steps, a time, or whichever comes first."""

    steps: int | None = None
    seconds: float | None = None
    frames: bool = True  # without them nothing can be drawn, and training is quicker


@dataclass(frozen=True, eq=False)
class Advance:
    """What a slice gives back: where training stands now, and the moments it passed."""

    state: State
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Certificate:
    """What was measured on a trained model, and what follows from it."""

    method: str
    seed: int
    epochs: int
    part: str  # training | held-out: which points loss, δ and floors were measured on
    loss: float  # D, sampled latents, all points
    loss_margin: float  # one-sided 99 % confidence margin of D over the draws
    draws: int
    delta: float
    delta_definition: str  # shell | free | between
    lo: float
    hi: float
    in_band: bool
    kl: float  # nan, like what follows, where the posterior is not known
    kl_per_dim: tuple[float, ...]
    active_units: int
    active_threshold: float
    mutual_information: float
    mi_ceiling: float  # log n
    floors: Floors  # at loss + margin, in nats
    cluster_accuracy: float  # share of sampled reconstructions nearest to their own centroid
    cluster_floor: float  # nats that this accuracy proves
    gauge: float  # βσ² / λ_max
    verdict: str  # certified | not certified | collapsed
    sentence: str
    dataset: str
    fingerprint: str
    n_points: int
    version: str
    held_out: Certificate | None = None


def to_json(value: Any) -> Any:
    """Records, arrays and numpy scalars as plain JSON values; NaN and infinities become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
