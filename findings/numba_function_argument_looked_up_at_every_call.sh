#!/usr/bin/env bash
# numba 0.68.1 on NumPy 2.4.6 (llvmlite 0.50.0), seen on 2026-11-29.
#
# What happens: a compiled function may be an argument of another one (a first-class function). Where
# it was made by njit, every call from Python looks its compiled code up twice: get_compile_result
# hashes the types of its signature, although both are explicitly typed. Made by cfunc, never.
#
# One would guess: that, once compiled, the way in which the function was made costs nothing.
#
# Why it matters here: with twelve arguments in a named tuple the look-ups took 17 of 31 microseconds
# a call, a fifth of a training step. Our methods' slopes are cfuncs for that reason.
#
# Output seen:
#   njit argument: 12.0, look-ups in 100 calls: 200
#   cfunc argument: 12.0, look-ups in 100 calls: 0
#
# Exits with 0 while it is so, and with 1 once it has changed.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    numpy==2.4.6 numba==0.68.1 llvmlite==0.50.0

cat > "$place/look.py" <<'PY'
from numba import cfunc, njit, types
from numba.core.dispatcher import Dispatcher

signature = types.float64(types.float64)
taking = types.float64(types.FunctionType(signature), types.float64)


@njit(taking)
def apply(function, value):
    return function(value) + 2.0


looked_up = 0
original = Dispatcher.get_compile_result


def counted(self, wanted):
    global looked_up
    looked_up += 1
    return original(self, wanted)

Dispatcher.get_compile_result = counted
for made in (njit, cfunc):
    square = made(signature)(lambda value: value * 2.0)
    answer, looked_up = apply(square, 5.0), 0
    for _ in range(100):
        apply(square, 5.0)
    print(f"{made.__name__} argument: {answer}, look-ups in 100 calls: {looked_up}")
PY
seen=$("$place/venv/bin/python" "$place/look.py")
echo "$seen"
[ "$seen" = "njit argument: 12.0, look-ups in 100 calls: 200
cfunc argument: 12.0, look-ups in 100 calls: 0" ]
