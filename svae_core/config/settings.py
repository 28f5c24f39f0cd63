"""All settings of a run with their ranges and help, and changes of settings during a run."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, fields
from typing import Any

from svae_core.config.architectures import ARCHITECTURES, AUTOREGRESSIVE
from svae_core.config.fields import RequestError, check_knobs, option, plain_value, type_hints

#: The rule that new runs follow; saved runs that name none follow the first.
PENALTY_RULE = 2

Scalar = bool | int | float | str
Options = tuple[tuple[str, Scalar], ...]
#: A change of one of CHANGEABLE during a run: (step from which it holds, name, value).
Change = tuple[int, str, Any]


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
        10,
        "number of K-means clusters K (0 or auto: proposed by silhouette)",
        low=0,
        group="data",
        words=(("auto", 0),),
    )
    r_min: float = option(0.8, "inner radius of the shell", low=1e-6, high=1e6, group="shell")
    r_max: float = option(1.2, "outer radius of the shell", low=1e-6, high=1e6, group="shell")
    radial_map: str = option(
        "linear",
        "how norms are mapped to radii: linear, by rank about the mean, or robust (by rank about "
        "the geometric median, which outliers do not move)",
        choices=("linear", "rank", "robust"),
        group="shell",
    )
    collapse_loss: str = option(
        "shell",
        "which collapse loss bounds the band: shell (projected decoder), free, or between "
        "(B = T − W)",
        choices=("shell", "free", "between"),
        group="band",
    )
    band: tuple[float, float] = option(
        (0.0, 0.25),
        "the two edges of the feasible band, as fractions between W and the collapse loss",
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
        f"encoder and decoder architecture (conv needs images; {', '.join(AUTOREGRESSIVE)}: "
        "over-powerful decoders that predict each step of a point from those before it)",
        choices=ARCHITECTURES,
        group="model",
    )
    hidden: int = option(
        64,
        "width of hidden layers; the channels of conv follow from it",
        low=1,
        high=4096,
        group="model",
    )
    latent_dim: int = option(8, "number of latent dimensions k", low=1, high=512, group="model")
    sigma2: float = option(
        1.0,
        "decoder variance: the loss is D/(2σ²) + β·KL",
        label="σ²",
        low=1e-6,
        high=1e6,
        logarithmic=True,
        group="model",
    )
    beta: float = option(
        1.0, "weight of the KL term", label="β", low=1e-6, high=1e6, logarithmic=True, group="model"
    )
    word_dropout: float = option(
        0.0,
        "share of the steps that an autoregressive decoder does not see in training, so that it "
        f"needs z ({', '.join(AUTOREGRESSIVE)}; no effect on other architectures)",
        low=0.0,
        high=1.0,
        step=0.05,
        group="model",
    )
    seed: int = option(0, "seed of initial weights, minibatches and noise", low=0, group="training")
    epochs: int = option(150, "passes over the data", low=1, high=1_000_000, group="training")
    batch_size: int = option(128, "points per minibatch", low=1, high=1_000_000, group="training")
    learning_rate: float = option(
        2e-3, "Adam's first step size", low=1e-8, high=10.0, logarithmic=True, group="training"
    )
    changes: tuple[Change, ...] = ()  # made during training, in the order of their steps
    start: str = option(
        "usual",
        "first weights: usual, or collapsed (constant decoder, posterior = prior)",
        choices=("usual", "collapsed"),
        group="training",
    )
    device: str = option(
        "auto", "where training runs", choices=("auto", "cpu", "cuda"), group="training"
    )
    # How the spherical penalty's lower edge is weighted (see region.lower_excess). Not an option:
    # runs saved before there was a second rule keep the first, so that they go on as they began.
    penalty_rule: int = PENALTY_RULE

    def __post_init__(self) -> None:
        """Values of the declared types: NumPy's numbers, and 8.0 for 8, become plain.

        Equal settings then are the same settings: caches, texts and tensors made of them agree.
        What is no number of the kind stays as it is, for `check_settings` to name.
        """
        for name, kind in type_hints(Settings).items():
            value = getattr(self, name)
            plain = plain_value(value, kind)
            if plain is not value:
                object.__setattr__(self, name, plain)


#: Fields that decide the data, shell and clusters (but not the band).
DATA_FIELDS = (
    *("dataset", "dataset_options", "n_points", "data_seed", "held_out", "clusters"),
    *("r_min", "r_max", "radial_map"),
)
#: Fields in which members trained as one batch may differ.
MEMBER_FIELDS = (
    *("seed", "sigma2", "beta", "band", "lower_edge", "collapse_loss"),
    *("method", "method_options", "clusters", "changes", "penalty_rule", "word_dropout"),
)
#: Fields in which they must agree.
SHARED_FIELDS = tuple(item.name for item in fields(Settings) if item.name not in MEMBER_FIELDS)
#: Fields that may change in the middle of a run; the change is part of the run's settings.
CHANGEABLE = ("band", "lower_edge", "sigma2", "beta")
#: So many changes of one run at most: each is in its settings, which every slice carries along.
MOST_CHANGES = 1000


def check_settings(settings: Settings) -> Settings:
    """The settings themselves; raises RequestError, one sentence, if they are invalid."""
    check_knobs(settings)
    a, b = settings.band
    if not 0 <= a < b < 1:
        raise RequestError(
            f"--band is {a:g} {b:g}, but needs 0 <= A < B < 1 (fractions between W and the "
            "collapse loss)."
        )
    if settings.r_min >= settings.r_max:
        raise RequestError(
            f"--r-min is {settings.r_min:g} and --r-max is {settings.r_max:g}, but the inner "
            "radius must be smaller than the outer one."
        )
    return settings


def check_changeable(name: str) -> None:
    """RequestError if this setting cannot change during a run."""
    if name not in CHANGEABLE:
        raise RequestError(
            f"{name[:40]!r} cannot change in the middle of a run; these can: "
            f"{', '.join(CHANGEABLE)}."
        )


def changeable_at(settings: Settings, step: int) -> dict[str, Any]:
    """The changeable settings by name, with the values in force at `step`."""
    now = settings_at(settings, step)
    return {name: getattr(now, name) for name in CHANGEABLE}


def change(settings: Settings, step: int, name: str, value: Any) -> Settings:
    """The settings of a run in which `name` is `value` from this step on.

    Changes after this step are dropped, since a branch has its own later history.
    """
    check_changeable(name)
    kept = tuple(
        item for item in settings.changes if item[0] < step or (item[0] == step and item[1] != name)
    )
    changed = dataclasses.replace(settings, changes=(*kept, (step, name, value)))
    if len(changed.changes) > MOST_CHANGES:
        raise RequestError(f"This run was changed {MOST_CHANGES:,} times; begin another one.")
    check_settings(settings_at(changed, step))
    return changed


def settings_at(settings: Settings, step: int) -> Settings:
    """The settings in force at a step: all changes up to it applied, later ones dropped."""
    if not settings.changes:
        return settings  # asked several times for every frame
    made = {name: value for since, name, value in settings.changes if since <= step}
    return dataclasses.replace(settings, changes=(), **made)


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values; `settings_from_dict` is the inverse."""
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
    """Settings from a dictionary; unknown names and wrong values raise RequestError.

    Dictionaries are what was saved: one that names no penalty rule is of the time of the first.
    """
    known = {item.name for item in fields(Settings)}
    if unknown := sorted(set(plain) - known):
        raise RequestError(
            f"Unknown setting {unknown[0]!r}; known are: {', '.join(sorted(known))}."
        )
    values = {"penalty_rule": 1} | plain
    if values["penalty_rule"] not in (1, PENALTY_RULE):
        raise RequestError(
            f"The penalty rule is {values['penalty_rule']!r}, but this version knows 1 and "
            f"{PENALTY_RULE}; update this program."
        )
    for name in ("dataset_options", "method_options"):
        values[name] = tuple(sorted(dict(values.get(name, {})).items()))
    values["changes"] = tuple(
        (int(step), str(name), tuple(value) if isinstance(value, list) else value)
        for step, name, value in values.get("changes", ())
    )
    settings = Settings(**values)
    _check_changes(settings)
    return check_settings(settings)


def _check_changes(settings: Settings) -> None:
    """RequestError where the settings make no sense at one of the steps at which they change."""
    if len(settings.changes) > MOST_CHANGES:
        raise RequestError(
            f"The run has {len(settings.changes):,} changes, and {MOST_CHANGES:,} are the most."
        )
    steps = [step for step, _, _ in settings.changes]
    if steps != sorted(steps) or min(steps, default=0) < 0:
        raise RequestError("The changes of a run must be in the order of their steps.")
    then = dataclasses.replace(settings, changes=())
    for _, name, value in settings.changes:
        check_changeable(name)
        then = check_settings(dataclasses.replace(then, **{name: value}))


def settings_key(settings: Settings, names: tuple[str, ...] | None = None) -> str:
    """A stable text key of all or some of the settings, for caches."""
    plain = settings_to_dict(settings)
    return json.dumps({name: plain[name] for name in names or plain}, sort_keys=True)
