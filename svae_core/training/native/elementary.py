"""tanh and exp in float32, the same bits on every machine's C library.

The C library's own differ between its versions, and are not vectorised in a compiled loop. These
are; tests/test_native_elementary.py holds exp to 2 units in the last place and tanh to 3. The
coefficients are a minimax fit (iteratively reweighted least squares,
tests/benchmarks/fit_elementary.py).

    eˣ = 2ⁿ·eᵗ,  n = ⌊x/log 2 + ½⌋,  m = eᵗ − 1 ≈ t + t²·p(t),  |t| ≤ ½ log 2
    tanh x = e/(e + 2) with e = e²ˣ − 1 = 2ⁿ·m + (2ⁿ − 1): nothing cancels where x is small

No `nnan` and no `ninf` among the fast-math flags: a NaN must stay one.
"""

# mypy: disable-error-code="no-untyped-def, assignment"
from __future__ import annotations

import numpy as np
from numba import njit

F = np.float32
#: "reassoc" lets sums be vectorised, "contract" fuses multiplication and addition.
FAST = {"reassoc", "contract", "arcp", "nsz"}
_EXACT = {"contract", "nsz"}  # the order of the operations below matters

_LOG2E = F(1.4426950408889634)
# log 2 in two parts; the product of n and the first is exact.
_HIGH, _LOW = F(0.693359375), F(-2.1219444005469057e-4)
_E0, _E1, _E2 = F(0.49999993), F(0.16666521), F(0.04166839)
_E3, _E4 = F(0.00836871), F(0.00138146)
_ONE_FROM = F(9.2)  # tanh is 1 in float32 from here on


@njit(fastmath=_EXACT, error_model="numpy")
def _parts(x):
    """eᵗ − 1 and 2ⁿ, for −87 < x < 88."""
    n = np.floor(x * _LOG2E + F(0.5))
    t = (x - n * _HIGH) - n * _LOW
    p = (((_E4 * t + _E3) * t + _E2) * t + _E1) * t + _E0
    # 2ⁿ by its bits: a float32 keeps its exponent from bit 23 on, with 127 added to it.
    power = (np.int32(n) + np.int32(127)) << np.int32(23)
    return p * (t * t) + t, np.int32(power).view(np.float32)


@njit(fastmath=_EXACT, error_model="numpy")
def exp(x):
    """e^x for −87 < x < 88; NaN for NaN is the caller's to see."""
    less_one, power = _parts(x)
    return (less_one + F(1)) * power


@njit(fastmath=_EXACT, error_model="numpy")
def tanh(x):
    """tanh x."""
    a = min(max(x, -_ONE_FROM), _ONE_FROM)
    less_one, power = _parts(a + a)
    e = less_one * power + (power - F(1))
    value = e / (e + F(2))
    return value if x == x else x
