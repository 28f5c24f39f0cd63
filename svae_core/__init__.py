"""Spherical VAE Explorer, the library: data preparation, training, certificates and figures.

The packages, from the bottom up; each imports only packages above it in this list
(`tests/test_architecture.py` enforces it):

    distributions  posteriors: sampling, log-density, KL
    config         settings with ranges and help, limits, plug-ins
    records        frozen dataclasses that pass between packages
    nets           encoders and decoders for a batch of models
    geometry       the shell, K-means clusters, the feasible region
    own_data       untrusted user files -> tables
    certificate    what a measured loss proves, and with what confidence
    datasets       one file per data set
    commentary     one-line remarks on events of a run
    methods        one file per training method
    problem        data set -> shell -> clusters -> region, composed in one place
    training       the training loop
    latent         analysis of trained latent spaces
    objections     open objections to the claim, with measurements
    studies        studies of many runs: grids, sweeps, comparisons, searches
    clinic         has a model collapsed, why, and what would help
    runs           runs on disk
    compute        worker processes, or a Dask cluster
    figures        records -> Plotly figures
    stage          a run as the browser's stage reads it: messages, and the file that plays anywhere
    estimator      the scikit-learn interface
    integrations   the method in other people's training loops, trainers, trackers and formats
    notebook       records and runs in Jupyter and marimo: rich representations, the live stage
    commands       the command line, one file per command
    __main__       entry point of the command line

The public names are loaded on first use: `import svae_core` imports neither torch nor numba.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

# Otherwise MKL chooses instructions by the memory alignment of arrays, and a member of a batch
# would differ from its solo run in the last bit. No measurable cost. MKL reads the variable at its
# first product, so it is set before any module is loaded.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__version__ = "0.1.0"

#: Public name -> the module that defines it.
_HOME_OF = {
    "RequestError": "config.fields",
    "Settings": "config.settings",
    "SphericalShell": "estimator",
    "SphericalVAE": "estimator",
    "certify": "certificate.certify",
    "certify_encoder": "certificate.encoder",
    "prepare": "problem",
    "watch": "notebook.watch",
}

__all__ = [
    *("RequestError", "Settings", "SphericalShell", "SphericalVAE", "__version__"),
    *("certify", "certify_encoder", "prepare", "watch"),
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
