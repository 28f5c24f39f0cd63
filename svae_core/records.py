"""The records that pass between packages: frozen dataclasses, without torch.

Arrays are float32 (points, frames) or float64 (statistics); they are shared and never modified.
Information is in nats; losses are squared error summed over coordinates and averaged over points.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

import msgspec
import numpy as np

# Re-exported, so that a plug-in needs one import line.
from svae_core.config.fields import Field as Field
from svae_core.config.fields import RequestError as RequestError
from svae_core.config.fields import check_knobs as check_knobs
from svae_core.config.fields import flag as flag
from svae_core.config.fields import knobs as knobs
from svae_core.config.fields import option as option
from svae_core.config.fields import type_hints
from svae_core.config.notebook_display import ShownInNotebooks
from svae_core.config.settings import Options as Options
from svae_core.config.settings import Scalar as Scalar
from svae_core.config.settings import Settings as Settings

R = TypeVar("R")

# ------------------------------------------------------------------ data to the problem


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points before the shell map. `labels` are integer classes, if the data have any."""

    name: str
    title: str
    points: np.ndarray  # [n, ambient_dim] float32
    labels: np.ndarray | None = None  # [n] int
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    fingerprint: str = ""  # of the points as used, after sampling
    notes: tuple[str, ...] = ()  # assumptions and preprocessing, one sentence each
    row_names: np.ndarray | None = None  # [n] text, where the data name their points
    #: Of sequences: what each coordinate of a step stands for. A point is then one-hot, step after
    #: step; the symbol that fills up short sequences is the empty text.
    symbols: tuple[str, ...] = ()

    def only(self, rows: np.ndarray) -> Dataset:
        """The same with these points alone, in this order."""
        parts = {"points": self.points, "labels": self.labels, "row_names": self.row_names}
        chosen = {name: part[rows] for name, part in parts.items() if part is not None}
        return dataclasses.replace(self, **chosen)


@dataclass(frozen=True)
class Dominance:
    """The row and the column with the largest shares of the variance of the data."""

    row: int
    row_share: float
    column: int
    column_share: float


