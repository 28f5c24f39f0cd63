#!/usr/bin/env bash
# geomstats 2.8.0 on NumPy 2.2.6 and SciPy 1.17.1, seen on 2026-12-01.
#
# What happens: Hypersphere(2).metric.normalization_factor(variances), "normalisation factor for all
# given variances" of the Gaussian exp(-distance^2 / (2 variance)), takes what it is given for
# precisions, 1/variance, and returns twice the integral. So the factor falls as the variance rises,
# and crosses the right one near 1.7.
#
# One would guess: that it is the integral of that density over the sphere: small for a narrow
# Gaussian, and near the whole area of 12.57 for a wide one. It is near twice the area for the narrow.
#
# Why it matters here: a latent sphere with Gaussian components is weighed by it. The narrower a
# cluster, the smaller the density that it is given: at variance 0.01 by the factor 396. Our
# normalisers are tested against integrals (distributions/).
#
# Output seen (the integral is by quadrature):
#   variance 0.01: factor 24.7681, integral 0.0626, twice the integral for precision 0.01 24.7681
#   variance 1: factor 9.1146, integral 4.5573, twice the integral for precision 1 9.1146
#   variance 100: factor 0.1252, integral 12.3841, twice the integral for precision 100 0.1252
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.2.6 scipy==1.17.1 geomstats==2.8.0

cat > "$place/look.py" <<'PY'
import math
import sys

import numpy as np
from geomstats.geometry.hypersphere import Hypersphere
from scipy.integrate import quad

def integral(precision):
    ring = lambda angle: math.exp(-precision * angle**2 / 2) * 2 * math.pi * math.sin(angle)
    return quad(ring, 0, math.pi, points=[0.5])[0]

metric, wrong = Hypersphere(2).metric, []
for variance in (0.01, 1, 100):
    found = float(metric.normalization_factor(np.array([float(variance)]))[0])
    true, twice = integral(1 / variance), 2 * integral(variance)
    print(
        f"variance {variance}: factor {found:.4f}, integral {true:.4f}, "
        f"twice the integral for precision {variance} {twice:.4f}"
    )
    wrong.append(abs(found / twice - 1) < 1e-3 and not 0.6 < found / true < 1.7)
sys.exit(not all(wrong))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
