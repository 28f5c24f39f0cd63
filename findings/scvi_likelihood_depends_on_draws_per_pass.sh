#!/usr/bin/env bash
# scvi-tools 1.4.2 on PyTorch 2.13.0 and anndata 0.12.19, seen on 2026-12-01.
#
# What happens: get_marginal_ll(n_mc_samples, n_mc_samples_per_pass) draws whole passes: for 1,000
# draws of 999 a pass it draws 1,998. It sums the weights of all of them and divides by the 1,000 that
# were asked for. The log-likelihood of each cell is too high by the log of that ratio, up to log 2.
# Where one number divides the other it is right.
#
# One would guess: that the size of a pass, which the documentation says is for saving memory, changes
# the memory that is used, and the answer by no more than the noise of its draws.
#
# Why it matters here: models are compared by this number. One who makes the pass smaller for the
# larger model, because its memory was short, compares two estimators; here a model beats itself by
# 0.7 nats a cell. Ours averages over the draws that it made (studies/compute_scores.py).
#
# Output seen:
#   1000 draws, 500 a pass: -66.18 nats a cell
#   1000 draws, 999 a pass: -65.48 nats a cell
#   more by 0.70; log(1998 / 1000) = 0.69
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 scvi-tools==1.4.2 anndata==0.12.19 numpy==2.4.6

cat > "$place/look.py" <<'PY'
import logging
import math
import sys

import anndata
import numpy as np
import scvi

logging.disable(logging.CRITICAL)
scvi.settings.seed = 0
draw = np.random.default_rng(0)
rates = np.exp(draw.normal(size=(300, 2)) @ draw.normal(size=(2, 30)))
cells = anndata.AnnData(draw.poisson(rates).astype("float32"))
scvi.model.SCVI.setup_anndata(cells)
model = scvi.model.SCVI(cells, n_hidden=32, n_latent=3)
model.train(max_epochs=1, accelerator="cpu", enable_progress_bar=False, logger=False)
found = []
for per_pass in (500, 999):
    found.append(model.get_marginal_ll(n_mc_samples=1000, n_mc_samples_per_pass=per_pass))
    print(f"1000 draws, {per_pass} a pass: {found[-1]:.2f} nats a cell")
more = found[1] - found[0]
print(f"more by {more:.2f}; log(1998 / 1000) = {math.log(1.998):.2f}")
sys.exit(not abs(more - math.log(1.998)) < 0.1)
PY
"$place/venv/bin/python" -W ignore "$place/look.py"
