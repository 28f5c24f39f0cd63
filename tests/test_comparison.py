"""Scores: against exact likelihoods and hand-made latents; tables and exports of them."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from support.information_laws import assert_information_laws

from svae_core.figures.comparison import describe, plane
from svae_core.latent.projection import pca_layout, umap_layout
from svae_core.problem import prepare
from svae_core.records import Budget, Settings
from svae_core.studies import scores
from svae_core.studies.comparison import plan
from svae_core.studies.compute_scores import cluster_agreement, log_likelihood, neighbour_accuracy
from svae_core.studies.compute_scores import score as score_of
from svae_core.studies.scores import Score, Timing, rows, to_csv, to_latex, to_markdown
from svae_core.training import loop
from svae_core.training.evaluate import decode

WINE = Settings(dataset="wine", clusters=3, epochs=150, latent_dim=3, hidden=16, device="cpu")


def finished(runs):
    ended = []
    for batch in plan(runs):
        while not batch.done:
            batch = batch.advance(10.0)
        ended += batch.rows
    return ended


@pytest.fixture(scope="module")
def scored():
    runs = [
        replace(WINE, method=method, seed=seed)
        for method in ("baseline", "spherical")
        for seed in (0, 1)
    ]
    return finished(runs)


@pytest.mark.slow
def test_scores_hold_what_they_say(scored):
    assert [score.settings.method for score in scored] == ["baseline"] * 2 + ["spherical"] * 2
    for score in scored:
        assert_information_laws(score.certificate)
        assert score.sensitivity >= 0 and score.error > 0 and score.seconds > 0
        assert -0.5 <= score.ari <= 1 and 0 <= score.nmi <= 1 and 0 <= score.accuracy <= 1
        assert score.agreement == "labels" and score.likelihood_part == "training"
    baseline, spherical = scored[0], scored[2]
    assert baseline.certificate.verdict == "collapsed" and baseline.sensitivity < 0.02
    assert spherical.sensitivity > 0.2 and 0 < spherical.position < 0.3
    assert spherical.accuracy > baseline.accuracy and spherical.ari > baseline.ari + 0.2


@pytest.mark.slow
def test_slices_change_nothing_and_a_batch_is_its_members(scored):
    (batch,) = plan([replace(WINE, method="spherical")])
    while not batch.done:
        batch = batch.advance(0.0)
    (alone,) = batch.rows
    unlike = {"seconds": 0.0, "cpu_seconds": 0.0, "batch_runs": 0, "certificate": None}
    assert replace(alone, **unlike) == replace(scored[2], **unlike)
    assert alone.certificate.loss == scored[2].certificate.loss


@pytest.mark.slow
def test_likelihood_of_a_linear_model_is_the_exact_one():
    """p(x) = N(b, WᵀW + σ²I) for a linear decoder; importance sampling comes from below."""
    settings = replace(
        WINE, method="baseline", arch="linear", sigma2=0.05, epochs=400, learning_rate=0.02
    )
    state = loop.advance(loop.begin((settings,))).state
    (model,) = loop.models(state)
    (certificate,) = loop.certify(state)
    points = model.prepared.shell.points
    estimate = log_likelihood(model, points, certificate.loss)
    zero = decode(model, np.zeros((1, 3), np.float32))
    weight = decode(model, np.eye(3, dtype=np.float32)) - zero
    d = points.shape[1]
    covariance = weight.T @ weight + certificate.loss / d * np.eye(d)
    gap = points - zero
    _, log_det = np.linalg.slogdet(covariance)
    quadratic = (gap @ np.linalg.inv(covariance) * gap).sum(axis=1)
    exact = -0.5 * (quadratic + log_det + d * math.log(2 * math.pi)).mean()
    assert exact - 0.25 < estimate <= exact + 0.02


@pytest.mark.slow
def test_likelihood_is_left_out_where_it_is_not_defined(scored):
    assert all(math.isfinite(score.log_likelihood) for score in scored)


def test_agreement_of_latents_with_classes():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=300)
    apart = 10 * np.eye(3)[truth] + rng.normal(size=(300, 3))
    assert cluster_agreement(apart, truth, 0) == pytest.approx((1.0, 1.0))
    assert neighbour_accuracy(apart, truth) == 1.0
    noise = rng.normal(size=(300, 3))
    assert abs(cluster_agreement(noise, truth, 0)[0]) < 0.05
    assert neighbour_accuracy(noise, truth) < 0.5
    assert cluster_agreement(np.zeros((300, 2)), truth, 0) == pytest.approx((0.0, 0.0))
    assert math.isnan(neighbour_accuracy(noise, np.r_[np.zeros(298, int), 1, 1]))


@pytest.mark.slow
def test_runs_that_cannot_be_say_why_and_hold_up_no_other():
    empty = replace(WINE, clusters=1, collapse_loss="between", epochs=2)
    ended = finished([replace(empty, method=name) for name in ("spherical", "baseline")])
    by_method = {score.settings.method: score for score in ended}
    assert "empty" in by_method["spherical"].refused and by_method["spherical"].certificate is None
    assert by_method["baseline"].certificate is not None
    few = Settings(dataset="digits", n_points=120, epochs=1, hidden=8, latent_dim=2)
    foretelling = [
        replace(few, arch="autoregressive", method=name) for name in ("iwae", "baseline")
    ]  # which every method can meet
    no_image = replace(WINE, arch="conv", epochs=1)
    others = {score.settings.method: score for score in finished([*foretelling, no_image])}
    assert others["iwae"].certificate is not None and "images" in others["spherical"].refused
    assert others["baseline"].certificate is not None
    table = to_markdown(rows(ended))
    assert "refused: " in table and "| Conventional VAE |" in table


def test_rows_are_means_and_spreads(scored):
    baseline, spherical = rows(scored)
    losses = [score.certificate.loss for score in scored[2:]]
    assert spherical.means["loss"] == pytest.approx(np.mean(losses))
    assert spherical.spreads["loss"] == pytest.approx(np.std(losses, ddof=1))
    assert spherical.verdicts == {"certified": 2, "not certified": 0, "collapsed": 0}
    assert spherical.guards_information and not baseline.guards_information
    (one,) = rows(scored[:1])
    assert math.isnan(one.spreads["loss"])


def test_every_run_is_on_the_plane(scored):
    """Projected decoders may lie beyond the δ of free ones, whose floors are drawn."""
    floors = prepare(replace(WINE, method="baseline", collapse_loss="free")).floors
    far = replace(scored[2].certificate, loss=1.5 * floors.delta, kl=3.0)
    figure = plane([*scored, replace(scored[2], certificate=far)], floors)
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    places = [place for trace in marks for place in zip(trace.x, trace.y, strict=True)]
    assert (1.5 * floors.delta, 3.0) in places
    assert all(left < x < right and low < y < high for x, y in places)


def timed(scored, method, seconds, **how):
    how = {"engine": "native", "batch_runs": 2, "cpu_seconds": seconds} | how
    return [replace(one, **how) for one in scored if one.settings.method == method]


def test_training_time_is_relative_to_the_conventional_vae_where_trained_alike(scored):
    usual = timed(scored, "baseline", 0.5)
    ratio = rows([*timed(scored, "spherical", 0.6), *usual])[0].time_ratio
    assert ratio == pytest.approx(1.2) and rows(usual)[0].time_ratio == 1.0
    unlike = ({"engine": "torch"}, {"batch_runs": 1}, {"cpu_seconds": math.nan})
    for how in (*unlike, {"cpu_seconds": 0.01}):
        mine = timed(scored, "spherical", 0.6, **how)
        assert math.isnan(rows([*usual, *mine])[1].time_ratio)
        assert "No ratio of training times for Spherical VAE" in describe(rows([*usual, *mine]))
    begun = rows([*usual[:1], *timed(scored, "spherical", 0.6)])  # a score of a batch is missing
    assert begun[1].time_ratio == pytest.approx(1.2)
    assert math.isnan(rows(scored[2:])[0].time_ratio)  # nothing to compare with
    both = rows([*usual, *timed(scored, "spherical", 0.6)])
    assert "Spherical VAE 1.20×" in describe(both) and "| 1.20 |" in to_markdown(both)
    other = [replace(one, settings=replace(one.settings, dataset="digits")) for one in usual]
    apart = [*other, *timed(scored, "spherical", 0.6)]
    assert all(row.method == "baseline" or math.isnan(row.time_ratio) for row in rows(apart))


def test_processor_time_is_of_the_steps_alone(monkeypatch):
    """Frames, certificates and waiting are not counted, nor the time of other threads."""
    ticks = iter(range(1000))
    monkeypatch.setattr(loop.time, "thread_time", lambda: float(next(ticks)))
    monkeypatch.setattr(loop.torch, "get_num_threads", lambda: 1)
    state = loop.begin((replace(WINE, epochs=2),))
    pieces = next(ticks)
    found = loop.advance(state, Budget(frames=True))
    calls = (next(ticks) - pieces - 1) / 2  # each piece reads the clock before and after
    assert calls >= 1 and found.cpu_seconds == calls
    monkeypatch.setattr(loop.torch, "get_num_threads", lambda: 2)
    assert math.isnan(loop.advance(state).cpu_seconds)


def test_exports_are_whole_and_inert(scored):
    hostile = Score(replace(WINE, dataset="=HYPERLINK(1)"), refused="no")
    read = list(csv.DictReader(io.StringIO(to_csv([*scored, hostile]))))
    assert len(read) == 5 and read[-1]["dataset"] == "'=HYPERLINK(1)"
    assert float(read[2]["loss"]) == pytest.approx(scored[2].certificate.loss, rel=1e-5)
    assert set(scores.MEASURES) <= set(read[0])
    latex = to_latex(rows(scored))
    titled = replace(scored[0].certificate, dataset="a_1 & 50 % | x")
    own = replace(scored[0], certificate=titled)
    assert r"a\_1 \& 50 \% | x" in to_latex(rows([own]))
    assert r"a_1 & 50 % \| x" in to_markdown(rows([own]))
    assert latex.count(r"\\") == 3 and r"\pm" in latex and "_" not in latex.replace(r"\_", "")


def test_files_of_ones_own_are_told_apart(scored):
    def own(key, title):
        settings = replace(WINE, method="baseline", dataset="file", dataset_options=(("key", key),))
        return Score(settings, replace(scored[0].certificate, dataset=title))

    found = rows([own("1", "one.csv"), own("2", "other.csv"), own("1", "one.csv")])
    assert [(row.dataset, row.runs) for row in found] == [("one.csv", 2), ("other.csv", 1)]


@pytest.mark.slow
def test_a_diverged_run_has_a_score_without_numbers():
    few = replace(WINE, epochs=2, held_out=0.2)
    state = loop.begin((few,))
    state = replace(state, parameters=np.full_like(state.parameters, np.nan))
    (certificate,) = loop.certify(state)
    assert certificate.verdict == "not certified" and "diverged" in certificate.sentence
    ended = score_of(state, certificate, Timing(1.0, 1.0, 1, "native"))
    assert math.isnan(ended.ari) and math.isnan(ended.error) and math.isnan(ended.position)
    (frame,) = loop.first_frames(state)
    assert "diverged" in frame.sentence
    for layout in (pca_layout(frame.latent_mean, 3), umap_layout(frame.latent_mean, 1.0, 3)):
        assert layout.kind == "none" and "diverged" in layout.sentence
    assert "diverged" in umap_layout(np.zeros((40, 2), np.float32), math.nan, 3).sentence
    assert "too few" in umap_layout(np.eye(15, 2, dtype=np.float32), 1.0, 3).sentence
