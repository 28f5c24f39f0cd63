"""Colours as eyes see them: all eyes, those of a deuteranope, and in grey print."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

#: Twice the difference of L* or L*a*b* that is just noticed, 2.3 (Mahy, Van Eycken and Oosterlinck
#: 1994): what is so far apart is told apart.
TOLD_APART = 5.0
#: sRGB to XYZ, and the sight of a deuteranope (Machado, Oliveira and Fernandes 2009), both of
#: linear RGB.
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
DEUTERANOPE = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
EYES = np.eye(3)


def lab(rgb: np.ndarray, sight: np.ndarray = EYES) -> np.ndarray:
    """CIE L*a*b* under D65 of sRGB colours [..., 3] from 0 to 1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x = np.clip(linear @ sight.T, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    parts = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    return np.stack(parts, axis=-1)


def difference(one: np.ndarray, other: np.ndarray, sight: np.ndarray | None) -> float:
    """How far two small pictures [h, w, 3] differ where they differ most, as the eye sees them.

    In L*a*b* by this sight, or in lightness alone where it is None: grey print. The eye blurs what
    it sees by about one arcminute, half of a pixel of 1.5 arcminutes (96 a inch, from 60 cm).
    """
    seen = [lab(rgb)[..., :1] if sight is None else lab(rgb, sight) for rgb in (one, other)]
    apart = gaussian_filter(seen[0] - seen[1], (0.5, 0.5, 0.0))
    return float(np.linalg.norm(apart, axis=-1).max())


def rgb_of(colour: str) -> np.ndarray:
    """A #rrggbb colour, from 0 to 1."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
