"""What scikit-learn's users do with an estimator, done with SphericalVAE."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.experimental import enable_halving_search_cv
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from svae_core.estimator import SphericalVAE
from svae_core.records import RequestError

assert enable_halving_search_cv  # importing it is what allows the search
QUICK: dict[str, Any] = {"latent_dim": 2, "clusters": 3, "epochs": 3, "hidden": 8, "draws": 8}
POINTS, CLASSES = load_wine(return_X_y=True)
POINTS = StandardScaler().fit_transform(POINTS)


class Watch:
    """A callback that keeps what it sees, and asks to stop after so many epochs."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.stop_after = stop_after
        self.frames: list[Any] = []
        self.scores: list[float] = []
        self.ended: list[str] = []

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def teardown(self, estimator: Any, context: Any) -> None:
        self.ended.append("all")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, fitted_estimator: Any
    ) -> bool:
        self.ended.append(context.task_name)
        if context.task_name != "epoch":
            return False
        self.frames.append(fitted_estimator.frame_)
        self.scores.append(fitted_estimator.score(X))
        return len(self.frames) >= self.stop_after


@pytest.mark.slow
def test_a_pipeline_before_a_classifier() -> None:
    model = make_pipeline(StandardScaler(), SphericalVAE(**QUICK), LogisticRegression())
    model.fit(load_wine().data, CLASSES)
    assert 0 < model.score(load_wine().data, CLASSES) <= 1
    assert model[-2].n_iter_ == 3


@pytest.mark.slow
def test_some_columns_of_a_frame() -> None:
    frame = load_wine(as_frame=True).data
    some = list(frame.columns[:5])
    columns = ColumnTransformer(
        [("latent", make_pipeline(StandardScaler(), SphericalVAE(**QUICK)), some)],
        remainder="passthrough",
    )
    found = columns.fit_transform(frame)
    assert found.shape == (178, 2 + 8)
    assert list(columns.get_feature_names_out()[:2]) == [
        "latent__sphericalvae0",
        "latent__sphericalvae1",
    ]


