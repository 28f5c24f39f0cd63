"""SphericalVAE: the VAE as a scikit-learn estimator, from training to saved files."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from svae_core.config.estimator_parameters import (
    as_json,
    documented,
    draws_of,
    in_parameter_words,
    kept_parameters,
)
from svae_core.config.settings import check_settings
from svae_core.datasets import held
from svae_core.geometry.shell import far_origin, shell_map
from svae_core.own_data.damage import reason_of
from svae_core.problem import prepared_data
from svae_core.records import (
    Budget,
    Frame,
    Options,
    PreparedData,
    RequestError,
    Settings,
    State,
)
from svae_core.runs import fitted_model
from svae_core.runs.data_without_points import as_if_of, thin

if TYPE_CHECKING:
    from svae_core.training.evaluate import Model

# Latents per point of a score, a power of 2. All points have the same ones, so that what they are
# off by does not average out over points: they are spread evenly, by Sobol's sequence, which puts
# mean scores within .03 nats where 16 random ones were .7 off (IWAE, k = 3).
_LATENTS = 64
_PLAIN = Settings()  # whose values are the default parameters


@documented(
    Settings,
    method_options="options of the method, by name",
    draws="latents drawn for each point to certify (None: as many as always)",
    early_stopping="end training with the first epoch whose model is certified, its loss within "
    "the upper edge of the band",
    warm_start="begin from the weights of the last fit, at step 0 of a new run",
    random_state="seed of clusters, weights, minibatches and noise",
)
@dataclass(eq=False, repr=False)
class SphericalVAE(
    ClassNamePrefixFeaturesOutMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """A VAE on the spherical shell whose loss is held below that of a collapsed model.

    Computing is in float32, after columns far from zero were centred in float64. Of n points at
    most n − 1 clusters are made. Callbacks (`set_callbacks`) are called at the end of each epoch,
    and one that returns True ends the training; their `fitted_estimator` has a live measurement,
    `frame_`, and no certificate yet.

    Attributes
    ----------
    certificate_ : Certificate
        What was measured on the training points, and what follows from it.
    n_iter_ : int
        Epochs trained.
    clusters_ : int
        Clusters made.
    origin_ : ndarray of shape (n_features,)
        What was taken off each column before computing in float32.

    See Also
    --------
    SphericalShell : The map onto the shell, by itself.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import StandardScaler
    >>> X = StandardScaler().fit_transform(load_wine().data)
    >>> SphericalVAE(latent_dim=4, clusters=3, epochs=60).fit(X).certificate_.verdict
    'certified'
    """

    latent_dim: int = _PLAIN.latent_dim
    _: dataclasses.KW_ONLY
    clusters: int = _PLAIN.clusters
    band: tuple[float, float] = _PLAIN.band
    collapse_loss: str = _PLAIN.collapse_loss
    lower_edge: bool = _PLAIN.lower_edge
    method: str = _PLAIN.method
    method_options: Mapping[str, Any] | None = None
    r_min: float = _PLAIN.r_min
    r_max: float = _PLAIN.r_max
    radial_map: str = _PLAIN.radial_map
    arch: str = _PLAIN.arch
    hidden: int = _PLAIN.hidden
    word_dropout: float = _PLAIN.word_dropout
    sigma2: float = _PLAIN.sigma2
    beta: float = _PLAIN.beta
    epochs: int = _PLAIN.epochs
    batch_size: int = _PLAIN.batch_size
    learning_rate: float = _PLAIN.learning_rate
    device: str = _PLAIN.device
    draws: int | None = None
    early_stopping: bool = False
    warm_start: bool = False
    random_state: Any = 0

    # ------------------------------------------------------------------------ training

    @with_callbacks
    def fit(self, X: Any, y: object = None, **unsupported: Any) -> Self:
        """Train on points [n, d] and certify; RequestError if the settings or data are invalid.

        There are no sample weights: every name in `unsupported` is refused.
        """
        from svae_core.training import loop

        if unsupported:
            raise RequestError(
                f"fit takes no {min(unsupported)}: loss, δ and certificate are means over the "
                "points as they are; repeat a row as often as it should count."
            )
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=3)
        self.origin_ = far_origin(X)
        X = self._centred(X)
        try:
            with held(X) as (name, options):
                settings = self._settings(name, options, len(X))
                draws = draws_of(self.draws)
                state = self._warmed(loop.begin((settings,)))
                if self.early_stopping or hasattr(self, "_skl_callbacks"):
                    state = self._by_epochs(state, X, y, draws)
                else:
                    state = loop.advance(state, Budget(frames=False)).state
                # Its draws did not choose the epoch: to those that did, the confidence does not
                # apply.
                purpose = "stopped" if self.early_stopping else "certify"
                (self.certificate_,) = loop.certify(state, draws, purpose=purpose)
                self.__dict__.update(_fitted(state, prepared_data(settings), len(X)))
        except RequestError as error:  # in the words of this door, not of the command line
            raise in_parameter_words(error) from error
        return self

    def _warmed(self, state: State) -> State:
        """The start of a run, with the weights of the last fit if `warm_start` asks for them."""
        before = getattr(self, "state_", None)
        if not self.warm_start or before is None:
            return state
        if before.parameters.shape != state.parameters.shape or before.memory.keys() != (
            state.memory.keys()
        ):
            raise RequestError(
                "warm_start is True, but the last fit had another method, other nets or other "
                "columns; make a new estimator, or set warm_start to False."
            )
        return dataclasses.replace(state, parameters=before.parameters, memory=before.memory)

    def _by_epochs(self, state: State, X: np.ndarray, y: object, draws: int | None) -> State:
        """Train with a stop after each epoch, for callbacks and for `early_stopping`."""
        from svae_core.training import loop
        from svae_core.training.batch_context import steps_per_epoch

        (settings,) = state.settings
        prepared, count = prepared_data(settings), len(X)
        budget = Budget(steps=steps_per_epoch(settings, count), frames=False)
        context = self._init_callback_context(max_subtasks=settings.epochs)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        ended = False
        while not (ended or loop.finished(state)):
            epoch = context.subcontext("epoch").call_on_fit_task_begin(estimator=self, X=X, y=y)
            state = loop.advance(state, budget).state
            (frame,) = loop.first_frames(state)
            ended = epoch.call_on_fit_task_end(
                estimator=self,
                X=X,
                y=y,
                reconstruction_attributes=partial(_seen, state, prepared, count, frame),
            )
            if self.early_stopping and frame.loss <= prepared.region.hi:
                (found,) = loop.certify(state, draws, own_floors=False)
                ended = ended or (found.verdict == "certified" and found.loss <= found.hi)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return state

    def _centred(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            centred = np.asarray(X - self.origin_, np.float32)
        if not np.isfinite(centred).all():
            row, column = np.argwhere(~np.isfinite(centred))[0]
            raise RequestError(
                f"X holds {X[row, column]:g} in row {row + 1}, column {column + 1}, more than "
                "float32 can; divide the column by a constant."
            )
        return centred

    def _settings(self, dataset: str, options: Options, count: int) -> Settings:
        chosen = {name: as_json(value) for name, value in self.get_params(deep=False).items()}
        seed = chosen.pop("random_state")
        if not isinstance(seed, int):
            seed = check_random_state(self.random_state).randint(2**31 - 1)
        for name in ("draws", "early_stopping", "warm_start"):
            del chosen[name]
        if isinstance(chosen["clusters"], int) and chosen["clusters"] >= count:
            chosen["clusters"] = count - 1
        chosen["method_options"] = tuple(sorted((chosen["method_options"] or {}).items()))
        return check_settings(
            Settings(
                dataset=dataset,
                dataset_options=options,
                data_seed=seed,
                seed=seed,
                **chosen,
            )
        )

    # ------------------------------------------------------------------------- inference

    def transform(self, X: Any) -> np.ndarray:
        """Posterior means [n, k] of points [n, d], float32."""
        from svae_core.training.evaluate import encode

        return encode(self._model(), self._on_shell(X)).mean

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decoder outputs [n, d] of latents [n, k], in the units of the data."""
        from svae_core.training.evaluate import decode

        model = self._model()
        z = check_array(X, dtype=np.float32)
        if z.shape[1] != self._n_features_out:
            raise ValueError(f"X has {z.shape[1]} columns, but there are {self._n_features_out}.")
        back = shell_map(self.prepared_.shell).inverse_transform(decode(model, z))
        return back + self.origin_ if self.origin_.any() else back

    def score_samples(self, X: Any) -> np.ndarray:
        """An estimate of a lower bound on the log-likelihood of points on the shell, [n] nats.

        −D/(2σ²) − d/2·log(2πσ²) − KL, with D averaged over 64 fixed latents: their noise is equal
        for all points, so that a point's score does not depend on the other points. σ² is that of
        the settings, even for methods that learn it, so that scores of different methods are
        comparable.
        """
        from svae_core.training.evaluate import decode, encode

        model, points = self._model(), self._on_shell(X)
        posteriors = encode(model, points)
        settings, d = self.prepared_.settings, points.shape[1]
        error = np.zeros(len(points))
        for noise in _even_noise(_LATENTS, posteriors.noise_shape[1], settings.seed):
            answers = decode(model, posteriors.draw(np.tile(noise, (len(points), 1))))
            error += ((answers - points) ** 2).sum(axis=1, dtype=np.float64) / _LATENTS
        kl = posteriors.kl.sum(axis=1, dtype=np.float64)
        constant = 0.5 * d * math.log(2 * math.pi * settings.sigma2)
        return np.asarray(-error / (2 * settings.sigma2) - constant - kl, np.float32)

    def score(self, X: Any, y: object = None) -> float:
        """The mean of `score_samples`; larger is better, as scikit-learn's searches expect."""
        return float(self.score_samples(X).mean(dtype=np.float64))

    def sample(self, n_samples: int = 1, random_state: Any = 0) -> np.ndarray:
        """Samples [n, d] decoded from the method's prior, in the units of the data."""
        from svae_core.training.evaluate import draw_prior

        check_is_fitted(self)
        z = check_random_state(random_state).standard_normal((n_samples, self._n_features_out))
        return self.inverse_transform(draw_prior(self._model(), z.astype(np.float32)))

    @property
    def _n_features_out(self) -> int:
        return int(self.prepared_.settings.latent_dim)

    def _model(self) -> Model:
        from svae_core.training.loop import model_of

        check_is_fitted(self)
        prepared = as_if_of(self.prepared_, self.n_samples_)
        return model_of(self.state_, prepared, self.method_arrays_)

    def _on_shell(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return shell_map(self.prepared_.shell).transform(self._centred(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _repr_mimebundle_(self, **what: Any) -> dict[str, Any]:
        """The parameters as scikit-learn shows them, and below them the certificate if fitted."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**what)
        certificate = getattr(self, "certificate_", None)
        if certificate is not None:
            for kind, text in certificate._repr_mimebundle_().items():
                bundle[kind] = f"{bundle.get(kind, '')}\n{text}"
        return bundle

    # ------------------------------------------------------------------- saving, loading

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into a folder, as a run; nothing of the data is in it.

        The folder is new, empty, or that of a saved model, which is replaced; RequestError where
        there are other files in it.
        """
        check_is_fitted(self)
        about = {
            "parameters": kept_parameters(self.get_params(deep=False)),
            "origin": self.origin_.tolist(),
            "n_samples": self.n_samples_,
            "n_features_in": self.n_features_in_,
            "feature_names_in": list(getattr(self, "feature_names_in_", ())),
        }
        found = self.state_, self.certificate_, self.prepared_, self.method_arrays_
        fitted_model.write(Path(folder), *found, about)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a fitted model from its folder; RequestError, one sentence, if it is none."""
        state, certificate, prepared, own, about = fitted_model.read(Path(folder))
        try:
            model = cls(**about["parameters"] | {"band": tuple(about["parameters"]["band"])})
            model.__dict__.update(_fitted(state, prepared, about["n_samples"], own))
            model.n_features_in_ = about["n_features_in"]
            model.origin_ = np.array(about.get("origin", [0.0] * about["n_features_in"]))
            if about["feature_names_in"]:
                model.feature_names_in_ = np.array(about["feature_names_in"], dtype=object)
        except (ValueError, KeyError, TypeError) as error:
            raise fitted_model.damaged(Path(folder), reason_of(error)) from error
        model.certificate_ = certificate
        return model


def _fitted(
    state: State, prepared: PreparedData, count: int, own: dict[str, np.ndarray] | None = None
) -> dict[str, Any]:
    """The fitted attributes: weights and prepared data, without the `count` points themselves.

    `own`: the arrays of the method, found from the points unless they were kept.
    """
    from svae_core.training.batch_context import steps_per_epoch
    from svae_core.training.members import arrays_of_no_point

    none = state.first_moment[:, :0]
    return {
        "state_": dataclasses.replace(state, first_moment=none, second_moment=none),
        "prepared_": thin(prepared),
        "method_arrays_": arrays_of_no_point(state.settings[0], prepared) if own is None else own,
        "n_samples_": count,
        "n_iter_": state.step // steps_per_epoch(state.settings[0], count),
        "clusters_": prepared.clusters.k,
    }


def _seen(state: State, prepared: PreparedData, count: int, frame: Frame) -> dict[str, Any]:
    """What a callback's `fitted_estimator` has, which has not been certified."""
    return {**_fitted(state, prepared, count), "frame_": frame, "certificate_": None}


def _even_noise(count: int, width: int, seed: int) -> np.ndarray:
    """Standard normal noise [count, width], evenly spread: a scrambled Sobol sequence."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    uniform = qmc.Sobol(width, bits=30, seed=seed).random(count)
    return np.asarray(ndtri(uniform + 2.0**-31), np.float32)  # cells' centres: none is 0
