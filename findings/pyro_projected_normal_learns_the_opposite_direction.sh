#!/usr/bin/env bash
# pyro-ppl 1.9.2 on PyTorch 2.13.0, seen on 2026-12-01.
#
# What happens: ProjectedNormal.log_prob floors the integral along the ray at the epsilon of the type,
# before it takes the log. In float32 that floor is reached once concentration · value is below -5.3.
# From there the density of a value that is far off no longer falls (the rows at 180 degrees), and the
# slope of that term is 0. What is left pulls the concentration onto the line of the value, at
# whichever end is nearer: gradient ascent makes the direction exactly opposite and stays there.
#
# One would guess: that the log density falls by half the squared concentration, as closed forms do,
# and that a maximum of the likelihood of one point is in the direction of that point.
#
# Why it matters here: an encoder that puts a point on the wrong side of the sphere is never told, and
# its loss looks settled. A concentration of 12 is nothing special: nine of ten draws lie within 11
# degrees. The densities of our spherical posteriors fall up to the other pole (distributions/).
#
# Output seen:
#   concentration 4 at 180 degrees: log density -14.53, true -14.53
#   concentration 12 at 180 degrees: log density -17.78, true -81.56
#   concentration 12, begun at 60 degrees: learnt 0 degrees
#   concentration 12, begun at 120 degrees: learnt 180 degrees
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 torch==2.13.0 pyro-ppl==1.9.2 mpmath==1.3.0
cat > "$place/look.py" <<'PY'
import sys

import torch
from mpmath import exp, inf, log, pi, quad
from pyro.distributions import ProjectedNormal

value, found = torch.tensor([1.0, 0.0, 0.0]), []
for size in (4, 12):
    ray = quad(lambda r: r**2 * exp(-((r + size) ** 2) / 2), [0, 1, inf])
    true = log(ray) - 3 * log(2 * pi) / 2
    found.append(float(ProjectedNormal(-size * value).log_prob(value)))
    print(f"concentration {size} at 180 degrees: log density {found[-1]:.2f}, true {float(true):.2f}")
for degrees in (60, 120):
    angle = torch.deg2rad(torch.tensor([degrees, 90.0 - degrees, 90.0]))
    concentration = (12 * angle.cos()).requires_grad_()
    sgd = torch.optim.SGD([concentration], 0.1)
    for _ in range(1000):
        sgd.zero_grad()
        (-ProjectedNormal(concentration).log_prob(value)).backward()
        sgd.step()
    found.append(float(torch.cosine_similarity(concentration, value, 0).acos().rad2deg()))
    print(f"concentration 12, begun at {degrees} degrees: learnt {found[-1]:.0f} degrees")
sys.exit(not (found[1] > true + 60 and found[2] < 1 and found[3] > 179))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
