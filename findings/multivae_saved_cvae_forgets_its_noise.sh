#!/usr/bin/env bash
# multivae 1.0.3 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: the noise of a decoder is a parameter of the configuration, and building a model pops
# it from there. (1) A CVAE's configuration has none afterwards, and is what is saved: the model that
# is loaded has noise 1. (2) The other models pop it from a copy, but a dictionary that two modalities
# share is shared in the copy too: the first to be built takes it, and the second has noise 1.
#
# One would guess: that what is loaded is what was saved, and that equal settings act equally.
#
# Why it matters here: the noise is the threshold of collapse. Trained at 0.1, measured or trained
# further at 1, the KL weighs a hundred times more against the reconstruction, and codes that were in
# use collapse. Nothing is said. Our settings are frozen (config/), and kept with each run.
#
# Output seen (log density of a point at its own reconstruction, 1.384 for noise 0.1):
#   CVAE: built 1.384, saved and loaded -0.919
#   MVTCAE, one dictionary for both modalities: 1.384 and -0.919
#   MVTCAE, one dictionary each: 1.384 and 1.384
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
from multivae.models import CVAE, MVTCAE, AutoModel, CVAEConfig, MVTCAEConfig

def density(function):
    return round(float(function(torch.zeros(1), torch.zeros(1))), 3)

sizes, noise = {"latent_dim": 2, "input_dims": {"a": (3,), "b": (3,)}}, {"scale": 0.1}
roles = {"main_modality": "a", "conditioning_modalities": ["b"]}
built = CVAE(CVAEConfig(decoder_dist_params=dict(noise), **roles, **sizes))
built.save(sys.argv[1])
loaded = AutoModel.load_from_folder(sys.argv[1])
found = [density(one.recon_log_prob) for one in (built, loaded)]
print(f"CVAE: built {found[0]}, saved and loaded {found[1]}")
for what, params in (
    ("one dictionary for both modalities", {"a": noise, "b": noise}),
    ("one dictionary each", {"a": dict(noise), "b": dict(noise)}),
):
    model = MVTCAE(MVTCAEConfig(n_modalities=2, decoder_dist_params=params, **sizes))
    found += [density(model.recon_log_probs[name]) for name in "ab"]
    print(f"MVTCAE, {what}: {found[-2]} and {found[-1]}")
sys.exit(found != [1.384, -0.919, 1.384, -0.919, 1.384, 1.384])
PY
"$place/venv/bin/python" -W ignore "$place/look.py" "$place/model"
