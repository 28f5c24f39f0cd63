"""Spherical VAE Explorer, the core: data in, certificates and frames out, no screen.

The packages, from the ground up; each imports only packages above it in this list
(`tests/test_architecture.py` keeps it so):

    distributions  posteriors: sampling, log-density, KL
    config         settings that explain themselves, limits, plug-ins
    records        frozen dataclasses that pass between packages
    nets           encoders and decoders for a batch of models
    geometry       the shell, K-means clusters, the feasible region
    own_data       a visitor's file, not trusted, becomes a table
    certificate    what a measured loss proves, and with what confidence
    datasets       one file per data set
    commentary     what just happened in a run, in one line
    methods        one file per training method
    problem        data set -> shell -> clusters -> region, composed in one place
    training       the only training loop
    latent         looking into a trained model
    objections     the open objections, and what is measured about each
    studies        many runs compared: grids, sweeps, comparisons, searches
    runs           runs on disk
    compute        worker processes, or a cluster
    figures        records -> Plotly figures
    estimator      the scikit-learn interface
    commands       the command line, one file per command
    __main__       where the command line starts

The names below are loaded when they are first asked for: `import svae_core` pulls neither torch
nor umap.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

# Intel's matrix products otherwise choose their instructions by where arrays happen to lie in
# memory, and a member of a batch would differ from its solo run in the last bit. Measured cost:
# none. Read by the library at its first product, so it is set before any module is loaded.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__version__ = "0.1.0"

#: Public name -> the module that defines it.
_HOME_OF = {
    "RequestError": "config.fields",
    "Settings": "config.settings",
    "SphericalShell": "estimator",
    "SphericalVAE": "estimator",
    "certify": "certificate.certify",
    "prepare": "problem",
}

__all__ = [
    *("RequestError", "Settings", "SphericalShell", "SphericalVAE", "__version__"),
    *("certify", "prepare"),
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
