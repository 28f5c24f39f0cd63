"""What notebooks show: rich representations, and runs as the widget's browser is sent them."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
import torch
from support.notebook_browser import Browser
from torch import nn

from svae_core.geometry.region import feasible_region
from svae_core.integrations.pytorch import CollapseMonitor, FeasibleBand
from svae_core.latent.results import Follow
from svae_core.notebook import rich
from svae_core.notebook.monitored import MOST_MOMENTS, Monitored
from svae_core.notebook.watched_run import FINISHED, PLAYING
from svae_core.records import Certificate, Floors, RequestError
from svae_core.stage import replay_file
from svae_core.stage.messages import FrameRequest

POINTS = np.random.default_rng(0).normal(size=(120, 6)) @ np.diag([3.0, 2, 1, 1, 0.5, 0.5])
CERTIFICATE = Certificate(
    method="spherical",
    seed=0,
    epochs=1,
    part="training",
    loss=0.7,
    loss_margin=0.01,
    draws=8,
    delta=1.5,
    delta_definition="shell",
    lo=0.5,
    hi=0.8,
    in_band=True,
    kl=1.2,
    kl_per_dim=(0.9, 0.3),
    active_units=2,
    active_threshold=0.01,
    mutual_information=1.0,
    mi_ceiling=5.0,
    floors=Floors(0.1, 0.4, 0.5),
    cluster_accuracy=0.9,
    cluster_floor=0.3,
    gauge=2.0,
    verdict="certified",
    sentence="Certified: <b>no</b> markup & a sentence.",
    dataset="<script>alert(1)</script>",
    fingerprint="",
    n_points=100,
    version="0",
)


class Toy(nn.Module):
    """A linear VAE of six coordinates and two latents."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(2, 6)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.encoder(x).chunk(2, dim=1)


def monitored(**look: Any) -> tuple[Toy, CollapseMonitor, Monitored]:
    torch.set_num_threads(1)
    model = Toy()
    monitor = CollapseMonitor(model.encode, model.decoder, POINTS, clusters=3)
    return model, monitor, Monitored(monitor, **look)


# ------------------------------------------------------------------- representations


@pytest.mark.parametrize("verdict", ["certified", "collapsed"])
def test_a_certificate_is_shown_as_figure_sentence_and_numbers(verdict: str) -> None:
    shown = dataclasses.replace(CERTIFICATE, verdict=verdict)._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    page = ElementTree.fromstring(shown["text/html"])
    assert len(page.findall(".//{http://www.w3.org/2000/svg}svg")) == 2
    assert not [part for part in page.iter() if part.tag in ("script", "b", "style", "link")]
    for text in (CERTIFICATE.sentence, "0.7000", "above 1 total collapse is a stable state"):
        assert text in shown["text/plain"]
        assert text in "".join(page.itertext())


def test_the_measured_loss_stands_between_the_band_and_delta() -> None:
    page = ElementTree.fromstring(CERTIFICATE._repr_mimebundle_()["text/html"])
    svg = page.find(".//{http://www.w3.org/2000/svg}svg")
    assert svg is not None
    lines = svg.findall(".//{http://www.w3.org/2000/svg}line")
    _, delta, loss, margin = (float(line.attrib["x2"]) for line in lines)
    bar = svg.find(".//{http://www.w3.org/2000/svg}rect")
    assert bar is not None
    left, width = float(bar.attrib["x"]), float(bar.attrib["width"])
    assert left < loss < left + width < delta and loss < margin < delta
    # One scale for all: losses are proportional to their distance from the line's beginning.
    zero = float(lines[0].attrib["x1"])
    assert (loss - zero) / (delta - zero) == pytest.approx(0.7 / 1.5, abs=1e-3)


def test_a_region_is_shown_also_where_its_band_is_empty() -> None:
    kept: dict[str, Any] = {"total": 1.0, "mean_norm": 0.0, "r_min": 0.8, "r_max": 1.2}
    kept |= {"collapse_loss": "between", "band": (0.0, 0.25), "lower_edge": True}
    for within in (0.3, 0.7):
        region = feasible_region(within=within, **kept)
        shown = region._repr_mimebundle_()
        assert region.explanation in shown["text/plain"]
        assert ("band" in shown["text/plain"].split("\n", 2)[2]) is not region.empty
        ElementTree.fromstring(shown["text/html"])


