"""Spherical VAE Explorer, the core: data in, certificates and frames out, no screen.

The rooms, from the ground up; each imports only rooms above it in this list
(`tests/test_architecture.py` keeps it so):

    options      settings that explain themselves
    settings     every setting of a run, and what may change in the middle of one
    blocks       large arrays a block of rows at a time
    limits       what protects a server from its visitors
    records      frozen dataclasses that pass between rooms
    registry     finds the plug-ins of a folder and checks their contract
    grid         a grid of runs: methods at the points of axes, with seeds
    journal      a file that results are appended to as they come
    home         where runs and data are kept
    shell        the map of data onto the shell, and back
    clusters     K-means on the shell: W, B, T, separation, choosing K
    region       collapse losses, the feasible band, the penalty weight rule
    modes        the highest modes of a kernel density on the shell
    floors       how many nats a loss guarantees
    posterior    sampling and KL, each formula once
    directional  posteriors on a sphere
    stacks       layers for a batch of members, their gradient written by hand
    convolution  layers that halve and double images
    residual     layers that add to what passes through them
    layouts      which layers each architecture has
    autoregression  an over-powerful decoder, and what it gives by itself
    networks     encoders and decoders for a batch of members
    averages     loss and KL of a minibatch, their gradient written by hand
    diversity    how good and how varied samples are, beside data
    pictures     points as images, or as coordinates
    explored     what is found in latent spaces, as records
    collapse     what a trained model is worth: active units, information, verdict
    commentary   what just happened, in one line
    cells        how the runs of a grid ended, cell by cell
    certificate  certify a model, ours or anyone's, by measurement
    certificate_page  the same as a page to print
    own_data/    files of one's own, not trusted, become tables
    datasets/    one file per dataset
    methods/     one file per training method
    scores       what a trained run is worth beside others, and tables of it
    problem      dataset -> shell -> clusters -> region, composed in one place
    sensitivity  how the band moves with K and with the starts of K-means
    groups       members trained by the same method, and what it carries along
    objective    what a batch of members minimises
    snapshot     a model at one moment: its frame, its certificate
    workbench    what a slice of training needs, made once from the settings
    training     the only training loop
    projection   PCA and live UMAP of latent means
    exploration  what latent dimensions do, what lies at a place, between, around
    band_study   samples of models trained over the width of the band
    thinned      a groundwork without its data
    shards       moments and layouts as named arrays, and back
    about        what is known of a saved run without reading its frames
    run          a run on disk
    shelf        all saved runs: list, rename, delete and take back
    parcel       a run as one file, to give away and to take in
    sweep        grids of runs as batches of members
    scoring      reconstructions, likelihood, classes in latents
    comparison   methods side by side, trained alike and scored
    exports      embeddings, reconstructions and weights as files
    attack       a search for a collapsed run inside the band
    objections/  the open objections, and what is measured about each
    scheduling   whose turn it is
    workers      the processes that wait for work
    cluster      a Dask cluster in their place
    engine       where work runs: worker processes, or a cluster
    estimator    the scikit-learn face
    commands/    the command line, one file per command
    __main__     where it starts
    figures/     records -> Plotly figures

The names below are loaded when they are first asked for: `import svae_core` pulls neither torch
nor umap.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

# Intel's matrix products otherwise choose their instructions by where arrays happen to lie in
# memory, and a member of a batch would differ from its solo run in the last bit. Measured cost:
# none. Read by the library at its first product, so it is set before any room is loaded.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__version__ = "0.1.0"

#: Public name -> the room it lives in.
_ROOM_OF = {
    "RequestError": "records",
    "Settings": "records",
    "SphericalShell": "estimator",
    "SphericalVAE": "estimator",
    "certify": "certificate",
    "prepare": "problem",
}

__all__ = [
    *("RequestError", "Settings", "SphericalShell", "SphericalVAE", "__version__"),
    *("certify", "prepare"),
]


def __getattr__(name: str) -> Any:
    """Load a public name from its room on first use (PEP 562)."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
