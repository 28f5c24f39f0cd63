"""Anyone's model by its arrays: what they say, what does not fit, what is unknown; files."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.linear_arrays import VALUES, linear_model

from svae_core.__main__ import main
from svae_core.clinic.array_checks import checked
from svae_core.clinic.examination import diagnose_arrays
from svae_core.clinic.model_arrays import MOST_CLASSES, MOST_POINTS, NAMES, model_arrays
from svae_core.clinic.report import report_page
from svae_core.own_data.array_bundle import write_arrays
from svae_core.own_data.arrays_apart import read_arrays
from svae_core.records import RequestError

N, C = 200, 0.2
MODEL = linear_model(N, C)


@pytest.mark.slow
def test_a_healthy_model_is_awake_with_the_numbers_of_theory() -> None:
    found = diagnose_arrays(**MODEL, beta_sigma2=C)
    assert found.verdict == "awake" and found.certificate is not None
    assert found.kl == pytest.approx(0.5 * np.log(VALUES[:2] / C).sum(), rel=1e-6)
    assert found.lambda_max == pytest.approx(2) and found.gauge == pytest.approx(0.1)
    assert found.certificate.loss == pytest.approx(2 * C + VALUES[2:].sum(), rel=0.05)
    assert found.within < found.band_hi < found.delta == pytest.approx(VALUES.sum())
    assert found.encoder is not None and 0 < found.encoder.nats < found.kl
    assert not found.findings and "3 dimensions" not in found.sentence
    labelled = diagnose_arrays(**MODEL, labels=MODEL["points"][:, 0] > 0)
    assert "the entropy of the labels" in report_page(labelled, "mine.npz")
    page = report_page(found, "<script>alert(1)</script>.npz")
    assert "cluster 1" in page and "margin at 99 %" in page and "99%" not in page
    assert "the entropy of the K-means clusters" in page, "whose classes they are"
    assert "<script>" not in page and found.encoder.sentence in page


@pytest.mark.slow
def test_each_question_needs_its_arrays() -> None:
    only = diagnose_arrays(MODEL["points"], reconstructions=MODEL["reconstructions"][0])
    assert only.verdict == "not settled" and "more draws" in only.sentence
    assert np.isnan(only.kl)
    assert any("one draw" in one for one in only.unknown)
    assert any("KL, active units" in one for one in only.unknown)
    encoder = diagnose_arrays(MODEL["points"], z=MODEL["z"])
    assert encoder.verdict == "awake if sampled" and "If z was sampled" in encoder.sentence
    assert any("uses z" in one for one in encoder.unknown)
    nothing = diagnose_arrays(MODEL["points"])
    assert nothing.verdict == "not settled" and nothing.certificate is None


@pytest.mark.slow
def test_a_collapsed_model_is_called_so() -> None:
    points, zero = MODEL["points"], np.zeros((N, 3))
    constant = np.broadcast_to(points.mean(axis=0), (8, *points.shape))
    found = diagnose_arrays(points, reconstructions=constant, mean=zero, log_variance=zero)
    assert found.verdict == "collapsed" and found.kl == 0
    assert found.delta == pytest.approx(VALUES.sum())


@pytest.mark.slow
def test_arrays_that_do_not_belong_together_are_found() -> None:
    points, mean, log_variance = MODEL["points"], MODEL["mean"], MODEL["log_variance"]
    posterior = {"mean": mean, "log_variance": log_variance}

    def findings(**given: Any) -> tuple[str, ...]:
        return checked(model_arrays({"points": points} | given))[1]

    assert not findings(**MODEL)
    halved, told = checked(model_arrays(MODEL | {"log_variance": log_variance / 2}))
    assert "standard deviations" in told[0] and halved.log_variance == pytest.approx(log_variance)
    assert "means, not samples" in findings(z=mean, **posterior)[0]
    assert "same" in findings(z=np.stack([mean, mean]))[0]
    wide = mean + 3 * (MODEL["z"] - mean)
    assert "not sampled from this posterior" in findings(z=wide, **posterior)[0]
    for share, other in ((1, "variances"), (0.5, "standard")):
        kept = np.exp(share * log_variance)
        read, told = checked(model_arrays(MODEL | {"log_variance": kept}))
        assert other in told[0] and read.log_variance == pytest.approx(log_variance)
        told = findings(mean=mean, log_variance=kept)  # without z it is only known to be wrong
        assert "wider than the prior" in told[0]
    read, told = checked(model_arrays(MODEL | {"mean": log_variance, "log_variance": mean}))
    assert "mean the log-variances" in told[0] and (read.mean == mean).all()
    # A few samples scatter, which is no finding.
    few = {name: array[..., :8, :] for name, array in MODEL.items()} | {"z": MODEL["z"][:1, :8]}
    assert not checked(model_arrays(few))[1]
    assert "decoded means" in findings(reconstructions=np.stack([points / 2, points / 2]))[0]
    twice = np.concatenate([MODEL["reconstructions"][:3]] * 2)
    arrays, told = checked(model_arrays({"points": points, "recon": twice}))
    assert "3 of 6 draws" in told[0] and arrays.reconstructions is not None
    assert (arrays.reconstructions == twice[:3]).all()
    assert "points themselves" in findings(reconstructions=points.astype(np.float32))[0]
    empty = np.zeros((N, 3))
    foreign = diagnose_arrays(
        points, reconstructions=MODEL["reconstructions"], mean=empty, log_variance=empty
    )
    assert foreign.verdict == "collapsed" and "not sampled from" in foreign.findings[0]
    live = diagnose_arrays(points, z=MODEL["z"], mean=empty, log_variance=empty)
    assert live.verdict == "not settled" and "pass through z, but" in live.findings[0]


@pytest.mark.slow
def test_decoded_means_in_one_draw_are_not_called_awake() -> None:
    """The mean of N(εx, 1) decodes to the points at a KL of nearly nothing."""
    direction = np.random.default_rng(3).normal(size=(500, 3))
    points = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    means = 0.01 * points
    decoded = means / np.linalg.norm(means, axis=1, keepdims=True) * 1.001
    alone = diagnose_arrays(points, reconstructions=decoded, clusters=2)
    assert alone.verdict == "awake if sampled" and "not from means" in alone.sentence
    known = diagnose_arrays(
        points, reconstructions=decoded, mean=means, log_variance=0 * means, clusters=2
    )
    assert known.verdict == "collapsed" and "not sampled from it" in known.findings[0]


def test_names_shapes_and_large_arrays() -> None:
    pictures = np.arange(6 * 4.0).reshape(6, 2, 2)
    arrays = model_arrays({"X": pictures, "recon": np.stack([pictures] * 3), "junk": "text"})
    assert arrays.points.shape == (6, 4) and arrays.reconstructions is not None
    assert arrays.reconstructions.shape == (3, 6, 4)
    n = MOST_POINTS + 10
    rows = np.arange(n, dtype=np.float64)[:, None] * [1.0, 2.0]
    some = model_arrays({"x": rows, "z": rows, "y": np.arange(n) % 7})
    assert len(some.points) == MOST_POINTS and some.of == n and some.z is not None
    assert (some.points == some.z[0]).all() and some.labels is not None
    assert (some.points[:, 0] % 7 == some.labels.astype(int)).all()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"z": np.ones((5, 2))}, "no points among"),
        ({"x": np.ones((3, 2))}, "too few"),
        ({"x": np.ones(9)}, "needs a row"),
        ({"x": np.full((5, 2), np.nan)}, "not finite"),
        ({"x": np.ones((5, 2)), "mu": np.ones((4, 2)), "logvar": np.ones((4, 2))}, "4 rows"),
        ({"x": np.ones((5, 2)), "mu": np.ones((5, 2))}, "log_variance is missing"),
        ({"x": np.ones((5, 2)), "mu": np.ones((5, 2)), "logvar": np.ones((5, 3))}, "must agree"),
        ({"x": np.ones((5, 2)), "recon": np.ones((5, 3))}, "points have 2"),
        ({"x": np.ones((5, 2)), "z": np.ones((2, 4, 3))}, "must be"),
        ({"x": np.ones((5, 2)), "labels": np.ones(4)}, "4 labels"),
        ({"x": np.ones((5, 2)), "beta_sigma2": np.zeros(1)}, "above 0"),
        ({"x": np.ones((5, 2))}, "identical"),
        ({"x": 1e-20 * np.arange(10).reshape(5, 2)}, "vanishes"),
        ({"x": np.ones((0, 2))}, "is empty"),
        ({"x": np.ones((5, 2)), "mu": np.ones((5, 0)), "logvar": np.ones((5, 0))}, "is empty"),
        ({"x": np.ones((5, 2)), "inputs": np.ones((5, 2))}, "which is meant"),
    ],
)
def test_arrays_that_do_not_fit_get_one_sentence(arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        model_arrays(arrays)
    assert str(refused.value).count(".") <= 3


@pytest.mark.slow
def test_a_kl_without_information_is_no_life() -> None:
    """Posteriors that are all alike, away from the prior, as δ-VAE makes them."""
    points = MODEL["points"]
    found = diagnose_arrays(points, mean=np.full((N, 3), 1.0), log_variance=np.zeros((N, 3)))
    assert found.kl == pytest.approx(1.5) and found.verdict == "collapsed"
    assert "I(x; z) is" in found.sentence


def test_labels_are_inert_and_not_too_many() -> None:
    points = np.random.default_rng(0).normal(size=(100, 2))
    odd = ["\x1b[31m<script>" + "a" * 200, "\x1b[32m<script>" + "a" * 200, "", "b|c"] * 25
    names = set(model_arrays({"x": points, "y": odd}).labels)
    assert len(names) == 4 and all(one.isprintable() and "<" not in one for one in names)
    many = np.repeat(np.arange(50), 2)
    assert len(set(model_arrays({"x": points, "y": many}).labels)) == MOST_CLASSES


def archive_of(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(f"{name}.npy", content)
    return target.getvalue()


def npy(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.save(target, array, allow_pickle=True)
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive at all",
        archive_of(points=npy(np.array([{"run": "code"}], object))),
        archive_of(points=npy(np.ones((4, 2)))[:60]),
        archive_of(points=npy(np.ones((4, 2))).replace(b"(4, 2)", b"(9, 9)")),
        archive_of(points=npy(np.ones((4, 2), complex))),
        archive_of(points=b"\x93NUMPY\x01\x00\x10\x00{'descr': __im"),
        archive_of(points=npy(np.ones((4, 2))))[:90],
    ],
    ids=range(8),  # archives hold the time
)
def test_hostile_files_are_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"^x\.npz: [^\n]*\.$"):
        write_arrays(path, "x.npz", tmp_path, lambda share: None, ",".join(NAMES["points"]))


@pytest.mark.slow
def test_a_file_is_read_apart_and_examined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = tmp_path / "mine.npz", tmp_path / "report.html"
    given = {"x": MODEL["points"].astype(np.float32), "mu": MODEL["mean"]}
    given |= {"logvar": MODEL["log_variance"], "y": np.array(["a", "b"] * (N // 2))}
    np.savez_compressed(path, **given, secret=np.array([{}], object))
    read = read_arrays(path, path.name, only=NAMES.values())
    assert read.pop("secret") is None
    assert {name: None if value is None else value.dtype for name, value in read.items()} == {
        **{"x": np.float32, "mu": float, "logvar": float, "y": np.dtype("U1")}
    }
    assert read["mu"] is not None and (read["mu"] == MODEL["mean"]).all()
    asked = ["diagnose", str(path), "--json", "--page", str(page)]
    assert main([*asked, "--over-coordinates", "mean"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["beta_sigma2"] == pytest.approx(2.0) and told["gauge"] == pytest.approx(1.0)
    assert told["encoder"]["teacher"] == "labels" and page.read_text().startswith("<!doctype")
    assert main(["diagnose", str(tmp_path / "none.npz")]) == 2
    assert "There is no file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_loss_below_delta_decides_however_little_the_kl_is() -> None:
    """As on a certificate: one point in fifty is told, at .036 nats on average."""
    rng, n = np.random.default_rng(0), 4000
    rare = np.arange(n) % 50 == 0
    points = np.where(rare[:, None], [100.0, 0], 0) + 0.1 * rng.normal(size=(n, 2))
    mean = np.where(rare[:, None], 1.9, 0.0)
    z = mean + rng.normal(size=(16, n, 1))
    decoded = np.concatenate([2 + np.where(z > 2.2, 16, -0.3), 0 * z], axis=2)
    arrays = {"mean": mean, "log_variance": 0 * mean, "reconstructions": decoded}
    found = diagnose_arrays(points, z=z, **arrays, clusters=2)
    assert found.kl == pytest.approx(0.0361) and found.certificate is not None
    assert found.verdict == "awake" and found.certificate.verdict == "certified"


def test_each_dimension_of_z_is_compared_with_its_posterior() -> None:
    rng, n, k = np.random.default_rng(0), 400, 16
    points, mean = rng.normal(size=(n, 4)), np.zeros((n, k))
    given = {"points": points, "mean": mean, "log_variance": mean}
    noise = rng.normal(size=(4, n, k))
    assert not checked(model_arrays(given | {"z": noise}))[1]
    narrow = noise * np.where(np.arange(k) == 2, 0.3, 1)
    read, told = checked(model_arrays(given | {"z": narrow}))
    assert "in dimension 3" in told[0] and read.z is None and read.mean is None
    shared = np.broadcast_to(rng.normal(size=(4, 1, k)), noise.shape)
    assert checked(model_arrays(given | {"z": shared}))[0].z is None


def test_another_reading_of_the_posterior_must_fit_in_each_dimension_too() -> None:
    """Of noise that is wrong in every dimension, a wrong reading may be right on average."""
    rng, n, k = np.random.default_rng(0), 2000, 8
    mean, log_variance = rng.normal(size=(n, k)), np.full((n, k), -2.0)
    wrong = np.where(np.arange(k) < 4, 0.3, math.sqrt(2 - 0.3**2))
    given = {"points": rng.normal(size=(n, 4)), "mean": mean, "log_variance": log_variance}
    for scale, taken in ((1.0, True), (wrong, False)):
        z = mean + scale * np.exp(log_variance) * rng.normal(size=(n, k))
        read, told = checked(model_arrays(given | {"z": z}))
        assert (read.z is not None) == taken and len(told) == 1
        assert ("logarithms of standard deviations" in told[0]) == taken


def test_reconstructions_in_other_units_are_named_and_not_the_decoder() -> None:
    points, decoded = MODEL["points"], MODEL["reconstructions"]

    def told(x: np.ndarray) -> list[str]:
        return checked(model_arrays({"points": x, "recon": decoded}))[1]

    assert not told(points) and not told(np.random.default_rng(5).permutation(points))
    for other in (255 * points, points + 50):
        assert "in other units" in told(other)[0]


@pytest.mark.slow
def test_what_arrays_cannot_say_is_said_once() -> None:
    given = {name: MODEL[name] for name in ("points", "mean", "log_variance", "reconstructions")}
    unknown = diagnose_arrays(**given, clusters=2).unknown
    assert sum("teacher forcing" in one for one in unknown) == 1
    assert any("natural logarithms" in one for one in unknown)


@pytest.mark.slow
@pytest.mark.parametrize("draws", [2, 3])
def test_two_draws_do_not_show_whether_rows_share_noise(draws: int) -> None:
    rng = np.random.default_rng(0)
    points, mean = MODEL["points"], MODEL["mean"]
    noisy = points + 0.1 * rng.normal(size=(draws, *points.shape))
    given = {"mean": 40 * mean, "log_variance": MODEL["log_variance"], "reconstructions": noisy}
    found = diagnose_arrays(points, **given, clusters=2)
    assert found.certificate is not None and found.certificate.verdict == "certified"
    assert ("each row from its own" in found.sentence) == (draws == 2)
    assert any("rows share noise" in one for one in found.unknown) == (draws == 2)


@pytest.mark.slow
def test_draws_of_unknown_z_are_awake_only_if_they_were_sampled() -> None:
    """Decoded means with noise added vary from draw to draw, too."""
    points = np.random.default_rng(0).normal(size=(300, 4))
    noisy = points + 0.1 * np.random.default_rng(1).normal(size=(8, 300, 4))
    found = diagnose_arrays(points, reconstructions=noisy, clusters=2)
    assert found.verdict == "awake if sampled" and found.sentence.startswith("If these")
    assert any("noise added to decoded means" in one for one in found.unknown)
