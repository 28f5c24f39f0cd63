"""Honest arrays in coarse numbers, or of narrow posteriors, are not called dishonest."""

from __future__ import annotations

import numpy as np
import pytest

from svae_core.clinic.array_checks import checked
from svae_core.clinic.model_arrays import ModelArrays, model_arrays

N, K, DRAWS = 400, 3, 4


def _bfloat16(values: np.ndarray) -> np.ndarray:
    """To the nearest number of 8 bits."""
    parts, exponents = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(parts, 8)), exponents - 8).astype(np.float32)


ROUND = {
    "bfloat16": _bfloat16,
    "float16": lambda values: values.astype(np.float16).astype(np.float32),
    "float32": lambda values: values.astype(np.float32),
}


def _given(kind: str, log_variance: float, noise: float = 1.0) -> ModelArrays:
    rng = np.random.default_rng(1)
    mean = rng.normal(size=(N, K))
    logs = log_variance + 0.1 * rng.normal(size=(N, K))
    z = mean + noise * np.exp(logs / 2) * rng.normal(size=(DRAWS, N, K))
    arrays = {"z": z, "mean": mean, "log_variance": logs}
    return model_arrays({"points": mean} | {key: ROUND[kind](one) for key, one in arrays.items()})


@pytest.mark.parametrize(
    ("kind", "log_variance"),
    [("bfloat16", -10.0), ("float16", -14.0), ("float32", -20.0), ("float32", -30.0)],
)
def test_samples_that_were_rounded_are_samples(kind: str, log_variance: float) -> None:
    found, told = checked(_given(kind, log_variance))
    assert not told and found.z is not None and found.mean is not None


@pytest.mark.parametrize(("kind", "log_variance"), [("bfloat16", -14.0), ("float16", -20.0)])
def test_numbers_too_coarse_to_tell_are_called_so(kind: str, log_variance: float) -> None:
    found, (told,) = checked(_given(kind, log_variance))
    assert "too coarse for this posterior" in told
    assert found.z is None and found.mean is not None


@pytest.mark.parametrize("kind", ROUND)
@pytest.mark.parametrize("noise", [0.5, 40.0])
def test_rounding_hides_no_other_noise(kind: str, noise: float) -> None:
    """Much too wide noise contradicts the posterior in coarse numbers, too."""
    for log_variance in (-6.0, -14.0) if noise > 1 else (-6.0,):
        found, (told,) = checked(_given(kind, log_variance, noise))
        assert "was not sampled from this posterior" in told
        assert found.z is None and found.mean is None


@pytest.mark.parametrize("kind", ROUND)
def test_means_in_coarse_numbers_are_no_samples(kind: str) -> None:
    for log_variance in (-2.0, -8.0, -14.0, -20.0):
        found, told = checked(_given(kind, log_variance, noise=0.0))
        assert told and found.z is None
