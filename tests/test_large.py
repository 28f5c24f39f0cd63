"""Laws of large data: passes in blocks give what one look gives, and mapped files are not copied.

Blocks and samples are made small here, so that small data go the way of large ones.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from svae_core import problem
from svae_core.certificate import information_floors, kernel_modes
from svae_core.certificate.information_floors import (
    covariance_spectrum,
    floor_curves,
    floors_along,
    how_sought,
)
from svae_core.config.limits import OWN_POINTS, variable
from svae_core.datasets import fingerprint, held, load_dataset
from svae_core.geometry import kmeans, row_blocks
from svae_core.geometry.kmeans import cluster, how_started
from svae_core.geometry.shell import fit_shell, view_basis
from svae_core.records import Clusters, FloorCurves, Settings
from svae_core.training import batch_context, loop

ROOT = Path(__file__).resolve().parents[1]
TRAINED = Settings(epochs=2, batch_size=64, latent_dim=2, clusters=3, hidden=8)


def groups(n: int, d: int, seed: int, k: int = 4, spread: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(k, d))[rng.integers(k, size=n)] + spread * rng.normal(size=(n, d))
    return points.astype(np.float32)


def mapped(points: np.ndarray, path: Path) -> np.ndarray:
    np.save(path, points)
    found: np.ndarray = np.load(path, mmap_mode="r")
    return found


def in_small_blocks(patch: pytest.MonkeyPatch, numbers: int = 40) -> None:
    patch.setattr(row_blocks, "WHOLE", 0)
    patch.setattr(row_blocks, "CACHED", numbers)


# ------------------------------------------------------------------------------- blocks


@given(st.integers(1, 300), st.integers(1, 90), st.integers(1, 500))
def test_blocks_cover_every_row_once(count: int, width: int, cached: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        in_small_blocks(patch, cached)
        found = [row for part in row_blocks.blocks(count, width) for row in range(count)[part]]
    assert found == list(range(count))


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.integers(8, 120), st.integers(2, 7), st.integers(0, 1000))
def test_passes_in_blocks_give_what_one_look_gives(n: int, d: int, seed: int) -> None:
    points = groups(n, d, seed)
    whole = fit_shell(points, 0.8, 1.2, "linear")
    spectrum, found = covariance_spectrum(whole.points), cluster(whole.points, 3, seed)
    name = fingerprint(points)
    with pytest.MonkeyPatch.context() as patch:
        in_small_blocks(patch)
        parts = fit_shell(points, 0.8, 1.2, "linear")
        assert fingerprint(points) == name
        assert np.allclose(parts.points, whole.points, atol=1e-6)
        assert parts.round_trip_error == pytest.approx(whole.round_trip_error, abs=1e-6)
        assert np.allclose(covariance_spectrum(whole.points), spectrum, atol=1e-12)
        again = cluster(whole.points, 3, seed)
        directions = view_basis(whole.points)
    assert np.array_equal(again.labels, found.labels)
    for item in ("within", "total", "deviation"):
        assert getattr(again, item) == pytest.approx(getattr(found, item), rel=1e-9, abs=1e-12)
    assert directions.shape == (d, 3)


@pytest.mark.slow
def test_no_memory_stays_with_a_mapped_file_that_was_read(tmp_path: Path) -> None:
    points = mapped(groups(120_000, 64, 0), tmp_path / "points.npy")  # 31 MB
    before, most = _resident(), 0
    for _, block in row_blocks.rows_of(points):
        block.sum()
        most = max(most, _resident() - before)
    assert most < points.nbytes / 2
    assert np.isfinite(np.asarray(points)).all()
    assert _resident() - before > 0.9 * points.nbytes  # the measure sees what does stay
    row_blocks.let_go(points)
    assert _resident() - before < points.nbytes / 2


def _resident() -> int:
    """Bytes of mapped files in this process's memory, as Linux counts them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("Linux says how much of mapped files is in memory")


def test_what_was_written_into_a_private_mapping_stays(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", np.zeros((5, 3), np.float32))
    points = np.load(tmp_path / "points.npy", mmap_mode="c")
    points[:] = 7
    row_blocks.let_go(points[1:])
    assert (points == 7).all()


# --------------------------------------------------------------------- K-means of many


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(60, 200), st.integers(2, 6), st.integers(1, 6), st.integers(0, 1000))
def test_kmeans_started_on_a_sample_is_exact_on_all(n: int, d: int, k: int, seed: int) -> None:
    points = groups(n, d, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kmeans, "_STARTED_ON", 40)
        in_small_blocks(patch)
        found = cluster(points, min(k, 5), seed)
    assert found.started_on == max(40, 10 * found.k)
    gaps = ((points[:, None].astype(float) - found.centroids) ** 2).sum(axis=2)
    assert found.within == pytest.approx(gaps.min(axis=1).mean(), rel=1e-9)
    assert np.allclose(gaps[np.arange(n), found.labels], gaps.min(axis=1), rtol=1e-9, atol=1e-12)
    # Lloyd's steps never raise W, and the start that is best on all points is the one finished.
    assert found.within <= found.restarts.min() * (1 + 1e-12)
    assert found.sizes.sum() == n and found.between >= -1e-9


def test_wide_data_are_started_on_fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(400, 30)).astype(np.float32)
    points[:, 0] += 20 * (np.arange(400) % 4)
    whole = cluster(points, 4)
    monkeypatch.setattr(kmeans, "_STARTED_NUMBERS", 30 * 100)
    found = cluster(points, 4)
    assert whole.started_on == 400 and found.started_on == 100
    assert found.within == pytest.approx(whole.within, rel=1e-6)


