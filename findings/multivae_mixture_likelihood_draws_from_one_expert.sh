#!/usr/bin/env bash
# multivae 1.0.3 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: compute_joint_nll of the mixture models draws its latents from one part of the mixture
# and weighs them as if they came from all of it. MMVAE chooses one modality a call, for all rows and
# draws; MoPoE one subset a row, by its place. No number of draws brings the estimate to the likelihood.
#
# One would guess: that two calls on the same rows agree, as they do for the library's other models,
# and that importance sampling errs towards the lower likelihood if at all.
#
# Why it matters here: the library's LikelihoodsEvaluator reports this, and models are ranked by it.
# One of known likelihood is better by 0.3 nats a row or worse by 0.6, as the call falls out.
#
# Output seen (nats a row; a is z plus noise of 0.25, b is z plus noise of 1, encoders exact):
#   true 2.635
#   MVTCAE 2.634 2.633 2.636 2.634
#   MMVAE 2.293 3.200 3.206 2.292
#   MoPoE 2.718 2.719 2.716 2.718
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 torch==2.13.0 multivae==1.0.3
cat > "$place/look.py" <<'PY'
from unittest.mock import MagicMock
import sys
names = ("", ".datasets", ".datasets.utils", ".transforms", ".utils")  # pictures: not needed
sys.modules.update({f"torchvision{name}": MagicMock() for name in names})
import numpy as np
import torch
from multivae import data, models
from pythae.models.base.base_utils import ModelOutput as Out
from pythae.models.nn import BaseDecoder, BaseEncoder

def part(kind, forward):
    (made := kind()).__dict__.update(latent_dim=1, forward=forward)
    return made

np.random.seed(0)
z, found = torch.randn(30, 1, generator=torch.manual_seed(0)), []
a, b = z + torch.randn_like(z) / 4, z + torch.randn_like(z)
law = torch.distributions.MultivariateNormal(torch.zeros(2), torch.tensor([[17 / 16, 1], [1, 2]]))
print(f"true {(true := -law.log_prob(torch.cat([a, b], 1)).mean().item()):.3f}")
encoders = {"a": part(BaseEncoder, lambda x: Out(embedding=16 * x / 17, log_covariance=0 * x - 2.8332)),
            "b": part(BaseEncoder, lambda x: Out(embedding=x / 2, log_covariance=0 * x - 0.6931))}
options = {"input_dims": {"a": (1,), "b": (1,)}, "decoder_dist_params": {"a": {"scale": 0.25}}}
for name, more in ("MVTCAE", {}), ("MMVAE", {"prior_and_posterior_dist": "normal"}), ("MoPoE", {}):
    decoders = {m: part(BaseDecoder, lambda z: Out(reconstruction=z)) for m in encoders}
    config = getattr(models, f"{name}Config")(n_modalities=2, latent_dim=1, **options, **more)
    model, x = getattr(models, name)(config, encoders, decoders), data.MultimodalBaseDataset(dict(a=a, b=b))
    found.append([model.compute_joint_nll(x, 3000, 3000).item() / 30 for _ in range(4)])
    print(name, *(f"{nll:.3f}" for nll in found[-1]))
bad = min(found[1]) < true - 0.2 and max(found[1]) > true + 0.3 and min(found[2]) > true + 0.05
sys.exit(not (bad and max(abs(nll - true) for nll in found[0]) < 0.02))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
