#!/usr/bin/env bash
# scikit-learn 1.9.1 on NumPy 2.4.6 and SciPy 1.17.1, seen on 2026-12-01.
#
# What happens: PCA() of the same float32 columns is right with 49 rows and wrong with 50, where the
# columns lie far from 0 (here 1e4 with a spread of 1 to 5; in float64 it takes 1e8). From ten times
# as many rows as columns on, the default solver is covariance_eigh, which forms X'X of the raw
# columns and takes n mean mean' away afterwards: two numbers of 5e9 are to leave one of 1,000.
# Eigenvalues below 0 are set to 0, so nothing looks odd, and nothing is said.
#
# One would guess: that more rows make a PCA better, and that it centres first: the documentation
# says "on centered data", and warns of a wide range of singular values, which these have not.
#
# Why it matters here: the largest eigenvalue is the threshold of collapse. Map coordinates and Julian
# dates that are kept in float32 have such offsets, and one who takes their eigenvalue from here gets
# more than three times as much. We centre in float64 before we multiply.
#
# Output seen (the wrong digits depend on the machine's sums):
#   49 rows: largest 20.49, true 20.49; smallest 1.30, true 1.30
#   50 rows: largest 69.65, true 20.07; smallest 0.00, true 1.31
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1

cat > "$place/look.py" <<'PY'
import sys

import numpy as np
from sklearn.decomposition import PCA

points = np.random.default_rng(0).normal(size=(50, 5)) * [5, 4, 3, 2, 1] + 1e4
points = points.astype(np.float32)
wrong = []
for rows in (49, 50):
    found = PCA().fit(points[:rows]).explained_variance_
    some = points[:rows].astype(float)
    true = np.linalg.svd(some - some.mean(axis=0), compute_uv=False) ** 2 / (rows - 1)
    print(
        f"{rows} rows: largest {found[0]:.2f}, true {true[0]:.2f}; "
        f"smallest {found[-1]:.2f}, true {true[-1]:.2f}"
    )
    wrong.append(float(np.abs(found - true).max()))
sys.exit(not (wrong[0] < 1e-3 and wrong[1] > 0.5))
PY
"$place/venv/bin/python" "$place/look.py"
