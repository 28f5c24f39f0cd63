#!/usr/bin/env bash
# infomeasure 0.6.3 on NumPy 2.4.6, SciPy 1.17.1 and numba 0.68.1, seen on 2026-12-01.
#
# What happens: the nearest-neighbour estimate of a cross-entropy sums the log distances of the points
# of the first sample, and divides by the number of points of the second. kld(p, q) is that less the
# entropy of p. Where the samples are of one size both are right. Where they are not, the mean
# log distance counts N/M times, and the answer is off by N/M - 1 times it, in either direction.
#
# One would guess: that more points of one distribution make the estimate better. No size is asked to
# be equal, nothing is said, and a divergence of -13 nats is returned as one of 4.8 is.
#
# Why it matters here: the aggregated posterior is compared with draws from the prior, and one draws
# many more of those than there are points. For a posterior that has collapsed onto the prior the
# answer should be 0. Ours has no such estimate; its KLs are in closed form (distributions/).
#
# Output seen:
#   2000 points of N(0, 1), 2000 of N(1, 2): KL 0.41 nats, true 0.44
#   2000 points of N(0, 1), 8000 of N(1, 2): KL 4.84 nats, true 0.44
#   8000 points of N(0, 1), 2000 of N(1, 2): KL -12.97 nats, true 0.44
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 scipy==1.17.1 numba==0.68.1 infomeasure==0.6.3

cat > "$place/look.py" <<'PY'
import math
import sys

import infomeasure
import numpy as np

random = np.random.default_rng(0)
true = math.log(2) + (1 + 1) / (2 * 4) - 1 / 2
errors = []
for few, many in ((2000, 2000), (2000, 8000), (8000, 2000)):
    p, q = random.normal(size=few), random.normal(1, 2, size=many)
    found = infomeasure.kld(p, q, approach="kl", k=4)
    errors.append(found - true)
    print(f"{few} points of N(0, 1), {many} of N(1, 2): KL {found:.2f} nats, true {true:.2f}")
sys.exit(not (abs(errors[0]) < 0.15 and errors[1] > 3 and errors[2] < -10))
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