def test_a_band_in_a_loop_shows_its_region_and_where_its_penalty_starts() -> None:
    band = FeasibleBand.from_data(POINTS, clusters=3)
    shown = band._repr_mimebundle_()["text/plain"]
    assert band.region.explanation in shown and f"{band.upper:.4f}" in shown


def test_what_is_no_record_has_no_representation() -> None:
    with pytest.raises(TypeError, match="int"):
        rich.bundle(3)


# ------------------------------------------------------------------------- a monitor's run


def test_each_reading_is_a_moment_with_the_readings_own_numbers() -> None:
    model, monitor, watched = monitored(steps=40)
    readings = []
    for step in (0, 10, 20):
        readings.append(monitor.step(step))
        with torch.no_grad():
            model.decoder.weight.mul_(0.5)
    frames = [frame for (frame,) in watched.run.moments]
    for reading, frame in zip(readings, frames, strict=True):
        assert (frame.step, frame.steps) == (reading.step, 40)
        for name in ("loss", "delta", "kl", "sentence"):
            assert getattr(frame, name) == getattr(reading, name)
        assert frame.kl_per_dim.tolist() == pytest.approx(reading.kl_per_dim)
    prepared = watched.prepared
    # The data are moved by their mean and nothing else: all distances are those of the points.
    np.testing.assert_allclose(
        prepared.shell.points + prepared.shell.center, monitor.viewed, rtol=1e-5, atol=1e-5
    )
    assert prepared.clusters.total == pytest.approx(monitor.delta, rel=1e-6)


@pytest.mark.slow
def test_watching_leaves_the_loop_as_it_was() -> None:
    def trained(watch: bool) -> np.ndarray:
        model = Toy()
        monitor = CollapseMonitor(model.encode, model.decoder, POINTS, clusters=3)
        watched = Monitored(monitor) if watch else None
        adam = torch.optim.Adam(model.parameters(), 0.01)
        x = torch.tensor(POINTS, dtype=torch.float32)
        for step in range(6):
            mean, _ = model.encode(x)
            loss = (model.decoder(mean + torch.randn_like(mean)) - x).square().mean()
            adam.zero_grad()
            if watched:
                monitor.step(step)  # between the forward and the backward pass, too
                watched.follow(Follow(2), max(0, step - 2))
            loss.backward()
            adam.step()
        return torch.cat([weight.detach().ravel() for weight in model.parameters()]).numpy()

    np.testing.assert_array_equal(trained(True), trained(False))


def test_a_click_on_an_earlier_moment_is_answered_by_the_weights_of_then() -> None:
    model, monitor, watched = monitored()
    monitor.step(0)
    before = watched.follow(Follow(5), 0)
    with torch.no_grad():
        model.decoder.weight.mul_(3.0)
    monitor.step(10)
    then, now = watched.follow(Follow(5), 4), watched.follow(Follow(5), 10)
    assert (then.step, now.step) == (0, 10)
    np.testing.assert_array_equal(then.members[0].outputs, before.members[0].outputs)
    assert not np.allclose(now.members[0].outputs, before.members[0].outputs)


def test_long_loops_show_every_second_reading_then_every_fourth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MOST_MOMENTS >= 100
    monkeypatch.setattr("svae_core.notebook.monitored.MOST_MOMENTS", 4)
    _, monitor, watched = monitored()
    for step in range(13):
        monitor.step(step)
    steps = [frame.step for (frame,) in watched.run.moments]
    assert steps == [0, 1, 2, 3, 4, 6, 8, 10, 12]


def test_labels_and_images_are_refused_where_they_do_not_fit() -> None:
    with pytest.raises(RequestError, match="12 pixels, but a point has 6"):
        monitored(image=(3, 4))
    with pytest.raises(RequestError, match="labels has 3 entries"):
        monitored(labels=[1, 2, 3])
    with pytest.raises(RequestError, match="labels has 240 entries"):
        monitored(labels=np.tile([0, 1], 120))  # of all data, say, or one-hot
    _, _, watched = monitored(labels=["a", "b"] * 60)
    assert watched.prepared.dataset.label_names == ("a", "b")
    _, _, watched = monitored(labels=torch.tensor([3, 12] * 60))
    assert watched.prepared.dataset.label_names == ("3", "12")


