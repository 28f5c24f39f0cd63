#!/usr/bin/env bash
# safetensors 0.8.0 and ml_dtypes 0.5.4 on NumPy 2.4.6, seen on 2026-11-29.
#
# What happens: the NumPy face of safetensors lists a bfloat16 array with its shape and its type BF16,
# but whether it can be read depends on what else the process has imported. Without ml_dtypes every
# way of reading raises TypeError ("data type 'bfloat16' not understood"); once any package, such as
# JAX, has imported ml_dtypes, the same calls on the same file return the numbers. safetensors does not
# require ml_dtypes, and nothing in the error names it.
#
# One would guess: that the file reads everywhere, as raw 16-bit integers or as float32, or that the
# refusal names what is missing; not that an import elsewhere in the program decides.
#
# Why it matters here: files of embeddings are often bfloat16, and a reader tested beside JAX works
# there and fails at users' machines. We read those bytes ourselves.
#
# Output seen:
#   BF16 without: TypeError: data type 'bfloat16' not understood
#   BF16 with: [1.0, 2.0]
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 safetensors==0.8.0 ml_dtypes==0.5.4

cat > "$place/look.py" <<'PY'
import json
import struct
import sys

import numpy as np
from safetensors import safe_open

path, with_ml_dtypes = sys.argv[1], sys.argv[2] == "with"
numbers = np.array([0x3F80, 0x4000], "<u2").tobytes()  # 1 and 2 in bfloat16
header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header + numbers)
if with_ml_dtypes:
    import ml_dtypes  # noqa: F401
with safe_open(path, framework="np") as file:
    kind = file.get_slice("x").get_dtype()
    try:
        found = file.get_tensor("x").astype(float).tolist()
    except TypeError as error:
        found = f"TypeError: {error}"
print(kind, f"{sys.argv[2]}:", found)
PY
without=$("$place/venv/bin/python" "$place/look.py" "$place/a.safetensors" without)
with=$("$place/venv/bin/python" "$place/look.py" "$place/a.safetensors" with)
printf '%s\n%s\n' "$without" "$with"
[ "$without" = "BF16 without: TypeError: data type 'bfloat16' not understood" ]
[ "$with" = "BF16 with: [1.0, 2.0]" ]
