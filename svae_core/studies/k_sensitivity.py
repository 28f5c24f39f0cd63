"""Sensitivity of the band to K and to the starts of K-means.

δ by `shell` and `free` does not depend on W, so only the band's lower end and, through it, hi
change. The floor curves depend on points and decoder domain alone, so they are the same for all K.
"""

from __future__ import annotations

import dataclasses

from svae_core.geometry.kmeans import cluster
from svae_core.geometry.region import BandAtK
from svae_core.problem import prepared_data, region_of
from svae_core.records import Settings

_KS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)


def sensitivity(settings: Settings) -> tuple[BandAtK, ...]:
    """The band for several K, including that of the settings, with the best and worst start."""
    prepared = prepared_data(settings)
    shell = prepared.shell
    found = []
    for k in sorted({*(k for k in _KS if k < len(shell.points)), prepared.clusters.k}):
        clusters = cluster(shell.points, k, settings.data_seed)
        worst = dataclasses.replace(
            clusters, within=max(clusters.within, float(clusters.restarts.max()))
        )
        found.append(
            BandAtK(
                k=k,
                silhouette=clusters.silhouette,
                best=region_of(shell, clusters, settings),
                worst=region_of(shell, worst, settings),
            )
        )
    return tuple(found)
