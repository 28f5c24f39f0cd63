"""The scikit-learn interface: SphericalShell, a transformer, and SphericalVAE, an estimator.

    model = SphericalVAE(latent_dim=4).fit(X);  model.transform(X);  model.certificate_

Both follow scikit-learn's conventions: they work in pipelines, searches and clones, and pass its
`check_estimator`. They use the same computations as the rest of the package.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from svae_core.config.estimator_parameters import (
    draws_of,
    in_parameter_words,
    kept_parameters,
    plain,
)
from svae_core.config.settings import check_settings
from svae_core.datasets import held
from svae_core.geometry.shell import ShellMap, far_origin, shell_map
from svae_core.problem import prepared_data
from svae_core.records import (
    Budget,
    Options,
    PreparedData,
    RequestError,
    Settings,
    State,
)
from svae_core.runs.data_without_points import as_if_of, pack, thin, unpack

if TYPE_CHECKING:
    from svae_core.training.evaluate import Model

_ESTIMATOR_FILE = "estimator"  # file of the fitted attributes besides the run
# Latents per point of a score, in antithetic pairs ε, −ε: exact for functions linear in the noise.
_PAIRS = 8
_PLAIN = Settings()  # whose values are the default parameters


@dataclass(eq=False, repr=False)
class SphericalShell(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map data [n, d] to radii between r_min and r_max, keeping directions; exactly invertible.

    See `geometry.shell` for the map. After `fit`: center_ [d], knot_norms_ and knot_radii_.
    New points outside the norm range of the training points are clamped to it.
    """

    r_min: float = _PLAIN.r_min
    r_max: float = _PLAIN.r_max
    radial_map: str = _PLAIN.radial_map

    def fit(self, X: Any, y: object = None) -> Self:
        """Learn the centre and the radial map."""
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self.map_ = ShellMap(self.r_min, self.r_max, self.radial_map).fit(X)
        self.center_ = self.map_.center_
        self.knot_norms_, self.knot_radii_ = self.map_.knot_norms_, self.map_.knot_radii_
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Points on the shell, [n, d]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.map_.transform(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """The data [n, d] that `transform` maps to these shell points."""
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32])
        return self.map_.inverse_transform(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@dataclass(eq=False, repr=False)
class SphericalVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A VAE on the spherical shell whose loss is held below that of a collapsed model.

    Parameters are those of `svae_core.Settings`; `method_options` is a dictionary, and
    `random_state` gives the seed of clusters, weights, minibatches and noise. `draws`: latents
    drawn for each point to certify (None: as many as always). Computing is in float32, after
    columns far from zero were centred in float64 (`origin_`). Of n points at most n − 1 `clusters`
    are made; `clusters_` says how many.
    After `fit`: `certificate_` says what was measured and what follows from it.
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
    sigma2: float = _PLAIN.sigma2
    beta: float = _PLAIN.beta
    epochs: int = _PLAIN.epochs
    batch_size: int = _PLAIN.batch_size
    learning_rate: float = _PLAIN.learning_rate
    device: str = _PLAIN.device
    draws: int | None = None
    random_state: Any = 0

    # ------------------------------------------------------------------------ training

    def fit(self, X: Any, y: object = None) -> Self:
        """Train on points [n, d] and certify; RequestError if the settings or data are invalid."""
        from svae_core.training import loop

        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=3)
        self.origin_ = far_origin(X)
        X = self._centred(X)
        try:
            with held(X) as (name, options):
                settings = self._settings(name, options, len(X))
                state = loop.begin((settings,))
                while not loop.finished(state):
                    state = loop.advance(state, Budget(frames=False)).state
                (self.certificate_,) = loop.certify(state, draws_of(self.draws))
                self._set_fitted(state, prepared_data(settings), len(X))
        except RequestError as error:  # in the words of this door, not of the command line
            raise in_parameter_words(error) from error
        return self

    def _centred(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(X - self.origin_, np.float32)

    def _settings(self, dataset: str, options: Options, count: int) -> Settings:
        chosen = {name: plain(value) for name, value in self.get_params(deep=False).items()}
        seed = chosen.pop("random_state")
        if not isinstance(seed, int):
            seed = check_random_state(self.random_state).randint(2**31 - 1)
        del chosen["draws"]
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

    def _set_fitted(self, state: State, prepared: PreparedData, count: int) -> None:
        """Set the fitted attributes: weights and prepared data, without the data themselves."""
        self.state_ = dataclasses.replace(
            state,
            first_moment=state.first_moment[:, :0],
            second_moment=state.second_moment[:, :0],
        )
        self.prepared_ = thin(prepared)
        self.n_samples_ = count
        self.clusters_ = prepared.clusters.k

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
        """A lower bound on the log-likelihood of each point on the shell, [n] nats.

        −D/(2σ²) − d/2·log(2πσ²) − KL, with D averaged over fixed noise, equal for all points, so
        that a point's score does not depend on the other points. σ² is that of the settings, even
        for methods that learn it, so that scores of different methods are comparable.
        """
        from svae_core.nets.networks import stream
        from svae_core.training.evaluate import decode, encode

        model, points = self._model(), self._on_shell(X)
        posteriors = encode(model, points)
        settings, d = self.prepared_.settings, points.shape[1]
        half = _noise(stream(settings.seed, 0, "score"), _PAIRS, settings.latent_dim)
        error = np.zeros(len(points))
        for noise in (*half, *-half):
            answers = decode(model, posteriors.draw(np.tile(noise, (len(points), 1))))
            error += ((answers - points) ** 2).sum(axis=1, dtype=np.float64) / (2 * _PAIRS)
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
        return model_of(self.state_, as_if_of(self.prepared_, self.n_samples_))

    def _on_shell(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return shell_map(self.prepared_.shell).transform(self._centred(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    # ------------------------------------------------------------------- saving, loading

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into a folder, as a run; nothing of the data is in it.

        The folder is new, empty, or that of a saved model, which is replaced; RequestError where
        there are other files in it.
        """
        from safetensors.numpy import save_file

        from svae_core.runs import folder as run

        check_is_fitted(self)
        folder = Path(folder)
        _check_free(folder)
        run.save(_with_moments(self.state_), (self.certificate_,), folder=folder)
        arrays, words = pack(self.prepared_)
        about = {
            "parameters": kept_parameters(self.get_params(deep=False)),
            "origin": self.origin_.tolist(),
            "n_samples": self.n_samples_,
            "n_features_in": self.n_features_in_,
            "feature_names_in": list(getattr(self, "feature_names_in_", ())),
            "ground": words,
        }
        save_file(arrays, folder / f"{_ESTIMATOR_FILE}.safetensors", {"about": json.dumps(about)})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a fitted model from its folder; RequestError, one sentence, if it is none."""
        from safetensors import SafetensorError, safe_open

        from svae_core.runs import folder as run

        saved = run.load(Path(folder))
        try:
            with safe_open(Path(folder) / f"{_ESTIMATOR_FILE}.safetensors", "numpy") as file:
                about = json.loads(file.metadata()["about"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            model = cls(**about["parameters"] | {"band": tuple(about["parameters"]["band"])})
            model._set_fitted(saved.state, unpack(arrays, about["ground"]), about["n_samples"])
            model.n_features_in_ = about["n_features_in"]
            model.origin_ = np.array(about.get("origin", [0.0] * about["n_features_in"]))
            if about["feature_names_in"]:
                model.feature_names_in_ = np.array(about["feature_names_in"], dtype=object)
            (model.certificate_,) = saved.certificates
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise RequestError(
                f"{folder} holds no saved SphericalVAE, or a damaged one."
            ) from error
        return model


def _noise(generator: Any, rows: int, latent_dim: int) -> np.ndarray:
    import torch

    return np.asarray(torch.randn(rows, latent_dim, generator=generator).numpy())


def _with_moments(state: State) -> State:
    """The state with zero optimiser moments, as the format of saved runs requires."""
    none = np.zeros_like(state.parameters)
    return dataclasses.replace(state, first_moment=none, second_moment=none)


def _check_free(folder: Path) -> None:
    """RequestError unless this may become, or is, the folder of a saved model."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RequestError(f"{folder} is a file; name a folder for the model.")
    inside = {path.name for path in folder.iterdir()}
    if inside and f"{_ESTIMATOR_FILE}.safetensors" not in inside:
        raise RequestError(
            f"{folder} holds other files ({min(inside)!r} for one) and no saved SphericalVAE; name "
            "a new folder."
        )
