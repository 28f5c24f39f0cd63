"""The answers to the open objections: finite numbers, and claims that hold where they are made."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from support.information_laws import assert_information_laws

from svae_core import objections
from svae_core.certificate.diagnostics import COLLAPSED_TOTAL_KL
from svae_core.certificate.information_floors import cluster_entropy
from svae_core.objections import Answer, answer, range_of, short, tiny, trained
from svae_core.problem import prepared_data
from svae_core.records import RequestError, Settings
from svae_core.studies.k_sensitivity import sensitivity

_OPTIONS = (("ambient_dim", 6), ("number", 3), ("points", 150))
DATA = Settings(dataset="clusters", dataset_options=_OPTIONS, clusters=3, latent_dim=3, hidden=16)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """A twentieth of the steps: what answers say is true of whatever runs they saw."""
    patch = pytest.MonkeyPatch()
    patch.setattr(objections, "STEPS", 20)
    yield
    patch.undo()


class _Answers(dict[int, Answer]):
    """Each answer is worked out when a test first asks for it."""

    def __missing__(self, number: int) -> Answer:
        self[number] = answer(number, DATA)
        return self[number]


@pytest.fixture(scope="module")
def answers(_quick: None) -> _Answers:
    return _Answers()


def test_every_objection_has_a_title_and_a_text() -> None:
    assert [item.number for item in objections.objections()] == [1, 2, 3, 4, 5, 6]
    for item in objections.objections():
        assert 10 < len(item.title) < 80 and "\n" not in item.title
        assert len(item.text) > 80 and "arXiv" not in item.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [1, 2, *(pytest.param(dear, marks=pytest.mark.slow) for dear in (3, 4, 5)), 6]
)
def test_every_objection_has_an_answer(answers: _Answers, number: int) -> None:
    found = answers[number]
    assert all(math.isfinite(value) for value in found.numbers.values())
    assert found.sentences and all(text.strip().endswith(".") for text in found.sentences)
    assert {len(row) for row in found.rows} == {len(found.columns)}


def test_a_table_is_markdown_and_bars_in_it_do_no_harm() -> None:
    lines = Answer({}, (), ("a", "I(x|z)"), (("b", "1"),)).table().split("\n")
    assert lines == ["| a | I(x\\|z) |", "| --- | ---: |", "| b | 1 |"]


def test_the_best_constant_is_where_the_formula_says(answers: _Answers) -> None:
    found = answers[1].numbers
    assert found["formula_error"] < 1e-6
    assert found["best_constant"] == pytest.approx(found["delta"])
    assert found["best_tried"] >= found["delta"] - 1e-9
    # A model without information that is perfect at its means is caught by sampling.
    assert found["kl_at_means"] < 1e-3 and found["loss_at_means"] < 0.1
    assert found["loss_sampled"] > found["delta"]


def test_bands_of_worse_partitions_never_reach_delta(answers: _Answers) -> None:
    delta = answers[1].numbers["delta"]
    for row in answers[1].rows:
        assert row[3] == "empty" or float(row[3].split("–")[1]) < delta
    assert answers[1].rows[-1][4:] == ("empty", "empty")  # one cluster: W = T


@pytest.mark.slow
def test_the_projected_quantiser_loses_less_than_the_collapse_loss(
    answers: _Answers,
) -> None:
    found = answers[2].numbers
    assert found["within"] <= found["quantiser"] < found["delta"]
    assert found["entropy"] == pytest.approx(cluster_entropy(prepared_data(DATA).clusters.sizes))
    assert found["moved"] < 1e-6


@pytest.mark.slow
def test_one_cluster_is_no_way_below_delta() -> None:
    one = Settings(**{**vars(DATA), "clusters": 1})
    found = answer(2, one)
    assert found.numbers["quantiser"] == pytest.approx(found.numbers["delta"])
    assert "Not below δ" in found.sentences[0]
    assert len(answer(1, one).rows) == 1


@pytest.mark.slow
def test_constants_do_not_move_while_models_train(answers: _Answers) -> None:
    found = answers[3].numbers
    assert found["changed"] == 0
    assert found["certified"] >= found["in_band"] >= 0
    assert found["least_proved"] <= found["least_tight"] <= found["least_kl"]
    assert [row[1] for row in answers[3].rows] == ["5"] * 4


@pytest.mark.slow
def test_verdicts_add_up(answers: _Answers) -> None:
    found = answers[4].numbers
    assert found["runs"] == 24 and len(answers[4].rows) == 12
    assert found["certified"] + found["collapsed"] <= found["runs"]
    ablation = answers[5]
    verdicts = [row[-1] for row in ablation.rows]
    assert verdicts.count("empty band") == ablation.numbers["empty"]
    assert len(verdicts) == ablation.numbers["variants"] + 1
    assert 0 < ablation.numbers["rate_limit"] <= 1
    # It says by which metric it counts: that of the verdicts.
    assert f"KL below {COLLAPSED_TOTAL_KL} nats in all" in ablation.sentences[0]
    for row in ablation.rows[:-1]:
        if row[-1] != "empty band":
            assert float(row[3]) < float(row[2])  # hi < δ


@pytest.mark.slow
def test_modes_of_collapse_keep_the_laws_of_information(answers: _Answers) -> None:
    found = answers[6].numbers
    assert 0 <= found["dead"] <= DATA.latent_dim
    assert found["within"] <= found["information"] + 1e-9  # I(x; z | c) ≤ I(x; z)
    assert found["information"] - found["within"] <= found["entropy"] + 0.2  # I(c; z) ≤ H(c)
    assert 0 < found["smallest_variance"] <= 1.5 and 0 <= found["at_limit"] <= 1


@pytest.mark.slow
def test_the_runs_behind_answers_are_small_and_keep_the_laws() -> None:
    large = Settings(n_points=0, clusters=900)
    base = short(large)
    ground = prepared_data(base)
    assert len(ground.shell.points) == objections.POINTS
    assert base.clusters <= objections.POINTS // 2
    _, ends = trained([short(DATA)])
    assert_information_laws(ends[0])


def test_an_unknown_number_is_refused() -> None:
    for number in (0, 7):
        with pytest.raises(RequestError, match="numbered 1 to 6"):
            answer(number, DATA)


def test_an_empty_band_is_said_not_hidden() -> None:
    empty = Settings(**{**vars(DATA), "clusters": 1, "collapse_loss": "free"})
    with pytest.raises(RequestError, match="empty"):
        answer(4, empty)


def test_small_words() -> None:
    assert range_of([0.501, 0.5012]) == "0.50" and range_of([1.0, 2.0]) == "1.00\u2060–\u20602.00"
    assert tiny(0.0) == "0" and tiny(2e-16) == "2e-16"


@pytest.mark.slow
def test_sensitivity_moves_the_band_but_not_delta() -> None:
    bands = sensitivity(DATA)
    assert [band.k for band in bands] == sorted({band.k for band in bands})
    assert 3 in [band.k for band in bands]
    within = np.array([band.best.within for band in bands])
    assert (np.diff(within) < 0).all()
    assert len({band.best.delta for band in bands}) == 1
    for band in bands:
        assert band.worst.within >= band.best.within
        assert band.best.delta == band.worst.delta
