"""What this machine has and what of it is left: memory, files, its address in the network.

Each fact is None where the system does not tell it; nothing here needs more than Python itself.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import svae_core

if sys.platform != "win32":  # which has no such limit
    import resource

#: Where a container's limit of memory stands, by the two generations of Linux' control groups.
_CONTAINER = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


_PARENT_SECONDS = 0.5


@dataclass(frozen=True)
class Memory:
    """Bytes of memory: all that this process may use, and what is free of it."""

    total: int
    free: int


@dataclass(frozen=True)
class Descriptors:
    """Files and connections: how many are open, and how many may be."""

    open: int
    allowed: int | None  # None: no limit

    @property
    def left(self) -> int:
        """How many more may be opened; a large number where there is no limit."""
        return 2**31 if self.allowed is None else self.allowed - self.open


def memory() -> Memory | None:
    """The machine's memory, or a container's share of it."""
    found = _whole_memory()
    if found is None:
        return None
    for path in _CONTAINER:
        with suppress(OSError, ValueError):  # "max" where there is no limit
            allowed = int(path.read_text("ascii"))
            if allowed < found.total:
                return Memory(allowed, min(found.free, allowed))
    return found


def _available() -> int:
    """Linux' own estimate, which counts caches that it would give up; 0 elsewhere."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


if sys.platform == "win32":

    class _Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "free", "a", "b", "c", "d", "e")),
        )

    def _whole_memory() -> Memory | None:
        status = _Status(length=ctypes.sizeof(_Status))
        if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return None
        return Memory(int(status.total), int(status.free))

else:

    def _whole_memory() -> Memory | None:
        """From the system; what is free is not told on macOS, and then all of it counts."""
        with suppress(OSError, ValueError):
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            return Memory(total, _available() or total)
        return None


def descriptors() -> Descriptors | None:
    """Open files and connections of this process, and its limit; None on Windows."""
    if sys.platform != "win32":
        for folder in ("/proc/self/fd", "/dev/fd"):  # Linux, macOS
            with suppress(OSError):
                count = len(os.listdir(folder))
                soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
                return Descriptors(count, None if soft == resource.RLIM_INFINITY else int(soft))
    return None


if sys.platform == "win32":
    _SYNCHRONIZE, _FOREVER = 0x00100000, 0xFFFFFFFF

    def wait_for_end_of_parent(parent: int) -> None:
        """Return when the process that started this one is gone; its id stays our parent's."""
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(_SYNCHRONIZE, False, parent)
        if handle:  # else it is gone already
            kernel.WaitForSingleObject(handle, _FOREVER)
            kernel.CloseHandle(handle)

else:

    def wait_for_end_of_parent(parent: int) -> None:
        """Return when the process that started this one is gone: another is then its parent."""
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)


def network_address() -> str:
    """This machine's address in its network; its own one where there is no network.

    Nothing is sent: a datagram socket that is given a destination only picks its interface.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def install(package: str) -> str:
    """The command that installs a package: in a checkout, all of them as they are pinned there."""
    pinned = Path(svae_core.__file__).parents[1] / "requirements.txt"
    return f"pip install {'-r requirements.txt' if pinned.is_file() else package}"


def without_torch() -> str:
    """Why torch cannot be had on this kind of machine; "" where it can."""
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return (
            "PyTorch has made no packages for Macs with an Intel processor since version 2.2, and "
            "2.6 is needed; use another machine, or a container on this one"
        )
    return ""
