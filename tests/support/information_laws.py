"""What must hold for every trained run, whatever trained it; called wherever a test trains one.

And the toy problem that tests of methods share.
"""

import math

from svae_core.records import Certificate, Settings

#: Methods whose posteriors have no density in closed form, so that I(x; z) is not known.
NO_DENSITY = ("avo", "cloud")

#: A toy on which every method learns something within a second.
TOY = Settings(
    dataset="clusters",
    dataset_options=(("points", 300),),
    clusters=5,
    latent_dim=3,
    hidden=16,
    epochs=30,
    sigma2=0.05,
    device="cpu",
)


def assert_information_laws(certificate: Certificate) -> None:
    """log n ≥ I; KL ≥ I; KL ≥ every floor at D + margin; elementary and proved ≤ tight."""
    sampling = 0.03 + 3.0 / certificate.n_points**0.5  # one draw per point in the estimate of I
    floors = certificate.floors
    if certificate.method in NO_DENSITY:
        assert math.isnan(certificate.mutual_information)
    else:
        assert certificate.mutual_information <= certificate.mi_ceiling + 1e-9
        assert certificate.kl >= certificate.mutual_information - sampling
    assert certificate.kl >= floors.tight
    assert certificate.kl >= certificate.cluster_floor
    assert floors.elementary <= floors.tight + 1e-6
    assert floors.proved <= floors.tight + 1e-6
    if certificate.held_out is not None:
        assert_information_laws(certificate.held_out)
