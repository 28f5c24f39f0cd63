#!/usr/bin/env bash
# pythae 0.1.2 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: (1) MIWAE normalises its weights over the gradient estimates instead of the samples,
# so that the two numbers of its configuration change places: with one estimate of 100 samples it is
# the plain VAE, in value and gradient. (2) The loss that IWAE gives back is the mean of the log
# weights weighted by the weights, not the log of their mean. Its gradient is right, since the weights
# are detached, but its value is better by up to log K than the bound, and falls below -log p(x).
#
# One would guess: that MIWAE of one estimate is IWAE, and that no bound is better than the truth.
#
# Why it matters here: pythae's trainer keeps the epoch of the least loss. Where x = z + noise, a
# posterior twice too wide beats the exact one. Ours is the log of the mean (methods/iwae.py).
#
# Output seen (without the constant log 2 pi / 2 of the decoder, which pythae leaves out):
#   true -log p(x) 0.851; -log of the mean of 100 weights 0.853
#   loss of IWAE 0.490, of MIWAE with one estimate 1.849, of VAE 1.849
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 torch==2.13.0 pythae==0.1.2
cat > "$place/look.py" <<'PY'
import math
import sys

import torch
from pythae import models
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder

class Encoder(BaseEncoder):
    def forward(self, x):
        return ModelOutput(embedding=x / 2, log_covariance=torch.full_like(x, 2 * math.log(1.5)))

class Decoder(BaseDecoder):
    def forward(self, z):
        return ModelOutput(reconstruction=z)

def loss(kind, **options):
    config = getattr(models, f"{kind}Config")(input_dim=(1,), latent_dim=1, **options)
    return float(getattr(models, kind)(config, Encoder(), Decoder())({"data": x}).loss)

torch.manual_seed(0)
x = 2**0.5 * torch.randn(20_000, 1)
z = x / 2 + 1.5 * torch.randn(20_000, 100)
weights = ((z - x / 2) / 1.5) ** 2 / 2 + math.log(1.5) - (x - z) ** 2 / 2 - z**2 / 2
true, bound = (x**2).mean() / 4 + math.log(2) / 2, math.log(100) - weights.logsumexp(1).mean()
iwae, vae = loss("IWAE", number_samples=100), loss("VAE")
miwae = loss("MIWAE", number_gradient_estimates=1, number_samples=100)
print(f"true -log p(x) {true:.3f}; -log of the mean of 100 weights {bound:.3f}")
print(f"loss of IWAE {iwae:.3f}, of MIWAE with one estimate {miwae:.3f}, of VAE {vae:.3f}")
sys.exit(not (iwae < true - 0.2 and abs(bound - true) < 0.05 and abs(miwae - vae) < 0.1 < vae - 1))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
