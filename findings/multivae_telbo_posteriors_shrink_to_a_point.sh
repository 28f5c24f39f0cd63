#!/usr/bin/env bash
# multivae 1.0.3 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: after its warm-up, multivae's TELBO trains one encoder per modality. The KL of each
# takes mean and variance from that encoder, but the log of the variance from the joint encoder, which
# is frozen by then. So nothing holds the variance up: reconstruction and KL both pull it to 0.
#
# One would guess: that where z ~ N(0, 1) and a modality is z plus noise of variance 1, its encoder
# ends at the posterior, N(x/2, 1/2), for which the ELBO is exact.
#
# Why it matters here: a posterior without width looks like the opposite of a collapse and is none;
# the loss improves all the while. Ours takes both from one encoder (distributions/gaussian.py).
#
# Output seen:
#   500 steps: mean 0.50 x (exact 0.50 x), variance 0.0080 (exact 0.5000)
#   2000 steps: mean 0.50 x (exact 0.50 x), variance 0.0008 (exact 0.5000)
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 torch==2.13.0 multivae==1.0.3
cat > "$place/look.py" <<'PY'
import sys
from unittest.mock import MagicMock
names = ("", ".datasets", ".datasets.utils", ".transforms", ".utils")  # pictures: not needed
sys.modules.update({f"torchvision{name}": MagicMock() for name in names})
import torch
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import TELBO, TELBOConfig
from multivae.models.nn.default_architectures import BaseJointEncoder as Joint
from pythae.models.base.base_utils import ModelOutput as Out
from pythae.models.nn import BaseDecoder, BaseEncoder

def part(kind, forward):
    (made := kind()).__dict__.update(latent_dim=1, forward=forward)
    return made

torch.manual_seed(0)
z, a, b = torch.randn(3, 1000, 1)
one = torch.zeros(2, requires_grad=True)
singly = part(BaseEncoder, lambda x: Out(embedding=one[0] * x, log_covariance=one[1] + 0 * x))
jointly = part(Joint, lambda x: Out(embedding=(x["a"] + x["b"]) / 3, log_covariance=0 * z - 1.0986))
decoder = part(BaseDecoder, lambda z: Out(reconstruction=z))
config = TELBOConfig(n_modalities=2, latent_dim=1, input_dims={"a": (1,), "b": (1,)}, warmup=1)
model = TELBO(config, {"a": singly, "b": singly}, {"a": decoder, "b": decoder}, jointly)
adam = torch.optim.Adam([one], 0.05)
for step in range(1, 2001):
    adam.zero_grad()
    model(MultimodalBaseDataset({"a": z + a, "b": z + b}), epoch=2).loss.backward()
    adam.step()
    if step in (500, 2000):
        slope, variance = one[0].item(), one[1].exp().item()
        print(f"{step} steps: mean {slope:.2f} x (exact 0.50 x), variance {variance:.4f} (exact 0.5000)")
sys.exit(not (abs(slope - 0.5) < 0.05 and variance < 0.01))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
