#!/usr/bin/env bash
# pythae 0.1.2 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: the latents that pythae's SVAE draws from a von Mises-Fisher posterior leave the mean
# direction once the concentration is large: on S^2 all of them lie at a right angle to it from 4,096
# on, on S^16 from about 40,000. Wood's b = (-2k + sqrt(4k^2 + (m-1)^2))/(m-1) is formed in
# float32 and rounds to 0, no proposal is ever accepted, and after 100 rounds the cosines, set to 0 at
# the beginning, are given back. The KL is computed from k alone and stays right.
#
# One would guess: that a sharper posterior is drawn more sharply, or that 100 rejections in a row are
# an error. b = (m-1)/(2k + sqrt(4k^2 + (m-1)^2)) is the same number and loses nothing.
#
# Why it matters here: a code that is trained towards little noise meets this edge from below. Its
# reconstruction then fails at once while its rate looks healthy. The sampler of our vMF method
# inverts the distribution of the angle and is right at a million (distributions/von_mises_fisher.py).
#
# Output seen:
#   S^2, concentration 2000: mean cosine 0.9995, expected 0.9995
#   S^2, concentration 4096: mean cosine 0.0000, expected 0.9998
#   S^16, concentration 20000: mean cosine 0.9995, expected 0.9996
#   S^16, concentration 40000: mean cosine 0.0000, expected 0.9998
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 torch==2.13.0 pythae==0.1.2

cat > "$place/look.py" <<'PY'
import sys

import torch
from pythae.models import SVAE, SVAEConfig

torch.manual_seed(0)
cosines = []
for sphere, concentration in ((2, 2e3), (2, 4096.0), (16, 2e4), (16, 4e4)):
    model = SVAE(SVAEConfig(input_dim=(3,), latent_dim=sphere + 1))
    direction = torch.nn.functional.normalize(torch.randn(1, sphere + 1)).repeat(1000, 1)
    z = model._sample_von_mises(direction, torch.full((1000, 1), concentration))
    cosines.append(float((z * direction).sum(dim=1).mean()))
    expected = 1 - sphere / (2 * concentration)  # to first order
    print(
        f"S^{sphere}, concentration {concentration:.0f}: mean cosine {abs(cosines[-1]):.4f}, "
        f"expected {expected:.4f}"
    )
near, beside = cosines[::2], cosines[1::2]
sys.exit(not (min(near) > 0.999 and max(map(abs, beside)) < 1e-3))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
