"""The Clinic page: a loss is stated, and the data decide."""

from __future__ import annotations

import pytest
from support.screens import open_page, without_exception

pytestmark = pytest.mark.usefixtures("immediate_engine")


def test_a_mean_where_a_sum_was_meant_is_diagnosed() -> None:
    app = open_page("clinic", {"dataset": "digits"})
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["βσ²"] == "0.5"
    reduction = next(box for box in app.selectbox if box.key == "clinic.own.over_coordinates")
    app = without_exception(reduction.set_value("mean").run())
    metrics = {metric.label: metric.value for metric in app.metric}
    # d/2 of 64 pixels, and the weight that was meant for ½·SE + KL is then 1/32.
    assert metrics["βσ²"] == "32" and metrics["KL weight that was meant"] == "0.0312"
    assert any("above 1" in text.value for text in app.markdown)


def test_a_code_base_starts_at_its_own_values() -> None:
    app = open_page("clinic", {"dataset": "digits"})
    choice = next(box for box in app.selectbox if box.key == "clinic.base")
    app = without_exception(choice.set_value("pythae 0.1.2, VAE and BetaVAE").run())
    assert {metric.label: metric.value for metric in app.metric}["βσ²"] == "1"
    assert any("6419e21" in caption.value for caption in app.caption)


def test_the_mean_says_all_where_samples_say_nothing() -> None:
    metrics = {metric.label: metric.value for metric in open_page("clinic").metric}
    assert float(metrics["Margin from the mean"].split()[0]) > 1
    assert float(metrics["Margin from sampled z"].split()[0]) < 0.03