@pytest.mark.slow
def test_a_grid_is_searched() -> None:
    search = GridSearchCV(SphericalVAE(**QUICK), {"latent_dim": [1, 2]}, cv=2).fit(POINTS)
    assert search.best_params_["latent_dim"] in (1, 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_epochs_are_what_successive_halving_spends() -> None:
    search = HalvingRandomSearchCV(
        SphericalVAE(**QUICK),
        {"hidden": [4, 8, 16, 32]},
        resource="epochs",
        min_resources=1,
        max_resources=4,
        n_candidates=4,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(POINTS)
    assert search.best_estimator_.n_iter_ == search.n_resources_[-1] == 4


@pytest.mark.slow
def test_cross_validation_scores_points_that_it_did_not_see() -> None:
    scores = cross_val_score(SphericalVAE(**QUICK), POINTS, cv=3)
    assert scores.shape == (3,) and np.isfinite(scores).all()


def test_a_clone_is_unfitted_and_fits_the_same() -> None:
    first = SphericalVAE(**QUICK, warm_start=True, early_stopping=True).fit(POINTS)
    other = clone(first)
    assert other.get_params() == first.get_params() and not hasattr(other, "state_")
    assert np.array_equal(other.fit(POINTS).transform(POINTS), first.transform(POINTS))


def test_joblib_keeps_a_fitted_model_and_fits_in_other_threads(tmp_path: Any) -> None:
    model = SphericalVAE(**QUICK).fit(POINTS)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert np.array_equal(again.transform(POINTS), model.transform(POINTS))
    fits = (joblib.delayed(clone(model).fit)(POINTS) for _ in range(2))
    for one in joblib.Parallel(2, prefer="threads")(fits):
        assert np.array_equal(one.transform(POINTS), model.transform(POINTS))


@pytest.mark.slow
def test_set_output_gives_frames_with_names_and_index() -> None:
    """With polars, which is not among our requirements, in tests/integrations."""
    frame = load_wine(as_frame=True).data.iloc[::-1]
    found = SphericalVAE(**QUICK).set_output(transform="pandas").fit_transform(frame)
    assert list(found.columns) == ["sphericalvae0", "sphericalvae1"]
    assert found.index.equals(frame.index)


def test_a_warm_start_goes_on_from_the_last_weights() -> None:
    model = SphericalVAE(**QUICK, warm_start=True).fit(POINTS)
    once = model.score(POINTS)
    before = model.state_.parameters.copy()
    assert model.fit(POINTS).score(POINTS) > once
    cold = SphericalVAE(**QUICK).fit(POINTS)
    assert np.array_equal(before, cold.state_.parameters)
    assert np.array_equal(cold.fit(POINTS).state_.parameters, before)
    with pytest.raises(RequestError, match="warm_start is True, but the last fit had"):
        model.set_params(hidden=9).fit(POINTS)


def test_callbacks_see_every_epoch_and_may_end_the_training() -> None:
    watch = Watch()
    model = SphericalVAE(**QUICK).set_callbacks(watch).fit(POINTS)
    assert watch.ended == ["epoch"] * 3 + ["fit", "all"]
    assert [frame.epoch for frame in watch.frames] == [1, 2, 3]
    assert watch.scores[-1] == model.score(POINTS)
    plain = SphericalVAE(**QUICK).fit(POINTS)
    assert np.array_equal(plain.state_.parameters, model.state_.parameters)
    stopped = SphericalVAE(**QUICK).set_callbacks(Watch(stop_after=2)).fit(POINTS)
    assert stopped.n_iter_ == 2 and stopped.certificate_.epochs == 2


def test_scikit_learns_own_callback_scores_every_epoch() -> None:
    monitor = ScoringMonitor(scoring={"score": lambda model, X, y: model.score(X)})
    model = SphericalVAE(**QUICK).set_callbacks(monitor).fit(POINTS, CLASSES)
    scores = [row["score"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3 and scores[-1] == model.score(POINTS)


def test_training_ends_with_the_first_certified_epoch() -> None:
    parameters: dict[str, Any] = {"latent_dim": 4, "clusters": 3, "epochs": 200, "draws": 8}
    model = SphericalVAE(**parameters, early_stopping=True).fit(POINTS)
    assert model.certificate_.verdict == "certified"
    assert model.certificate_.loss <= model.certificate_.hi
    assert 1 < model.n_iter_ < 200
    # It is the first: a run that is stopped one epoch earlier is not there yet.
    earlier = SphericalVAE(**parameters).set_callbacks(Watch(model.n_iter_ - 1)).fit(POINTS)
    found = earlier.certificate_
    assert found.verdict != "certified" or found.loss > found.hi
    # Its certificate is of draws that did not choose the epoch.
    same = SphericalVAE(**parameters).set_callbacks(Watch(model.n_iter_)).fit(POINTS)
    assert np.array_equal(same.state_.parameters, model.state_.parameters)
    assert same.certificate_.loss != model.certificate_.loss


def test_sample_weights_are_refused_in_one_sentence() -> None:
    weights = np.ones(len(POINTS))
    with pytest.raises(RequestError, match=r"fit takes no sample_weight: .* repeat a row"):
        SphericalVAE(**QUICK).fit(POINTS, sample_weight=weights)
    model = make_pipeline(StandardScaler(), SphericalVAE(**QUICK))
    with pytest.raises(RequestError, match="fit takes no sample_weight"):
        model.fit(POINTS, sphericalvae__sample_weight=weights)


def test_metadata_routing_leaves_it_alone() -> None:
    """It asks for no metadata, so others may: a classifier behind it gets its weights."""
    weights = np.ones(len(POINTS))
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = LogisticRegression().set_fit_request(sample_weight=True)
        model = make_pipeline(SphericalVAE(**QUICK), classifier)
        model.fit(POINTS, CLASSES, sample_weight=weights)
        assert SphericalVAE().get_metadata_routing().fit.requests == {}


def test_every_parameter_is_documented() -> None:
    text = SphericalVAE.__doc__ or ""
    for name in SphericalVAE().get_params():
        line = text[text.index(f"\n{name} : ") :].splitlines()[2]
        assert line.startswith("    ") and len(line.strip()) > 10, name
