#!/usr/bin/env bash
# multivae 1.0.3 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: (1) MMVAEPlus.compute_joint_nll finds the number of rows by popping the last modality
# off the data. It scores what is left, and still divides the mixture by the number of all. Of two,
# the answer is that of the first alone less log 2, and the caller's data have lost the second.
# (2) DMVAE's sets the log prior and log posterior to 0 once, and adds to them at every row and pass.
#
# One would guess: that a joint likelihood is of all modalities, and a row's score of no other row.
#
# Why it matters here: models are compared by this number. Of two that are alike in every part,
# MMVAEPlus is better by 2.3 nats a row, and DMVAE worse by 38 in its default passes of 100 draws.
#
# Output seen (nats a row; both modalities are z plus noise of variance 1, private latents unused):
#   20 rows: true 3.241, of the first modality less log 2 0.959
#   MMVAEPlus: 0.959 in one pass, 0.959 in ten, afterwards a
#   DMVAE: 5.839 in one pass, 41.402 in ten, afterwards a b
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
from multivae import data, models
from pythae.models.base.base_utils import ModelOutput as Out
from pythae.models.nn import BaseDecoder, BaseEncoder

def part(kind, size, forward):
    (made := kind()).__dict__.update(latent_dim=size, style_dim=1, forward=forward)
    return made
def encode(x, names=("log_covariance", "style_embedding", "style_log_covariance")):
    return Out(embedding=x / 2, **{one: 0 * x - 0.6931 * (one == names[0]) for one in names})

z, found = torch.randn(20, 1, generator=torch.manual_seed(0)), []
x = {"a": z + torch.randn_like(z), "b": z + torch.randn_like(z)}
law = torch.distributions.MultivariateNormal(torch.zeros(2), torch.ones(2, 2) + torch.eye(2))
true = -law.log_prob(torch.cat([x["a"], x["b"]], 1)).mean().item()
half = -torch.distributions.Normal(0, 2**0.5).log_prob(x["a"]).mean().item() - 0.6931
print(f"20 rows: true {true:.3f}, of the first modality less log 2 {half:.3f}")
for name, private in ("MMVAEPlus", 1), ("DMVAE", {"a": 1, "b": 1}):
    more = {"prior_and_posterior_dist": "normal"} if name == "MMVAEPlus" else {}
    more |= {"n_modalities": 2, "latent_dim": 1, "input_dims": {"a": (1,), "b": (1,)}}
    config = getattr(models, f"{name}Config")(modalities_specific_dim=private, **more)
    decoders = {m: part(BaseDecoder, 2, lambda z: Out(reconstruction=z[..., :1])) for m in x}
    model = getattr(models, name)(config, {m: part(BaseEncoder, 1, encode) for m in x}, decoders)
    rows = [data.MultimodalBaseDataset(dict(x)) for _ in range(2)]
    found += [model.compute_joint_nll(rows[i], 1000, n).item() / 20 for i, n in enumerate((1000, 100))]
    print(f"{name}: {found[-2]:.3f} in one pass, {found[-1]:.3f} in ten, afterwards", *rows[0].data)
sys.exit(not (abs(found[0] - half) < 0.05 and found[2] > true + 0.5 and found[3] > true + 10))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
