"""Certificates: of our runs, of plain torch modules, of another library's models."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.information_laws import assert_information_laws

from svae_core import certify
from svae_core.certificate.diagnostics import Measurement, verdict
from svae_core.certificate.html import certificate_page
from svae_core.certificate.losses import Losses
from svae_core.problem import prepared_data
from svae_core.records import Floors, RequestError, Settings, to_json
from svae_core.training.loop import advance, begin
from svae_core.training.loop import certify as certify_state

DIGITS = Settings(dataset="digits", n_points=600, epochs=60, device="cpu")


@pytest.fixture(scope="module")
def pair():
    members = tuple(
        replace(DIGITS, method=method, held_out=0.2) for method in ("baseline", "spherical")
    )
    return certify_state(advance(begin(members)).state)


@pytest.fixture(scope="module")
def certified():
    wine = Settings(dataset="wine", clusters=3, epochs=20, held_out=0.2, device="cpu")
    return certify_state(advance(begin((wine,))).state)[0]


@pytest.mark.parametrize("loss, kl, told", [(0.5, 1.84, "certified"), (1.2, 1.84, "not certified")])
def test_a_kl_is_said_in_nats(loss: float, kl: float, told: str) -> None:
    losses = Losses(loss, loss, loss + 0.01, 64, False, False, np.zeros((9, 2)))
    given = Measurement(losses, 9, 1.0, "free", (kl,), math.nan, Floors(0.1, 0.2, 0.3))
    found, sentence = verdict(given)
    assert found == told and sentence.endswith("and the KL is 1.84 nats.")


@pytest.mark.slow
def test_one_collapses_and_one_is_certified(pair):
    baseline, spherical = pair
    assert baseline.verdict == "collapsed" and spherical.verdict == "certified"
    assert baseline.delta_definition == "free" and spherical.delta_definition == "shell"
    assert spherical.in_band
    for certificate in pair:
        assert_information_laws(certificate)


@pytest.mark.slow
def test_answers_of_a_wrong_shape_and_shells_inside_out_are_refused():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((60, 4))

    def noisy(x):
        return x + 0.1 * rng.standard_normal(x.shape)

    for shell in (1.2, 0.8), (1.0,), 1.0, ("1", "2"), (np.nan, 1.0):
        with pytest.raises(RequestError, match="two radii: the inner radius must be smaller"):
            certify(noisy, points, shell=shell)
    for wrong in {"draws": np.nan}, {"draws": 7}, {"draws": 9.5}, {"seed": -1}, {"seed": 0.5}:
        with pytest.raises(RequestError, match=f"^{next(iter(wrong))} is .* whole number"):
            certify(noisy, points, **wrong)
    for mean, log_variance in ((60, 2), (60, 3)), ((59, 2), (59, 2)), ((60,), (60,)):
        with pytest.raises(RequestError, match="The posterior gave shapes"):
            certify(
                noisy,
                points,
                posterior=lambda _, a=mean, b=log_variance: (np.zeros(a), np.zeros(b)),
            )


def test_a_share_that_keeps_out_no_point_is_refused():
    with pytest.raises(RequestError, match="both parts need at least two"):
        prepared_data(replace(DIGITS, held_out=0.001))


@pytest.mark.slow
def test_held_out_points_have_their_own_collapse_loss(pair):
    spherical = pair[1]
    held_out = spherical.held_out
    assert held_out.part == "held-out" and spherical.part == "training"
    assert held_out.n_points == 120 and spherical.n_points == 480
    assert held_out.delta != spherical.delta
    assert held_out.verdict == "certified"


@pytest.mark.slow
def test_the_cluster_certificate_is_a_floor_too(pair):
    baseline, spherical = pair
    assert baseline.cluster_floor == 0.0
    assert 0.1 < spherical.cluster_floor <= spherical.kl
    assert spherical.cluster_accuracy > 0.4


@pytest.mark.slow
def test_json_and_page_carry_the_numbers(certified):
    plain = json.loads(json.dumps(to_json(certified), allow_nan=False))
    assert plain["held_out"]["part"] == "held-out"
    page = certificate_page(certified)
    for text in (f"{certified.loss:.4f}", f"{certified.floors.proved:.4f}", "excludes"):
        assert text in page
    assert "numerical" in page and "<script" not in page


@pytest.mark.slow
def test_a_page_is_inert_whatever_the_names(certified):
    page = certificate_page(replace(certified, method="<script>alert(1)</script>"))
    assert "<script" not in page


@pytest.mark.slow
def test_a_collapsed_start_is_left_under_the_band_only():
    """Issue 3: with βσ² = 10 λ_max the spherical VAE leaves the collapsed solution."""
    from svae_core.problem import prepared_data

    few = replace(DIGITS, n_points=400, epochs=80, start="collapsed")
    sigma2 = 10 * prepared_data(few).lambda_max
    members = tuple(
        replace(few, method=method, sigma2=sigma2) for method in ("baseline", "spherical")
    )
    state = begin(members)
    for certificate in certify_state(state):
        assert certificate.verdict == "collapsed" and certificate.kl == 0.0
    baseline, spherical = certify_state(advance(state).state)
    assert baseline.verdict == "collapsed"
    assert spherical.verdict == "certified" and spherical.loss < spherical.hi
    assert_information_laws(spherical)


# ------------------------------------------------------------------- anyone's model


class PlainVAE(torch.nn.Module):
    """A small VAE in plain torch; σ² is set by scaling the data (the unit trap)."""

    def __init__(self, d: int, k: int) -> None:
        super().__init__()
        self.encoder = torch.nn.Linear(d, 2 * k)
        self.decoder = torch.nn.Linear(k, d)

    def posterior(self, x):
        return self.encoder(x).chunk(2, dim=1)

    def forward(self, x):
        mean, log_variance = self.posterior(x)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(z)


def trained_plain(points: np.ndarray) -> PlainVAE:
    torch.manual_seed(0)
    x = torch.from_numpy(points)
    model = PlainVAE(x.shape[1], 3)
    optimizer = torch.optim.Adam(model.parameters(), 2e-2)
    for _ in range(400):
        mean, log_variance = model.posterior(x)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        loss = (0.5 * ((model.decoder(z) - x) ** 2).sum(1) + kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def foreign(model, encode):
    """The two functions that `certify` asks for, around a torch model."""

    @torch.no_grad()
    def reconstruct(points):
        return model(torch.from_numpy(points)).numpy()

    @torch.no_grad()
    def posterior(points):
        mean, log_variance = encode(torch.from_numpy(points))
        return mean.numpy(), log_variance.numpy()

    return reconstruct, posterior


def wine(scale: float) -> np.ndarray:
    from sklearn.datasets import load_wine

    points = load_wine().data
    return (scale * (points - points.mean(0)) / points.std(0)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "verdict"), [(0.2, "collapsed"), (3.0, "certified")])
def test_a_plain_torch_module(scale, verdict):
    points = wine(scale)
    model = trained_plain(points)
    torch.manual_seed(1)
    reconstruct, posterior = foreign(model, model.posterior)
    found = certify(reconstruct, points, posterior=posterior, clusters=3, name="plain torch")
    assert found.verdict == verdict
    assert found.delta == pytest.approx(points.var(axis=0).sum(), rel=1e-4)
    assert_information_laws(found)
    blind = certify(reconstruct, points, clusters=3)
    assert blind.verdict == ("certified" if verdict == "certified" else "not certified")
    assert math.isnan(blind.kl) and blind.kl_per_dim == ()


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "verdict"), [(0.3, "collapsed"), (4.0, "certified")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_pythae_vae(scale, verdict):
    """A model of another library, trained by its own loss (whose σ² hides in the data's units)."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from sklearn.datasets import load_digits

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh())
            self.heads = torch.nn.Linear(32, 8)

        def forward(self, x):
            mean, log_variance = self.heads(self.body(x)).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Linear(4, 64)

        def forward(self, z):
            return ModelOutput(reconstruction=self.body(z))

    torch.manual_seed(0)
    points = (scale * load_digits().data / 16).astype(np.float32)
    x = torch.from_numpy(points)
    model = VAE(VAEConfig(input_dim=(64,), latent_dim=4), Encoder(), Decoder())
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(25):
        for rows in torch.randperm(len(x)).split(128):
            loss = model({"data": x[rows]}).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()

    @torch.no_grad()
    def reconstruct(points):
        return model({"data": torch.from_numpy(points)}).recon_x.numpy()

    @torch.no_grad()
    def posterior(points):
        found = model.encoder(torch.from_numpy(points))
        return found.embedding.numpy(), found.log_covariance.numpy()

    found = certify(reconstruct, points, posterior=posterior, name="pythae")
    assert found.verdict == verdict
    assert_information_laws(found)