def test_a_penaltys_band_is_shown_where_one_is_given() -> None:
    band = FeasibleBand.from_data(POINTS, clusters=3, band=(0.1, 0.4))
    _, monitor, watched = monitored(band=band)
    monitor.step(0)
    (frame,) = watched.run.moments[0]
    assert (frame.lo, frame.hi) == (band.lo, band.hi)
    header, _ = watched.run.scene()
    assert header["handles"] == {"within": band.W, "delta": band.delta}
    now = watched.run.message(0, FrameRequest(0))[0]["now"]
    assert tuple(now["band"]) == (0.1, 0.4)
    _, _, without = monitored()
    assert without.run.scene()[0]["handles"] is None


# ---------------------------------------------------------------- what the browser is sent


@pytest.mark.slow
def test_state_and_messages_together_hold_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svae_core.notebook.post._APART", 0.0)
    _, monitor, watched = monitored()
    browser, states = Browser(watched), []
    for step in range(20):
        monitor.step(step)
        states.append(len(browser.kept))
        newest = max([one["index"] for one in browser.messages] + [states[-1] - 1])
        assert newest == step, "the newest moment is there at once"
    assert all(one["status"] == PLAYING for one in browser.kept)
    assert len(set(states)) < 12, "the state is renewed ever more seldom"
    monitor.certify()
    assert [one["step"] for one in browser.kept] == list(range(20))
    assert browser.kept[-1]["status"] == FINISHED and browser.kept[-1]["certificates"]
    assert browser.post.over


def test_a_question_that_comes_beside_a_step_waits_for_the_loop() -> None:
    import threading

    _, monitor, watched = monitored()
    browser = Browser(watched)
    monitor.step(0)
    later: list[Any] = []
    question = {"follow": 3, "step": 0, "asked": 7}
    aside = threading.Thread(target=browser.post.ask, args=(question, later.append))
    aside.start()
    aside.join()
    assert not [one for one in browser.messages if one["kind"] == "followed"]
    monitor.step(1)  # the loop answers
    assert [one["asked"] for one in browser.messages if one["kind"] == "followed"] == [7]
    later[0]()  # what was put off for an idle kernel finds nothing left to do
    assert len([one for one in browser.messages if one["kind"] == "followed"]) == 1


def test_a_question_that_cannot_be_answered_gets_one_sentence() -> None:
    _, monitor, watched = monitored()
    browser = Browser(watched)
    monitor.step(0)
    browser.post.ask({"follow": 10**6, "step": 0, "asked": 2}, lambda answer: None)
    (refused,) = [one for one in browser.messages if one["kind"] == "refused"]
    assert refused["asked"] == 2 and "There is no point" in refused["sentence"]


def test_a_saved_run_is_no_larger_than_it_may_be() -> None:
    _, monitor, watched = monitored()
    for step in range(40):
        monitor.step(step)
    whole = watched.run.packed()
    most = 6 * len(whole) // 7  # scene and first moment are most of so small a run
    small = watched.run.packed(most)
    assert len(small) <= most
    steps = [one["step"] for one in replay_file.unpack(small)[0]["moments"]]
    assert steps[0] == 0 and steps[-1] == 39 and steps == sorted(set(steps))


def test_a_page_in_a_frame_is_the_page() -> None:
    page = '<p class="a">1 < 2 & "quotes"</p>'
    frame = replay_file.frame_around(page, "A <run>")
    source = re.search(r'srcdoc="([^"]*)"', frame)
    assert source and html.unescape(source[1]) == page
    assert 'sandbox="allow-scripts"' in frame and "A &lt;run&gt;" in frame


def test_a_page_holds_plotly_compressed_and_asks_nobody() -> None:
    _, monitor, watched = monitored()
    monitor.step(0)
    code = {"stage.css": b"", "index.js": b"", "loading.js": b""}
    page = replay_file.page("A title", watched.run.packed(), code, b"Plotly </script>")
    found = re.search(r'id="plotly">([^<]*)<', page)
    assert found
    import gzip

    assert gzip.decompress(base64.b64decode(found[1])) == b"Plotly </script>"
    assert "default-src 'none'" in page and not re.search(r'(src|href)="?http', page)
