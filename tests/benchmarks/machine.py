"""The machine that a claim about speed comes from, and an environment in which it may be made.

check();  print(about())
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from svae_core import __version__

#: Makes OpenBLAS take kernels of another processor.
_KERNELS = "OPENBLAS_CORETYPE"


def check() -> None:
    """One thread; begin anew without OPENBLAS_CORETYPE, which other kernels than ours obey."""
    if chosen := os.environ.get(_KERNELS):
        print(f"{_KERNELS}={chosen} slows BLAS: measured without it.", file=sys.stderr)
        rest = {name: value for name, value in os.environ.items() if name != _KERNELS}
        os.execve(sys.executable, [sys.executable, *sys.argv], rest)
    import scipy.linalg  # noqa: F401 - native code's BLAS

    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")


def about() -> str:
    """Versions, processor, instruction set and BLAS kernels, as one line of a report."""
    kernels = {
        f"{one['internal_api']} {one['version']} {one['architecture']}"
        for one in threadpool_info()
        if one["user_api"] == "blas" and "architecture" in one
    }
    return (
        f"svae_core {__version__}, torch {torch.__version__} "
        f"({torch.backends.cpu.get_cpu_capability()}), Python {platform.python_version()}; "
        f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}; "
        f"{', '.join(sorted(kernels)) or 'no OpenBLAS'}."
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo")
    if lines.exists():
        for line in lines.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