# ------------------------------------------------------------------------- edge cases


def test_decoded_means_are_refused():
    """The trap of method.md §5: a mean's reconstruction says nothing about collapse."""
    points = wine(1.0)
    with pytest.raises(RequestError, match="posterior means"):
        certify(lambda x: x * 0.5, points)


def test_a_constant_answer_is_a_collapsed_model_not_an_error():
    points = wine(1.0)
    constant = np.broadcast_to(points.mean(axis=0), points.shape)
    found = certify(lambda x: constant, points)
    assert found.verdict == "not certified"
    assert found.loss == pytest.approx(found.delta, rel=1e-5)
    assert found.floors.tight == 0.0


@pytest.mark.slow
def test_wrong_answers_are_said_in_one_sentence():
    points = wine(1.0)
    rng = np.random.default_rng(0)
    with pytest.raises(RequestError, match="shape"):
        certify(lambda x: x[:, :2], points)
    with pytest.raises(RequestError, match="outside the shell"):
        certify(lambda x: 5 * rng.normal(size=x.shape), points, shell=(0.8, 1.2))
    with pytest.raises(RequestError, match="at least 8"):
        certify(lambda x: rng.normal(size=x.shape), points, draws=3)
    with pytest.raises(RequestError, match="row 2, column 1"):
        bad = points.copy()
        bad[1, 0] = np.inf
        certify(lambda x: x, bad)
    with pytest.raises(RequestError, match="point 1 is not a finite number in column 1"):
        certify(lambda x: x * np.nan, points)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_a_certificate_does_not_depend_on_where_the_data_lie(shift):
    points = (wine(1.0) + shift).astype(np.float32)
    rng = np.random.default_rng(0)
    noisy = certify(lambda x: x + rng.normal(size=x.shape), points, clusters=3)
    rng = np.random.default_rng(0)
    base = wine(1.0)
    plain = certify(lambda x: x + rng.normal(size=x.shape), base, clusters=3)
    assert noisy.delta == pytest.approx(plain.delta, rel=1e-4)
    assert noisy.floors.tight == pytest.approx(plain.floors.tight, rel=0.02, abs=0.01)


@pytest.mark.slow
def test_whole_numbers_are_certified_as_the_same_numbers_with_a_point():
    """A difference from the mean is no whole number; cut off, floors were higher than they are."""
    whole = np.random.default_rng(0).integers(0, 3, size=(60, 4))

    def ask(points):
        rng = np.random.default_rng(1)
        return certify(lambda x: x + rng.normal(0, 0.1, x.shape), points, clusters=3)

    for numbers in (whole, (whole > 1).astype(np.int8)):
        found = ask(numbers)
        assert found.floors == ask(numbers.astype(np.float64)).floors
        assert found.verdict == "certified" and found.floors.elementary > 0
