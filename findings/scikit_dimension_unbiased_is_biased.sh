#!/usr/bin/env bash
# scikit-dimension 0.5.0 on NumPy 2.4.6, SciPy 1.17.1 and scikit-learn 1.9.1, seen on 2026-12-01.
#
# What happens: MLE(unbiased=True), the intrinsic dimension of Levina and Bickel, is the biased one of
# the two. The option makes each point's estimate unbiased. By default (comb="mle") those are combined
# by their harmonic mean, which had been without bias from the uncorrected estimates and now is too low
# by exactly the factor (k-2)/(k-1): 5 % for the default of 20 neighbours, 25 % for 5.
#
# One would guess: that the option is worth setting, or that it does nothing where nothing is to do.
# It is right with comb="mean", which is an argument of fit, and without which it is wrong.
#
# Why it matters here: the dimension of the data is what the number of active units is held against.
# One who sees 1.5 dimensions where there are 2 calls a healthy second unit superfluous. We report the
# units themselves (certificate/diagnostics.py).
#
# Output seen (5000 points of a flat torus, which has 2 dimensions and no edge):
#   5 neighbours, comb mle: unbiased=False 2.01, unbiased=True 1.51, ratio 0.7500
#   5 neighbours, comb mean: unbiased=False 2.65, unbiased=True 1.99, ratio 0.7500
#   20 neighbours, comb mle: unbiased=False 2.01, unbiased=True 1.90, ratio 0.9474
#   20 neighbours, comb mean: unbiased=False 2.12, unbiased=True 2.01, ratio 0.9474
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 scikit-dimension==0.5.0

cat > "$place/look.py" <<'PY'
import sys

import numpy as np
from skdim.id import MLE

angles = np.random.default_rng(0).uniform(0, 2 * np.pi, (5000, 2))
torus = np.hstack([np.cos(angles), np.sin(angles)])
found = {}
for k in (5, 20):
    for comb in ("mle", "mean"):
        plain, said = (
            MLE(unbiased=option).fit(torus, n_neighbors=k, comb=comb).dimension_
            for option in (False, True)
        )
        found[k, comb] = plain, said
        print(
            f"{k} neighbours, comb {comb}: unbiased=False {plain:.2f}, unbiased=True {said:.2f}, "
            f"ratio {said / plain:.4f}"
        )
right = abs(found[5, "mle"][0] - 2) < 0.05 and abs(found[5, "mean"][1] - 2) < 0.05
sys.exit(not (right and abs(found[5, "mle"][1] - 1.5) < 0.05))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
