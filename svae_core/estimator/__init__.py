"""The scikit-learn interface: SphericalShell, a transformer, and SphericalVAE, an estimator.

    model = SphericalVAE(latent_dim=4).fit(X);  model.transform(X);  model.certificate_
    model.set_callbacks(watch).fit(X)       # scikit-learn's callbacks, at the end of each epoch

Both follow scikit-learn's conventions: they work in pipelines, searches and clones, and pass its
`check_estimator`. They use the same computations as the rest of the package.
"""

from svae_core.estimator.spherical_shell import SphericalShell as SphericalShell
from svae_core.estimator.vae import SphericalVAE as SphericalVAE
