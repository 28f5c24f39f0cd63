"""A four-layer convolutional VAE that is none of ours, and its own training loop."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from svae_core.certificate.information_floors import covariance_spectrum
from svae_core.config.settings import Settings
from svae_core.datasets import load_dataset
from svae_core.integrations.pytorch import CollapseMonitor, FeasibleBand


class ConvVAE(nn.Module):
    """28 × 28 images: four convolutions down to 2 × 2, and four back; SiLU between them."""

    def __init__(self, c: int = 4, latent: int = 8) -> None:
        super().__init__()
        down = [(1, c, 3), (c, 2 * c, 3), (2 * c, 2 * c, 3), (2 * c, 2 * c, 3)]
        layers = [part for a, b, k in down for part in (nn.Conv2d(a, b, k, 2, 1), nn.SiLU())]
        self.encoder = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * c, 2 * latent))
        self.decoder = nn.Sequential(
            *(nn.Linear(latent, 8 * c), nn.SiLU(), nn.Unflatten(1, (2 * c, 2, 2))),
            *(nn.ConvTranspose2d(2 * c, 2 * c, 3, 2, 1, 1), nn.SiLU()),
            *(nn.ConvTranspose2d(2 * c, 2 * c, 3, 2, 1), nn.SiLU()),
            *(nn.ConvTranspose2d(2 * c, c, 4, 2, 1), nn.SiLU()),
            nn.ConvTranspose2d(c, 1, 4, 2, 1),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)


def images() -> tuple[Tensor, float]:
    """The 5,000 digits of mnist5k [n, 1, 28, 28], and σ² = 3 λ_max, at which a VAE collapses."""
    points = load_dataset(Settings(dataset="mnist5k")).points
    sigma2 = 3.0 * float(covariance_spectrum(points)[0])
    return torch.from_numpy(points).reshape(-1, 1, 28, 28), sigma2


def trained(
    x: Tensor, sigma2: float, steps: int, *, held: bool, autocast: bool, batch: int = 64
) -> ConvVAE:
    """Trained on D/(2σ²) + KL; `held`: with the band's penalty."""
    torch.manual_seed(0)
    model = ConvVAE()
    band = FeasibleBand.from_data(x, sigma2=sigma2, batch_size=batch) if held else None
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for rows in np.random.default_rng(0).integers(len(x), size=(steps, batch)):
        some = x[rows]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            mean, log_variance = model.encode(some)
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            answers = model.decode(z)
        mean, log_variance = mean.float(), log_variance.float()
        error = (answers.float() - some).square().flatten(1).sum(dim=1).mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        loss = error / (2 * sigma2) + kl
        if band is not None:
            loss = loss + band.penalty(error)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


def monitored(model: ConvVAE, x: Tensor, sigma2: float) -> CollapseMonitor:
    return CollapseMonitor(model.encode, model.decode, x, sigma2=sigma2)
