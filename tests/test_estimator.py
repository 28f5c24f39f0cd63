"""The estimators keep scikit-learn's conventions, and compute what the rest computes.

Of scikit-learn's own checks one skips itself: that of inputs by the array API, which needs the
environment variable SCIPY_ARRAY_API.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.effort import effort
from support.information_laws import assert_information_laws

from svae_core.certificate.certify import certify
from svae_core.datasets import held
from svae_core.estimator import SphericalShell, SphericalVAE
from svae_core.records import Budget, RequestError, Settings
from svae_core.runs.data_without_points import pack, unpack
from svae_core.training import loop

QUICK: dict[str, Any] = {"latent_dim": 2, "clusters": 3, "epochs": 3, "hidden": 8, "draws": 8}
POINTS = StandardScaler().fit_transform(load_wine().data)


@parametrize_with_checks([SphericalShell()])
def test_scikit_learn_is_content(estimator: Any, check: Any) -> None:
    check(estimator)


# A certificate of few points takes two thousand draws, most of what fit costs: all in the soak.
@pytest.mark.slow
@parametrize_with_checks([SphericalVAE(draws=effort(16, 0) or None)])
def test_scikit_learn_is_content_with_a_model(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def fitted() -> SphericalVAE:
    return SphericalVAE(latent_dim=4, clusters=3, epochs=60).fit(POINTS)


def test_what_is_certified_is_certified(fitted: SphericalVAE) -> None:
    certificate = fitted.certificate_
    assert certificate.verdict == "certified"
    assert_information_laws(certificate)
    assert certificate.n_points == len(POINTS)


def test_it_is_the_run_of_the_same_settings(fitted: SphericalVAE) -> None:
    with held(POINTS) as (name, options):
        settings = Settings(
            dataset=name, dataset_options=options, latent_dim=4, clusters=3, epochs=60
        )
        state = loop.begin((settings,))
        while not loop.finished(state):
            state = loop.advance(state, Budget(frames=False)).state
        (certificate,) = loop.certify(state)
    assert np.array_equal(state.parameters, fitted.state_.parameters)
    assert certificate == fitted.certificate_


def test_latents_are_decoded_to_the_units_of_the_data(fitted: SphericalVAE) -> None:
    back = fitted.inverse_transform(fitted.transform(POINTS))
    assert back.shape == POINTS.shape
    error = ((back - POINTS) ** 2).sum() / ((POINTS - POINTS.mean(axis=0)) ** 2).sum()
    assert error < 0.95  # the mean would have 1, a collapsed model no less


def test_the_score_is_a_bound_on_the_likelihood(fitted: SphericalVAE) -> None:
    """Against importance sampling from the prior by a thousand draws, which a bound is below."""
    some = POINTS[:20]
    settings, d = fitted.prepared_.settings, POINTS.shape[1]
    z = np.random.default_rng(0).standard_normal((4_000, 4)).astype(np.float32)
    from svae_core.training.evaluate import decode

    answers = decode(fitted._model(), z)
    points = fitted._on_shell(some)
    error = ((points[:, None] - answers[None]) ** 2).sum(axis=2)
    log_p = -error / (2 * settings.sigma2) - 0.5 * d * np.log(2 * np.pi * settings.sigma2)
    likelihood = np.logaddexp.reduce(log_p, axis=1) - np.log(len(z))
    assert (fitted.score_samples(some) <= likelihood + 0.1).all()
    assert fitted.score_samples(some).mean() > likelihood.mean() - 2.0
    assert fitted.score(some) == pytest.approx(fitted.score_samples(some).mean(), rel=1e-5)


def test_samples_lie_where_the_data_are(fitted: SphericalVAE) -> None:
    drawn = fitted.sample(50, random_state=1)
    assert drawn.shape == (50, POINTS.shape[1])
    assert np.array_equal(drawn, fitted.sample(50, random_state=1))
    norms = np.linalg.norm(drawn - POINTS.mean(axis=0), axis=1)
    mine = np.linalg.norm(POINTS - POINTS.mean(axis=0), axis=1)
    assert mine.min() - 1e-3 <= norms.min() and norms.max() <= mine.max() + 1e-3


@pytest.mark.slow
def test_it_works_in_a_pipeline_and_in_a_search_over_the_band() -> None:
    pipeline = make_pipeline(StandardScaler(), SphericalVAE(**QUICK))
    bands = [(0.0, 0.25), (0.0, 0.5), (0.25, 0.75)]
    search = GridSearchCV(pipeline, {"sphericalvae__band": bands}, cv=3)
    search.fit(load_wine().data)
    assert search.best_params_["sphericalvae__band"] in bands
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert best.transform(load_wine().data).shape == (178, 2)
    assert list(best.get_feature_names_out()) == ["sphericalvae0", "sphericalvae1"]
    assert "SphericalVAE" in best._repr_html_()


def test_the_shell_before_any_other_estimator_is_its_inverse_behind() -> None:
    shell = SphericalShell().fit(POINTS)
    assert shell.inverse_transform(shell.transform(POINTS)) == pytest.approx(POINTS, abs=1e-9)
    radii = np.linalg.norm(shell.transform(POINTS), axis=1)
    assert radii.min() == pytest.approx(0.8) and radii.max() == pytest.approx(1.2)


@pytest.mark.slow
def test_certify_takes_what_the_estimator_gives(fitted: SphericalVAE) -> None:
    noise = np.random.default_rng(0)
    shell = SphericalShell().fit(POINTS)

    def reconstruct(points: np.ndarray) -> np.ndarray:
        means = fitted.transform(shell.inverse_transform(points))
        sampled = means + noise.normal(size=means.shape)
        return shell.transform(fitted.inverse_transform(sampled))

    assert certify(reconstruct, shell.transform(POINTS), clusters=3).n_points == len(POINTS)


@pytest.mark.slow
def test_another_seed_gives_another_model_and_a_clone_the_same(fitted: SphericalVAE) -> None:
    quick = SphericalVAE(**QUICK).fit(POINTS)
    same = clone(quick).fit(POINTS)
    other = clone(quick).set_params(random_state=1).fit(POINTS)
    assert np.array_equal(quick.transform(POINTS), same.transform(POINTS))
    assert not np.array_equal(quick.transform(POINTS), other.transform(POINTS))


# ------------------------------------------------------------------------ saved and loaded


def test_a_saved_model_predicts_the_same(fitted: SphericalVAE, tmp_path: Path) -> None:
    """That nothing is lost in a new process is seen in test_exports, for the same files."""
    fitted.save(tmp_path / "model")
    again = SphericalVAE.load(tmp_path / "model")
    assert again.certificate_ == fitted.certificate_
    assert np.array_equal(again.transform(POINTS), fitted.transform(POINTS))
    assert np.array_equal(again.score_samples(POINTS), fitted.score_samples(POINTS))
    assert np.array_equal(again.sample(7), fitted.sample(7))


@pytest.mark.parametrize("method", ["baseline", "sigma_vae", "cloud", "rst", "vade"])
def test_other_methods_are_kept_too(method: str, tmp_path: Path) -> None:
    model = SphericalVAE(**QUICK, method=method).fit(POINTS)
    model.save(tmp_path / "model")
    again = SphericalVAE.load(tmp_path / "model")
    assert again.get_params() == model.get_params()
    assert repr(again.certificate_) == repr(model.certificate_)  # nan is not equal to itself
    assert np.array_equal(again.transform(POINTS), model.transform(POINTS))
    assert np.isfinite(model.score_samples(POINTS)).all() and np.isfinite(model.sample(5)).all()
    assert np.array_equal(again.score_samples(POINTS), model.score_samples(POINTS))
    assert np.array_equal(again.sample(5), model.sample(5))


@pytest.mark.parametrize("method", ["iwae", "cloud"])
def test_a_mean_score_is_that_of_latents_drawn_anew_for_each_point(method: str) -> None:
    """All points have the same latents, whose error does not average out over points."""
    from svae_core.training.evaluate import decode, encode

    model = SphericalVAE(**QUICK | {"epochs": 30, "sigma2": 0.1}, method=method).fit(POINTS)
    inner, points = model._model(), model._on_shell(POINTS)
    posteriors, rng = encode(inner, points), np.random.default_rng(0)
    error = 0.0
    for _ in range(400):
        noise = rng.standard_normal(posteriors.noise_shape).astype(np.float32)
        error += ((decode(inner, posteriors.draw(noise)) - points) ** 2).sum() / 400
    constant = points.shape[1] / 2 * np.log(2 * np.pi * 0.1)
    mean = -error / len(points) / 0.2 - constant - posteriors.kl.sum(axis=1).mean()
    assert model.score(POINTS) == pytest.approx(mean, abs=0.03)  # by 16 drawn at random .08 off


def test_a_model_saved_before_there_was_a_field_opens(fitted: SphericalVAE) -> None:
    arrays, words = pack(fitted.prepared_)
    for name in ("dataset.row_names", "shell.dominance"):
        assert words.pop(name) is None
    assert unpack(arrays, words).shell.dominance is None


def test_nothing_of_the_data_is_kept(fitted: SphericalVAE, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    kept = sum(file.stat().st_size for file in (tmp_path / "model").iterdir())
    assert len(pickle.dumps(fitted)) < 150_000
    assert kept < 400_000
    arrays, words = pack(fitted.prepared_)
    assert not [name for name, array in arrays.items() if len(POINTS) in array.shape]
    again, repeated = pack(unpack(arrays, words))
    assert repeated == words and all(np.array_equal(again[name], arrays[name]) for name in arrays)


def test_what_is_no_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="holds no saved SphericalVAE"):
        SphericalVAE.load(tmp_path)


@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), np.array(0.5)])
def test_numbers_of_numpy_are_plain_ones_and_leave_nothing_behind(number: Any) -> None:
    """Caches are keyed by equal values: a run of np.float64(.5) must not be met by one of .5."""
    other = SphericalVAE(**QUICK, sigma2=number).fit(POINTS)
    plain = SphericalVAE(**QUICK, sigma2=0.5).fit(POINTS)
    assert np.array_equal(other.transform(POINTS), plain.transform(POINTS))
    (settings,) = other.state_.settings
    assert type(settings.sigma2) is float


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"latent_dim": np.int64(2)},
        {"clusters": np.array(3)},
        {"hidden": 8.0},
        {"sigma2": 1, "beta": 1},
        {"beta": np.array(2.0)},
        {"band": np.array([0.0, 0.5])},
        {"band": [np.float32(0), np.float64(0.5)]},
        {"lower_edge": np.bool_(True)},
        {"method": np.str_("baseline")},
        {"draws": np.int64(9)},
        {"random_state": np.int64(4)},
        {"method_options": {"strength": np.float64(3)}},
    ],
    ids=str,
)
def test_parameters_of_other_types_are_taken_and_kept(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    model = SphericalVAE(**QUICK | parameters).fit(POINTS)
    (settings,) = model.state_.settings
    allowed = (bool, int, float, str, tuple)
    assert {type(getattr(settings, name)) for name in vars(settings)} <= set(allowed)
    model.save(tmp_path / "model")
    again = SphericalVAE.load(tmp_path / "model")
    assert np.array_equal(again.transform(POINTS), model.transform(POINTS))


@pytest.mark.slow
def test_searches_over_numpy_grids_are_saved_and_loaded(tmp_path: Path) -> None:
    grid = {"sigma2": np.logspace(-1, 0, 2), "latent_dim": np.arange(1, 3)}
    search = GridSearchCV(SphericalVAE(**QUICK), grid, cv=2).fit(POINTS)
    best = search.best_estimator_
    best.save(tmp_path / "best")
    again = SphericalVAE.load(tmp_path / "best")
    assert again.get_params() == best.get_params()
    assert np.array_equal(again.transform(POINTS), best.transform(POINTS))


@pytest.mark.slow
def test_data_far_from_the_origin_lose_nothing() -> None:
    far = load_wine().data * 0.01 + 5e6
    near = SphericalVAE(**QUICK).fit(load_wine().data * 0.01)
    model = SphericalVAE(**QUICK).fit(far)
    assert model.certificate_.delta == pytest.approx(near.certificate_.delta, rel=1e-4)
    assert np.allclose(model.transform(far), near.transform(load_wine().data * 0.01), atol=1e-3)
    back = model.inverse_transform(model.transform(far))
    assert np.abs(back - far).max() < 100 * far.std(axis=0).max()
    assert np.isfinite(model.score(far))
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.transform(far), model.transform(far))
    shell = SphericalShell().fit(far)
    assert shell.inverse_transform(shell.transform(far)) == pytest.approx(far, abs=1e-6)


@pytest.mark.slow
def test_a_saved_model_keeps_its_origin(tmp_path: Path) -> None:
    far = POINTS * 0.01 + 5e6
    model = SphericalVAE(**QUICK).fit(far)
    model.save(tmp_path / "far")
    again = SphericalVAE.load(tmp_path / "far")
    assert np.array_equal(again.transform(far), model.transform(far))
    assert np.array_equal(again.sample(3), model.sample(3))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spherical", "baseline", "sigma_vae"])
def test_a_point_at_the_mean_with_a_cluster_for_nearly_every_point(method: str) -> None:
    ring = np.exp(2j * np.pi * np.arange(12) / 12)
    points = np.concatenate([np.stack([ring.real, ring.imag], axis=1), np.zeros((1, 2))])
    for clusters in (6, 12):
        model = SphericalVAE(**QUICK | {"clusters": clusters, "method": method}).fit(points)
        assert np.isfinite(model.certificate_.floors.proved)
    rng = np.random.default_rng(0)
    found = certify(lambda x: x + rng.normal(0, 0.01, x.shape), points, clusters=12)
    assert 0 < found.floors.proved <= found.floors.tight <= np.log(13) + 1e-6


def test_clusters_are_fewer_than_points() -> None:
    model = SphericalVAE(**QUICK | {"clusters": 10}).fit(POINTS[:10])
    assert model.clusters == 10 and model.clusters_ == 9


def test_nothing_is_saved_among_other_files(fitted: SphericalVAE, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match=r"holds other files \('notes.txt' for one\)"):
        fitted.save(tmp_path)
    with pytest.raises(RequestError, match="is a file"):
        fitted.save(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    fitted.save(tmp_path / "empty")
    fitted.save(tmp_path / "empty")  # its own folder may be written again
    assert SphericalVAE.load(tmp_path / "empty").certificate_ == fitted.certificate_


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"band": (0.5, 0.1)}, "needs 0 <= A < B < 1"),
        ({"method": "magic"}, "Unknown method 'magic'"),
        ({"latent_dim": 0}, "must be from 1"),
        ({"epochs": "many"}, "must be a finite number"),
        ({"method_options": {"wings": 2}}, "has no option 'wings'"),
        ({"band": 0.5}, "band is 0.5, but must be two numbers"),
        ({"draws": 1}, "draws is 1, but must be None or a whole number from 2"),
        ({"latent_dim": -1}, "^latent_dim is -1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        SphericalVAE(**QUICK | parameters).fit(POINTS)
