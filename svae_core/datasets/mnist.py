"""MNIST, all 70,000 images (needs the network once)

Handwritten digits of 28 × 28 pixels. Grey values from 0 to 255 are divided by 255, so they lie in
[0, 1]. The first use downloads some 15 MB from OpenML and keeps them in scikit-learn's data folder;
reading them takes about 20 s in every new process. Without a network, use MNIST, 5,000 images.

Source: OpenML, data set 554 (mnist_784); LeCun, Cortes & Burges, The MNIST database of handwritten
digits; needs the network
"""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from svae_core.records import Dataset, RequestError

#: Seconds after which an unfinished download is stopped.
PATIENCE = 180

#: The program of the child process. Its sockets time out after 10 s. The liac-arff parser is the
#: one without pandas: scikit-learn 1.9 with pandas 3 fails on the labels.
READ_OPENML = """
import socket, sys
import numpy as np
from sklearn.datasets import fetch_openml
socket.setdefaulttimeout(10)
bunch = fetch_openml(data_id=554, as_frame=False, parser="liac-arff", n_retries=1, delay=0.1)
table = np.column_stack([bunch.data.astype(np.uint8), bunch.target.astype(np.uint8)])
np.save(sys.stdout.buffer, table)
"""
LICENCE = "CC BY-SA 3.0"


@dataclass(frozen=True)
class Config:
    """No options."""


def load(config: Config, seed: int) -> Dataset:
    """Points [70000, 784], pixels row by row; the data are fixed, so the seed has no effect."""
    table = _table()
    return Dataset(
        name="mnist",
        title="MNIST, all 70,000 images (needs the network once)",
        points=table[:, :-1].astype(np.float32) / 255,
        labels=table[:, -1].astype(int),
        label_names=tuple(str(digit) for digit in range(10)),
        image_shape=(28, 28),
    )


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """Pixels and, in the last column, the digit: [70000, 785] uint8.

    A child process downloads and parses: it can be killed wherever it hangs (DNS lookups have no
    timeout of their own), and the gigabyte that parsing needs is released.
    """
    command = [sys.executable, "-P", "-c", READ_OPENML]
    try:
        child = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise _unreachable(f"no end after {PATIENCE} s") from None
    if child.returncode:
        last_words = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise _unreachable(" ".join(last_words) or f"exit status {child.returncode}")
    return np.load(io.BytesIO(child.stdout))


def _unreachable(reason: str) -> RequestError:
    return RequestError(
        "Dataset mnist has to be downloaded from OpenML once, and that failed "
        f"({reason}); go online, or use --dataset mnist5k, 5,000 such images that need no network."
    )
