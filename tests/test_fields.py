"""One codec per field: what is written is read again, however it is spelt and whoever wrote it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from svae_core.config.fields import TRUTHS, Field
from svae_core.datasets import scan_datasets
from svae_core.estimator import SphericalVAE
from svae_core.methods import scan_methods
from svae_core.records import RequestError, Settings, knobs

OWNERS = [Settings, *(one.config for one in (scan_datasets() | scan_methods()).values())]
FIELDS = [about for owner in OWNERS for about in knobs(owner).values()]


@pytest.mark.parametrize("about", FIELDS, ids=lambda about: about.name)
def test_a_default_is_read_as_it_is_written(about: Field) -> None:
    assert about.parse(about.format(about.default)) == about.default
    assert type(about.parse(about.format(about.default))) is type(about.default)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("band", "0,0.5", (0.0, 0.5)),
        ("band", "0 0.5", (0.0, 0.5)),
        ("band", [0, 0.5], (0.0, 0.5)),
        ("band", np.array([0.0, 0.5]), (0.0, 0.5)),
        ("clusters", "auto", 0),
        ("clusters", 8.0, 8),
        ("beta", 2, 2.0),
        ("beta", np.float32(0.5), 0.5),
        ("lower_edge", "FALSE", False),
        ("lower_edge", np.True_, True),
    ],
)
def test_every_source_gives_the_same_value(name: str, given: Any, value: Any) -> None:
    found = knobs(Settings)[name].parse(given)
    assert found == value and type(found) is type(value)


def test_truth_values_are_written_one_way_and_read_in_all() -> None:
    about = knobs(Settings)["lower_edge"]
    assert {about.format(truth) for truth in TRUTHS.values()} == {"true", "false"}
    for spelling, truth in TRUTHS.items():
        assert about.parse(spelling) is about.parse(spelling.upper()) is truth


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("epochs", "many", "--epochs is 'many', but must be a finite number."),
        ("epochs", 1.5, "--epochs is 1.5, but must be a whole number."),
        ("epochs", 10**400, "finite number"),
        ("beta", True, "--beta is True, but must be a finite number."),
        ("lower_edge", "perhaps", "--lower-edge is 'perhaps', but must be true or false."),
        ("lower_edge", 1, "true or false"),
        ("band", "0.1", "two numbers"),
        ("band", [0, float("inf")], "two numbers"),
        ("arch", "cubic", "one of: autoregressive, causal, conv, gru, linear, mlp"),
    ],
)
def test_what_is_no_value_is_refused_as_it_was_spelt(name: str, given: Any, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        knobs(Settings)[name].parse(given)
    assert sentence in str(refused.value)


def test_the_estimator_has_the_defaults_of_the_settings() -> None:
    parameters = inspect.signature(SphericalVAE).parameters
    shared = parameters.keys() & knobs(Settings).keys()
    assert len(shared) == 18
    for name in shared:
        assert parameters[name].default == knobs(Settings)[name].default