@dataclass(frozen=True, eq=False)
class Shell:
    """The fitted map of data onto the shell, and the data there.

    The norm of x - center is mapped to a radius by linear interpolation between knots
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
    held_out: np.ndarray  # [h, d] float32, held-out points on this shell
    clamped: int  # held-out points with norms outside the training range
    dominance: Dominance | None = None  # of the points before the map


@dataclass(frozen=True, eq=False)
class Clusters:
    """K-means on the shell points, with statistics of the clusters."""

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
    restarts: np.ndarray  # [r] W of single K-means starts: the spread over local optima
    proposal: tuple[tuple[int, float, float], ...] = ()  # (K, W, silhouette) tried for "auto"
    started_on: int = 0  # points that the starts ran on: all, or a seeded sample (0: unknown)


@dataclass(frozen=True, eq=False)
class FeasibleRegion(ShownInNotebooks):
    """The band of losses between W and the collapse loss in use; it may be empty."""

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
    tight: float  # numerical: overstated if the search missed a mode
    specific: float | None = None  # of one model's own answers, 99 % limit; certificates only
    specific_answers: int = 0  # answers it was evaluated on, each against all points
    population: float | None = None  # on new points of the same kind, 99 %; held-out points only
    population_needs: int = 0  # about so many more points would prove some (or 0)


@dataclass(frozen=True, eq=False)
class FloorCurves:
    """The curves from which floors at any distortion follow, per data and decoder domain.

    A(λ) = log max_y E exp(−λ‖x−y‖²) over decoder outputs y: `proved` holds an upper bound,
    `tight` its numerical value, on a common grid of λ. A floor is then max_λ −λD − A(λ). At first
    `proved` is a closed form; of sharpened curves it is the least of all proved bounds.
    """

    radii: tuple[float, float]  # decoder outputs have norms in this interval
    bound: float  # M: no squared distance on the shell is larger
    delta: float  # collapse loss of this decoder domain; all floors are 0 at and above it
    lambdas: np.ndarray  # [l] increasing
    proved: np.ndarray  # [l]
    tight: np.ndarray  # [l]
    eigenvalues: np.ndarray  # [d] of the covariance of shell points, decreasing
    within: float  # the achievable point (W, H(cluster)) …
    cluster_entropy: float  # … in nats
    log_n: float  # no information estimate on n points can exceed log n
    sought_in: int = 0  # points used in the search for modes: all, or a sample (0: unknown)
    kernel_part: int = 0  # points in each part of the kernel bounds; all are in some (0: not yet)


@dataclass(frozen=True, eq=False)
class PreparedData:
    """All that training needs, fixed before it starts: data -> shell -> clusters -> region."""

    settings: Settings
    dataset: Dataset
    shell: Shell
    clusters: Clusters
    region: FeasibleRegion
    eigenvalues: np.ndarray  # [d] of the covariance of the shell points, decreasing
    lambda_max: float  # the largest of them
    water_level: float  # θ at D = hi (λ_max where hi ≥ T or the band is empty)
    view_index: np.ndarray  # [v] the viewed points: a seeded sample that frames and figures show
    view_basis: np.ndarray  # [d, 3] directions of the 3-D view
    view_points: np.ndarray  # [v, 3] float32, the data in that view
    #: Of runs with an autoregressive decoder: Λ*, from which on collapse is stable though a plain
    #: decoder may live (see certificate.prefix_spectrum).
    prefix_edge: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True, eq=False)
class Problem(PreparedData):
    """The prepared data with the floors, which take longer to compute."""

    floors: FloorCurves  # for the decoder of the method in the settings


# -------------------------------------------------------------------- training and results


@dataclass(frozen=True, eq=False)
class State:
    """The training state of a batch of members; picklable, so any process can resume it."""

    settings: tuple[Settings, ...]  # one per member
    step: int
    parameters: np.ndarray  # [m, p] float32
    first_moment: np.ndarray  # [m, p] float32 (Adam)
    second_moment: np.ndarray  # [m, p] float32 (Adam)
    memory: dict[str, np.ndarray] = field(
        default_factory=dict
    )  # running state of the methods, [m, …]
    engine: str = "torch"  # what trains it where it can: see training/trainer
    frame_rule: int = 0  # which steps have frames: see training/frame_steps


@dataclass(frozen=True, eq=False)
class Frame:
    """The measurements of one member at one step; complete, so figures need no model."""

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
    structure: float  # g = 1 − e^{−MI of the Gaussian channel}: 0 if latents are pure noise
    latent_mean: np.ndarray  # [v, k] float32
    shell_view: np.ndarray  # [v, 3] float32 sampled reconstructions in the 3-D view
    samples: np.ndarray  # [few, d] float32 reconstructions of the first viewed points
    sentence: str


Moment = tuple[Frame, ...]  # one frame per member, all at the same step


@dataclass(frozen=True)
class Budget:
    """The limit of one slice: a number of steps, a time, or whichever comes first."""

    steps: int | None = None
    seconds: float | None = None
    frames: bool = True  # whether frames are measured; training is faster without


@dataclass(frozen=True, eq=False)
class Advance:
    """The result of a slice: the new state, and the moments measured on the way."""

    state: State
    moments: tuple[Moment, ...]
    #: Processor seconds of the training steps alone, all members together; nan where another thread
    #: or a GPU does a part of the work.
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Forecast:
    """What a trained model's state says of its next birth and death, at β·σ² as it is.

    See `svae_core.certificate.residual_spectrum`.
    """

    beta_sigma2: float
    active: tuple[int, ...]  # dimensions, from 0
    latent_dim: int
    #: Λ*: below this βσ² a dead dimension comes alive, or one more than there are, if all live.
    birth_below: float
    birth_resolved: bool
    birth_range: tuple[float, float]  # the lowest and the highest estimate
    birth_dimension: int | None  # the first dead one; None where all are active
    death_above: float  # inf where nothing is active
    death_resolved: bool
    death_range: tuple[float, float]
    death_dimension: int | None
    directions: int  # eigenvalues of the data's covariance above βσ²: what a linear VAE keeps
    sentence: str = ""
    latents: str = ""  # how many latent dimensions are needed at this βσ²


@dataclass(frozen=True)
class SequenceErrors:
    """The errors of answers to one-hot sequences, off the shell and averaged over sequences.

    The squared error of one-hot vectors is the Brier score, summed over positions. A hard answer,
    the most probable symbol at each position, has twice the number of wrong symbols as its own.
    """

    brier: float  # of the answers as probabilities
    brier_constant: float  # of the best constant answer: Σ p(1 − p)
    wrong: float  # symbols of the hard answer that are wrong, fills included
    hard: float  # its squared error: 2 × wrong
    length: int  # positions
    sentence: str = ""


@dataclass(frozen=True)
class Certificate(ShownInNotebooks):
    """Measurements of a trained model, and the verdict that follows from them."""

    method: str
    seed: int
    epochs: int
    part: str  # training | held-out: which points loss, δ and floors were measured on
    loss: float  # D, sampled latents, all points, answers as given
    loss_margin: float  # one-sided: loss_projected + loss_margin is above D' with `confidence`
    draws: int
    delta: float
    delta_definition: str  # shell | free | between
    lo: float
    hi: float
    in_band: bool
    kl: float  # nan, like the posterior's measures below, if the posterior is unknown
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
    loss_projected: float = math.nan  # D' of answers projected on the data's ball or the shell
    mutual_information_error: float = math.nan  # its standard error
    confidence: float = 0.99  # of margin and floors
    forecast: Forecast | None = None  # of runs whose loss is D/(2σ²) + β·KL, on all points
    prefix_edge: float | None = None  # Λ* of runs with an autoregressive decoder
    sequences: SequenceErrors | None = None  # of one draw, where points are one-hot sequences

    @property
    def loss_limit(self) -> float:
        """What D' stays below with `confidence`; certificates of before know D alone."""
        measured = self.loss if math.isnan(self.loss_projected) else self.loss_projected
        return measured + self.loss_margin


def to_json(value: Any) -> Any:
    """Records, arrays and numpy scalars as plain JSON values; NaN and infinities become null."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_plain_array))


def _plain_array(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


# msgspec 0.22 keeps what it knows of a class at that class before it has read all its fields, since
# a class may hold itself. A second thread that converts to it meanwhile ends the process.
_CONVERTING = threading.Lock()


def from_json(kind: type[R], plain: Any) -> R:
    """The inverse of `to_json` for a record of this kind, whoever wrote it; unknown names are left.

    ValueError where a value is missing, of a wrong kind, or outside the bounds of its annotation.
    """
    plain = _with_nan(plain, kind)
    try:
        with _CONVERTING:
            return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise ValueError("something in it is missing, impossible or of a wrong kind") from error


def _with_nan(value: Any, kind: Any) -> Any:
    """JSON values with null replaced by NaN wherever a record of this kind has a number."""
    if value is None and kind is float:
        return math.nan
    if isinstance(value, list) and get_origin(kind) is tuple:
        return [_with_nan(item, get_args(kind)[0]) for item in value]
    kind = next(filter(dataclasses.is_dataclass, (kind, *get_args(kind))), None)
    if not isinstance(value, dict) or kind is None:
        return value
    hints = type_hints(kind)
    return {name: _with_nan(item, hints.get(name)) for name, item in value.items()}
