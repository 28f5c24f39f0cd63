#!/usr/bin/env bash
# msgspec 0.22.0, seen on 2026-12-01.
#
# What happens: what msgspec learns of a dataclass is kept at the class, in __msgspec_cache__, before
# the types of its fields have been looked at, since a class may hold itself. Looking at them runs
# Python code, in which the interpreter may go to another thread. One that converts to the same class
# then finds an entry that is not finished: with eight threads half of the processes ended with
# signal 11. Once a first conversion is over, no number of threads does harm.
#
# One would guess: that the first use of a type is as safe among threads as the second, or that an
# entry is kept only when it is finished.
#
# Why it matters here: a web server that has just been started reads its first files in several
# threads. It was gone without a word. Our conversions hold a lock (svae_core/records.py).
#
# Shown without threads: an annotation of the inner class is a call, which looks at the outer class
# while that is being learnt.
#
# Output seen:
#   the outer class has its entry while its fields are looked at: True
#   converted: Outer(inner=Inner(number=1))
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.22.0

cat > "$place/look.py" <<'PY'
from dataclasses import dataclass

import msgspec

seen = []

def look():
    seen.append("__msgspec_cache__" in vars(Outer))
    return int

@dataclass
class Inner:
    number: "look()"

@dataclass
class Outer:
    inner: Inner


converted = msgspec.convert({"inner": {"number": 1}}, Outer)
print("the outer class has its entry while its fields are looked at:", seen[0])
print("converted:", converted)
PY
seen=$("$place/venv/bin/python" "$place/look.py")
echo "$seen"
[ "$seen" = "the outer class has its entry while its fields are looked at: True
converted: Outer(inner=Inner(number=1))" ]
