#!/usr/bin/env bash
# pyarrow 26.0.1, seen on 2026-11-29.
#
# What happens: a Feather (Arrow IPC) file whose text column holds a negative offset opens without an
# error, batch.validate() finds nothing, and to_pylist() then raises SystemError ("Negative size passed
# to PyUnicode_New"), an error of the interpreter itself. Only batch.validate(full=True) sees it.
#
# One would guess: that reading such a file, or validate(), raises ArrowInvalid as other damage does.
#
# Why it matters here: files of strangers are read. A handler of ArrowException does not catch
# SystemError, and with other offsets bytes beyond the buffer would be read. Our reader of Feather
# validates each batch in full; Parquet writes no offsets and is decoded with checks.
#
# Output seen:
#   validate: None
#   to_pylist: SystemError: Negative size passed to PyUnicode_New
#   validate(full=True): ArrowInvalid
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 pyarrow==26.0.1

cat > "$place/look.py" <<'PY'
import struct
import sys

import pyarrow as pa
from pyarrow import feather, ipc

path = sys.argv[1]
feather.write_feather(pa.table({"name": ["ab", "cd", "ef"]}), path, compression="uncompressed")
with open(path, "rb") as file:
    content = bytearray(file.read())
at = bytes(content).index(struct.pack("<4i", 0, 2, 4, 6))
content[at + 4 : at + 8] = struct.pack("<i", -2)
with open(path, "wb") as file:
    file.write(content)
with ipc.open_file(path) as file:
    batch = file.get_batch(0)
    print("validate:", batch.validate())
    try:
        print("to_pylist:", batch.column(0).to_pylist())
    except SystemError as error:
        print(f"to_pylist: SystemError: {error}")
    try:
        print("validate(full=True):", batch.validate(full=True))
    except pa.ArrowInvalid:
        print("validate(full=True): ArrowInvalid")
PY
said=$("$place/venv/bin/python" "$place/look.py" "$place/a.feather")
printf '%s\n' "$said"
[ "$said" = "validate: None
to_pylist: SystemError: Negative size passed to PyUnicode_New
validate(full=True): ArrowInvalid" ]