def test_it_reaches_the_optimum_that_kmeans_on_all_points_reaches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = groups(2_000, 6, 1, spread=0.2)
    direct = KMeans(4, n_init=10, random_state=0, tol=1e-9).fit(points.astype(float))
    monkeypatch.setattr(kmeans, "_STARTED_ON", 200)
    found = cluster(points, 4)
    assert found.within == pytest.approx(direct.inertia_ / 2_000, rel=1e-4)
    assert "sample of 200 of 2,000 points" in how_started(found)
    monkeypatch.undo()
    assert how_started(cluster(points, 4)) == ""


def test_a_cluster_that_no_point_is_nearest_to_keeps_its_centroid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kmeans, "_STARTED_ON", 20)
    points = np.repeat(np.eye(3, dtype=np.float32), 40, axis=0)
    found = cluster(points, 5)
    assert found.within == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(found.centroids).all() and (found.sizes == 0).sum() == 2


# ----------------------------------------------------------------------- floors of many


def curves_of(points: np.ndarray, found: Clusters) -> FloorCurves:
    shell = float(np.linalg.norm(points.mean(axis=0)))
    delta = found.total + max(0.8 - shell, 0.0) ** 2
    spectrum = covariance_spectrum(points)
    return floor_curves(
        points, found.centroids, found.sizes, (0.8, 1.2), delta, found.within, spectrum
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_floors_of_many_points_are_those_of_a_full_search(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = fit_shell(groups(1_500, 8, seed), 0.8, 1.2, "linear").points
    found = cluster(points, 4)
    direct = curves_of(points, found)
    monkeypatch.setattr(kernel_modes, "SOUGHT_IN", 400)
    monkeypatch.setattr(kernel_modes, "_COMPARED_IN", 1_000)
    monkeypatch.setattr(information_floors, "SOUGHT_IN", 400)
    in_small_blocks(monkeypatch, 50_000)
    sampled = curves_of(points, found)
    assert sampled.sought_in == 400 and "400 of 1,500 points" in how_sought(sampled)
    assert how_sought(direct) == ""
    # A proof for these points has to be computed from all of them.
    assert np.allclose(sampled.proved, direct.proved, rtol=1e-9, atol=1e-12)
    losses = np.linspace(found.within, direct.delta, 9)[:-1]
    full, fast = floors_along(direct, losses), floors_along(sampled, losses)
    assert np.allclose(fast["tight"], full["tight"], rtol=0.01, atol=1e-3)
    assert (fast["proved"] <= fast["tight"] + 1e-9).all()


def test_every_mode_is_worth_what_is_said_on_all_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points = fit_shell(groups(900, 5, 3), 0.8, 1.2, "linear").points.astype(float)
    squares = (points**2).sum(axis=1)
    source = kernel_modes.Source(points, squares, (0.8, 1.2), 1.0)
    lambdas = np.geomspace(0.1, 50, 12)
    starts = points[:12]
    in_small_blocks(monkeypatch, 500)
    y, values = kernel_modes._climb_in_passes(source, starts, lambdas, 1)

    def means(at: np.ndarray) -> np.ndarray:
        gaps = ((points - at[:, None]) ** 2).sum(axis=2)
        return np.asarray(np.log(np.exp(-lambdas[:, None] * gaps).mean(axis=1)))

    assert np.allclose(values, means(starts))
    assert (means(y) >= means(starts) - 1e-12).all()
    assert np.allclose(y, kernel_modes._climb(source, starts, lambdas, 1))


# -------------------------------------------------------------------------- mapped files


def test_points_of_a_mapped_array_are_neither_copied_nor_changed(tmp_path: Path) -> None:
    points = mapped(groups(300, 5, 0), tmp_path / "points.npy")
    with held(points) as (name, options):
        found = load_dataset(Settings(dataset=name, dataset_options=options))
        ground = problem.prepared_data(
            dataclasses.replace(TRAINED, dataset=name, dataset_options=options)
        )
    assert np.shares_memory(found.points, points)
    assert np.shares_memory(ground.dataset.points, points)
    assert ground.shell.points.flags.writeable  # PyTorch shares it, and takes no other


def test_training_on_a_mapped_array_is_training_on_the_array(tmp_path: Path) -> None:
    points = groups(300, 5, 0)

    def trained(data: np.ndarray) -> np.ndarray:
        with held(data) as (name, options):
            chosen = dataclasses.replace(TRAINED, dataset=name, dataset_options=options)
            problem._on_shell.cache_clear()
            state = loop.begin((chosen,))
            state = loop.advance(state, loop.Budget(frames=False)).state
            made = batch_context.batch_context(state.settings, state.step)
            assert np.shares_memory(made.points.numpy(), made.member_data[0].shell.points)
        return state.parameters

    assert np.array_equal(trained(mapped(points, tmp_path / "points.npy")), trained(points))


@pytest.mark.slow
def test_the_command_line_uses_all_points_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "many.npy"
    np.save(path, groups(1_000, 3, 0))
    most = {"SVAE_HOME": str(tmp_path), variable("points"): "800"}
    arguments = [*("-m", "svae_core", "region", "--dataset", str(path)), "--json"]

    def answer(environment: dict[str, str]) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            env=environment,
            cwd=ROOT,
            check=True,
        )
        return dict(json.loads(done.stdout))

    limited = answer({**os.environ, **most})
    assert limited["n"] == 800 and "sample of 800 of 1,000 rows" in str(limited["notes"])
    del most[variable("points")]
    free = {key: value for key, value in os.environ.items() if key != variable("points")}
    assert answer({**free, **most})["n"] == 1_000
    assert OWN_POINTS > 1_000_000
