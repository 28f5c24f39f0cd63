"""The Clinic page: a loss is stated, and the data decide."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.screens import open_page, press, without_exception, words_of

pytestmark = pytest.mark.usefixtures("immediate_engine")


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_code_base_starts_at_its_own_values() -> None:
    app = open_page("clinic", {"dataset": "digits"})
    choice = next(box for box in app.selectbox if box.key == "clinic.base")
    app = without_exception(choice.set_value("pythae 0.1.2, VAE and BetaVAE").run())
    assert {metric.label: metric.value for metric in app.metric}["βσ²"] == "1"
    assert any("6419e21" in caption.value for caption in app.caption)


@pytest.mark.slow
def test_the_mean_says_all_where_samples_say_nothing() -> None:
    metrics = {metric.label: metric.value for metric in open_page("clinic").metric}
    assert float(metrics["Margin from the mean"].split()[0]) > 1
    assert float(metrics["Margin from sampled z"].split()[0]) < 0.03


@pytest.mark.slow
def test_one_click_names_the_cause_and_a_second_one_tries_the_cure() -> None:
    query = {"dataset": "wine", "clusters": "3", "epochs": "60", "latent_dim": "2"}
    app = open_page("clinic", query)
    reduction = next(box for box in app.selectbox if box.key == "clinic.own.over_coordinates")
    app = without_exception(reduction.set_value("mean").run())
    app = polled(press(app, "Start"), lambda app: bool(app.warning))
    assert "Units" in app.warning[0].value
    cure = next(button for button in app.button if button.key == "prescription.start")
    app = polled(without_exception(cure.click().run()), lambda app: "measured" in words_of(app))
    assert "It is awake" in words_of(app)


@pytest.mark.slow
def test_arrays_are_uploaded_and_examined() -> None:
    rng = np.random.default_rng(0)
    points, target = rng.normal(size=(60, 3)), io.BytesIO()
    posterior = {"mean": np.zeros((60, 2)), "log_variance": np.zeros((60, 2))}
    np.savez(target, points=points, **posterior)
    app = open_page("clinic", {"dataset": "wine", "clusters": "3"})
    app = without_exception(app.file_uploader[-1].upload("mine.npz", target.getvalue(), "").run())
    assert any("has collapsed" in one.value for one in app.error)
    assert "What these arrays cannot say" in words_of(app)
    from safetensors.numpy import save

    packed = save({"x": points, **posterior})
    app = without_exception(app.file_uploader[-1].upload("m.safetensors", packed, "").run())
    assert any("has collapsed" in one.value for one in app.error)
    assert "safetensors" in app.file_uploader[-1].label
    app = without_exception(app.file_uploader[-1].upload("mine.npz", b"PK", "").run())
    assert len(app.error) == 1 and app.error[0].value.startswith("mine.npz:")


@pytest.mark.slow
def test_nothing_below_the_arrays_moves_when_they_are_read() -> None:
    target = io.BytesIO()
    np.savez(target, points=np.random.default_rng(0).normal(size=(60, 3)))
    app = open_page("clinic", {"dataset": "wine", "clusters": "3"})

    def after_the_toggle() -> list[str]:
        kinds = [app.main.children[at].type for at in sorted(app.main.children)]
        return kinds[kinds.index("toggle", kinds.index("file_uploader")) :][:3]

    uploader = app.file_uploader[-1]
    app = without_exception(uploader.upload("mine.npz", target.getvalue(), "").run())
    first = after_the_toggle()
    app = without_exception(app.run())
    assert after_the_toggle() == first, "the same places as when the file was read"


def polled(app: AppTest, there: Callable[[AppTest], bool]) -> AppTest:
    for _ in range(40):
        if there(app):
            return app
        app = without_exception(app.run())
    raise AssertionError(words_of(app))
