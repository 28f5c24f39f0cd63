"""SphericalShell: the map onto the shell as a scikit-learn transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from svae_core.config.settings import Settings
from svae_core.geometry.shell import ShellMap

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
