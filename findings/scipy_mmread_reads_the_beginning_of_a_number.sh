#!/usr/bin/env bash
# SciPy 1.17.1 on NumPy 2.4.6, seen on 2026-12-01.
#
# What happens: scipy.io.mmread takes of each number as much as it understands and skips the rest of
# the line. Under a header that says integer, 1e+05 is read as 1 and 2.75 as 2; under one that says
# real, 0,5 is read as 0. The reader that SciPy had before 1.12, still there as scipy.io._mmio,
# raises ValueError for each of the three, and so does float() or int().
#
# One would guess: that a line with anything left over is an error, as a cut-off file is, or that the
# word integer chooses a type and does not change values.
#
# Why it matters here: counts are passed on as Matrix Market. Once they are shared among genes or
# corrected they have decimals, and R writes 100000 as 1e+05, while the header still says integer.
# The largest count becomes the smallest. Our reader read them so; it now reads every matrix as real
# and refuses text that is no number (own_data/formats/matrix_market.py).
#
# Output seen:
#   integer 1e+05: 1 here, ValueError before
#   integer 2.75: 2 here, ValueError before
#   real 0,5: 0.0 here, ValueError before
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1

cat > "$place/look.py" <<'PY'
import io

from scipy.io import _mmio, mmread


def read(reader, content):
    try:
        return reader(io.BytesIO(content)).toarray()[1, 0].item()
    except ValueError as error:
        return type(error).__name__


for kind, number in (("integer", "1e+05"), ("integer", "2.75"), ("real", "0,5")):
    content = f"%%MatrixMarket matrix coordinate {kind} general\n2 2 2\n1 1 7\n2 1 {number}\n"
    here, before = (read(reader, content.encode()) for reader in (mmread, _mmio.mmread))
    print(f"{kind} {number}: {here} here, {before} before")
PY
said=$("$place/venv/bin/python" "$place/look.py")
printf '%s\n' "$said"
[ "$said" = "integer 1e+05: 1 here, ValueError before
integer 2.75: 2 here, ValueError before
real 0,5: 0.0 here, ValueError before" ]
