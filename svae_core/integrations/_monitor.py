"""The collapse monitor of `pytorch`: live readings of a model in training, and its certificate."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from svae_core.certificate.arrays import check_finite, check_varied, numbers
from svae_core.certificate.certify import certify, check_request
from svae_core.certificate.diagnostics import active_units, live_sentence, variance_of_means
from svae_core.certificate.information_floors import covariance_spectrum
from svae_core.distributions.gaussian import Gaussian, array
from svae_core.geometry.kmeans import total_variance
from svae_core.geometry.region import collapse_losses
from svae_core.geometry.row_blocks import center_of
from svae_core.integrations._untouched import models_behind, untouched
from svae_core.nets.networks import stream
from svae_core.records import Certificate, RequestError

_log = logging.getLogger(__name__)
_BLOCK = 4_096  # points that pass through a model at once
_ANOTHER = 1e-4  # answers this share of δ apart, in mean square, are not rounding
_VIEWED = 2_000  # points of a live reading, at most

#: Points [n, …] -> (means, log-variances), each [n, k].
Encode = Callable[[Tensor], Any]
#: Latents [n, k] -> reconstructions [n, …] of the points' shape.
Decode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Reading:
    """One draw at one moment of training: a live measurement, which certifies nothing."""

    step: int
    loss: float  # squared error, summed over coordinates
    delta: float  # of the points that the loss is of
    kl: float  # nats
    kl_per_dim: tuple[float, ...]
    active_units: int
    gauge: float  # βσ²/λ_max: above 1 total collapse is a stable state
    sentence: str
    live: bool = True


@dataclass(frozen=True, eq=False)
class Look:
    """What a reading was taken from: the viewed points, one by one."""

    reading: Reading
    mean: np.ndarray  # [v, k] of the posteriors
    variance: np.ndarray  # [v, k]
    answers: np.ndarray  # [v, d] float32, decoded from one draw each


@final
class CollapseMonitor:
    """Watches a model with a Gaussian posterior on its data, from outside its training loop.

    `encode` gives means and log-variances [n, k] of points [n, …], `decode` the reconstructions of
    latents [n, k]; both get tensors on the model's device, in the type of its weights. `X`: the
    points [n, …] as the model is to reconstruct them, any array or tensor. `beta`, `sigma2`: of
    the loss error/(2σ²) + β·KL, for the gauge. `shell=(r_min, r_max)`: outputs keep to those norms.
    `clusters`: K of the cluster certificate. `seed`: of all latents drawn here.
    `models`: the modules behind encode and decode, where these do not lead to them by themselves
    (they do if they are modules, methods of one, or functions that refer to one).

    Measured is the model in evaluation mode, without gradients. Its mode, its gradients, and the
    random states of torch, NumPy and Python are afterwards as they were.
    """

    def __init__(
        self,
        encode: Encode,
        decode: Decode,
        X: Any,
        *,
        beta: float = 1.0,
        sigma2: float = 1.0,
        shell: tuple[float, float] | None = None,
        clusters: int = 10,
        seed: int = 0,
        models: tuple[nn.Module, ...] = (),
    ) -> None:
        self._encode, self._decode = encode, decode
        #: The modules behind encode and decode.
        self.models = models or models_behind(encode, decode)
        #: Of a point as the model takes it.
        self.shape = numbers(X, "X").shape[1:]
        self._points = points_of(X)
        check_varied(self._points, "X")
        _check_request(beta, sigma2, shell, clusters, seed)
        self.shell, self.clusters, self._seed = shell, clusters, seed
        #: Points in X.
        self.count = n = len(self._points)
        rows = np.random.default_rng([seed, 17]).choice(n, min(n, _VIEWED), replace=False)
        #: The points [v, d] of live readings, and their rows in X.
        self.viewed_rows = np.sort(rows)
        self.viewed = np.ascontiguousarray(self._points[self.viewed_rows], np.float32)
        self._noise = torch.empty(0)
        self.delta = self._collapse_loss(self._points)
        # Loss and δ are of the same points: of many, some far out may not be among those viewed.
        self._viewed_delta = self._collapse_loss(self.viewed)
        self._listeners: list[Callable[[Look | Certificate], object]] = []
        self.beta, self.sigma2 = beta, sigma2
        #: Eigenvalues [d] of the covariance of the points, decreasing.
        self.eigenvalues = covariance_spectrum(self._points)
        self._gauge = beta * sigma2 / float(self.eigenvalues[0])
        #: Readings taken so far.
        self.steps = 0
        #: What the last certificate cost, in words.
        self.cost = ""

    def step(self, at: int | None = None) -> Reading:
        """One draw on at most 2,000 points; `at`: the step's number (default: readings so far).

        RequestError where encode or decode answer in other shapes than are asked for.
        """
        with untouched(self.models):
            points = self._tensor(self.viewed)
            posterior = self._posterior(points)
            decoded = self._answers_elsewhere(posterior.draw(self._noise_like(posterior.mean)))
            gaps = decoded - points.flatten(1)
            losses = array((gaps * gaps).sum(dim=1).double())
            kl = array(posterior.kl().mean(dim=0, dtype=torch.float64))
            means, variances = array(posterior.mean), array(posterior.variance)
            answers = array(decoded.float())
        at = self.steps if at is None else at
        self.steps += 1
        definition = "shell" if self.shell else "free"
        reading = Reading(
            step=at,
            loss=float(losses.mean()),
            delta=self._viewed_delta,
            kl=float(kl.sum()),
            kl_per_dim=tuple(kl.tolist()),
            active_units=int(active_units(variance_of_means(means)).sum()),
            gauge=self._gauge,
            sentence=live_sentence(losses, self._viewed_delta, definition, float(kl.sum())),
        )
        self._tell(Look(reading, means, variances, answers))
        return reading

    def encode(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-variances [n, k] of points [n, d] by the model as it is now."""
        with untouched(self.models):
            posterior = self._posterior(self._tensor(np.asarray(points, np.float32)))
            return array(posterior.mean), array(posterior.log_variance)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Answers [n, d] float32 to latents [n, k] by the model as it is now."""
        with untouched(self.models):
            like = next((w for m in self.models for w in m.parameters()), torch.empty(0))
            return array(self._answers(torch.from_numpy(np.asarray(z)).to(like)).float())

    def view_noise(self, latent_dim: int) -> np.ndarray:
        """The noise [v, k] of every reading."""
        return array(self._noise_like(torch.empty(len(self.viewed), latent_dim)))

    def listen(self, listener: Callable[[Look | Certificate], object]) -> None:
        """Call `listener` with what each reading was taken from, and with each certificate."""
        self._listeners.append(listener)

    def _tell(self, news: Look | Certificate) -> None:
        for listener in self._listeners:
            listener(news)

    def certify(self, draws: int | None = None) -> Certificate:
        """The certificate of the model as it is now, on all points; see `svae_core.certify`.

        What it cost is logged, and kept in `cost`.
        """
        began = time.perf_counter()
        generator = stream(self._seed, 0, "certify")

        def reconstruct(points: np.ndarray) -> np.ndarray:
            blocks = []
            for block in _blocks(points):  # in an order permuted anew, so of all classes
                posterior = self._posterior(self._tensor(block))
                noise = torch.randn(posterior.mean.shape, generator=generator, device="cpu")
                z = posterior.draw(noise.to(posterior.mean))
                blocks.append(array(self._answers_elsewhere(z)))
            return np.concatenate(blocks)

        def posterior(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            blocks = [self._posterior(self._tensor(block)) for block in _blocks(points)]
            means = np.concatenate([array(block.mean) for block in blocks])
            return means, np.concatenate([array(block.log_variance) for block in blocks])

        with untouched(self.models):
            self._check_decoder()
            found = certify(
                reconstruct,
                self._points,
                posterior=posterior,
                shell=self.shell,
                clusters=self.clusters,
                draws=draws,
                seed=self._seed,
            )
        self.cost = (
            f"{found.draws} draws of {found.n_points:,} points, their floors and their information "
            f"took {time.perf_counter() - began:.1f} s."
        )
        _log.info("%s %s", found.sentence, self.cost)
        certificate = dataclasses.replace(found, gauge=self._gauge)
        self._tell(certificate)
        return certificate

    def _collapse_loss(self, points: np.ndarray) -> float:
        center = center_of(points)
        total = total_variance(points, center)
        low, high = self.shell or (0.0, np.inf)
        mean_norm = float(np.linalg.norm(center))
        return collapse_losses(0.0, total, mean_norm, low, high)["shell"]

    def _tensor(self, points: np.ndarray) -> Tensor:
        """Points [n, d] as the model takes them: [n, …], on its device, in its type."""
        like = next((w for m in self.models for w in m.parameters()), torch.empty(0))
        return torch.from_numpy(points).to(like).reshape(-1, *self.shape)

    def _posterior(self, points: Tensor) -> Gaussian:
        answer = self._encode(points)
        pair = isinstance(answer, tuple | list) and len(answer) == 2
        parts: Any = answer if pair else (None, None)
        mean, log_variance = parts
        for part in (mean, log_variance):
            if not isinstance(part, Tensor) or part.ndim != 2 or len(part) != len(points):
                raise RequestError(
                    "encode must give two tensors, means and log-variances, each (points, latent "
                    f"dimensions), for {len(points)} points; it gave {_described(answer)}."
                )
        return Gaussian(at_least_float32(mean), at_least_float32(log_variance))

    def _answers(self, z: Tensor) -> Tensor:
        like = next((w for m in self.models for w in m.parameters()), z)
        answers = self._decode(z.to(like.dtype))
        if not isinstance(answers, Tensor) or answers.numel() != len(z) * self._points.shape[1]:
            raise RequestError(
                f"decode must give one tensor with {self._points.shape[1]} numbers for each of "
                f"{len(z)} latents; it gave {_described(answers)}."
            )
        return at_least_float32(answers).reshape(len(z), -1)

    def _answers_elsewhere(self, z: Tensor) -> Tensor:
        """The answers to latents [n, k], each decoded in the place of another row.

        A decoder that keeps what encode saw (skip connections, labels) meets another point's, and
        gains nothing by it; to one that takes z alone the order is nothing.
        """
        order = self._cycle(len(z))
        return self._answers(z[order])[np.argsort(order)]

    def _cycle(self, n: int) -> np.ndarray:
        """A random order [n] in which no row keeps its place, the same one at every call."""
        shuffled = np.random.default_rng([self._seed, 23]).permutation(n)
        order = np.empty_like(shuffled)
        order[shuffled] = np.roll(shuffled, 1)
        return order

    def _check_decoder(self) -> None:
        """Refuse a decoder that answers otherwise once latents are not in their points' order.

        A decoder with noise of its own differs from itself as well, and is not meant.
        """
        posterior = self._posterior(self._tensor(self.viewed))
        z = posterior.draw(self._noise_like(posterior.mean))
        first, again, elsewhere = self._answers(z), self._answers(z), self._answers_elsewhere(z)
        noise = float((first - again).square().sum(dim=1).double().mean())
        moved = float((first - elsewhere).square().sum(dim=1).double().mean())
        if moved > 4 * noise + _ANOTHER * self.delta:
            raise RequestError(
                "decode answers otherwise when latents come in another order than their points, "
                "so it sees more than z: something that encode left behind, such as skip "
                "connections or labels, or rows in a fixed order; let decode take z alone, and "
                "certify a conditional model on the points of one condition at a time."
            )

    def _noise_like(self, mean: Tensor) -> Tensor:
        """The same noise for every reading, so that readings differ by the model alone."""
        if self._noise.shape != mean.shape:
            generator = stream(self._seed, 0, "view")
            self._noise = torch.randn(mean.shape, generator=generator, device="cpu")
        return self._noise.to(mean)


def _check_request(
    beta: float, sigma2: float, shell: tuple[float, float] | None, clusters: int, seed: int
) -> None:
    """Refuse at once what a certificate, or a gauge, would be wrong by at the end of training."""
    for name, value, good in ("beta", beta, beta >= 0), ("sigma2", sigma2, sigma2 > 0):
        if not good or not math.isfinite(value):
            raise RequestError(
                f"{name} is {value!r}, but must be that of the loss error/(2·sigma2) + beta·KL: a "
                "finite number, sigma2 above 0 and beta not below it."
            )
    check_request(None, shell, clusters, seed)


def _blocks(points: np.ndarray) -> list[np.ndarray]:
    """Points [n, d] in equal parts of at most _BLOCK, none of them a single row."""
    return np.array_split(points, -(-len(points) // _BLOCK))


def points_of(X: Any) -> np.ndarray:
    """The rows of X as points [n, d], a copy; RequestError where they are no finite numbers."""
    points = numbers(X, "X")
    if points.ndim < 2 or len(points) < 2:
        raise RequestError(f"X has shape {points.shape}, but must hold at least two points.")
    points = points.reshape(len(points), -1)
    check_finite(points, "X")
    return points


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision as float32; the squares of many coordinates need it."""
    return values if values.dtype == torch.float64 else values.float()


def _described(answer: Any) -> str:
    if isinstance(answer, Tensor):
        return f"one tensor of shape {tuple(answer.shape)}"
    if isinstance(answer, tuple | list):
        return f"{len(answer)} values: {', '.join(map(_described, answer)) or 'none'}"
    return f"a {type(answer).__name__}"
